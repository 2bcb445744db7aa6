package kernels

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// window returns one of 2 elements and 3 places on images of 3 positions, which stands beyond an edge.
func (o *operands) window(channels, stride int) *Window {
	return &Window{In: [2]int{1, 3}, Channels: max(1, channels), Size: [2]int{1, 2}, Stride: [2]int{1, stride}, Dilation: [2]int{1, 1}, Before: [2]int{0, stride - 1}, Out: [2]int{1, 2}}
}

// windowCalls list the kernels that move a window over images, one for each row.
func windowCalls() (list []call) {
	add := func(name string, run func(t *Table, o *operands) error) { list = append(list, call{name, false, run}) }
	images := func(o *operands, v *Window) Matrix { return o.reads(o.rows, 3*v.Channels) }
	sums := func(o *operands, v *Window) Matrix { return o.writes(o.rows, 3*v.Channels) }
	add("Conv/tanh", func(t *Table, o *operands) error {
		v := o.window(o.depth/2+1, 1)
		y, x := o.writes(2*o.rows, o.cols), images(o, v)
		w, err := o.weights(t, v.Elements(), o.cols, true)
		if err != nil {
			return err
		}
		return t.Conv(&o.scratch, y, x, v, w, Tanh)
	})
	add("Patches", func(t *Table, o *operands) error {
		v := o.window(o.cols, 2)
		return t.Patches(o.writes(2*o.rows, v.Elements()), images(o, v), v)
	})
	add("AveragePool", func(t *Table, o *operands) error {
		v := o.window(o.cols, 2)
		return t.AveragePool(o.writes(2*o.rows, v.Channels), images(o, v), v)
	})
	for name, stride := range map[string]int{"": 1, "/strides": 2} {
		add("Depthwise"+name, func(t *Table, o *operands) error {
			v := o.window(o.cols, stride)
			return t.Depthwise(&o.scratch, o.writes(2*o.rows, v.Channels), images(o, v), v, o.reads(2, v.Channels), o.readFloats(v.Channels), Tanh)
		})
		add("MaxPool"+name, func(t *Table, o *operands) error {
			v := o.window(o.cols, stride)
			return t.MaxPool(&o.scratch, o.writes(2*o.rows, v.Channels), images(o, v), v)
		})
	}
	add("PatchesGrad", func(t *Table, o *operands) error {
		v := o.window(o.cols, 2)
		return t.PatchesGrad(sums(o, v), o.reads(2*o.rows, v.Elements()), v, true)
	})
	add("ConvWeightsGrad", func(t *Table, o *operands) error {
		v := o.window(o.depth/2+1, 1)
		return t.ConvWeightsGrad(&o.scratch, o.writes(v.Elements(), o.cols), images(o, v), o.reads(2*o.rows, o.cols), v, true)
	})
	add("ConvInputGrad", func(t *Table, o *operands) error {
		v := o.window(o.depth/2+1, 1)
		dx, dy := sums(o, v), o.reads(2*o.rows, o.cols)
		w, err := o.weights(t, o.cols, v.Elements(), false)
		if err != nil {
			return err
		}
		return t.ConvInputGrad(&o.scratch, dx, dy, v, w, true)
	})
	add("DepthwiseGrad", func(t *Table, o *operands) error {
		v := o.window(o.cols, 2)
		return t.DepthwiseGrad(&o.scratch, sums(o, v), o.writes(2, v.Channels), o.reads(2*o.rows, v.Channels), images(o, v), v, o.reads(2, v.Channels), true)
	})
	add("MaxPoolGrad", func(t *Table, o *operands) error {
		v := o.window(o.cols, 2)
		return t.MaxPoolGrad(&o.scratch, sums(o, v), o.reads(2*o.rows, v.Channels), images(o, v), o.reads(2*o.rows, v.Channels), v, true)
	})
	add("AveragePoolGrad", func(t *Table, o *operands) error {
		v := o.window(o.cols, 2)
		return t.AveragePoolGrad(&o.scratch, sums(o, v), o.reads(2*o.rows, v.Channels), v, true)
	})
	return list
}

// moves reports whether the call moves a window over images.
func (c call) moves() bool {
	return slices.ContainsFunc(windowCalls(), func(w call) bool { return w.name == c.name })
}

// isConv reports whether the call is of a convolution with packed weights.
func (c call) isConv() bool {
	return strings.HasPrefix(c.name, "Conv/") || strings.HasPrefix(c.name, "ConvInputGrad")
}

// Operands that do not fit a window are errors, and so are windows that are none.
func TestWindowErrors(t *testing.T) {
	o := newOperands(1, 2, 5)
	for _, table := range Tables() {
		v := o.window(5, 1)
		var w, transposed PackedB
		require.NoError(t, table.Pack(&w, NewMatrix(10, 5), nil))
		require.NoError(t, table.Pack(&transposed, NewMatrix(5, 10), nil))
		x, y := NewMatrix(2, 15), NewMatrix(4, 5)
		require.NoError(t, table.Conv(nil, y, x, v, &w, Linear))
		require.NoError(t, table.ConvInputGrad(nil, x, y, v, &transposed, false))
		for _, c := range []struct {
			x, y Matrix
			w    *PackedB
		}{{NewMatrix(3, 15), y, &w}, {NewMatrix(2, 14), y, &w}, {x, NewMatrix(4, 6), &w}, {x, NewMatrix(3, 5), &w}, {x, y, nil}, {x, y, &transposed}} {
			require.ErrorIs(t, table.Conv(nil, c.y, c.x, v, c.w, Linear), ErrShape)
		}
		require.ErrorIs(t, table.ConvInputGrad(nil, x, y, v, &w, false), ErrShape)
		require.Error(t, table.Conv(nil, y, x, v, &w, 99))
		for _, change := range []func(*Window){
			func(v *Window) { v.In[0] = 0 },
			func(v *Window) { v.Channels = -1 },
			func(v *Window) { v.Out[1] = math.MaxInt },
			func(v *Window) { v.Stride[1] = 1 << 30 },
			func(v *Window) { v.Dilation[1] = 1 << 30 },
			func(v *Window) { v.Before[0] = math.MaxInt },
			func(v *Window) { v.Before[0] = math.MinInt },
			func(v *Window) { v.In, v.Out = [2]int{1 << 20, 1 << 20}, [2]int{1 << 20, 1 << 20} },
		} {
			wrong := *v
			if change(&wrong); wrong.Before[0] == math.MaxInt32 {
				continue // of 32 bits, which have no number that is too large
			}
			require.ErrorIs(t, table.Conv(nil, y, x, &wrong, &w, Linear), ErrShape)
		}
	}
}
