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
	t.activate(there(&y), there(&x), bias, act)
	return nil
}

// ActivateGrad computes g = dy·act'(x) from the output y = act(x): dy where y > 0
// for ReLU, dy·(1-y)·y for Sigmoid, dy·(1-y²) for Tanh, dy for Linear. Where y is
// NaN, ReLU passes dy on and the others give NaN. It writes dx = g, or dx += g if
// accumulate is set, and adds the column sums of g to dbias, rows ascending,
// unless dbias is nil. All matrices have one shape; dx may be dy if accumulate is
// not set.
func (t *Table) ActivateGrad(dx Matrix, dbias []float32, dy, y Matrix, act Activation, accumulate bool) error {
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
	t.activateGrad(there(&dx), dbias, there(&dy), there(&y), act, accumulate)
	return nil
}
