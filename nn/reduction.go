package nn

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// A Reduction says how the losses of rows make that of a batch, as Keras has it. It is a [LossOption].
type Reduction string

const (
	// ReduceSumOverBatchSize is the sum of each row's loss times its weight, over the number of rows, those without a label
	// included. It is the default. Rows whose class the loss ignores count nowhere.
	ReduceSumOverBatchSize Reduction = "sum_over_batch_size"
	// ReduceMean is the same.
	ReduceMean Reduction = "mean"
	// ReduceMeanWithSampleWeight is that sum over the sum of the weights: rows of weight 0, or without a label, count nowhere.
	ReduceMeanWithSampleWeight Reduction = "mean_with_sample_weight"
	// ReduceSum is that sum.
	ReduceSum Reduction = "sum"
	// ReduceNone leaves a loss for each row, of which nothing can be trained: Compile refuses it.
	ReduceNone Reduction = "none"
)

var reductions = []Reduction{ReduceSumOverBatchSize, ReduceMean, ReduceMeanWithSampleWeight, ReduceSum}

// sums reports whether rows count what their weights say.
func (r Reduction) sums() bool { return r == ReduceSum || r == ReduceNone }

// UnmarshalJSON reads what Keras writes: null is none.
func (r *Reduction) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*r = ReduceNone
		return nil
	}
	return json.Unmarshal(text, (*string)(r))
}

func (r Reduction) applyLoss(f *lossFields) error { return setField(&f.reduction, r, "a Reduction") }

// A LossOption configures a loss: a [Reduction], or what only some losses have, such as [FromLogits]. One that the loss does
// not have is an error of Compile.
type LossOption interface{ applyLoss(*lossFields) error }

// lossFields are the fields of a loss that options can set; those that it does not have are nil.
type lossFields struct {
	reduction      *Reduction
	fromLogits     *bool
	labelSmoothing *float64
	ignoreClass    **int
	classBalancing *bool
	alpha          *float64
	axis           *axes
}

// setField sets a field if the loss has it.
func setField[T any](field **T, v T, option string) error {
	if *field == nil {
		return fmt.Errorf("does not take %s", option)
	}
	**field = v
	return nil
}

// A lossBase is what all losses have.
type lossBase struct {
	Reduce Reduction `json:"reduction"`
	err    error     // of an option
}

var usualLoss = lossBase{Reduce: ReduceSumOverBatchSize}

// Reduction implements [Reduced].
func (b *lossBase) Reduction() Reduction { return b.Reduce }

// apply applies the options of a constructor, whose loss has the fields.
func (b *lossBase) apply(f lossFields, opts []LossOption) {
	f.reduction = &b.Reduce
	for i, o := range opts {
		if o == nil {
			b.err = errors.Join(b.err, errNilOption(i))
			continue
		}
		b.err = errors.Join(b.err, o.applyLoss(&f))
	}
}

// check reports what is wrong with what all losses have.
func (b *lossBase) check(name string) error {
	err := b.err
	if err == nil && !slices.Contains(reductions, b.Reduce) {
		err = fmt.Errorf("reduction %q: valid in training are %q", b.Reduce, reductions)
	}
	if err != nil {
		return fmt.Errorf("loss %s: %w", name, err)
	}
	return nil
}

// checkParameter reports a parameter of a loss that is not from least up, or infinite.
func checkParameter(loss, name string, v, least float64) error {
	if !(v >= least && float32(v)-float32(v) == 0) {
		return fmt.Errorf("loss %s: %s %v must be at least %v and finite in float32", loss, name, v, least)
	}
	return nil
}

// checkLossAxis reports any axis but that of the columns.
func checkLossAxis(loss string, axis int) error {
	if axis != -1 && axis != 1 {
		return fmt.Errorf("loss %s: axis %d: valid are -1 and 1, the columns of the output", loss, axis)
	}
	return nil
}

// An ignoring loss leaves out the rows of one class, if it is not nil.
type ignoring interface{ ignored() *int }

// ignoredClass returns the class that a loss leaves out, or nil.
func ignoredClass(l Loss) *int {
	if l, ok := l.(ignoring); ok {
		return l.ignored()
	}
	return nil
}

// A whole loss has one value for a batch, not one for each row.
type whole interface{ isWhole() bool }

// reduction returns how the head's loss is reduced.
func (h *head) reduction() Reduction {
	if l, ok := h.loss.(Reduced); ok {
		return l.Reduction()
	}
	return ReduceSumOverBatchSize
}

// scale returns what each row's loss counts: its weight, times that of its class, over what the reduction divides by. The
// head is number i.
func (h *head) scale(into []float32, b *batch, i int, classes map[int]float64) ([]float32, error) {
	into = into[:0]
	r, ignored := h.reduction(), ignoredClass(h.loss)
	if b.weights[i] == nil && classes == nil && ignored == nil {
		same := float32(1 / float64(b.rows))
		if l, ok := h.loss.(whole); r.sums() && !(ok && l.isWhole()) {
			same = 1
		}
		for range b.rows {
			into = append(into, same)
		}
		return into, nil
	}
	over := 1.0
	switch {
	case r.sums():
	case r == ReduceMeanWithSampleWeight || ignored != nil:
		over = 0
		for row := range b.rows {
			w, counts := h.weightOf(b, i, row, ignored, classes)
			if r != ReduceMeanWithSampleWeight && counts {
				w = 1
			}
			over += w
		}
		if over == 0 { // every row counts 0
			over = 1
		}
	default:
		over = float64(b.rows)
	}
	for row := range b.rows {
		w, _ := h.weightOf(b, i, row, ignored, classes)
		if w > math.MaxFloat32 {
			return into, fmt.Errorf("output %q, row %d of the batch: sample weight %v times class weight %v is beyond float32",
				h.name, row, b.weights[i][row], classes[classOfRow(b.targets[i], row)])
		}
		into = append(into, float32(w/over))
	}
	return into, nil
}

// weightOf returns the weight of a row times that of its class, and whether the row counts at all.
func (h *head) weightOf(b *batch, i, row int, ignored *int, classes map[int]float64) (weight float64, counts bool) {
	y, weight := b.targets[i], 1.0
	if ignored != nil && int(y.Labels[row]) == *ignored {
		return 0, false
	}
	if w := b.weights[i]; w != nil {
		if weight = float64(w[row]); weight == unlabelled {
			return 0, false
		}
	}
	if classes != nil {
		if c, ok := classes[classOfRow(y, row)]; ok {
			weight *= c
		}
	}
	return weight, true
}
