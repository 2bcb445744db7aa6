package nn

import (
	"math"
	"math/rand/v2"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

type gaussianNoise struct {
	Deviation float64 `json:"stddev"`
}

func init() { Register("GaussianNoise", gaussianNoise{}) }

// GaussianNoise adds to each element, in training, a number drawn from a normal distribution of mean 0 and standard deviation
// stddev, from 0 to 1. Elsewhere it passes its input on.
func GaussianNoise(stddev float64, opts ...LayerOption) *Layer {
	return New(&gaussianNoise{stddev}, opts...)
}

func (n *gaussianNoise) Build(b *Builder, in []Shape) Shape {
	if !(n.Deviation >= 0 && n.Deviation <= 1) {
		b.Errorf("stddev %v is not in [0, 1]", n.Deviation)
	}
	b.SameInServing()
	return b.One(in)
}

func (n *gaussianNoise) Forward(c *Call) *ops.Tensor {
	if !c.Training() || n.Deviation == 0 {
		return c.In(0)
	}
	return c.Add(c.In(0), c.normal(0, n.Deviation))
}

// Mask is that of the input.
func (*gaussianNoise) Mask(c *Call) *ops.Tensor { return c.Mask(0) }

type gaussianDropout struct {
	Rate float64 `json:"rate"`
}

func init() { Register("GaussianDropout", gaussianDropout{}) }

// GaussianDropout multiplies each element, in training, by a number drawn from a normal distribution of mean 1 and standard
// deviation √(rate/(1-rate)), which is that of the factors of a [Dropout] (Srivastava et al. 2014). Elsewhere it passes its
// input on.
func GaussianDropout(rate float64, opts ...LayerOption) *Layer {
	return New(&gaussianDropout{rate}, opts...)
}

func (d *gaussianDropout) Build(b *Builder, in []Shape) Shape {
	b.rate(d.Rate)
	b.SameInServing()
	return b.One(in)
}

func (d *gaussianDropout) Forward(c *Call) *ops.Tensor {
	if !c.Training() || d.Rate == 0 {
		return c.In(0)
	}
	return c.Multiply(c.In(0), c.normal(1, math.Sqrt(d.Rate/(1-d.Rate))))
}

// Mask is that of the input.
func (*gaussianDropout) Mask(c *Call) *ops.Tensor { return c.Mask(0) }

type alphaDropout struct {
	Rate float64 `json:"rate"`
}

func init() { Register("AlphaDropout", alphaDropout{}) }

// AlphaDropout sets each element, in training, with probability rate to the value that selu has at minus infinity, and then
// scales and shifts all of them so that inputs of mean 0 and variance 1 keep both (Klambauer et al. 2017, arXiv:1706.02515).
// Elsewhere it passes its input on.
func AlphaDropout(rate float64, opts ...LayerOption) *Layer {
	return New(&alphaDropout{rate}, opts...)
}

func (d *alphaDropout) Build(b *Builder, in []Shape) Shape {
	b.rate(d.Rate)
	b.SameInServing()
	return b.One(in)
}

func (d *alphaDropout) Forward(c *Call) *ops.Tensor {
	x := c.In(0)
	if !c.Training() || d.Rate == 0 {
		return x
	}
	const low = -1.6732632423543772 * 1.0507009873554805 // selu(-∞)
	a := 1 / math.Sqrt((1-d.Rate)*(1+d.Rate*low*low))
	kept := c.Dropout(c.Full(x.Rows, x.Cols, float32(a*(1-d.Rate))), d.Rate, c.Random()) // a or 0
	// What is kept becomes a·x + b, b = -a·low·rate, and the rest a·low + b, which is (1 - kept/a)·a·low + b.
	shift := c.Add(c.Scale(kept, float32(-low)), c.Full(x.Rows, x.Cols, float32(a*low*(1-d.Rate))))
	return c.Add(c.Multiply(x, kept), shift)
}

// Mask is that of the input.
func (*alphaDropout) Mask(c *Call) *ops.Tensor { return c.Mask(0) }

// normal returns numbers drawn from a normal distribution, in the shape of input 0.
func (c *Call) normal(mean, deviation float64) *ops.Tensor {
	x := c.In(0)
	y, squares := c.Full(x.Rows, x.Cols, 0), c.Full(2, x.Rows*x.Cols, 0)
	if len(y.Data) == 0 {
		return y // of a tape that has failed
	}
	drawNoise(y.Data, squares.Row(0), squares.Row(1), c.Random())
	if y = c.Scale(y, float32(deviation)); mean != 0 {
		y = c.Add(y, c.Full(x.Rows, x.Cols, float32(mean)))
	}
	return y
}

// drawNoise fills values with numbers of a normal distribution of mean 0 and deviation 1, by Marsaglia's polar method: a point
// (u, v) in the unit circle with s = u²+v² gives u·√(-2·log(s)/s) and the same of v. The logarithm is that of package kernels,
// so that all machines draw the same numbers. squares and logs are memory of the size of values.
func drawNoise(values, squares, logs []float32, random rand.Source) {
	for i := range values {
		if i%2 == 1 {
			continue // is drawn with the one before
		}
		u, v, s := 0.0, 0.0, 0.0
		for s <= 0 || s >= 1 {
			u, v = signed(random), signed(random)
			s = float64(u*u) + float64(v*v)
		}
		for j, w := range [2]float64{u, v} {
			if i+j < len(values) {
				values[i+j], squares[i+j] = float32(w), max(float32(s), 0x1p-100)
			}
		}
	}
	if kernels.Default().Log(kernels.MatrixOf(logs, 1, len(logs)), kernels.MatrixOf(squares, 1, len(squares))) != nil {
		return // of an invalid ESPALIER_ISA alone, which NewModel has reported
	}
	for i, s := range squares {
		values[i] *= float32(math.Sqrt(-2 * float64(logs[i]) / float64(s)))
	}
}

// signed returns a number from -1 to 1.
func signed(random rand.Source) float64 { return float64(random.Uint64()>>11)/(1<<52) - 1 }
