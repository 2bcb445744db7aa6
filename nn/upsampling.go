package nn

import (
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type upSampling1D struct {
	Size int `json:"size"`
}

type upSampling2D struct {
	Size          perAxis[[2]int] `json:"size"`
	DataFormat    dataFormat      `json:"data_format"`
	Interpolation string          `json:"interpolation"`
}

func init() {
	Register("UpSampling1D", upSampling1D{2})
	Register("UpSampling2D", upSampling2D{Size: all[[2]int](2), Interpolation: "nearest"})
}

// UpSampling1D repeats each step size times.
func UpSampling1D(size int, opts ...LayerOption) *Layer { return New(&upSampling1D{size}, opts...) }

// UpSampling2D makes an image size[0] times as high and size[1] times as wide: it repeats rows and columns, or goes linearly
// from each to the next with [Bilinear].
func UpSampling2D(size [2]int, opts ...LayerOption) *Layer {
	return New(&upSampling2D{Size: perAxis[[2]int]{size}, Interpolation: "nearest"}, opts...)
}

// A BilinearOption makes a layer interpolate.
type BilinearOption struct{}

// Bilinear makes an [UpSampling2D] go linearly from each value to the next. Values lie in the middle of their pixels; beyond
// the middle of those at the edge nothing changes.
func Bilinear() BilinearOption { return BilinearOption{} }

func (BilinearOption) applyLayer(l *Layer) {
	configure(l, "Bilinear: only UpSampling2D does", func(k *upSampling2D) { k.Interpolation = "bilinear" })
}

func (u *upSampling1D) Build(b *Builder, in []Shape) Shape {
	w, err := imageWindow(1, b.One(in))
	if err == nil {
		err = checkSizes(w, 1, u.Size)
	}
	if err != nil {
		b.Errorf("%w", err)
		return nil
	}
	return Shape{w.In[1] * u.Size, w.Channels}
}

func (u *upSampling2D) Build(b *Builder, in []Shape) Shape {
	w, err := imageWindow(2, b.One(in))
	if err == nil {
		err = checkSizes(w, u.Size.of[:]...)
	}
	if err == nil {
		err = u.DataFormat.check()
	}
	if err == nil && u.Interpolation != "nearest" && u.Interpolation != "bilinear" {
		err = fmt.Errorf(`unknown interpolation %q: valid are "nearest" and "bilinear"`, u.Interpolation)
	}
	if err != nil {
		b.Errorf("%w", err)
		return nil
	}
	return Shape{w.In[0] * u.Size.of[0], w.In[1] * u.Size.of[1], w.Channels}
}

// checkSizes reports factors that make no shape.
func checkSizes(w kernels.Window, sizes ...int) error {
	for i, n := range sizes {
		if n < 1 || n > math.MaxInt32/w.In[i] {
			return fmt.Errorf("size %d of an axis of %d: valid are 1 to %d", n, w.In[i], math.MaxInt32/w.In[i])
		}
	}
	return nil
}

func (u *upSampling1D) Forward(c *Call) *ops.Tensor {
	return c.Samples(c.Repeat(c.Vectors(0), u.Size))
}

func (u *upSampling2D) Forward(c *Call) *ops.Tensor {
	x, shape := c.In(0), c.InShape(0)
	height, width, size := shape[0], shape[1], u.Size.of
	if u.Interpolation == "nearest" {
		columns := c.Repeat(c.Vectors(0), size[1])
		return c.Samples(c.Repeat(c.Reshape(columns, x.Rows*height, width*size[1]*shape[2]), size[0]))
	}
	columns := c.interpolate(c.Reshape(x, x.Rows*height, width*shape[2]), width, size[1])
	return c.Samples(c.interpolate(c.Reshape(columns, x.Rows, height*width*size[1]*shape[2]), height, size[0]))
}

// interpolate returns size values for each of the n groups of columns of x, in a row for each: between its middle and those of
// its neighbours, of which the first and the last group have themselves.
func (c *Call) interpolate(x *ops.Tensor, n, size int) *ops.Tensor {
	before, after, cols := x, x, x.Cols/n
	if n > 1 {
		before = c.Concatenate(c.Slice(x, 0, cols), c.Slice(x, 0, x.Cols-cols))
		after = c.Concatenate(c.Slice(x, cols, x.Cols), c.Slice(x, x.Cols-cols, x.Cols))
	}
	c.operands = c.operands[:0]
	for i := range size {
		y, other, t := x, after, (float64(i)+0.5)/float64(size)-0.5
		if t < 0 {
			other, t = before, -t
		}
		if t > 0 {
			y = c.Add(c.Scale(x, float32(1-t)), c.Scale(other, float32(t)))
		}
		c.operands = append(c.operands, c.Reshape(y, x.Rows*n, cols))
	}
	return c.Ops.Concatenate(c.operands...)
}
