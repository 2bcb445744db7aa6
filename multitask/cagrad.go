package multitask

import (
	"fmt"
	"math"
)

type cagrad struct {
	C       float64 `json:"c"`
	Rescale int     `json:"rescale"`
}

// CAGrad takes, of all directions within c·|g₀| of the mean gradient g₀, the one in which the task that gains least gains
// most (Liu, Liu, Jin, Stone and Liu, "Conflict-Averse Gradient Descent for Multi-task Learning", 2021, arXiv:2110.14048).
// The weights are 1/m + c·|g₀|/|g_w|·w for the w of the simplex for which g_w·g₀ + c·|g₀|·|g_w| is least. They are 0 where
// |g_w| is below 1e-4 of the gradients' common length, √trace: no direction serves all tasks then. For c of at least 1 no
// task gets worse. A rescale of 1 divides the result by 1+c², one of 2 by 1+c, as the authors' code can; 0 does not.
func CAGrad(c float64, rescale int) Balancer { return &cagrad{c, rescale} }

func (*cagrad) Name() string { return "CAGrad" }
func (*cagrad) Needs() Needs { return FromGramian }

func (b *cagrad) Balance(s *Step) error {
	m, err := s.begin(b)
	if err != nil {
		return err
	}
	if !(b.C >= 0 && b.C <= 1e100) || b.Rescale < 0 || b.Rescale > 2 {
		return fmt.Errorf("multitask: CAGrad: c %v must be at least 0, rescale %d be 0, 1 or 2", b.C, b.Rescale)
	}
	divide := [...]float64{1, 1 + float64(b.C*b.C), 1 + b.C}[b.Rescale]
	gram, unit := s.scaled(m)
	trace := 0.0
	for i := range m {
		trace += gram[i*m+i]
	}
	mean, linear, w, product := s.preference(nil), s.zeros(m), s.zeros(m), s.zeros(m)
	multiply(linear, gram, mean)
	radius := b.C * math.Sqrt(max(dot(linear, mean), 0))
	// For t > 0 let w(t) be the w for which ½|g_w|² + t·g_w·g₀ is least. |g_w(t)| grows with t, |g_w(t)|/t falls: w is w(t)
	// where |g_w(t)| = radius·t. The root lies between lo and hi, and false position
	// finds it; every third step halves the way between their logarithms, so that 100 steps are enough for any scale.
	length := func(t float64) float64 {
		for i, v := range linear {
			product[i] = t * v
		}
		s.minimize(w, product, gram, true)
		multiply(product, gram, w)
		return math.Sqrt(max(dot(product, w), 0))
	}
	norm := 0.0
	if unit > 0 && radius > 0 {
		hi := 2 * math.Sqrt(trace) / radius
		lo := 1e-9 * hi
		fLo := length(lo) - float64(radius*lo)
		if fLo <= 0 {
			hi = lo // no direction serves all tasks
		}
		fHi := length(hi) - float64(radius*hi)
		for n := 0; n < 100 && hi-lo > 1e-14*hi; n++ {
			t := (float64(lo*fHi) - float64(hi*fLo)) / (fHi - fLo)
			if n%3 == 2 || !(t > lo && t < hi) {
				t = math.Sqrt(lo) * math.Sqrt(hi)
			}
			f := length(t) - float64(radius*t)
			switch {
			case math.Abs(f) <= 1e-13*float64(radius*t):
				lo, hi = t, t
			case f > 0:
				if lo, fLo = t, f; n%3 == 1 {
					fHi /= 2
				}
			default:
				if hi, fHi = t, f; n%3 == 1 {
					fLo /= 2
				}
			}
		}
		norm = length(hi)
	}
	for i, v := range w {
		switch {
		case radius == 0:
			s.Weights[i] = mean[i] / divide
		case norm < 1e-4*math.Sqrt(trace):
			s.Weights[i] = 0
		default:
			s.Weights[i] = (mean[i] + float64(radius/norm*v)) / divide
		}
	}
	return nil
}
