package multitask

import (
	"fmt"
	"math"
	"slices"

	"github.com/espalier-ml/espalier/internal/portable"
)

// A Balancer is a method that balances tasks.
type Balancer interface {
	// Name returns the name of the method, which [New] knows.
	Name() string
	// Needs says what Balance reads of a step beside the losses, and whether it writes weights or a gradient.
	Needs() Needs
	// Balance reads one step and writes its Weights or, for FromJacobian, its Gradient. After an error neither is defined and
	// the state of the method is as before.
	Balance(s *Step) error
}

// Needs is what a [Balancer] computes from.
type Needs uint8

const (
	FromLosses    Needs = iota // Losses, Epochs and Seed: gives weights of the total loss
	FromGramian                // Gramian, too: gives weights of the gradients of the shared layers
	FromTwoHalves              // Gramian[i·m+j] is gᵢ·hⱼ, of gradients g and h that two independent batches gave: weights, too
	FromJacobian               // Jacobian: gives the gradient of the shared layers
)

// A Learner is a [Balancer] with parameters that an optimizer trains along with the model.
type Learner interface {
	Balancer
	// Parameters returns the parameters, one for each task, not a copy of them. There are none before the first step.
	Parameters() []float64
	// Gradient writes the gradient that the method's own loss has in the parameters. It is called after Balance, with the
	// same step.
	Gradient(grad []float64, s *Step)
}

// A Step is what a [Balancer] reads of one step of training, and what it answers. One Step serves all steps of a training:
// used again, it allocates nothing.
type Step struct {
	Losses   []float64   // of each of the m tasks
	Epochs   [][]float64 // mean losses of the tasks in each epoch behind, the first epoch first
	Seed     uint64      // another number each step
	Gramian  []float64   // m rows of m products of the tasks' gradients of the shared layers
	Jacobian [][]float32 // those gradients, one row for each task

	Weights  []float64 // the answer: one weight for each task
	Gradient []float32 // the answer of a method from the Jacobian, as long as its rows

	work []float64
	used int
	ints []int
	draw uint64
}

// names lists every method with the options that its paper or, where that has none, its authors' code uses.
var names = map[string]func() Balancer{
	"Sum": Sum, "Mean": Mean, "Random": Random, "Constant": func() Balancer { return Constant() },
	"GeometricMean": GeometricMean, "ScaleInvariant": ScaleInvariant,
	"Uncertainty": func() Balancer { return Uncertainty() }, "IMTL-L": func() Balancer { return IMTLL() },
	"DWA":     func() Balancer { return DWA(2) },
	"FAMO":    func() Balancer { return FAMO(0.025, 0.001) },
	"STCH":    func() Balancer { return STCH(1, nil, nil) },
	"LogSTCH": func() Balancer { return LogSTCH(1, 4) },
	"COSMOS":  func() Balancer { return COSMOS(1) }, "PBI": func() Balancer { return PBI(5, nil, nil) },
	"GradNorm": func() Balancer { return GradNorm(1.5) },
	"PCGrad":   PCGrad, "PCGradOrdered": PCGradOrdered,
	"GradVac": func() Balancer { return GradVac(0.5) }, "GradVacOrdered": func() Balancer { return GradVacOrdered(0.5) },
	"UPGrad": func() Balancer { return UPGrad() }, "DualProj": func() Balancer { return DualProj() },
	"MGDA": func() Balancer { return MGDA(Plain) }, "CAGrad": func() Balancer { return CAGrad(0.5, 0) },
	"AlignedMTL": func() Balancer { return AlignedMTL(Smallest) },
	"NashMTL":    func() Balancer { return NashMTL(1) }, "FairGrad": func() Balancer { return FairGrad(1) },
	"IMTL-G": IMTLG, "IMTL": func() Balancer { return IMTL() }, "ConFIG": func() Balancer { return ConFIG() },
	"MoDo": func() Balancer { return MoDo(0.1, 0.1) }, "SDMGrad": func() Balancer { return SDMGrad(0.3, 20) },
	"Krum": func() Balancer { return Krum(0, 1) }, "TrimmedMean": func() Balancer { return TrimmedMean(0) },
	"GradDrop":  func() Balancer { return GradDrop() },
	"DB-MTL":    func() Balancer { return DBMTL(0.9, 0) },
	"MoCo":      func() Balancer { return MoCo(MoCoRates{Beta: 0.5, BetaDecay: 0.5, Gamma: 0.1, GammaDecay: 0.5}) },
	"ExcessMTL": func() Balancer { return ExcessMTL(1, 0) },
	"CR-MOGM":   func() Balancer { return CRMOGM(UPGrad(), 0.9) },
}

// New returns the method of a name with the usual options of its constructor.
func New(name string) (Balancer, error) {
	f, ok := names[name]
	if !ok {
		return nil, fmt.Errorf("multitask: unknown balancer %q, have %q", name, Names())
	}
	return f(), nil
}

