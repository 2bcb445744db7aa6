package nn

import (
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
)

// A Regularizer is a penalty of a weight, or of the result of a layer, that is added to the loss: to what training makes
// small, and to "loss" in the logs, of validation too. The weights of layers that are frozen cost nothing. See
// [KernelRegularizer] and [Register].
//
// A regularizer that does not fit all shapes has Check(Shape) error, too.
type Regularizer interface {
	// Penalty returns the penalty of x. If grad has data it has the shape of x, and Penalty adds to it scale times the
	// gradient of the penalty by x. A weight is a matrix with its last axis as columns, a result has a row for each sample.
	// Several goroutines may call Penalty at a time.
	Penalty(x, grad kernels.Matrix, scale float32) (float32, error)
}

// ActivityRegularized is a [Kind] whose result may have a penalty, nil for none.
type ActivityRegularized interface {
	Kind
	ActivityRegularizer() Regularizer
}

func init() {
	Register("L1", l1{0.01})
	Register("L2", l2{0.01})
	Register("L1L2", l1l2{})
	Register("OrthogonalRegularizer", orthogonalRegularizer{0.01, "rows"})
}

type l1 struct {
	L1 float64 `json:"l1"`
}

// L1 is factor·Σ|x|, which drives what is of little use to 0. Keras' usual factor is 0.01.
func L1(factor float64) Regularizer { return &l1{factor} }

func (r *l1) Check(Shape) error { return checkStrength("l1", r.L1) }

func (r *l1) Penalty(x, grad kernels.Matrix, scale float32) (float32, error) {
	return penalty(x, grad, scale, r.L1, 0), nil
}

type l2 struct {
	L2 float64 `json:"l2"`
}

// L2 is factor·Σx². Keras' usual factor is 0.01. Optimizers can take a share from weights themselves: see WeightDecay in
// [OptimizerOptions].
func L2(factor float64) Regularizer { return &l2{factor} }

func (r *l2) Check(Shape) error { return checkStrength("l2", r.L2) }

func (r *l2) Penalty(x, grad kernels.Matrix, scale float32) (float32, error) {
	return penalty(x, grad, scale, 0, r.L2), nil
}

type l1l2 struct {
	L1 float64 `json:"l1"`
	L2 float64 `json:"l2"`
}

// L1L2 is the sum of [L1] and [L2].
func L1L2(factor1, factor2 float64) Regularizer { return &l1l2{factor1, factor2} }

func (r *l1l2) Check(Shape) error {
	if err := checkStrength("l1", r.L1); err != nil {
		return err
	}
	return checkStrength("l2", r.L2)
}

func (r *l1l2) Penalty(x, grad kernels.Matrix, scale float32) (float32, error) {
	return penalty(x, grad, scale, r.L1, r.L2), nil
}

// penalty returns l1·Σ|x| + l2·Σx², summed in float64, where squares are exact.
func penalty(x, grad kernels.Matrix, scale float32, l1, l2 float64) float32 {
	sum, squares := 0.0, 0.0
	for i := range x.Rows {
		for _, v := range x.Row(i) {
			v := float64(v)
			sum += math.Abs(v)
			squares += v * v
		}
	}
	if grad.Data != nil {
		factor1, factor2 := float32(l1*float64(scale)), float32(2*l2*float64(scale))
		for i := range x.Rows {
			g := grad.Row(i)
			for j, v := range x.Row(i) {
				slope := float32(v * factor2)
				switch {
				case v > 0:
					slope += factor1
				case v < 0:
					slope -= factor1
				}
				g[j] += slope
			}
		}
	}
	return float32(float64(l1*sum) + float64(l2*squares))
}

type orthogonalRegularizer struct {
	Factor float64 `json:"factor"`
	Mode   string  `json:"mode"`
}

// OrthogonalRegularizer is factor times the mean of |cos| of the angles between the rows of a matrix, or with the mode
// "columns" between its columns; the other mode is "rows". Keras' usual factor is 0.01.
func OrthogonalRegularizer(factor float64, mode string) Regularizer {
	return &orthogonalRegularizer{factor, mode}
}

