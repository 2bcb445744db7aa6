package nn

import (
	"fmt"
	"slices"

	"github.com/espalier-ml/espalier/ops"
)

type flatten struct{}

// Flatten turns each sample into one row of features.
func Flatten(opts ...LayerOption) *Layer { return newLayer(&flatten{}, opts...) }

func (*flatten) class() string { return "Flatten" }

func (*flatten) build(in [][]int) ([]int, []param, error) {
	if err := oneInput(in); err != nil {
		return nil, nil, err
	}
	return []int{elements(in[0])}, nil, nil
}

func (*flatten) forward(c *call) *ops.Tensor { return c.in[0] }

type reshape struct {
	Shape few[int] `json:"target_shape"`
}

// Reshape gives each sample another shape of as many elements, without the batch axis: Reshape([]int{8, 4}).
func Reshape(shape []int, opts ...LayerOption) *Layer {
	return newLayer(&reshape{slices.Clone(shape)}, opts...)
}

func (r *reshape) class() string { return "Reshape" }

func (r *reshape) build(in [][]int) ([]int, []param, error) {
	if err := oneInput(in); err != nil {
		return nil, nil, err
	}
	if err := checkShape(r.Shape); err != nil {
		return nil, nil, err
	}
	if elements(r.Shape) != elements(in[0]) {
		return nil, nil, fmt.Errorf("cannot turn shape %s (%d elements) into %s (%d)", formatShape(in[0]), elements(in[0]), formatShape(r.Shape), elements(r.Shape))
	}
	return r.Shape, nil, nil
}

// forward has nothing to do: samples are rows of features whatever their shape.
func (*reshape) forward(c *call) *ops.Tensor { return c.in[0] }
