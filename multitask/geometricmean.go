package multitask

import "github.com/espalier-ml/espalier/internal/portable"

// logarithmic balances by logarithms of the losses.
type logarithmic struct {
	geometric bool
}

// GeometricMean makes the total loss the geometric mean of the m losses, (Π Lᵢ)^(1/m), which has the weights mean/(m·Lᵢ)
// (Chennupati, Sistu, Yogamani and Rawashdeh, "MultiNet++", 2019, arXiv:1904.08492, called GLS). A task whose loss is 0, as
// where a batch has no label of it, has weight 0 and counts in no mean. A loss below 0 is an error.
func GeometricMean() Balancer { return &logarithmic{geometric: true} }

// ScaleInvariant makes the total loss the sum of the losses' logarithms: the weights are 1/Lᵢ, so that the unit of a loss
// has no influence (twice the weights that [Uncertainty] has once its parameters are learnt). A task whose loss is 0 has
// weight 0. A loss below 0 is an error.
func ScaleInvariant() Balancer { return &logarithmic{} }

func (b *logarithmic) Name() string {
	if b.geometric {
		return "GeometricMean"
	}
	return "ScaleInvariant"
}
func (*logarithmic) Needs() Needs { return FromLosses }

func (b *logarithmic) Balance(s *Step) error {
	if _, err := s.begin(b); err != nil {
		return err
	}
	if err := s.positive(b); err != nil {
		return err
	}
	sum, n := 0.0, 0.0
	for _, v := range s.Losses {
		if v > 0 {
			sum, n = sum+portable.Log(v), n+1
		}
	}
	for i, v := range s.Losses {
		switch {
		case v == 0:
			s.Weights[i] = 0
		case b.geometric:
			s.Weights[i] = portable.Exp(sum/n-portable.Log(v)) / n
		default:
			s.Weights[i] = 1 / v
		}
		s.Weights[i] = min(s.Weights[i], largest)
	}
	return nil
}

// largest bounds weights that are quotients by losses, which may be denormal numbers.
const largest = 1e300
