package nn

import (
	"fmt"

	"github.com/espalier-ml/espalier/ops"
)

type dropout struct {
	Rate float64 `json:"rate"`
}

// Dropout zeroes each element with probability rate in training and scales the others by 1/(1-rate); at inference it
// passes its input on.
func Dropout(rate float64, opts ...LayerOption) *Layer { return newLayer(&dropout{rate}, opts...) }

func (d *dropout) class() string { return "Dropout" }

func (d *dropout) build(in [][]int) ([]int, []param, error) {
	if err := oneInput(in); err != nil {
		return nil, nil, err
	}
	if !(d.Rate >= 0 && d.Rate < 1) {
		return nil, nil, fmt.Errorf("rate %v is not in [0, 1)", d.Rate)
	}
	return in[0], nil, nil
}

func (d *dropout) forward(c *call) *ops.Tensor {
	if !c.training || d.Rate == 0 {
		return c.in[0]
	}
	// One stream per step, layer and call, so that no layer's draws depend on another's.
	stream := hash(c.node.layer.name) + uint64(c.index)
	c.random.Seed(c.seed, stream)
	return c.ops.Dropout(c.in[0], d.Rate, &c.random)
}
