package nn

import (
	"cmp"
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/internal/portable"
)

// AdafactorOptimizer is Adafactor, see [Adafactor].
type AdafactorOptimizer struct {
	Rate          Rate    `json:"learning_rate"`
	Decay         float64 `json:"beta_2_decay"`   // of the means: 1 - t^Decay, below 0
	Epsilon1      float64 `json:"epsilon_1"`      // added to squared gradients
	Epsilon2      float64 `json:"epsilon_2"`      // the least size of a weight
	ClipThreshold float64 `json:"clip_threshold"` // of the size of a step
	RelativeStep  bool    `json:"relative_step"`  // in Keras, too, it changes nothing: a rate is at most 1/sqrt(t) without it
	OptimizerOptions
}

func init() { Register("Adafactor", *Adafactor(0.001)) }

// Adafactor keeps the mean of squared gradients as that of each row and of each column, which takes almost no memory
// (Shazeer and Stern 2018, arXiv:1804.04235). With rms for the root of the mean of squares of a weight, and v for that mean,
// of a matrix row·column/mean(row), it computes
//
//	u = g/sqrt(v);  w -= max(Epsilon2, rms(w)) · min(learningRate, 1/sqrt(t)) · u/max(1, rms(u)/ClipThreshold)
//
// Of weights with more than two axes the last two are the matrix; biases and the like keep v itself.
func Adafactor(learningRate float64) *AdafactorOptimizer {
	return &AdafactorOptimizer{
		Rate: Rate{Value: learningRate}, Decay: -0.8, Epsilon1: 1e-30, Epsilon2: 1e-3, ClipThreshold: 1, RelativeStep: true,
		OptimizerOptions: usualOptions(),
	}
}

// LearningRate returns o.Rate.
func (o *AdafactorOptimizer) LearningRate() *Rate { return &o.Rate }

// Slots returns "row" and "column", the means of squared gradients that a matrix has, and "velocity", which others have.
func (o *AdafactorOptimizer) Slots() []string { return []string{"row", "column", "velocity"} }

// SlotShape implements [Shaper].
func (o *AdafactorOptimizer) SlotShape(slot int, w *Weight) Shape {
	n := len(w.Shape)
	switch {
	case n < 2 && slot == 2:
		return w.Shape
	case n < 2 || slot == 2:
		return nil
	case slot == 0:
		return w.Shape[:n-1]
	}
	return append(w.Shape[:n-2:n-2], w.Shape[n-1])
}

// Squares returns true.
func (o *AdafactorOptimizer) Squares() bool { return true }

// Whole returns true.
func (o *AdafactorOptimizer) Whole() bool { return true }

// Check reports numbers out of range.
func (o *AdafactorOptimizer) Check() error {
	if !(o.Decay < 0 && o.Decay >= -math.MaxFloat32) {
		return fmt.Errorf("beta_2_decay %v must be finite and negative", o.Decay)
	}
	if !(o.ClipThreshold > 0 && o.ClipThreshold <= math.MaxFloat32) {
		return fmt.Errorf("clip_threshold %v must be finite and positive", o.ClipThreshold)
	}
	if !(float32(o.Epsilon1) > 0 && o.Epsilon1 <= math.MaxFloat32) {
		return fmt.Errorf("epsilon_1 %v must be positive and finite in float32", o.Epsilon1)
	}
	return cmp.Or(checkStrength("epsilon_2", o.Epsilon2))
}

// Step implements [Optimizer].
func (o *AdafactorOptimizer) Step(s *Step, w, g []float32, slots [][]float32) error {
	n, t := float64(len(w)), float64(s.Number)
	share := portable.Pow(t, o.Decay)
	rate := max(o.Epsilon2, math.Sqrt(sumSquares(w)/n)) * min(s.LearningRate, 1/math.Sqrt(t))
	row, column, v := slots[0], slots[1], slots[2]
	if v != nil {
		squares := 0.0
		for i, g := range g {
			v[i] = o.mean(v[i], float64(g)*float64(g), share)
			squares += float64(g) * float64(g) / float64(v[i])
		}
		rate /= max(1, math.Sqrt(squares/n)/o.ClipThreshold)
		for i, g := range g {
			w[i] -= float32(rate * float64(g) / math.Sqrt(float64(v[i])))
		}
		return nil
	}
	rows, cols := s.Weight.Shape[len(s.Weight.Shape)-2], s.Weight.Shape.Last()
	for m := range len(w) / (rows * cols) {
		o.factors(row[m*rows:(m+1)*rows], column[m*cols:(m+1)*cols], g[m*rows*cols:(m+1)*rows*cols], share)
	}
	// each calls do with the square of the step of every element.
	each := func(do func(i int, g, square float64)) {
		for m := range len(w) / (rows * cols) {
			r, c := row[m*rows:(m+1)*rows], column[m*cols:(m+1)*cols]
			mean := 0.0
			for _, v := range r {
				mean += float64(v)
			}
			mean /= float64(rows)
			for i, v := range r {
				factor := float64(v) / mean
				at := (m*rows + i) * cols
				for j, v := range c {
					do(at+j, float64(g[at+j]), factor*float64(v))
				}
			}
		}
	}
	squares := 0.0
	each(func(_ int, g, v float64) { squares += g * g / v })
	rate /= max(1, math.Sqrt(squares/n)/o.ClipThreshold)
	each(func(i int, g, v float64) { w[i] -= float32(rate * g / math.Sqrt(v)) })
	return nil
}

// factors updates the means of the rows and columns of one matrix.
func (o *AdafactorOptimizer) factors(row, column, g []float32, share float64) {
	rows, cols := len(row), len(column)
	for i := range row {
		sum := 0.0
		for _, g := range g[i*cols : (i+1)*cols] {
			sum += float64(g) * float64(g)
		}
		row[i] = o.mean(row[i], sum/float64(cols), share)
	}
	for j := range column {
		sum := 0.0
		for i := range row {
			g := float64(g[i*cols+j])
			sum += g * g
		}
		column[j] = o.mean(column[j], sum/float64(rows), share)
	}
}

// mean moves a mean towards a new square, by a share of 1 in the first step.
func (o *AdafactorOptimizer) mean(v float32, square, share float64) float32 {
	old := float64(v)
	return float32(old + float64((square+o.Epsilon1-old)*share))
}
