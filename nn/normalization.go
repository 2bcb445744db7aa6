package nn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type normalization struct {
	Axes     axes   `json:"axis"`
	Mean     floats `json:"mean"`
	Variance floats `json:"variance"`
	Invert   bool   `json:"invert"`

	data Floats // of Adapt
}

func init() { Register("Normalization", normalization{Axes: axes{-1}}) }

// Normalization shifts and scales features by constants: (x-mean)/max(√variance, 1e-7). A feature is an index of the last axis,
// or of those that [Axis] sets; without an axis, Axis(), all elements are one. mean and variance are given, see [Moments], or
// computed of data, see [Adapt]; otherwise they are 0 and 1 until weights are set. Training does not change them. What is served
// is a part of a Dense layer behind it where [NewPlan] can make it so.
func Normalization(opts ...LayerOption) *Layer {
	return New(&normalization{Axes: axes{-1}}, opts...)
}

// A MomentsOption has the mean and the variance of a [Normalization].
type MomentsOption struct{ mean, variance []float32 }

// Moments gives a [Normalization] its mean and variance: one number each, or one for each feature.
func Moments(mean, variance []float32) MomentsOption { return MomentsOption{mean, variance} }

func (o MomentsOption) applyLayer(l *Layer) {
	configure(l, "Moments: only Normalization does", func(k *normalization) { k.Mean, k.Variance = slices.Clone(o.mean), slices.Clone(o.variance) })
}

// An AdaptOption has data for a [Normalization].
type AdaptOption struct{ data Floats }

// Adapt lets a [Normalization] start with the mean and the variance of each feature of data: samples one after the other, such
// as the rows of an input. The variance is the sum of squares over the number of samples. The two are weights of the layer,
// which are saved and loaded with the others.
func Adapt(data Floats) AdaptOption { return AdaptOption{data} }

func (o AdaptOption) applyLayer(l *Layer) {
	configure(l, "Adapt: only Normalization does", func(k *normalization) { k.data = o.data })
}

// An InvertOption turns a [Normalization] round.
type InvertOption struct{}

// Invert makes a [Normalization] undo another one: x·max(√variance, 1e-7) + mean.
func Invert() InvertOption { return InvertOption{} }

func (InvertOption) applyLayer(l *Layer) {
	configure(l, "Invert: only Normalization does", func(k *normalization) { k.Invert = true })
}

func (n *normalization) alongAxes() *axes { return &n.Axes }

func (n *normalization) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	shape := Shape{1}
	if len(n.Axes) > 0 {
		n.Axes.check(b, x)
		shape = n.Axes.sizes(x)
	}
	given := n.Mean != nil || n.Variance != nil
	switch features := max(1, shape.Elements()); {
	case given && n.data != nil:
		b.Errorf("has both Moments and Adapt")
	case given:
		for _, v := range []struct {
			name   string
			values floats
		}{{"mean", n.Mean}, {"variance", n.Variance}} {
			if k := len(v.values); k == 0 || features%k != 0 {
				b.Errorf("%s has %d values for %d features, takes one, or one for each", v.name, k, features)
			}
			v.values.check(b, v.name)
		}
		if i := slices.IndexFunc(n.Variance, func(v float32) bool { return v < 0 }); i >= 0 {
			b.Errorf("variance %d is %v, must not be negative", i, n.Variance[i])
		}
	case n.data != nil:
		mean, variance, err := n.moments(x, features)
		if err != nil {
			b.Errorf("Adapt: %w", err)
		}
		b.State("mean", shape, given32(mean))
		b.State("variance", shape, given32(variance))
	default:
		b.State("mean", shape, Zeros())
		b.State("variance", shape, Ones())
	}
	return x
}

// moments returns the mean and the variance of the features of the data, samples of shape x.
func (n *normalization) moments(x Shape, features int) (mean, variance []float32, err error) {
	size := x.Elements()
	if len(n.data) == 0 || len(n.data)%size != 0 {
		return nil, nil, fmt.Errorf("has %d values, samples of shape %s have %d each", len(n.data), x, size)
	}
	if i := nonFinite(n.data); i >= 0 {
		return nil, nil, fmt.Errorf("value %d is %v: %w", i, n.data[i], ErrNonFinite)
	}
	feature := make([]int, size) // of each element of a sample
	for i := range feature {
		rest, stride := i, 1
		for j := len(x) - 1; j >= 0; j-- {
			if n.Axes.has(j, len(x)) {
				feature[i] += rest % x[j] * stride
				stride *= x[j]
			}
			rest /= x[j]
		}
	}
	sums, squares := make([]float64, features), make([]float64, features)
	for i, v := range n.data {
		sums[feature[i%size]] += float64(v)
	}
	count := float64(len(n.data) / features)
	for f := range sums {
		sums[f] /= count
	}
	for i, v := range n.data {
		d := float64(v) - sums[feature[i%size]]
		squares[feature[i%size]] += float64(d * d) // rounded, so that no machine fuses it
	}
	for f, s := range squares {
		mean, variance = append(mean, float32(sums[f])), append(variance, float32(s/count))
		if variance[f] > math.MaxFloat32 {
			return nil, nil, fmt.Errorf("the variance of feature %d is beyond float32: %w", f, ErrNonFinite)
		}
	}
	return mean, variance, nil
}

