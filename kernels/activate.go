package kernels

import "fmt"

// Activation is a function applied to each element. Its names are Keras' names.
type Activation uint8

const (
	Linear  Activation = iota // x
	ReLU                      // max(x, 0); NaN stays NaN
	Sigmoid                   // 1/(1+exp(-x))
	Tanh                      // tanh(x)
)

// String returns linear, relu, sigmoid or tanh.
func (act Activation) String() string {
	switch act {
	case Linear:
		return "linear"
	case ReLU:
		return "relu"
	case Sigmoid:
		return "sigmoid"
	case Tanh:
		return "tanh"
	}
	return fmt.Sprintf("Activation(%d)", uint8(act))
}

func (act Activation) check(kernel string) error {
	if act > Tanh {
		return fmt.Errorf("kernels: %s: unknown activation %d: use %d (linear), %d (relu), %d (sigmoid) or %d (tanh)",
			kernel, act, Linear, ReLU, Sigmoid, Tanh)
	}
	return nil
}

// Activate computes y = act(x + bias) for y and x of one shape. Bias has one
// element per column, or is nil. y may be x.
func (t *Table) Activate(y, x Matrix, bias []float32, act Activation) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "Activate"
	if !same(&y, &x) {
		return checkSame(kernel, operand{"x", x}, operand{"y", y})
	}
	if err := act.check(kernel); err != nil {
		return err
	}
	if bias == nil {
		flatten(&y, &x)
	} else if err := checkCols(kernel, "bias", len(bias), operand{"x", x}); err != nil {
		return err
	}
	raceReads(x, vector(bias))
	raceWrites(y)
	t.activate(&y, &x, bias, act)
	return nil
}

func (t *Table) activate(y, x *Matrix, bias []float32, act Activation) {
	switch v := t.level; {
	case act == Linear && bias == nil && (v == nil || x.Cols >= 64):
		for i := range filled(x) {
			copyRow(y.Row(i), x.Row(i))
		}
	case v == nil:
		for i := range filled(x) {
			activateRow(y.Row(i), x.Row(i), bias, act)
		}
	default:
		v.activateColumns(y, x, bias, act)
	}
}

func (v *level) activateColumns(y, x *Matrix, bias []float32, act Activation) {
	for i, rows := range x.blocks(rowCall) {
		for j, cols := range parts(x.Cols, rowCall) {
			v.functions.activate[act](rows, cols, y.at(i, j), 4*y.Stride, x.at(i, j), 4*x.Stride, pointer(bias, j))
		}
	}
}

func activateRow(y, x, bias []float32, act Activation) {
	if bias != nil {
		addGeneric(y, x, bias)
		x = y
	}
	switch act {
	case Linear:
		copy(y, x)
	case ReLU:
		for j, v := range x {
			y[j] = max(v, 0)
		}
	case Sigmoid:
		for j, v := range x {
			y[j] = sigmoid(v)
		}
	case Tanh:
		for j, v := range x {
			y[j] = tanh(v)
		}
	}
}

// ActivateGrad computes g = dy·act'(x) from the output y = act(x): dy where y > 0
// for ReLU, dy·(1-y)·y for Sigmoid, dy·(1-y²) for Tanh, dy for Linear. Where y is
// NaN, ReLU passes dy on and the others give NaN. It writes dx = g, or dx += g if
// accumulate is set, and adds the column sums of g to dbias, rows ascending,
// unless dbias is nil. All matrices have one shape; dx may be dy if accumulate is
// not set.
func (t *Table) ActivateGrad(dx Matrix, dbias []float32, dy, y Matrix, act Activation, accumulate bool) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "ActivateGrad"
	if !same(&dx, &y) || !same(&dy, &y) {
		return checkSame(kernel, operand{"dy", dy}, operand{"y", y}, operand{"dx", dx})
	}
	if err := act.check(kernel); err != nil {
		return err
	}
	if dbias == nil {
		flatten(&dx, &dy, &y)
	} else if err := checkCols(kernel, "dbias", len(dbias), operand{"dy", dy}); err != nil {
		return err
	}
	raceReads(dy, y)
	raceWrites(dx, vector(dbias))
	if t.level == nil {
		activateGradGeneric(&dx, dbias, &dy, &y, act, accumulate)
	} else {
		t.level.activateGradColumns(&dx, dbias, &dy, &y, act, accumulate)
	}
	return nil
}

func (v *level) activateGradColumns(dx *Matrix, dbias []float32, dy, y *Matrix, act Activation, accumulate bool) {
	for i, rows := range y.blocks(rowCall) {
		for j, cols := range parts(y.Cols, rowCall) {
			if dbias == nil {
				v.activateGrad[act](rows, cols, dx.at(i, j), 4*dx.Stride, dy.at(i, j), 4*dy.Stride, y.at(i, j), 4*y.Stride, flag(accumulate))
			} else {
				v.activateGradBias[act](rows, cols, dx.at(i, j), 4*dx.Stride, dy.at(i, j), 4*dy.Stride, y.at(i, j), 4*y.Stride, flag(accumulate), &dbias[j])
			}
		}
	}
}

func activateGradGeneric(dx *Matrix, dbias []float32, dy, y *Matrix, act Activation, accumulate bool) {
	for i := range filled(y) {
		dst, out := dx.Row(i), y.Row(i)
		for j, g := range dy.Row(i) {
			v := out[j]
			switch act {
			case ReLU:
				if v <= 0 {
					g = 0
				}
			case Sigmoid:
				g = float32(g * float32((1-v)*v))
			case Tanh:
				g = float32(g * mulAdd(-v, v, 1))
			}
			if dbias != nil {
				dbias[j] += g
			}
			if accumulate {
				g += dst[j]
			}
			dst[j] = g
		}
	}
}
