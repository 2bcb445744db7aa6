package autograd

import (
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
)

// A windowOp is an operation over a window that has no parameters.
type windowOp struct {
	x, y   *variable
	window kernels.Window
	grad   func(o *windowOp, t *Tape, dx kernels.Matrix, accumulate bool) error
}

// Patches returns the values under the window at each of its places, 0 outside of the image: x has a row for each image, the
// result one for each place.
func (t *Tape) Patches(x *Tensor, v kernels.Window) *Tensor {
	if !t.acceptWindow("Patches", x, &v, v.Elements()) {
		return &t.dead
	}
	y := t.result(x.Rows*v.Places(), v.Elements(), x)
	t.check(t.table.Patches(y.Matrix, x.Matrix, &v))
	return record(t, y, windowOp{t.of(x), y, v, (*windowOp).patchesGrad})
}

// MaxPool returns the largest value of each channel under the window at each of its places: x has a row for each image, the
// result one for each place. A gradient goes to the first of equal values.
func (t *Tape) MaxPool(x *Tensor, v kernels.Window) *Tensor {
	if !t.acceptWindow("MaxPool", x, &v, v.Channels) {
		return &t.dead
	}
	y := t.result(x.Rows*v.Places(), v.Channels, x)
	t.check(t.table.MaxPool(&t.scratch, y.Matrix, x.Matrix, &v))
	return record(t, y, windowOp{t.of(x), y, v, (*windowOp).maxGrad})
}

// AveragePool returns the mean of each channel's values under the window that lie on the image, at each of its places: x has a
// row for each image, the result one for each place.
func (t *Tape) AveragePool(x *Tensor, v kernels.Window) *Tensor {
	if !t.acceptWindow("AveragePool", x, &v, v.Channels) {
		return &t.dead
	}
	y := t.result(x.Rows*v.Places(), v.Channels, x)
	t.check(t.table.AveragePool(y.Matrix, x.Matrix, &v))
	return record(t, y, windowOp{t.of(x), y, v, (*windowOp).averageGrad})
}

// acceptWindow is accept for an operation that moves a window over the images x, with so many columns for each place.
func (t *Tape) acceptWindow(name string, x *Tensor, v *kernels.Window, cols int) bool {
	if !t.accept(name, x) {
		return false
	}
	if err := v.Check(); err != nil {
		t.fail(fmt.Errorf("autograd: %s: %w", name, err))
		return false
	}
	image, places := v.In[0]*v.In[1]*v.Channels, v.Places()
	if x.Cols != image || cols > math.MaxInt32/places || x.Rows > math.MaxInt32/(places*max(cols, 1)) {
		t.fail(fmt.Errorf("autograd: %s: x is %dx%d, an image of %dx%dx%d has %d columns, and results of %dx%d have at most %d elements: %w",
			name, x.Rows, x.Cols, v.In[0], v.In[1], v.Channels, image, places, cols, math.MaxInt32, kernels.ErrShape))
		return false
	}
	return true
}

func (o *windowOp) backward(t *Tape) error {
	dx, accumulate := t.into(o.x)
	return o.grad(o, t, dx, accumulate)
}

func (o *windowOp) patchesGrad(t *Tape, dx kernels.Matrix, accumulate bool) error {
	return t.table.PatchesGrad(dx, o.y.grad, &o.window, accumulate)
}

func (o *windowOp) maxGrad(t *Tape, dx kernels.Matrix, accumulate bool) error {
	return t.table.MaxPoolGrad(&t.scratch, dx, o.y.grad, o.x.Matrix, o.y.Matrix, &o.window, accumulate)
}

func (o *windowOp) averageGrad(t *Tape, dx kernels.Matrix, accumulate bool) error {
	return t.table.AveragePoolGrad(&t.scratch, dx, o.y.grad, &o.window, accumulate)
}
