package bench

import "github.com/espalier-ml/espalier/kernels"

// packed is the forward product with weights packed before the timing starts, and bias and ReLU for dense.
func packed(t *kernels.Table, s *kernels.Scratch, p *Problem) (Call, error) {
	var w kernels.PackedB
	if err := t.Pack(&w, p.B, p.Bias); err != nil {
		return Call{}, err
	}
	act := kernels.Linear
	if p.Op == Dense {
		act = kernels.ReLU
	}
	y, x := p.C, p.A
	return GoCall("Dense", func(iterations int) error {
		for range iterations {
			if err := t.Dense(s, y, x, &w, act); err != nil {
				return err
			}
		}
		return nil
	}), nil
}
