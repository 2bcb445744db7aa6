package nn_test

import (
	"fmt"
	"log"

	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/ops"
)

// Scaling multiplies its input by Factor: what a layer of one's own needs.
type Scaling struct {
	Factor float64 `json:"factor"`
}

func init() { nn.Register("example/Scaling", Scaling{Factor: 1}) }

// Build takes inputs of any shape and asks for no parameter.
func (*Scaling) Build(b *nn.Builder, in []nn.Shape) nn.Shape { return b.One(in) }

// Forward is what training differentiates and a plan serves.
func (s *Scaling) Forward(c *nn.Call) *ops.Tensor { return c.Scale(c.In(0), float32(s.Factor)) }

func ExampleRegister() {
	x := nn.Input("x", 2)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.New(&Scaling{Factor: 3}, nn.Name("three times")).On(x)})
	if err != nil {
		log.Fatal(err)
	}
	y, err := m.Predict(nn.Arrays{"x": nn.Floats{1, 2}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y["three times"].Data)
	// Output: [3 6]
}
