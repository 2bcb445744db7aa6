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
	if !(d.Rate >= 0 && d.Rate < 1) {
		b.Errorf("rate %v is not in [0, 1)", d.Rate)
	}
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
