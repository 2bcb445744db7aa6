package multitask

import (
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/internal/portable"
)

type imtlg struct{}

// IMTLG takes the weights of sum 1 for which the result has the same projection on every gradient: w is D⁻¹C⁺1 over its sum,
// for the lengths D and cosines C of the gradients (Liu, Li, Kuang, Xue, Chen, Yang, Liao and Zhang, "Towards Impartial
// Multi-task Learning", ICLR 2021, called IMTL-G). A weight may be below 0. All are 0 where that sum is, and that of a task
// without gradient.
func IMTLG() Balancer { return &imtlg{} }

func (*imtlg) Name() string { return "IMTL-G" }
func (*imtlg) Needs() Needs { return FromGramian }

func (b *imtlg) Balance(s *Step) error {
	m, err := s.begin(b)
	if err != nil {
		return err
	}
	gram, _ := s.scaled(m)
	s.impartial(gram, m)
	return nil
}

func (s *Step) impartial(gram []float64, m int) {
	ones := s.zeros(m)
	for i := range ones {
		ones[i] = 1
	}
	s.bisector(gram, ones, m)
	sum, size := 0.0, 0.0
	for _, v := range s.Weights {
		sum += v
		size += math.Abs(v)
	}
	for i := range s.Weights {
		if math.Abs(sum) <= 1e-12*size {
			s.Weights[i] = 0
		} else {
			s.Weights[i] /= sum
		}
	}
}

// bisector writes D⁻¹C⁺p as the weights: those of a direction whose cosines with the gradients are as p, as far as that can
// be.
func (s *Step) bisector(gram, p []float64, m int) {
	length, cosines := s.cosines(gram, m)
	vectors := s.zeros(m * m)
	eigen(cosines, vectors, m)
	clear(s.Weights)
	for k := range m {
		v := cosines[k*m+k]
		if v <= 1e-12*float64(m) {
			continue
		}
		along := 0.0
		for i := range m {
			along += float64(vectors[i*m+k] * p[i])
		}
		along /= v
		for i := range m {
			s.Weights[i] += float64(along * vectors[i*m+k])
		}
	}
	for i, v := range length {
		if v > 0 {
			s.Weights[i] /= v
		} else {
			s.Weights[i] = 0
		}
	}
}

type imtl struct {
	LogScales []float64 `json:"log_scales"`
}

// IMTL is [IMTLL], and [IMTLG] applied to the gradients of the losses that it scales: both parts of the paper.
func IMTL() Learner { return &imtl{} }

func (*imtl) Name() string            { return "IMTL" }
func (*imtl) Needs() Needs            { return FromGramian }
func (b *imtl) Parameters() []float64 { return b.LogScales }

func (b *imtl) Balance(s *Step) error {
	m, err := s.begin(b, len(b.LogScales))
	if err != nil {
		return err
	}
	b.LogScales = filled(b.LogScales, m, 0)
	gram, _ := s.scaled(m)
	scale := s.zeros(m)
	for i, v := range b.LogScales {
		scale[i] = portable.Exp(max(min(v, 200), -200))
	}
	for i := range gram {
		gram[i] *= scale[i/m] * scale[i%m]
	}
	s.impartial(gram, m)
	for i, v := range scale {
		s.Weights[i] *= v
	}
	return nil
}

func (b *imtl) Gradient(grad []float64, s *Step) { (&imtll{b.LogScales}).Gradient(grad, s) }

type config struct {
	Preference []float64 `json:"preference,omitempty"`
}

// ConFIG takes the direction that has the same cosine with every gradient, or cosines as a preference says, as long as the
// sum of the gradients' projections on it (Liu, Chu and Thuerey, "ConFIG: Towards Conflict-free Training of Physics Informed
// Neural Networks", 2024, arXiv:2408.11104).
func ConFIG(preference ...float64) Balancer { return &config{preference} }

func (*config) Name() string { return "ConFIG" }
func (*config) Needs() Needs { return FromGramian }

func (b *config) Balance(s *Step) error {
	m, err := s.begin(b, len(b.Preference))
	if err != nil {
		return err
	}
	p := s.zeros(m)
	for i := range p {
		p[i] = 1
	}
	copy(p, b.Preference)
	gram, _ := s.scaled(m)
	s.bisector(gram, p, m)
	product := s.zeros(m)
	multiply(product, gram, s.Weights)
	square, sum := dot(product, s.Weights), 0.0
	for _, v := range product {
		sum += v
	}
	for i := range s.Weights {
		if square > 0 && finite(sum/square) {
			s.Weights[i] *= sum / square
		} else {
			s.Weights[i] = 0
		}
	}
	return nil
}

type gradNorm struct {
	Alpha  float64   `json:"alpha"`
	Logits []float64 `json:"logits"`
}

// GradNorm learns weights for which the gradients of all tasks have lengths of one size, longer where a task learns slowly
// (Chen, Badrinarayanan, Lee and Rabinovich, 2018, arXiv:1711.02257). The weights are m·softmax of the learned logits, as in
// LibMTL; its own loss is Σ |wᵢ·|gᵢ| - G·rᵢ^alpha|, where G is the mean of the wᵢ·|gᵢ| and rᵢ the loss over the task's mean
// loss in the first epoch, over the mean of these. In the first epoch the weights are 1 and nothing is learnt. The paper's
// alpha is 1.5.
func GradNorm(alpha float64) Learner { return &gradNorm{Alpha: alpha} }

func (*gradNorm) Name() string            { return "GradNorm" }
func (*gradNorm) Needs() Needs            { return FromGramian }
func (b *gradNorm) Parameters() []float64 { return b.Logits }

func (b *gradNorm) Balance(s *Step) error {
	m, err := s.begin(b, len(b.Logits))
	if err == nil {
		err = s.positive(b)
	}
	if err != nil {
		return err
	}
	if !(math.Abs(b.Alpha) <= 100) {
		return fmt.Errorf("multitask: GradNorm: alpha %v is not between -100 and 100", b.Alpha)
	}
	b.Logits = filled(b.Logits, m, 1)
	softmax(s.Weights, b.Logits, 1)
	for i := range s.Weights {
		s.Weights[i] *= float64(m)
		if len(s.Epochs) == 0 {
			s.Weights[i] = 1
		}
	}
	return nil
}

func (b *gradNorm) Gradient(grad []float64, s *Step) {
	clear(grad)
	if len(s.Epochs) == 0 {
		return
	}
	m := len(s.Losses)
	slope, rate := s.zeros(m), s.zeros(m)
	mean, meanRate := 0.0, 0.0
	for i, v := range s.Losses {
		slope[i] = math.Sqrt(max(s.Gramian[i*m+i], 0))
		rate[i] = 1
		if first := s.Epochs[0][i]; first > 0 {
			rate[i] = v / first
		}
		mean += float64(s.Weights[i]*slope[i]) / float64(m)
		meanRate += rate[i] / float64(m)
	}
	for i, v := range slope {
		if meanRate > 0 && float64(s.Weights[i]*v) < mean*portable.Pow(rate[i]/meanRate, b.Alpha) {
			slope[i] = -v
		}
	}
	along := dot(slope, s.Weights) / float64(m)
	for i, v := range slope { // through m·softmax
		grad[i] = s.Weights[i] * (v - along)
	}
}
