package nn_test

import (
	"fmt"

	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/ops"
)

// last returns the last step of a sequence, or zeros if the mask leaves it out.
type last struct{}

func init() { nn.Register("LastStep", last{}) }

func (last) Build(_ *nn.Builder, in []nn.Shape) nn.Shape { return in[0][1:] }

func (last) Forward(c *nn.Call) *ops.Tensor {
	x, steps := c.In(0), c.InShape(0)[0]
	y := c.Slice(x, x.Cols-x.Cols/steps, x.Cols)
	if m := c.Mask(0); m != nil {
		y = c.MaskRows(y, c.Slice(m, steps-1, steps))
	}
	return y
}

// A layer of one's own finds the mask of its input beside it.
func ExampleMasker() {
	x := nn.Input("x", 2, 2)
	y := nn.New(&last{}, nn.Name("y")).On(nn.Masking(-1).On(x))
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{y})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := m.Predict(nn.Arrays{"x": nn.Floats{1, 2, 3, 4 /**/, 1, 2, -1, -1}})
	fmt.Println(out["y"].Data, err)
	// Output: [3 4 0 0] <nil>
}

func ExampleMaskZero() {
	x := nn.Input("x", 3)
	y := nn.Embedding(10, 2, nn.MaskZero()).On(x)
	fmt.Println(y.Shape())
	// Output: (3, 2)
}
