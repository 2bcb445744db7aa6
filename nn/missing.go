package nn

import (
	"fmt"
	"slices"

	"github.com/espalier-ml/espalier/kernels"
)

// unlabelled is the label of a row that has none, and in a chunk its weight. The loss gives such a row the weight 0 and finds a
// target of 0, the metrics do not see it.
const unlabelled = -1

// checkLabels reports labels that are no class, and whether any is missing.
func checkLabels(labels []int32, classes int, ignored *int) (lacks bool, err error) {
	for i, l := range labels {
		switch {
		case l >= 0 && int(l) < classes || ignored != nil && int(l) == *ignored:
		case l == unlabelled:
			lacks = true
		default:
			return false, fmt.Errorf("row %d has label %d, valid are 0 to %d, and -1 for a row without a label", i, l, classes-1)
		}
	}
	return lacks, nil
}

// checkTarget reports infinite targets, and whether any is NaN.
func (c *chunk) checkTarget(m kernels.Matrix) (lacks bool, err error) {
	v := m.Data[:m.Rows*m.Cols]
	first, err := findNonFinite(v, c.sum[:])
	if err != nil || first < 0 {
		return false, err
	}
	for i, x := range v[first:] {
		switch {
		case x != x:
			lacks = true
		case x-x != 0:
			i += first
			return false, fmt.Errorf("row %d, column %d is %v", i/m.Cols, i%m.Cols, x)
		}
	}
	return lacks, nil
}

// filled is memory for the target of a head that lacks labels, and for its weights.
type filled struct {
	labels          []int32
	values, weights []float32
}

// fillIn returns the target and the weights of head i with 0 and unlabelled where a label is missing: copies, if any is.
func (c *chunk) fillIn(i int, h *head, y Target, w []float32, labelled []bool) (Target, []float32, error) {
	if labelled != nil && len(labelled) != c.rows {
		return y, w, fmt.Errorf("marks of labels %q: %d values for %d rows", h.name, len(labelled), c.rows)
	}
	ignored := ignoredClass(h.loss)
	lacks := func(row int) bool {
		switch {
		case labelled != nil && !labelled[row]:
			return true
		case y.Labels != nil:
			return y.Labels[row] == unlabelled && (ignored == nil || *ignored != unlabelled)
		}
		return slices.ContainsFunc(y.Values.Row(row), func(v float32) bool { return v != v })
	}
	for len(c.filled) <= i {
		c.filled = append(c.filled, filled{})
	}
	f, found := &c.filled[i], false
	f.weights = f.weights[:0]
	for row := range c.rows {
		switch {
		case lacks(row):
			f.weights, found = append(f.weights, unlabelled), true
		case w == nil:
			f.weights = append(f.weights, 1)
		default:
			f.weights = append(f.weights, w[row])
		}
	}
	if !found {
		return y, w, nil
	}
	if l, ok := h.loss.(whole); ok && l.isWhole() {
		return y, w, fmt.Errorf("target %q: lacks labels, which loss %s takes only row by row: give it the axis -1", h.name, h.loss.Name())
	}
	if y.Labels != nil {
		f.labels = append(f.labels[:0], y.Labels...)
		y.Labels = f.labels
	} else {
		f.values = append(f.values[:0], y.Values.Data[:c.rows*y.Values.Cols]...)
		y.Values = kernels.MatrixOf(f.values, c.rows, y.Values.Cols)
	}
	for row, w := range f.weights {
		if w != unlabelled {
			continue
		}
		if y.Labels != nil {
			y.Labels[row] = 0
		} else {
			clear(y.Values.Row(row))
		}
	}
	return y, f.weights, nil
}

// labels returns how many of some rows have a label, by the weights of a chunk.
func labels(rows int, weights []float32) int {
	for _, w := range weights {
		if w == unlabelled {
			rows--
		}
	}
	return rows
}

// labelledRows has the rows of a batch that have a label, for the metrics of a head.
type labelledRows struct {
	pred, values []float32
	labels       []int32
	weights      []float32
}

// of returns a batch's predictions, targets and weights, which may be nil, without the rows that given, the weights of a chunk,
// says are unlabelled.
func (l *labelledRows) of(given []float32, pred kernels.Matrix, y Target, weights []float32) (kernels.Matrix, Target, []float32) {
	l.pred, l.values, l.labels, l.weights = l.pred[:0], l.values[:0], l.labels[:0], l.weights[:0]
	for i, w := range given {
		if w == unlabelled {
			continue
		}
		l.pred = append(l.pred, pred.Row(i)...)
		if y.Labels != nil {
			l.labels = append(l.labels, y.Labels[i])
		} else {
			l.values = append(l.values, y.Values.Row(i)...)
		}
		if weights != nil {
			l.weights = append(l.weights, weights[i])
		}
	}
	rows := len(l.pred) / pred.Cols
	if weights != nil {
		weights = l.weights
	}
	if y.Labels != nil {
		return kernels.MatrixOf(l.pred, rows, pred.Cols), Target{Labels: l.labels}, weights
	}
	return kernels.MatrixOf(l.pred, rows, pred.Cols), Target{Values: kernels.MatrixOf(l.values, rows, y.Values.Cols)}, weights
}
