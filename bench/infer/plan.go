package infer

import "github.com/espalier-ml/espalier/nn"

// newPlan prepares Espalier for a problem.
func newPlan(p *Problem) (*nn.Plan, error) {
	m, err := Model(&p.Operands)
	if err != nil {
		return nil, err
	}
	return nn.NewPlan(m, p.Batch, nn.Workers(p.Threads))
}
