package multitask

import (
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/internal/portable"
)

type fair struct {
	Alpha   float64 `json:"alpha"`
	MaxNorm float64 `json:"max_norm,omitempty"`
	nash    bool
}

// FairGrad takes the weights w > 0 for which (Gw)ᵢ = wᵢ^(-1/alpha): every task gains, and alpha says how much a gain of
// those that gain least counts (Ban and Ji, "Fair Resource Allocation in Multi-Task Learning", 2024, arXiv:2402.15638). It
// is from 0.1 to 10; 1 is proportional fairness.
//
// A part of 1e-10 of each product of a gradient with itself is added, so that the weights exist where gradients are in exact
// conflict; they are large then, the sum of the weighted gradients is not. Newton's method takes at most 100 steps. A task
// whose gradient is 0 has weight 0.
func FairGrad(alpha float64) Balancer { return &fair{Alpha: alpha} }

// NashMTL takes the weights w > 0 for which (Gw)ᵢ = 1/wᵢ, the solution of a bargaining game, with G the Gramian over its
// Frobenius norm (Navon, Shamsian, Achituve, Maron, Kawaguchi, Chechik and Fetaya, "Multi-Task Learning as a Bargaining
// Game", 2022, arXiv:2202.01017). They are divided so that the sum of the weighted gradients is no longer than maxNorm,
// which is 1 in the authors' code; 0 stands for no bound. The equation is solved as [FairGrad] solves it.
func NashMTL(maxNorm float64) Balancer { return &fair{1, maxNorm, true} }

func (b *fair) Name() string {
	if b.nash {
		return "NashMTL"
	}
	return "FairGrad"
}
func (*fair) Needs() Needs { return FromGramian }

func (b *fair) Balance(s *Step) error {
	m, err := s.begin(b)
	if err != nil {
		return err
	}
	if !(b.Alpha >= 0.1 && b.Alpha <= 10) || !(b.MaxNorm >= 0) {
		return fmt.Errorf("multitask: %s: alpha %v must be from 0.1 to 10, the largest norm %v not below 0", b.Name(), b.Alpha, b.MaxNorm)
	}
	gram, unit := s.scaled(m)
	length, cosines := s.cosines(gram, m)
	for i := range length {
		if length[i] > 0 {
			cosines[i*m+i] += 1e-10
		}
	}
	// With yᵢ = wᵢ·|gᵢ| and cosines C it is Cy = |gᵢ|^(1/alpha-1)·yᵢ^(-1/alpha), the minimum of a convex function.
	power := 1 / b.Alpha
	target, y, slope, next := s.zeros(m), s.zeros(m), s.zeros(m), s.zeros(m)
	hessian, move := s.zeros(m*m), s.zeros(m)
	for i, v := range length {
		y[i], target[i] = 1, 0
		if v > 0 {
			target[i] = max(portable.Pow(v, power-1), 1e-100)
			y[i] = portable.Pow(target[i], 1/(1+power))
		}
	}
	slopes := func(dst, y []float64) {
		multiply(dst, cosines, y)
		for i, v := range y {
			if target[i] > 0 {
				dst[i] -= target[i] / portable.Pow(v, power)
			}
		}
	}
	slopes(slope, y)
	for range 100 {
		copy(hessian, cosines)
		done := true
		for i, v := range y {
			move[i] = -slope[i]
			if target[i] == 0 {
				hessian[i*m+i] = 1
				continue
			}
			curve := target[i] / portable.Pow(v, power)
			done = done && math.Abs(slope[i]) <= 1e-12*curve
			hessian[i*m+i] += float64(power * (curve / v))
		}
		if done || !cholesky(hessian, move, m, m) {
			break
		}
		step := 1.0
		for i, v := range move {
			if v < 0 {
				step = min(step, 0.9*y[i]/-v)
			}
		}
		before := dot(move, slope)
		for range 40 {
			for i, v := range move {
				next[i] = y[i] + float64(step*v)
			}
			slopes(slope, next)
			if dot(move, slope) <= -before/2 { // not far beyond the least value along the way
				break
			}
			step /= 2
		}
		copy(y, next)
	}
	clear(s.Weights)
	for i, v := range length {
		if v > 0 {
			s.Weights[i] = y[i] / v
		}
	}
	// The equation for gradients u times as long has weights u^(-2/(1+1/alpha)) times as large.
	scale := portable.Pow(unit, -2/(1+power))
	if b.nash {
		scale = math.Sqrt(norm(gram)) // of G over its norm
		sum := 0.0
		for i, v := range s.Weights {
			sum += float64(v * float64(dot(gram[i*m:][:m], s.Weights)))
		}
		if size := math.Sqrt(max(sum, 0)) * scale * unit; b.MaxNorm > 0 && size > b.MaxNorm {
			scale *= b.MaxNorm / size
		}
	}
	for i := range s.Weights {
		if s.Weights[i] > 0 {
			s.Weights[i] = min(s.Weights[i]*scale, largest)
		}
	}
	return nil
}

// cosines returns the lengths of the gradients and the cosines between them; those with a gradient of 0 are 0.
func (s *Step) cosines(gram []float64, m int) (length, cosines []float64) {
	length, cosines = s.zeros(m), s.zeros(m*m)
	for i := range m {
		length[i] = math.Sqrt(max(gram[i*m+i], 0))
	}
	for i, v := range gram {
		if a, b := length[i/m], length[i%m]; a > 0 && b > 0 {
			cosines[i] = v / a / b
		}
	}
	return length, cosines
}
