package train

import (
	"fmt"

	"github.com/espalier-ml/espalier/bench/infer"
	"github.com/espalier-ml/espalier/nn"
)

// Espalier is this library.
type Espalier struct{}

func (Espalier) Name() string { return "espalier" }

func (Espalier) Version() string { return "of this tree" }

// Prepare returns one call: TrainOnBatch.
func (Espalier) Prepare(p *Problem) ([]infer.Call, error) {
	m, err := infer.Model(&p.Operands)
	if err != nil {
		return nil, err
	}
	losses := nn.Losses{}
	for o, name := range m.OutputNames() {
		switch p.Head(o).Act {
		case infer.Sigmoid:
			losses[name] = nn.BinaryCrossentropy()
		case infer.Softmax:
			losses[name] = nn.SparseCategoricalCrossentropy()
		default:
			losses[name] = nn.MSE()
		}
	}
	adam := nn.Adam(LearningRate)
	adam.Beta1, adam.Beta2, adam.Epsilon = Beta1, Beta2, Epsilon
	if err := m.Compile(adam, losses); err != nil {
		return nil, err
	}
	var batches [Batches]nn.Data
	for b := range batches {
		batches[b] = data(p, m, b)
	}
	step := 0
	return []infer.Call{infer.GoCall("TrainOnBatch", func() error {
		logs, err := m.TrainOnBatch(batches[step%Batches])
		p.Losses[step%len(p.Losses)] = logs["loss"]
		step++
		return err
	})}, nil
}

// data returns a batch.
func data(p *Problem, m *nn.Model, batch int) nn.Data {
	d := nn.Data{Inputs: nn.Arrays{}, Targets: nn.Arrays{}}
	for i, x := range p.X {
		d.Inputs[fmt.Sprintf("input_%d", i)] = nn.Floats(x)
	}
	for o, name := range m.OutputNames() {
		values := p.Targets[batch][o]
		d.Targets[name] = nn.Floats(values)
		if p.Head(o).Act == infer.Softmax {
			labels := make(nn.Labels, len(values))
			for i, v := range values {
				labels[i] = int32(v)
			}
			d.Targets[name] = labels
		}
	}
	return d
}
