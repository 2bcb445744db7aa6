package ops

import (
	"fmt"
	"slices"

	"github.com/espalier-ml/espalier/kernels"
)

// MaxAxes is how many axes of more than one element a [Permutation] can have, after those that stay together are one.
const MaxAxes = 32

// A Permutation is another order of the axes of a sample.
type Permutation struct {
	axes     int          // those of the result, but for axes of one element and those that stay together
	size     [MaxAxes]int // of each
	stride   [MaxAxes]int // between its elements in the operand
	elements int
	last     int // size of the last axis of the result, as it was given
}

// NewPermutation returns the permutation that gives a sample of that shape the axes perm[0], perm[1], ... of it.
func NewPermutation(shape, perm []int) (p Permutation, err error) {
	if len(shape) == 0 || len(shape) != len(perm) || len(shape) > MaxAxes {
		return p, fmt.Errorf("axes %v of the shape %v: %w", perm, shape, kernels.ErrShape)
	}
	p.elements = 1
	for i, d := range shape {
		if d < 1 || !slices.Contains(perm, i) {
			return p, fmt.Errorf("axes %v of the shape %v: each axis must be there once and have an element: %w", perm, shape, kernels.ErrShape)
		}
		p.elements *= d
	}
	p.last = shape[perm[len(perm)-1]]
	for _, axis := range perm {
		size, stride := shape[axis], 1
		for _, d := range shape[axis+1:] {
			stride *= d
		}
		switch n := p.axes; {
		case size == 1:
		case n > 0 && p.stride[n-1] == size*stride: // the operand has the two beside each other, too
			p.size[n-1], p.stride[n-1] = p.size[n-1]*size, stride
		default:
			p.size[n], p.stride[n] = size, stride
			p.axes++
		}
	}
	return p, nil
}

// Inverse returns the permutation that undoes this one: the axes in the order of their strides.
func (p *Permutation) Inverse() Permutation {
	back := Permutation{axes: p.axes, elements: p.elements}
	stride := p.elements
	for i := range p.axes {
		stride /= p.size[i]
		at := 0
		for j := range p.axes {
			if p.stride[j] > p.stride[i] {
				at++
			}
		}
		back.size[at], back.stride[at] = p.size[i], stride
	}
	return back
}

// Identity reports whether the elements stay in their order.
func (p *Permutation) Identity() bool { return p.axes <= 1 }

// Shape returns the rows and columns of the result for an operand of that shape, or what does not fit: the result has the
// last axis as columns.
func (p *Permutation) Shape(x *Tensor) (rows, cols int, err error) {
	if n := x.Rows * x.Cols; n%p.elements != 0 || !x.Contiguous() {
		return 0, 0, fmt.Errorf("x is %dx%d (stride %d), which is no number of samples of %d elements: %w", x.Rows, x.Cols, x.Stride, p.elements, kernels.ErrShape)
	}
	return x.Rows * x.Cols / p.last, p.last, nil
}

// Apply is what every recorder computes for a Permute of [Ops]: for each sample in x, which follow each other as those in
// y do.
func (p *Permutation) Apply(y, x []float32) {
	for ; len(x) >= p.elements; x = x[p.elements:] {
		p.axis(0, y[:p.elements], x)
		y = y[p.elements:]
	}
}

// axis fills y from one axis on. x starts at its first element.
func (p *Permutation) axis(i int, y, x []float32) {
	n, stride := p.size[i], p.stride[i]
	if i < p.axes-1 {
		part := len(y) / n
		for j := range n {
			p.axis(i+1, y[j*part:(j+1)*part], x[j*stride:])
		}
		return
	}
	if stride == 1 {
		copy(y, x)
		return
	}
	for j := range y {
		y[j] = x[j*stride]
	}
}
