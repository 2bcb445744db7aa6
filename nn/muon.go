package nn

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"github.com/espalier-ml/espalier/kernels"
)

// MuonOptimizer is Muon, see [Muon].
type MuonOptimizer struct {
	Rate              Rate     `json:"learning_rate"`
	AdamBeta1         float64  `json:"adam_beta_1"`
	AdamBeta2         float64  `json:"adam_beta_2"`
	Epsilon           float64  `json:"epsilon"`            // of Adam
	ExcludeLayers     []string `json:"exclude_layers"`     // regular expressions: weights whose names match take Adam's steps
	A                 float64  `json:"muon_a"`             // X = A·X + B·XXᵀX + C·XXᵀXXᵀX
	B                 float64  `json:"muon_b"`             //
	C                 float64  `json:"muon_c"`             //
	AdamRatio         float64  `json:"adam_lr_ratio"`      // of Adam's learning rate to Muon's
	Momentum          float64  `json:"momentum"`           // m = Momentum·m + g
	Iterations        int      `json:"ns_steps"`           // of the orthogonalization
	Nesterov          bool     `json:"nesterov"`           // the matrix is g + Momentum·m, not m
	ExcludeEmbeddings bool     `json:"exclude_embeddings"` // weights with "embedding" in their names take Adam's steps
	AdamWeightDecay   float64  `json:"adam_weight_decay"`  // of weights that take Adam's steps
	RMSRate           float64  `json:"rms_rate"`           // scales a step by RMSRate·sqrt(max(rows, columns)); 0 does not
	OptimizerOptions

	work *muonWork
}

// muonWork is the memory of steps, which run one after the other.
type muonWork struct {
	scratch          kernels.Scratch
	x, y, gram, poly []float32
}

func init() { Register("Muon", *Muon(0.001)) }

// Muon makes the momentum of a matrix orthogonal before it is the step (Jordan 2024; Liu and others 2025, arXiv:2502.16982):
// all directions then learn alike. Weights that are no matrix, embeddings, and those that ExcludeLayers names, for which an
// output layer is a candidate, take the steps of [Adam]. Weights of both kinds decay by 0.004.
func Muon(learningRate float64) *MuonOptimizer {
	o := &MuonOptimizer{
		Rate: Rate{Value: learningRate}, AdamBeta1: 0.9, AdamBeta2: 0.999, Epsilon: 1e-7,
		A: 3.4445, B: -4.7750, C: 2.0315, AdamRatio: 1, Momentum: 0.95, Iterations: 5, Nesterov: true,
		ExcludeEmbeddings: true, AdamWeightDecay: 0.004, RMSRate: 0.2, OptimizerOptions: usualOptions(),
	}
	o.WeightDecay = 0.004
	return o
}

// LearningRate returns o.Rate.
func (o *MuonOptimizer) LearningRate() *Rate { return &o.Rate }

// Slots returns "momentum", which every weight has, and "velocity", the mean of squared gradients of those that take Adam's
// steps.
func (o *MuonOptimizer) Slots() []string { return []string{"momentum", "velocity"} }

// SlotShape implements [Shaper].
func (o *MuonOptimizer) SlotShape(slot int, w *Weight) Shape {
	if slot == 1 && !o.adam(w) {
		return nil
	}
	return w.Shape
}

// adam reports whether a weight takes the steps of Adam.
func (o *MuonOptimizer) adam(w *Weight) bool {
	if len(w.Shape) != 2 || o.ExcludeEmbeddings && strings.Contains(strings.ToLower(w.Name), "embedding") {
		return true
	}
	excluded, _ := anyOf(o.ExcludeLayers) // checked
	return excluded != nil && excluded.MatchString(w.Name)
}

func (o *MuonOptimizer) decayOf(w *Weight) float64 {
	if o.adam(w) {
		return o.AdamWeightDecay
	}
	return o.WeightDecay
}

// Squares returns true.
func (o *MuonOptimizer) Squares() bool { return true }

// Whole returns true.
func (o *MuonOptimizer) Whole() bool { return true }

// maxMuonSteps is more than enough: each makes the smallest directions 3 times as large.
const maxMuonSteps = 100

