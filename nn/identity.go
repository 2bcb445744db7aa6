package nn

import "github.com/espalier-ml/espalier/ops"

type identity struct{}

func init() { Register("Identity", identity{}) }

// Identity passes its input on as it is, and costs nothing in a plan. It gives an output a name of one's choice, where an output
// is otherwise named after its layer, so that one layer can have several: Identity(Name("left")).On(h). A loss includes the
// activation of what it passes on as if it were not there.
func Identity(opts ...LayerOption) *Layer { return New(&identity{}, opts...) }

func (*identity) Build(b *Builder, in []Shape) Shape {
	b.Same()
	return b.One(in)
}

func (*identity) Forward(c *Call) *ops.Tensor { return c.In(0) }

// Mask is that of the input.
func (*identity) Mask(c *Call) *ops.Tensor { return c.Mask(0) }
