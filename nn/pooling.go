package nn

import (
	"errors"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// pooling is the configuration of the window of a pooling layer.
type pooling[A spatial] struct {
	Size       perAxis[A]    `json:"pool_size"`
	Strides    *perAxis[A]   `json:"strides"` // nil: the size
	Padding    PaddingOption `json:"padding"`
	DataFormat dataFormat    `json:"data_format"`
}

func newPooling[A spatial](size A) pooling[A] {
	return pooling[A]{Size: perAxis[A]{size}, Padding: Valid}
}

func (p *pooling[A]) setPadding(o PaddingOption) { p.Padding = o }

func (p *pooling[A]) setStrides(text []byte) error {
	p.Strides = new(perAxis[A])
	return p.Strides.UnmarshalJSON(text)
}

func (p *pooling[A]) window(x Shape) (kernels.Window, error) {
	if err := p.DataFormat.check(); err != nil {
		return kernels.Window{}, err
	}
	strides := p.Size
	if p.Strides != nil {
		strides = *p.Strides
	}
	return newWindow(len(p.Size.of), x, p.Size.pair(1), strides.pair(1), [2]int{1, 1}, p.Padding)
}

func (p *pooling[A]) Build(b *Builder, in []Shape) Shape {
	w, err := p.window(b.One(in))
	if err == nil && p.Padding == Causal {
		err = errors.New(`padding "causal" is for Conv1D alone`)
	}
	if err != nil {
		b.Errorf("%w", err)
		return nil
	}
	return placesShape(len(p.Size.of), w, w.Channels)
}

type maxPooling[A spatial] struct{ pooling[A] }

type averagePooling[A spatial] struct{ pooling[A] }

func init() {
	Register("MaxPooling1D", maxPooling[[1]int]{newPooling([1]int{2})})
	Register("MaxPooling2D", maxPooling[[2]int]{newPooling([2]int{2, 2})})
	Register("AveragePooling1D", averagePooling[[1]int]{newPooling([1]int{2})})
	Register("AveragePooling2D", averagePooling[[2]int]{newPooling([2]int{2, 2})})
	Register("GlobalMaxPooling1D", globalMax[[1]int]{})
	Register("GlobalMaxPooling2D", globalMax[[2]int]{})
	Register("GlobalAveragePooling1D", globalAverage[[1]int]{})
	Register("GlobalAveragePooling2D", globalAverage[[2]int]{})
}

// MaxPooling1D returns the largest value of each feature in windows of poolSize steps. See [Strides] and [PaddingOption].
func MaxPooling1D(poolSize int, opts ...LayerOption) *Layer {
	return New(&maxPooling[[1]int]{newPooling([1]int{poolSize})}, opts...)
}

// MaxPooling2D returns the largest value of each channel in windows of poolSize, rows and columns. See [Strides] and
// [PaddingOption].
func MaxPooling2D(poolSize [2]int, opts ...LayerOption) *Layer {
	return New(&maxPooling[[2]int]{newPooling(poolSize)}, opts...)
}

// AveragePooling1D returns the mean of each feature in windows of poolSize steps. Beyond the edges of the input there is
// nothing that counts. See [Strides] and [PaddingOption].
func AveragePooling1D(poolSize int, opts ...LayerOption) *Layer {
	return New(&averagePooling[[1]int]{newPooling([1]int{poolSize})}, opts...)
}

// AveragePooling2D returns the mean of each channel in windows of poolSize, rows and columns. Beyond the edges of the image
// there is nothing that counts. See [Strides] and [PaddingOption].
func AveragePooling2D(poolSize [2]int, opts ...LayerOption) *Layer {
	return New(&averagePooling[[2]int]{newPooling(poolSize)}, opts...)
}

func (p *maxPooling[A]) Forward(c *Call) *ops.Tensor {
	w, _ := p.window(c.InShape(0))
	return c.Samples(c.MaxPool(c.In(0), w))
}

func (p *averagePooling[A]) Forward(c *Call) *ops.Tensor {
	w, _ := p.window(c.InShape(0))
	return c.Samples(c.AveragePool(c.In(0), w))
}

// globalPooling is the configuration of a layer that pools all of a sample.
type globalPooling[A spatial] struct {
	DataFormat dataFormat `json:"data_format"`
	KeepDims   bool       `json:"keepdims"`
}

func (g *globalPooling[A]) rank() int {
	var a A
	return len(a)
}

func (g *globalPooling[A]) Build(b *Builder, in []Shape) Shape {
	w, err := imageWindow(g.rank(), b.One(in))
	if err = errors.Join(err, g.DataFormat.check()); err != nil {
		b.Errorf("%w", err)
		return nil
	}
	if !g.KeepDims {
		return Shape{w.Channels}
	}
	return placesShape(g.rank(), w, w.Channels)
}

type globalMax[A spatial] struct{ globalPooling[A] }

type globalAverage[A spatial] struct{ globalPooling[A] }

// A KeepDimsOption leaves the axes over which a layer pools in its result.
type KeepDimsOption struct{}

// KeepDims leaves the axes over which a global pooling layer pools in its result, with a size of 1.
func KeepDims() KeepDimsOption { return KeepDimsOption{} }

func (KeepDimsOption) applyLayer(l *Layer) {
	configure(l, "KeepDims: only global pooling layers do", func(k interface{ keepDims() }) { k.keepDims() })
}

func (g *globalPooling[A]) keepDims() { g.KeepDims = true }

// GlobalMaxPooling1D returns the largest value of each feature of all steps.
func GlobalMaxPooling1D(opts ...LayerOption) *Layer { return New(&globalMax[[1]int]{}, opts...) }

// GlobalMaxPooling2D returns the largest value of each channel of an image.
func GlobalMaxPooling2D(opts ...LayerOption) *Layer { return New(&globalMax[[2]int]{}, opts...) }

// GlobalAveragePooling1D returns the mean of each feature over all steps, without those that the mask of the input leaves out, see
// [Masker]. If it leaves out all of a sample the mean is 0, where Keras has NaN.
func GlobalAveragePooling1D(opts ...LayerOption) *Layer {
	return New(&globalAverage[[1]int]{}, opts...)
}

// GlobalAveragePooling2D returns the mean of each channel of an image.
func GlobalAveragePooling2D(opts ...LayerOption) *Layer {
	return New(&globalAverage[[2]int]{}, opts...)
}

func (g *globalMax[A]) Forward(c *Call) *ops.Tensor {
	w, _ := imageWindow(g.rank(), c.InShape(0))
	return c.Samples(c.MaxPool(c.In(0), w))
}

func (g *globalAverage[A]) Forward(c *Call) *ops.Tensor {
	w, _ := imageWindow(g.rank(), c.InShape(0))
	mask := c.Mask(0)
	if mask == nil || g.rank() > 1 {
		return c.Samples(c.AveragePool(c.In(0), w))
	}
	steps := w.In[1]
	x := c.MaskRows(c.Vectors(0), c.Reshape(mask, mask.Rows*steps, 1))
	mean := c.AveragePool(c.Reshape(x, mask.Rows, steps*w.Channels), w)
	w.Channels = 1
	counted := c.AveragePool(mask, w)                                                              // the share of the steps
	inverse := c.Unary(c.Multiply(counted, counted), kernels.Unary{Kind: kernels.RSqrt, A: 1e-30}) // finite where none counts
	return c.Samples(c.Multiply(mean, c.Repeat(inverse, w.Out[0]*c.Shape().Last())))
}
