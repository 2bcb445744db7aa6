package multitask

import (
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/internal/portable"
)

// tracked holds, for each task, numbers that follow its gradient from step to step.
type tracked struct {
	Rows  [][]float32 `json:"rows"`
	Steps int         `json:"steps"`
}

// begin starts the rows at 0, or checks that they are as the gradients of a step.
func (t *tracked) begin(b Balancer, s *Step) error {
	if len(t.Rows) == 0 {
		t.Rows = make([][]float32, len(s.Jacobian))
		for i := range t.Rows {
			t.Rows[i] = make([]float32, len(s.Gradient))
		}
	}
	for i, row := range t.Rows {
		if len(t.Rows) != len(s.Jacobian) || len(row) != len(s.Gradient) {
			return fmt.Errorf("multitask: %s: gradients of %d tasks have %d numbers, the state has %d, task %d of %d",
				b.Name(), len(s.Jacobian), len(s.Gradient), len(t.Rows), i, len(row))
		}
	}
	return nil
}

// follow moves the row of a task towards scale times its gradient: row ← keep·row + (1-keep)·scale·g. It returns the length.
func (t *tracked) follow(i int, g []float32, scale, keep float64) float64 {
	sum := 0.0
	for k, v := range g {
		x := narrow(float64(keep*float64(t.Rows[i][k])) + float64((1-keep)*float64(scale*float64(v))))
		t.Rows[i][k] = x
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// combine writes Σ wᵢ·rowᵢ.
func combine(dst []float32, rows [][]float32, w []float64) {
	for k := range dst {
		sum := 0.0
		for i, row := range rows {
			sum += float64(w[i] * float64(row[k]))
		}
		dst[k] = narrow(sum)
	}
}

// narrow rounds a number to float32, at most its largest.
func narrow(v float64) float32 { return float32(max(min(v, math.MaxFloat32), -math.MaxFloat32)) }

type dbmtl struct {
	Beta  float64 `json:"beta"`
	Decay float64 `json:"decay"`
	tracked
}

// DBMTL balances twice: it takes the gradients of the losses' logarithms, smooths them over steps, with beta/step^decay of
// the old, and makes all as long as the longest before it adds them (Lin, Jiang, Ye, Zhang, Chen, Chen, Liu and Kwok,
// "Dual-Balancing for Multi-Task Learning", 2023, arXiv:2308.12029). beta is from 0 to 1. LibMTL begins with 0.9 and 0. A
// loss below 0 is an error.
func DBMTL(beta, decay float64) Balancer { return &dbmtl{Beta: beta, Decay: decay} }

func (*dbmtl) Name() string { return "DB-MTL" }
func (*dbmtl) Needs() Needs { return FromJacobian }

func (b *dbmtl) Balance(s *Step) error {
	m, err := s.begin(b)
	if err == nil {
		err = s.positive(b)
	}
	if err == nil {
		err = b.begin(b, s)
	}
	if err != nil {
		return err
	}
	if !(b.Beta >= 0 && b.Beta <= 1 && b.Decay >= 0) {
		return fmt.Errorf("multitask: DB-MTL: beta %v must be from 0 to 1, decay %v at least 0", b.Beta, b.Decay)
	}
	b.Steps++
	keep := b.Beta / portable.Pow(float64(b.Steps), b.Decay)
	w, longest := s.zeros(m), 0.0
	for i, g := range s.Jacobian {
		w[i] = b.follow(i, g, 1/(s.Losses[i]+1e-8), keep)
		longest = max(longest, w[i])
	}
	for i, v := range w {
		if v > 0 {
			w[i] = longest / v
		}
	}
	combine(s.Gradient, b.Rows, w)
	return nil
}

// MoCoRates are the rates of [MoCo]: Beta of the smoothed gradients and Gamma of the weights, both divided by a power of the
// step, and Rho of the weights' decay to equal ones.
type MoCoRates struct {
	Beta       float64 `json:"beta"`
	BetaDecay  float64 `json:"beta_decay"`
	Gamma      float64 `json:"gamma"`
	GammaDecay float64 `json:"gamma_decay"`
	Rho        float64 `json:"rho"`
}

type moco struct {
	MoCoRates
	tracked
	Lambda []float64 `json:"lambda"`
}

// MoCo corrects the bias of stochastic gradients: rows yᵢ follow Lᵢ·gᵢ/|gᵢ|, the weights λ ← softmax(λ - gamma·(YYᵀ +
// rho)λ), and the result is Yᵀλ (Fernando, Shen, Liu, Chaudhury, Murugesan and Chen, "Mitigating Gradient Bias in
// Multi-objective Learning", ICLR 2023, arXiv:2210.12624; the form of LibMTL, whose rates are 0.5 and 0.1, decays 0.5).
func MoCo(rates MoCoRates) Balancer { return &moco{MoCoRates: rates} }

func (*moco) Name() string { return "MoCo" }
func (*moco) Needs() Needs { return FromJacobian }

func (b *moco) Balance(s *Step) error {
	m, err := s.begin(b, len(b.Lambda))
	if err == nil {
		err = b.begin(b, s)
	}
	if err != nil {
		return err
	}
	r := b.MoCoRates
	if !(r.Beta >= 0 && r.Beta <= 1 && r.BetaDecay >= 0 && r.Gamma >= 0 && r.GammaDecay >= 0 && r.Rho >= 0) {
		return fmt.Errorf("multitask: MoCo: rates %+v must be at least 0, Beta at most 1", r)
	}
	b.Lambda = filled(b.Lambda, m, 1/float64(m))
	b.Steps++
	step := float64(b.Steps)
	keep := 1 - r.Beta/portable.Pow(step, r.BetaDecay)
	for i, g := range s.Jacobian {
		sum := 0.0
		for _, v := range g {
			sum += float64(v) * float64(v)
		}
		scale := 0.0
		if sum > 0 {
			scale = s.Losses[i] / math.Sqrt(sum)
		}
		b.follow(i, g, scale, keep)
	}
	gram, move := s.zeros(m*m), s.zeros(m)
	Gramian(gram, b.Rows)
	multiply(move, gram, b.Lambda)
	rate := r.Gamma / portable.Pow(step, r.GammaDecay)
	for i, v := range b.Lambda {
		move[i] = max(min(v-float64(rate*(move[i]+float64(r.Rho*v))), largest), -largest)
	}
	softmax(b.Lambda, move, 1)
	combine(s.Gradient, b.Rows, b.Lambda)
	return nil
}

type excessMTL struct {
	Rate   float64 `json:"rate"`
	Warmup int     `json:"warmup_steps"`
	tracked
	Baseline []float64 `json:"baseline"`
	Shares   []float64 `json:"weights"`
}

// ExcessMTL weighs a task by an estimate of how far its loss is above the least possible: eᵢ = Σ g²/√(Σ over the steps of
// g², + 1e-7), over its value in the first step or its mean in warm-up steps, in which all weigh 1/m. The weights are
// multiplied by exp(rate·eᵢ) each step and divided by their sum (He, Zhou, Zhang and others, "Robust Multi-Task Learning with
// Excess Risks", 2024, arXiv:2402.02009; steps as in TorchJD). The rate is above 0.
func ExcessMTL(rate float64, warmup int) Balancer { return &excessMTL{Rate: rate, Warmup: warmup} }

func (*excessMTL) Name() string { return "ExcessMTL" }
func (*excessMTL) Needs() Needs { return FromJacobian }

func (b *excessMTL) Balance(s *Step) error {
	m, err := s.begin(b, len(b.Shares), len(b.Baseline))
	if err == nil {
		err = b.begin(b, s)
	}
	if err != nil {
		return err
	}
	if !(b.Rate > 0 && b.Rate <= 1e10) || b.Warmup < 0 {
		return fmt.Errorf("multitask: ExcessMTL: the rate %v must be above 0, the warm-up %d at least 0", b.Rate, b.Warmup)
	}
	b.Shares, b.Baseline = filled(b.Shares, m, 1/float64(m)), filled(b.Baseline, m, 0)
	excess := s.zeros(m)
	for i, g := range s.Jacobian {
		for k, v := range g {
			square := float64(v) * float64(v)
			sum := min(float64(b.Rows[i][k])+square, math.MaxFloat32)
			b.Rows[i][k] = float32(sum)
			excess[i] += square / math.Sqrt(sum+1e-7)
		}
	}
	b.Steps++
	if b.Steps <= b.Warmup {
		for i, v := range excess {
			b.Baseline[i] += v / float64(b.Warmup)
		}
	} else {
		for i, v := range excess {
			if b.Steps == 1 {
				b.Baseline[i] = v
			} else {
				v /= b.Baseline[i] + 1e-7
			}
			excess[i] = max(portable.Log(b.Shares[i]), -1e9) + min(float64(b.Rate*v), 1e100)
		}
		softmax(b.Shares, excess, 1)
	}
	combine(s.Gradient, s.Jacobian, b.Shares)
	return nil
}
