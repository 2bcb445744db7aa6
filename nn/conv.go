package nn

import (
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// moving is the configuration of the window of every convolution.
type moving[A spatial] struct {
	Size       perAxis[A]    `json:"kernel_size"`
	Strides    perAxis[A]    `json:"strides"`
	Padding    PaddingOption `json:"padding"`
	DataFormat dataFormat    `json:"data_format"`
	Dilation   perAxis[A]    `json:"dilation_rate"`
}

func newMoving[A spatial](size A) moving[A] {
	return moving[A]{Size: perAxis[A]{size}, Strides: all[A](1), Padding: Valid, Dilation: all[A](1)}
}

func (m *moving[A]) setPadding(p PaddingOption)    { m.Padding = p }
func (m *moving[A]) setStrides(text []byte) error  { return m.Strides.UnmarshalJSON(text) }
func (m *moving[A]) setDilation(text []byte) error { return m.Dilation.UnmarshalJSON(text) }

func (m *moving[A]) rank() int { return len(m.Size.of) }

// window returns the window over inputs of shape x.
func (m *moving[A]) window(x Shape) (kernels.Window, error) {
	if err := m.DataFormat.check(); err != nil {
		return kernels.Window{}, err
	}
	return newWindow(m.rank(), x, m.Size.pair(1), m.Strides.pair(1), m.Dilation.pair(1), m.Padding)
}

// kernel returns the shape of weights with so many inputs and outputs for each element of the window.
func (m *moving[A]) kernel(in, out int) Shape {
	size := m.Size.pair(1)
	return append(append(Shape{}, size[2-m.rank():]...), in, out)
}

// ending is the configuration of how every convolution ends.
type ending struct {
	Function Object[ActivationFunction] `json:"activation"`
	UseBias  bool                       `json:"use_bias"`
}

func newEnding(act ActivationFunction) ending { return ending{Object[ActivationFunction]{act}, true} }

func (e *ending) dropBias() { e.UseBias = false }

func (e *ending) Activation() ActivationFunction { return e.Function.Value }

// build checks the activation and asks for the bias, the last parameter.
func (e *ending) build(b *Builder, units int, weights interface{ askBias(*Builder, Shape) }) {
	if err := checkActivation(e.Function.Value); err != nil {
		b.Errorf("%w", err)
	}
	if e.UseBias {
		weights.askBias(b, Shape{units})
	}
}

// bias returns parameter i, nil if there is no bias.
func (e *ending) bias(c *Call, i int) *ops.Tensor {
	if !e.UseBias {
		return nil
	}
	return c.Param(i)
}

type conv[A spatial] struct {
	Filters int `json:"filters"`
	moving[A]
	Groups int `json:"groups"`
	ending
	kernelAndBias
}

func newConv[A spatial](filters int, size A, act ActivationFunction) conv[A] {
	return conv[A]{filters, newMoving(size), 1, newEnding(act), usualKernel()}
}

func (k *conv[A]) setGroups(n int) { k.Groups = n }

func init() {
	Register("Conv1D", newConv(0, [1]int{}, Linear))
	Register("Conv2D", newConv(0, [2]int{}, Linear))
}

// Conv1D computes act(x·kernel + bias) over windows of kernelSize steps: an input (steps, features) gives (steps, filters). The
// kernel is [kernelSize, features, filters], Glorot uniform at first, the bias [filters] and zero. See [Strides],
// [PaddingOption], [DilationRate], [Groups], [NoBias] and [WeightOption].
func Conv1D(filters, kernelSize int, act ActivationFunction, opts ...LayerOption) *Layer {
	k := newConv(filters, [1]int{kernelSize}, act)
	return New(&k, opts...)
}

// Conv2D computes act(x·kernel + bias) over windows of kernelSize, rows and columns, of an image: an input (height, width,
// channels) gives (height, width, filters). The kernel is [rows, columns, channels, filters], Glorot uniform at first, the bias
// [filters] and zero. See [Strides], [PaddingOption], [DilationRate], [Groups], [NoBias] and
// [WeightOption].
func Conv2D(filters int, kernelSize [2]int, act ActivationFunction, opts ...LayerOption) *Layer {
	k := newConv(filters, kernelSize, act)
	return New(&k, opts...)
}

// A GroupsOption is a number of groups of channels.
type GroupsOption int

// Groups splits the channels of a Conv1D or Conv2D into n groups, each with its part of the filters, which see no other
// channels.
func Groups(n int) GroupsOption { return GroupsOption(n) }

func (o GroupsOption) applyLayer(l *Layer) {
	configure(l, "Groups: only Conv1D and Conv2D have groups", func(k interface{ setGroups(int) }) { k.setGroups(int(o)) })
}

func (k *conv[A]) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	w, err := k.window(x)
	if err != nil {
		b.Errorf("%w", err)
		return nil
	}
	if k.Filters < 1 || k.Groups < 1 || w.Channels%k.Groups != 0 || k.Filters%k.Groups != 0 {
		b.Errorf("has %d filters and %d channels for %d groups: all must be at least 1, filters and channels multiples of the groups", k.Filters, w.Channels, k.Groups)
		return nil
	}
	k.askKernel(b, k.kernel(w.Channels/k.Groups, k.Filters))
	k.build(b, k.Filters, k)
	return placesShape(k.rank(), w, k.Filters)
}

func (k *conv[A]) Forward(c *Call) *ops.Tensor {
	w, _ := k.window(c.InShape(0)) // Build has found it valid
	act, rest := epilogue(c.Act)
	kernel, bias := c.Param(0), k.bias(c, 1)
	if k.Groups == 1 {
		return c.Samples(rest.Apply(c, convolve(c, c.Vectors(0), kernel, bias, w, act)))
	}
	n, filters := w.Channels/k.Groups, k.Filters/k.Groups
	w.Channels = n
	groups := c.operands[:0]
	for i := range k.Groups {
		b := bias
		if b != nil {
			b = c.Slice(bias, i*filters, (i+1)*filters)
		}
		groups = append(groups, convolve(c, c.Slice(c.Vectors(0), i*n, (i+1)*n), c.Slice(kernel, i*filters, (i+1)*filters), b, w, act))
	}
	c.operands = groups
	return c.Samples(rest.Apply(c, c.Ops.Concatenate(groups...)))
}

// convolve returns a row of filters for each place of the window, of vectors of channels. A window of one element is a dense
// layer.
func convolve(c *Call, x, kernel, bias *ops.Tensor, w kernels.Window, act kernels.Activation) *ops.Tensor {
	if one := [2]int{1, 1}; w.Size == one && w.Stride == one {
		return c.Dense(x, kernel, bias, act)
	}
	return c.Conv(images(c, x, w), kernel, bias, w, act)
}

// images returns vectors of channels with a row for each image.
func images(c *Call, x *ops.Tensor, w kernels.Window) *ops.Tensor {
	return c.Reshape(x, c.In(0).Rows, w.In[0]*w.In[1]*w.Channels)
}
