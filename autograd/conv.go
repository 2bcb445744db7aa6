package autograd

import (
	"cmp"
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
)

type convOp struct {
	x, w, b, y *variable
	window     kernels.Window
	act        kernels.Activation
}

// Conv returns act(p·w + b) for the patches p of x, see [Tape.Patches]: x has a row for each image, the result one for each
// place of the window. w is [values under the window, filters], b [1, filters] or nil for none.
func (t *Tape) Conv(x, w, b *Tensor, v kernels.Window, act kernels.Activation) *Tensor {
	bias, ok := t.acceptConv("Conv", x, w, b, &v)
	if !ok {
		return &t.dead
	}
	y := t.result(x.Rows*v.Places(), w.Cols, x, w)
	y.needs = y.needs || b != nil && t.of(b).needs
	packed := &t.packed.plain
	if bias != nil {
		packed = &t.packed.biased
	}
	t.check(t.table.Pack(packed, w.Matrix, bias))
	t.check(t.table.Conv(&t.scratch, y.Matrix, x.Matrix, &v, packed, act))
	return record(t, y, convOp{t.of(x), t.of(w), t.of(b), y, v, act})
}

// acceptConv is accept for a convolution. It returns the elements of the bias.
func (t *Tape) acceptConv(name string, x, w, b *Tensor, v *kernels.Window) (bias []float32, ok bool) {
	if !t.accept(name, x, w) || b != nil && !t.accept(name, b) || !t.acceptWindow(name, x, v, w.Cols) {
		return nil, false
	}
	if b == nil {
		return nil, true
	}
	if b.Rows != 1 || b.Cols != w.Cols {
		t.fail(fmt.Errorf("autograd: %s: the bias is %dx%d, the weights are %dx%d: %w", name, b.Rows, b.Cols, w.Rows, w.Cols, kernels.ErrShape))
		return nil, false
	}
	return b.Row(0), true
}

func (o *convOp) backward(t *Tape) error {
	if err := t.sumsGrad(o.y, o.b, o.act); err != nil {
		return err
	}
	dz := o.y.grad
	if o.w.needs {
		dw, accumulate := t.into(o.w)
		err := t.eachPart(o.x, dz, &o.window, func(x, dz kernels.Matrix, first bool) error {
			if first {
				return t.table.ConvWeightsGrad(&t.scratch, dw, x, dz, &o.window, accumulate)
			}
			part := t.matrix(dw.Rows, dw.Cols)
			return cmp.Or(t.table.ConvWeightsGrad(&t.scratch, part, x, dz, &o.window, false), t.table.Add(dw, dw, part))
		})
		if err != nil {
			return err
		}
	}
	if !o.x.needs {
		return nil
	}
	transposed := t.matrix(o.w.Cols, o.w.Rows)
	for i := range o.w.Rows {
		for j, v := range o.w.Row(i) {
			transposed.Data[j*transposed.Stride+i] = v
		}
	}
	if err := t.table.Pack(&t.packed.plain, transposed, nil); err != nil {
		return err
	}
	dx, accumulate := t.into(o.x)
	return t.table.ConvInputGrad(&t.scratch, dx, dz, &o.window, &t.packed.plain, accumulate)
}

// sumsGrad turns the gradient of y = act(z), z = sums + b, into that of the sums, where it lies, and adds its columns to the
// gradient of b.
func (t *Tape) sumsGrad(y, b *variable, act kernels.Activation) error {
	dz := y.grad // nothing needs dy after this
	if act != kernels.Linear {
		if err := t.table.ActivateGrad(dz, nil, dz, y.Matrix, act, false); err != nil {
			return err
		}
	}
	if b == nil || !b.needs {
		return nil
	}
	return t.giveSum(b, dz)
}

// eachPart calls do with the images of a part of a batch each, and their gradients, so that no sum has too many terms, see
// [rowsPerSum].
func (t *Tape) eachPart(x *variable, dz kernels.Matrix, v *kernels.Window, do func(x, dz kernels.Matrix, first bool) error) error {
	images, places := max(1, rowsPerSum/v.Places()), v.Places()
	for from := 0; from == 0 || from < x.Rows; from += images {
		to := min(from+images, x.Rows)
		if err := do(x.RowRange(from, to), dz.RowRange(from*places, to*places), from == 0); err != nil {
			return err
		}
	}
	return nil
}

type depthwiseOp struct {
	x, w, b, y *variable
	window     kernels.Window
	act        kernels.Activation
}

// Depthwise returns act(b + Σ p·w), the sum over the elements of the window, each channel for itself: x has a row for each
// image, the result one for each place of the window. w is [elements of the window, channels], b [1, channels] or nil for none.
func (t *Tape) Depthwise(x, w, b *Tensor, v kernels.Window, act kernels.Activation) *Tensor {
	bias, ok := t.acceptConv("Depthwise", x, w, b, &v)
	if !ok {
		return &t.dead
	}
	y := t.result(x.Rows*v.Places(), v.Channels, x, w)
	y.needs = y.needs || b != nil && t.of(b).needs
	t.check(t.table.Depthwise(&t.scratch, y.Matrix, x.Matrix, &v, w.Matrix, bias, act))
	return record(t, y, depthwiseOp{t.of(x), t.of(w), t.of(b), y, v, act})
}

func (o *depthwiseOp) backward(t *Tape) error {
	if err := t.sumsGrad(o.y, o.b, o.act); err != nil {
		return err
	}
	var dx kernels.Matrix
	accumulate := false
	if o.x.needs {
		dx, accumulate = t.into(o.x)
	}
	at := 0
	return t.eachPart(o.x, o.y.grad, &o.window, func(x, dz kernels.Matrix, _ bool) error {
		part, dw := dx, t.zero(o.w)
		if o.x.needs {
			part = dx.RowRange(at, at+x.Rows)
		}
		at += x.Rows
		err := t.table.DepthwiseGrad(&t.scratch, part, dw, dz, x, &o.window, o.w.Matrix, accumulate)
		if err == nil && o.w.needs {
			err = t.give(o.w, dw)
		}
		return err
	})
}
