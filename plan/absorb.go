package plan

import (
	"slices"

	"github.com/espalier-ml/espalier/kernels"
)

// A linear is what an operation does to each column: alpha·x, or x·scale + shift, of which a nil one is left out.
type linear struct {
	alpha        float32
	scale, shift *value
}

var identity = &linear{alpha: 1}

// columns returns the scales and shifts of n columns, which repeat if n is a multiple of what the operation has: several
// rows of it may have become one.
func (f *linear) columns(n int) (scale, shift []float64, ok bool) {
	scale, shift = make([]float64, n), make([]float64, n)
	for _, c := range []*value{f.scale, f.shift} {
		if c != nil && (c.Cols == 0 || n%c.Cols != 0) {
			return nil, nil, false
		}
	}
	for j := range n {
		scale[j] = float64(f.alpha)
		if f.scale != nil {
			scale[j] = float64(f.scale.Row(0)[j%f.scale.Cols])
		}
		if f.shift != nil {
			shift[j] = float64(f.shift.Row(0)[j%f.shift.Cols])
		}
	}
	return scale, shift, true
}

func (v *value) isLinear() bool { return v.same == v && v.step != nil && v.step.linear != nil }

// absorb makes scales and shifts of columns a part of the product or convolution before them, if it has no activation yet, or
// else of all the products behind them: weights and bias change, and the step is gone. Each changed number is computed in float64,
// where a product of two float32 is exact, and rounded once, so that all machines agree.
//
// The result differs in its last bits from that of the tape, which rounds after each step. Let M be the sum of the
// magnitudes of all terms of an element, Σ|x·w·scale| + |b·scale| + |shift| for the product before and Σ(|x·scale| +
// |shift|)·|w| + |b| for one behind. Then, for k rows of weights and before an activation, each of the two is within
// (k+2)·2⁻²³·M of the exact result, and so they are within (k+2)·2⁻²²·M of each other, as long as M does not leave float32
// and no term is below 2⁻¹²⁶.
//
// A step stays if the weights would leave float32, or if they have other uses: copies might take more memory than there is.
func (l *lowering) absorb() {
	readers := map[*value][]*value{} // the products of a value
	bytes := int64(0)
	for _, v := range l.values {
		if !v.sums() {
			continue
		}
		x, w := v.step.in[0].same, v.step.in[1]
		if v.isProduct() {
			readers[x] = append(readers[x], v)
		}
		if w.users == 1 {
			bytes += 4 * int64(w.elements())
		}
	}
	if bytes > l.maxBytes {
		return // the plan will be too large, too
	}
	vanish := func(v, x *value) { // x takes the place of v
		v.same = x
		x.users += v.users - 1
		readers[x] = append(readers[x], readers[v]...)
	}
	for _, v := range l.values {
		v.same = v.same.same // which may have vanished since
		if !v.isLinear() {
			continue
		}
		p := v.step.in[0].same
		if p.sums() && p.step.act == kernels.Linear && p.users == 1 && l.reweigh([]*value{p}, identity, v.step.linear) {
			p.step.label = joinLabels(p.step.label, v.step.label)
			vanish(v, p)
		}
	}
	for _, v := range slices.Backward(l.values) {
		behind := readers[v]
		if v.isLinear() && len(behind) == v.users && l.reweigh(behind, v.step.linear, identity) {
			for _, p := range behind {
				p.step.label = joinLabels(v.step.label, p.step.label)
			}
			vanish(v, v.step.in[0].same)
		}
	}
}

// reweigh gives products the weights and biases that they need to do what comes before or behind them, if all can have them.
func (l *lowering) reweigh(products []*value, before, behind *linear) bool {
	constants := make([][]kernels.Matrix, len(products))
	for i, p := range products {
		w, b := p.step.in[1], p.step.bias()
		if w.users != 1 {
			return false
		}
		weights, bias, ok := reweighed(w, b, before, behind)
		if !ok {
			return false
		}
		constants[i] = []kernels.Matrix{weights}
		if b != nil || before.shift != nil || behind.shift != nil {
			constants[i] = append(constants[i], bias)
		}
	}
	for i, p := range products {
		p.step.in = p.step.in[:1:1]
		for _, m := range constants[i] {
			c := l.value(m.Rows, m.Cols)
			c.Matrix, c.fixed, c.users = m, true, 1
			p.step.in = append(p.step.in, c)
		}
	}
	return true
}

// reweighed returns w[k,j]·before.scale[k]·behind.scale[j] and (b[j] + Σ before.shift[k]·w[k,j])·behind.scale[j] +
// behind.shift[j], if float32 has them. One of before and behind is the identity.
func reweighed(w, b *value, before, behind *linear) (weights, bias kernels.Matrix, ok bool) {
	rowScale, rowShift, fits := before.columns(w.Rows)
	scale, shift, fit := behind.columns(w.Cols)
	if !fits || !fit {
		return weights, bias, false
	}
	weights, bias = kernels.NewMatrix(w.Rows, w.Cols), kernels.NewMatrix(1, w.Cols)
	sums := make([]float64, w.Cols)
	if b != nil {
		for j, v := range b.Row(0) {
			sums[j] = float64(v)
		}
	}
	for k := range w.Rows {
		row := weights.Row(k)
		for j, v := range w.Row(k) {
			sums[j] += float64(rowShift[k] * float64(v)) // rounded, so that no machine fuses it
			row[j] = float32(rowScale[k] * float64(v) * scale[j])
		}
	}
	for j, v := range sums {
		bias.Data[j] = float32(float64(v*scale[j]) + shift[j])
	}
	return weights, bias, finite(weights.Data) && finite(bias.Data)
}

func finite(x []float32) bool {
	return !slices.ContainsFunc(x, func(v float32) bool { return v-v != 0 })
}
