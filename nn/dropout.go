package nn

import "github.com/espalier-ml/espalier/ops"

type dropout struct {
	Rate float64 `json:"rate"`
}

func init() { Register("Dropout", dropout{}) }

// Dropout zeroes each element with probability rate in training and scales the others by 1/(1-rate); at inference it
// passes its input on.
func Dropout(rate float64, opts ...LayerOption) *Layer { return New(&dropout{rate}, opts...) }

func (d *dropout) Build(b *Builder, in []Shape) Shape {
	b.rate(d.Rate)
	b.SameInServing()
	return b.One(in)
}

func (d *dropout) Forward(c *Call) *ops.Tensor {
	if !c.Training() || d.Rate == 0 {
		return c.In(0)
	}
	return c.Dropout(c.In(0), d.Rate, c.Random())
}

// Mask is that of the input.
func (*dropout) Mask(c *Call) *ops.Tensor { return c.Mask(0) }

// rate reports what is no rate of a dropout.
func (b *Builder) rate(rate float64) {
	if !(rate >= 0 && rate < 1) {
		b.Errorf("rate %v is not in [0, 1)", rate)
	}
}

type spatialDropout1D struct {
	Rate float64 `json:"rate"`
}

func init() { Register("SpatialDropout1D", spatialDropout1D{}) }

// SpatialDropout1D is a [Dropout] of whole features of a sequence, shape (steps, features): in training a feature of a sample is
// zero in all steps, or in none (Tompson et al. 2015, arXiv:1411.4280).
func SpatialDropout1D(rate float64, opts ...LayerOption) *Layer {
	return New(&spatialDropout1D{rate}, opts...)
}

func (d *spatialDropout1D) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	b.rate(d.Rate)
	if len(x) != 2 {
		b.Errorf("called on shape %s, takes (steps, features)", x)
	}
	b.SameInServing()
	return x
}

func (d *spatialDropout1D) Forward(c *Call) *ops.Tensor {
	if !c.Training() || d.Rate == 0 {
		return c.In(0)
	}
	shape := c.Shape()
	kept := c.Dropout(c.Full(c.In(0).Rows, shape.Last(), 1), d.Rate, c.Random())
	return c.Multiply(c.In(0), c.Repeat(kept, shape[0]))
}

// Mask is that of the input.
func (*spatialDropout1D) Mask(c *Call) *ops.Tensor { return c.Mask(0) }