// Names returns the names that [New] knows, in alphabetical order.
func Names() []string {
	all := make([]string, 0, len(names))
	for name := range names {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// Gramian writes the products of the rows of a Jacobian, m rows of m, summed in float64 in the order of the columns.
func Gramian(gram []float64, jacobian [][]float32) {
	m := len(jacobian)
	for i, a := range jacobian {
		for j, b := range jacobian[:i+1] {
			sum := 0.0
			for k, v := range a {
				sum += float64(v) * float64(b[k]) // exact: two float32 have no product that float64 rounds
			}
			gram[i*m+j], gram[j*m+i] = sum, sum
		}
	}
}

// begin checks a step for a balancer and returns its number of tasks. states are the lengths of what the
// balancer holds of the tasks, each 0 or as many.
func (s *Step) begin(b Balancer, states ...int) (int, error) {
	m := len(s.Losses)
	fail := func(format string, args ...any) (int, error) {
		return 0, fmt.Errorf("multitask: %s: %s", b.Name(), fmt.Sprintf(format, args...))
	}
	if m == 0 {
		return fail("a step has no losses")
	}
	for _, n := range states {
		if n != 0 && n != m {
			return fail("a step has %d tasks, the method was given or began with %d", m, n)
		}
	}
	for i, v := range s.Losses {
		if !finite(v) {
			return fail("the loss of task %d is %v", i, v)
		}
	}
	for i, e := range s.Epochs {
		if len(e) != m {
			return fail("epoch %d has the losses of %d tasks, want %d", i, len(e), m)
		}
	}
	if n := b.Needs(); n == FromGramian || n == FromTwoHalves {
		if len(s.Gramian) != m*m {
			return fail("the Gramian of %d tasks has %d numbers, want %d", m, len(s.Gramian), m*m)
		}
		for i, v := range s.Gramian {
			if !finite(v) {
				return fail("the gradients of tasks %d and %d have the product %v", i/m, i%m, v)
			}
		}
	}
	if b.Needs() == FromJacobian {
		if len(s.Jacobian) != m {
			return fail("the Jacobian has %d rows for %d tasks", len(s.Jacobian), m)
		}
		for i, row := range s.Jacobian {
			if len(row) != len(s.Jacobian[0]) {
				return fail("the gradient of task %d has %d numbers, that of task 0 %d", i, len(row), len(s.Jacobian[0]))
			}
		}
		s.Gradient = resize(s.Gradient, len(s.Jacobian[0]))
	} else {
		s.Weights = resize(s.Weights, m)
	}
	s.used, s.draw = 0, s.Seed
	return m, nil
}

// positive reports a loss below 0, for the methods that take logarithms.
func (s *Step) positive(b Balancer) error {
	for i, v := range s.Losses {
		if v < 0 {
			return fmt.Errorf("multitask: %s: the loss of task %d is %v, below 0", b.Name(), i, v)
		}
	}
	return nil
}

// zeros returns n zeros that are valid until the next step, from memory that steps use again.
func (s *Step) zeros(n int) []float64 {
	if s.used+n > len(s.work) {
		s.work, s.used = make([]float64, 2*(s.used+n)), 0 // what was given out before stays valid in the old memory
	}
	v := s.work[s.used : s.used+n : s.used+n]
	s.used += n
	clear(v)
	return v
}

// uniform returns the next random number below 1 and not below 0 that follows from the seed (Steele, Lea and Flood's
// SplitMix64, 2014).
func (s *Step) uniform() float64 {
	s.draw += 0x9e3779b97f4a7c15
	z := s.draw
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}

// normal returns the next random number of the standard normal distribution (Box and Muller, 1958).
func (s *Step) normal() float64 {
	r := math.Sqrt(-2 * portable.Log(1-s.uniform()))
	return r * portable.CosPi(s.uniform())
}

// order writes the numbers below len(p), shuffled unless inOrder is set.
func (s *Step) order(p []int, inOrder bool) {
	for i := range p {
		p[i] = i
	}
	for i := len(p) - 1; i > 0 && !inOrder; i-- {
		j := int(s.uniform() * float64(i+1))
		p[i], p[j] = p[j], p[i]
	}
}

func finite(v float64) bool { return math.Abs(v) <= math.MaxFloat64 }

// resize returns v with n elements, in its memory where that suffices.
func resize[T any](v []T, n int) []T {
	if cap(v) < n {
		return make([]T, n)
	}
	return v[:n]
}

// filled returns v if it has elements, and else n times x.
func filled(v []float64, n int, x float64) []float64 {
	if len(v) > 0 {
		return v
	}
	v = make([]float64, n)
	for i := range v {
		v[i] = x
	}
	return v
}

// softmax writes e^(x·scale), divided by their sum.
func softmax(dst, x []float64, scale float64) {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, v*scale)
	}
	sum := 0.0
	for i, v := range x {
		dst[i] = portable.Exp(float64(v*scale) - top)
		sum += dst[i]
	}
	for i := range dst {
		dst[i] /= sum
	}
}

// dot is Σ aᵢ·bᵢ.
func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v * b[i])
	}
	return sum
}

// multiply writes the product of a square matrix and a vector.
func multiply(dst, matrix, v []float64) {
	for i := range dst {
		dst[i] = dot(matrix[i*len(v):][:len(v)], v)
	}
}