// Check reports numbers out of range.
func (o *MuonOptimizer) Check() error {
	if _, err := anyOf(o.ExcludeLayers); err != nil {
		return fmt.Errorf("exclude_layers: %w", err)
	}
	for _, v := range []float64{o.A, o.B, o.C} {
		if !(math.Abs(v) <= math.MaxFloat32) {
			return fmt.Errorf("muon_a, muon_b and muon_c are %v, %v and %v, must be finite in float32", o.A, o.B, o.C)
		}
	}
	if o.Iterations < 0 || o.Iterations > maxMuonSteps {
		return fmt.Errorf("ns_steps %d, valid are 0 to %d", o.Iterations, maxMuonSteps)
	}
	return cmp.Or(checkMoments(o.Rate.Value*o.AdamRatio, o.AdamBeta1, o.AdamBeta2, o.Epsilon),
		checkDecay32("momentum", o.Momentum),
		checkStrength("adam_lr_ratio", o.AdamRatio),
		checkStrength("rms_rate", o.RMSRate),
		checkWeightDecay("adam_weight_decay", o.AdamWeightDecay, o.Rate.Value))
}

// Step implements [Optimizer].
func (o *MuonOptimizer) Step(s *Step, w, g []float32, slots [][]float32) error {
	m, v := slots[0], slots[1]
	if v != nil {
		n := float64(s.Number)
		alpha := s.LearningRate * o.AdamRatio * math.Sqrt(1-math.Pow(o.AdamBeta2, n)) / (1 - math.Pow(o.AdamBeta1, n))
		return s.Table.Adam(w, m, v, g, float32(alpha), o.AdamBeta1, o.AdamBeta2, float32(o.Epsilon))
	}
	if o.work == nil {
		o.work = &muonWork{}
	}
	k := o.work
	k.scratch.Pool = s.Pool
	k.x, k.y = resize(k.x, len(w)), resize(k.y, len(w))
	momentum := float32(o.Momentum)
	for i, g := range g {
		m[i] = float32(m[i]*momentum) + g
		if k.x[i] = m[i]; o.Nesterov {
			k.x[i] = g + float32(momentum*m[i])
		}
	}
	rows, cols := s.Weight.Shape[0], s.Weight.Shape[1]
	x, err := o.orthogonal(s.Table, kernels.MatrixOf(k.x, rows, cols), kernels.MatrixOf(k.y, rows, cols))
	if err != nil {
		return err
	}
	rate := s.LearningRate
	if o.RMSRate > 0 {
		rate *= math.Sqrt(float64(max(rows, cols))) * o.RMSRate
	}
	return s.Table.Axpy(kernels.MatrixOf(w, rows, cols), -float32(rate), x)
}

// orthogonal makes x nearly orthogonal by an iteration of Newton and Schulz; y is memory for it.
func (o *MuonOptimizer) orthogonal(t *kernels.Table, x, y kernels.Matrix) (kernels.Matrix, error) {
	norm := math.Sqrt(sumSquares(x.Data))
	if err := t.Scale(x, x, float32(1/(norm+1e-7))); err != nil {
		return x, err
	}
	k, n, tall := o.work, min(x.Rows, x.Cols), x.Rows > x.Cols
	k.gram, k.poly = resize(k.gram, n*n), resize(k.poly, n*n)
	gram, poly := kernels.MatrixOf(k.gram, n, n), kernels.MatrixOf(k.poly, n, n)
	for range o.Iterations {
		// Of a tall matrix the product on its other side is the smaller one.
		product := t.GemmNT
		if tall {
			product = t.GemmTN
		}
		err := product(&k.scratch, gram, x, x, kernels.Epilogue{})
		if err == nil {
			err = t.Gemm(&k.scratch, poly, gram, gram, kernels.Epilogue{})
		}
		if err == nil {
			err = t.Scale(poly, poly, float32(o.C))
		}
		if err == nil {
			err = t.Axpy(poly, float32(o.B), gram)
		}
		if err == nil {
			err = t.Scale(y, x, float32(o.A))
		}
		if err == nil && tall {
			err = t.Gemm(&k.scratch, y, x, poly, kernels.Epilogue{Accumulate: true})
		} else if err == nil {
			err = t.Gemm(&k.scratch, y, poly, x, kernels.Epilogue{Accumulate: true})
		}
		if err != nil {
			return x, err
		}
		x, y = y, x
	}
	return x, nil
}

// resize returns a slice of n elements with unspecified values, made of buf if it is large enough.
func resize(buf []float32, n int) []float32 {
	if cap(buf) < n {
		return make([]float32, n)
	}
	return buf[:n]
}