// given32 are the values that a parameter starts with.
type given32 []float32

// Fill implements [Initializer].
func (g given32) Fill(values []float32, _ Shape, _ *rand.Rand) { copy(values, g) }

func (n *normalization) Forward(c *Call) *ops.Tensor {
	along := n.Axes
	if len(along) == 0 {
		along = lastAxis
	}
	return c.along(along, func(x *ops.Tensor) *ops.Tensor {
		mean, variance := n.constants(c, x.Cols)
		inverse := c.Minimum(rsqrt(c, variance), c.Full(1, x.Cols, 1e7))
		if n.Invert {
			return c.Affine(x, rsqrt(c, c.Multiply(inverse, inverse)), mean)
		}
		return c.Affine(c.Affine(x, nil, c.Scale(mean, -1)), inverse, nil) // x-mean is exact where the two are close
	})
}

var lastAxis = axes{-1}

// constants returns the mean and the variance, each as one row of so many columns.
func (n *normalization) constants(c *Call, cols int) (mean, variance *ops.Tensor) {
	if n.Mean != nil {
		return n.Mean.row(c, cols), n.Variance.row(c, cols)
	}
	row := func(x *ops.Tensor) *ops.Tensor { return c.repeated(c.Reshape(x, 1, x.Rows*x.Cols), cols) }
	return row(c.Param(0)), row(c.Param(1))
}

// repeated returns x, one row, as one of n columns.
func (c *Call) repeated(x *ops.Tensor, n int) *ops.Tensor {
	if x.Cols == n {
		return x
	}
	return c.Repeat(x, n/x.Cols)
}

// rsqrt returns 1/√x.
func rsqrt(c *Call, x *ops.Tensor) *ops.Tensor { return c.Unary(x, kernels.Unary{Kind: kernels.RSqrt}) }

// Mask is that of the input.
func (*normalization) Mask(c *Call) *ops.Tensor { return c.Mask(0) }

type rescaling struct {
	Scale  floats `json:"scale"`
	Offset floats `json:"offset"`
}

func init() { Register("Rescaling", rescaling{Offset: floats{0}}) }

// Rescaling returns x·scale + offset. In a file, each of the two can also be a number for each index of the last axis.
func Rescaling(scale, offset float64, opts ...LayerOption) *Layer {
	return New(&rescaling{floats{float32(scale)}, floats{float32(offset)}}, opts...)
}

func (r *rescaling) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	for _, v := range []struct {
		name   string
		values floats
	}{{"scale", r.Scale}, {"offset", r.Offset}} {
		if n := len(v.values); n != 1 && n != x.Last() {
			b.Errorf("%s has %d values, takes 1 or, for shape %s, %d", v.name, n, x, x.Last())
		}
		v.values.check(b, v.name)
	}
	return x
}

func (r *rescaling) Forward(c *Call) *ops.Tensor {
	x := c.Vectors(0)
	return c.Samples(c.Affine(x, r.Scale.row(c, x.Cols), r.Offset.row(c, x.Cols)))
}

// Mask is that of the input.
func (*rescaling) Mask(c *Call) *ops.Tensor { return c.Mask(0) }

// floats are numbers that a configuration has as one, as a list, or as lists of lists, one after the other; null is none.
type floats []float32

func (f floats) MarshalJSON() ([]byte, error) {
	if len(f) == 1 {
		return json.Marshal(f[0])
	}
	return json.Marshal([]float32(f))
}

func (f *floats) UnmarshalJSON(text []byte) error {
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&v); err != nil {
		return err
	}
	*f = nil
	return f.add(v)
}

func (f *floats) add(v any) error {
	switch v := v.(type) {
	case nil:
	case float64:
		*f = append(*f, float32(v))
	case []any:
		for _, v := range v {
			if err := f.add(v); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("has %v among numbers", v)
	}
	return nil
}

// check reports what float32 does not have.
func (f floats) check(b *Builder, name string) {
	if i := slices.IndexFunc(f, func(v float32) bool { return v-v != 0 }); i >= 0 {
		b.Errorf("%s: value %d is %v, must be finite in float32", name, i, f[i])
	}
}

// row returns the numbers as one row of n.
func (f floats) row(c *Call, n int) *ops.Tensor {
	if len(f) == 1 {
		return c.Full(1, n, f[0])
	}
	return c.repeated(c.Const(kernels.MatrixOf(f, 1, len(f))), n)
}
