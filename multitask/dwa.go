package multitask

import "fmt"

type dwa struct {
	Temperature float64 `json:"temperature"`
}

// DWA weighs a task by how slowly its loss falls: m·softmax(rᵢ/temperature), where rᵢ is its mean loss of the last epoch
// over that of the epoch before (Liu, Johns and Davison, "End-to-End Multi-Task Learning with Attention", 2019,
// arXiv:1803.10704, dynamic weight average). The weights are 1 in the first two epochs, and rᵢ is 1 where the earlier loss
// is 0. The paper's temperature is 2; it must be above 0.
func DWA(temperature float64) Balancer { return &dwa{temperature} }

func (*dwa) Name() string { return "DWA" }
func (*dwa) Needs() Needs { return FromLosses }

func (b *dwa) Balance(s *Step) error {
	m, err := s.begin(b)
	if err != nil {
		return err
	}
	if !(b.Temperature > 0) {
		return fmt.Errorf("multitask: DWA: temperature %v is not above 0", b.Temperature)
	}
	rates := s.zeros(m)
	for i := range rates {
		rates[i] = 1
		if n := len(s.Epochs); n >= 2 && s.Epochs[n-2][i] != 0 {
			if r := s.Epochs[n-1][i] / s.Epochs[n-2][i]; finite(r / b.Temperature) {
				rates[i] = r
			}
		}
	}
	softmax(s.Weights, rates, 1/b.Temperature)
	for i := range s.Weights {
		s.Weights[i] *= float64(m)
	}
	return nil
}
