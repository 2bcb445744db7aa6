package multitask

import "github.com/espalier-ml/espalier/internal/portable"

type uncertainty struct {
	LogVariances []float64 `json:"log_variances"`
}

// Uncertainty learns a log-variance sᵢ of each task: the total loss is Σ Lᵢ·e^(-sᵢ)/2 + sᵢ/2, so the weights are e^(-sᵢ)/2
// (Kendall, Gal and Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses", 2018, arXiv:1705.07115). The
// log-variances begin at -0.5, as those of LibMTL.
func Uncertainty() Learner { return &uncertainty{} }

func (*uncertainty) Name() string            { return "Uncertainty" }
func (*uncertainty) Needs() Needs            { return FromLosses }
func (b *uncertainty) Parameters() []float64 { return b.LogVariances }

func (b *uncertainty) Balance(s *Step) error {
	m, err := s.begin(b, len(b.LogVariances))
	if err != nil {
		return err
	}
	b.LogVariances = filled(b.LogVariances, m, -0.5)
	for i, v := range b.LogVariances {
		s.Weights[i] = min(portable.Exp(-v)/2, largest)
	}
	return nil
}

func (b *uncertainty) Gradient(grad []float64, s *Step) {
	for i, v := range s.Losses {
		grad[i] = 0.5 - float64(v*s.Weights[i])
	}
}

type imtll struct {
	LogScales []float64 `json:"log_scales"`
}

// IMTLL learns a log-scale sᵢ of each task: the total loss is Σ e^sᵢ·Lᵢ - sᵢ, so the weights are e^sᵢ, which make all scaled
// losses 1 (Liu, Li, Kuang, Xue, Chen, Yang, Liao and Zhang, "Towards Impartial Multi-task Learning", ICLR 2021, called
// IMTL-L). They begin at 0.
func IMTLL() Learner { return &imtll{} }

func (*imtll) Name() string            { return "IMTL-L" }
func (*imtll) Needs() Needs            { return FromLosses }
func (b *imtll) Parameters() []float64 { return b.LogScales }

func (b *imtll) Balance(s *Step) error {
	m, err := s.begin(b, len(b.LogScales))
	if err != nil {
		return err
	}
	b.LogScales = filled(b.LogScales, m, 0)
	for i, v := range b.LogScales {
		s.Weights[i] = min(portable.Exp(v), largest)
	}
	return nil
}

func (b *imtll) Gradient(grad []float64, s *Step) {
	for i, v := range s.Losses {
		grad[i] = float64(portable.Exp(b.LogScales[i])*v) - 1
	}
}
