package nn

import (
	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// A Recorder notes what the layers of a model compute for one sample, see [Model.Record]: that of package plan does, and one that
// writes a model in a format of others can. As all of [ops.Ops] it keeps its first error, after which it notes nothing more.
type Recorder interface {
	ops.Ops
	// Input returns the tensor, 1 x features, of an input of the model.
	Input(name string, features int) *ops.Tensor
	// Param returns the tensor of a parameter or of a moving average, which has the name of the [Weight]: "dense/kernel".
	Param(name string, m kernels.Matrix) *ops.Tensor
	// Label says which layer computes what follows.
	Label(layer string)
	// Output says that x, 1 x features, is an output of the model.
	Output(name string, x *ops.Tensor)
	// Err returns the first error.
	Err() error
}

// Record runs the layers of the model once, as they are in serving, on a recorder: first it asks for all inputs, in their order,
// then each layer computes behind those that it depends on, and at last come the outputs, in their order. Parameters are asked
// for where a layer first needs them. An error names the layer.
func (m *Model) Record(r Recorder) error {
	if m == nil || len(m.nodes) == 0 {
		return errEmptyModel
	}
	if err := m.record(r); err != nil {
		return brief.Error(err)
	}
	return nil
}

func (m *Model) record(r Recorder) error {
	values := make(map[*Node]*ops.Tensor, len(m.nodes))
	for _, n := range m.inputs {
		values[n] = r.Input(n.layer.name, n.features())
	}
	masks := map[*Node]*ops.Tensor{}
	params := map[*param]*ops.Tensor{}
	c := &Call{Ops: r}
	for _, n := range m.nodes {
		if values[n] != nil {
			continue
		}
		r.Label(m.paths[n.layer])
		c.node, c.in, c.masks, c.params = n, c.in[:0], c.masks[:0], c.params[:0]
		for _, in := range n.in {
			c.in, c.masks = append(c.in, values[in]), append(c.masks, masks[in])
		}
		for _, p := range n.layer.params {
			if params[p] == nil {
				params[p] = r.Param(m.paths[n.layer]+"/"+p.name, p.value)
			}
			c.params = append(c.params, params[p])
		}
		c.Act = n.layer.activation()
		values[n] = n.layer.kind.Forward(c)
		masks[n] = c.resultMask()
		if err := m.checkResult(n, values[n], 1, r.Err()); err != nil {
			return err
		}
	}
	for _, n := range m.outputs {
		r.Output(n.name(), values[n])
	}
	return r.Err()
}
