package nn

import (
	"errors"
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// Losses that have no kernel compute in float64, with the functions of package portable, and round every product before it is
// added, so that training has the same bits everywhere.

// kerasEpsilon is Keras' epsilon: its smallest probability and divisor.
const kerasEpsilon = 1e-7

// A rowFormula returns the loss of a row p with targets t and, unless g is nil, fills g with the gradient of that by p, times
// the weight.
type rowFormula func(g, p, t []float32, weight float64) float64

// A formula is a loss without parameters.
type formula struct {
	class, name string // Keras' name of the class, and that of an instance
	more        []string
	targets     TargetKind
	outputs     int // columns of the output for each of the targets; 0 stands for 1
	row         rowFormula
	binary      rowFormula                                                                        // in place of row where all targets of a batch are 0 or 1
	op          func(o ops.Losses, out *ops.Tensor, y kernels.Matrix, rows []float32) *ops.Tensor // in place of row in training
}

// register makes a class of the formula.
func (f *formula) register() *formula {
	f.outputs = max(1, f.outputs)
	Register(f.class, formulaLoss{usualLoss, f})
	alias[Loss](f.class, f.more...)
	return f
}

// A formulaLoss is a loss that its formula is all of.
type formulaLoss struct {
	lossBase
	*formula
}

// loss returns a loss of the formula.
func (f *formula) loss(opts []LossOption) Loss {
	l := &formulaLoss{usualLoss, f}
	l.apply(lossFields{}, opts)
	return l
}

func (l *formulaLoss) className() string   { return l.class }
func (l *formulaLoss) Name() string        { return l.name }
func (l *formulaLoss) Targets() TargetKind { return l.targets }

// TargetColumns implements [Columned].
func (l *formulaLoss) TargetColumns(out Output) int { return out.Shape.Last() / l.outputs }

func (l *formulaLoss) Check(out Output) error {
	return errors.Join(checkOutputs(l.name, out, l.outputs), l.check(l.name))
}

func (l *formulaLoss) Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	if l.op != nil {
		return l.op(o, out, y.Values, rows)
	}
	return o.CustomLoss(l, out, y, rows)
}

// Rows implements [ops.LossFunction].
func (l *formulaLoss) Rows(loss []float32, grad, pred kernels.Matrix, y Target, weights []float32) error {
	row := l.row
	if l.binary != nil && allBinary(y.Values) {
		row = l.binary
	}
	return row.rows(l.name, l.outputs, loss, grad, pred, y, weights)
}

// rows computes all rows of a batch, with so many columns of pred for each of the targets. Nil weights are all 1.
func (f rowFormula) rows(name string, outputs int, loss []float32, grad, pred kernels.Matrix, y Target, weights []float32) error {
	if y.Values.Cols*outputs != pred.Cols {
		return fmt.Errorf("%s: targets of %d columns for an output of %d: %w", name, y.Values.Cols, pred.Cols, kernels.ErrShape)
	}
	for i := range loss {
		weight := 1.0
		if weights != nil {
			weight = float64(weights[i])
		}
		loss[i] = float32(f(grad.Row(i), pred.Row(i), y.Values.Row(i), weight))
	}
	return nil
}

// columnMean is the mean over the columns of a function of a prediction and its target, which returns its slope, too.
func columnMean(at func(p, t float64) (loss, slope float64)) rowFormula {
	return func(g, p, t []float32, weight float64) float64 {
		n, sum := float64(len(p)), 0.0
		for j := range p {
			loss, slope := at(float64(p[j]), float64(t[j]))
			sum += float64(loss)
			if g != nil {
				g[j] = float32(slope * weight / n)
			}
		}
		return sum / n
	}
}

// allBinary reports whether all values are 0 or 1.
func allBinary(m kernels.Matrix) bool {
	for i := range m.Rows {
		for _, v := range m.Row(i) {
			if v != 0 && v != 1 {
				return false
			}
		}
	}
	return true
}

// signOf returns the slope of |x|, which is 0 at 0.
func signOf(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // 0 or NaN
}