func (r *orthogonalRegularizer) Check(shape Shape) error {
	switch {
	case r.Mode != "rows" && r.Mode != "columns":
		return fmt.Errorf("OrthogonalRegularizer: unknown mode %q: valid are %q", r.Mode, []string{"rows", "columns"})
	case len(shape) != 2:
		return fmt.Errorf("OrthogonalRegularizer needs two axes, the shape is %s", shape)
	}
	return checkStrength("OrthogonalRegularizer: factor", r.Factor)
}

// Penalty takes one pair of vectors after the other, and so needs no memory.
func (r *orthogonalRegularizer) Penalty(x, grad kernels.Matrix, scale float32) (float32, error) {
	n, length, across, along := x.Rows, x.Cols, x.Stride, 1
	gradAcross, gradAlong := grad.Stride, 1
	if r.Mode == "columns" {
		n, length, across, along, gradAcross, gradAlong = length, n, along, across, gradAlong, gradAcross
	}
	if n < 2 {
		return 0, nil
	}
	factor, sum := r.Factor/(float64(n)*float64(n-1)/2), 0.0
	for a := range n {
		for b := range a {
			aa, bb, ab := 0.0, 0.0, 0.0 // of float32, products are exact
			for k := range length {
				u, v := float64(x.Data[a*across+k*along]), float64(x.Data[b*across+k*along])
				aa, bb, ab = aa+u*u, bb+v*v, ab+u*v
			}
			if aa == 0 || bb == 0 || ab == 0 {
				continue
			}
			norms := math.Sqrt(aa) * math.Sqrt(bb)
			sum += math.Abs(ab) / norms
			if grad.Data == nil {
				continue
			}
			// The gradient of a·b/(|a||b|) by a is b/(|a||b|) - a·(a·b)/(|a|³|b|).
			slope := factor * float64(scale) / norms
			if ab < 0 {
				slope = -slope
			}
			cross, ofA, ofB := float32(slope), float32(slope*ab/aa), float32(slope*ab/bb)
			for k := range length {
				u, v := x.Data[a*across+k*along], x.Data[b*across+k*along]
				grad.Data[a*gradAcross+k*gradAlong] += float32(v*cross) - float32(u*ofA)
				grad.Data[b*gradAcross+k*gradAlong] += float32(u*cross) - float32(v*ofB)
			}
		}
	}
	return float32(factor * sum), nil
}

// A penaltyFunction is a regularizer as an operation.
type penaltyFunction struct {
	Regularizer
	of string // what has the penalty: `weight "dense/kernel"`
}

func (p *penaltyFunction) Name() string { return "the penalty of " + p.of }

func (p *penaltyFunction) Forward(y kernels.Matrix, x []kernels.Matrix) (err error) {
	y.Data[0], err = p.Penalty(x[0], kernels.Matrix{}, 0)
	return err
}

func (p *penaltyFunction) Backward(dx []kernels.Matrix, dy, _ kernels.Matrix, x []kernels.Matrix) error {
	if dx[0].Data == nil {
		return nil
	}
	_, err := p.Penalty(x[0], dx[0], dy.Data[0])
	return err
}

// A penalized is a weight, or a node, with a penalty.
type penalized struct {
	place int // in the model's weights or nodes
	f     *penaltyFunction
}

// penalties returns what of the model has a penalty.
func (m *Model) penalties() (weights, nodes []penalized) {
	for i, w := range m.weights {
		if r := w.param.regularizer; r != nil {
			weights = append(weights, penalized{i, &penaltyFunction{r, fmt.Sprintf("weight %q", w.Name)}})
		}
	}
	places := map[*Node]int{}
	for i, n := range m.nodes {
		places[n] = i
		if r := n.layer.activityRegularizer(); r != nil {
			nodes = append(nodes, penalized{i, &penaltyFunction{r, fmt.Sprintf("the result of layer %q", m.paths[n.layer])}})
		}
		if a, ok := n.layer.kind.(*addLoss); ok {
			for _, term := range n.in[1:] {
				nodes = append(nodes, penalized{places[term], &penaltyFunction{a, fmt.Sprintf("a term of layer %q", m.paths[n.layer])}})
			}
		}
	}
	return weights, nodes
}

// activityRegularizer returns the penalty of the layer's result, nil for none.
func (l *Layer) activityRegularizer() Regularizer {
	if a, ok := l.kind.(ActivityRegularized); ok {
		return a.ActivityRegularizer()
	}
	return nil
}
