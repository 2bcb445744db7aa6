package nn

import (
	"errors"
	"fmt"
	"slices"

	"github.com/espalier-ml/espalier/ops"
)

type dense struct {
	Units      int            `json:"units"`
	Activation ActivationKind `json:"activation"`
	NoBias     bool           `json:"no_bias,omitempty"`
}

// Dense computes act(x·kernel + bias) over the last axis of its input: kernel [features, units], bias [units]. Kernels
// start Glorot uniform, biases zero.
func Dense(units int, act ActivationKind, opts ...LayerOption) *Layer {
	return newLayer(&dense{Units: units, Activation: act}, opts...)
}

type noBias struct{}

// NoBias leaves a Dense layer without a bias. Layers of other classes do not take it.
func NoBias() LayerOption { return noBias{} }

func (noBias) applyLayer(l *Layer) {
	d, ok := l.kind.(*dense)
	if !ok {
		l.err = errors.Join(l.err, errors.New("does not take NoBias: only Dense has a bias"))
		return
	}
	d.NoBias = true
}

func (d *dense) class() string              { return "Dense" }
func (d *dense) activation() ActivationKind { return d.Activation }

func (d *dense) build(in [][]int) ([]int, []param, error) {
	if err := oneInput(in); err != nil {
		return nil, nil, err
	}
	if d.Units < 1 {
		return nil, nil, fmt.Errorf("has %d units, needs at least 1", d.Units)
	}
	if err := d.Activation.check(); err != nil {
		return nil, nil, err
	}
	features := in[0][len(in[0])-1]
	out := append(slices.Clone(in[0][:len(in[0])-1]), d.Units)
	if err := checkShape(out); err != nil {
		return nil, nil, err
	}
	if err := checkShape([]int{features, d.Units}); err != nil {
		return nil, nil, err
	}
	params := []param{{name: "kernel", rows: features, cols: d.Units, fill: glorotUniform}}
	if !d.NoBias {
		params = append(params, param{name: "bias", rows: 1, cols: d.Units, vector: true, fill: zeros})
	}
	return out, params, nil
}

func (d *dense) forward(c *call) *ops.Tensor {
	var bias *ops.Tensor
	if !d.NoBias {
		bias = c.params[1]
	}
	act := d.Activation
	if c.logits {
		act = Linear
	}
	y := c.ops.Dense(c.lastAxis(c.in[0], c.node.in[0].shape), c.params[0], bias, act.epilogue())
	switch act {
	case Softmax:
		y = c.ops.Softmax(y)
	case GELU:
		y = c.ops.Gelu(y)
	}
	return c.flat(y)
}
