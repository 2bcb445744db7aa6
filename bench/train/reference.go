package train

import (
	"math"

	"github.com/espalier-ml/espalier/bench/infer"
)

// float64s is a network in training, row by row in float64.
type float64s struct {
	p               *Problem
	params          [][]float64 // weights and bias of each layer in turn
	grads, m, v     [][]float64
	values, dvalues [][]float64 // of one row; those of outputs are before the activation
}

// reference returns the losses of the first steps with one form of Adam.
func reference(p *Problem, steps int, f form) []float64 {
	n := newFloat64s(p)
	losses := make([]float64, steps)
	for t := range losses {
		losses[t] = n.gradients(t % Batches)
		n.update(t+1, f)
	}
	return losses
}

func newFloat64s(p *Problem) *float64s {
	f := &float64s{p: p}
	for l := range p.Layers {
		for _, w := range [][]float32{p.Weights[l], p.Biases[l]} {
			param := make([]float64, len(w))
			for i := range w {
				param[i] = float64(w[i])
			}
			f.params = append(f.params, param)
		}
	}
	for _, param := range f.params {
		f.grads = append(f.grads, make([]float64, len(param)))
		f.m, f.v = append(f.m, make([]float64, len(param))), append(f.v, make([]float64, len(param)))
	}
	for _, width := range p.Widths() {
		f.values, f.dvalues = append(f.values, make([]float64, width)), append(f.dvalues, make([]float64, width))
	}
	return f
}

// gradients computes the gradients of a batch and returns its loss.
func (f *float64s) gradients(batch int) (loss float64) {
	for _, g := range f.grads {
		clear(g)
	}
	for row := range f.p.Batch {
		f.forward(row)
		for o := range f.p.Outputs {
			loss += f.loss(o, float64(f.p.Targets[batch][o][row]))
		}
		f.backward()
	}
	return loss
}

func (f *float64s) forward(row int) {
	for i, x := range f.p.X {
		for j := range f.values[i] {
			f.values[i][j] = float64(x[row*len(f.values[i])+j])
		}
	}
	for i, s := range f.p.Steps {
		y := f.values[len(f.p.X)+i]
		if s.Layer == infer.Concat {
			y = y[:0]
			for _, v := range s.On {
				y = append(y, f.values[v]...)
			}
			continue
		}
		w := f.params[2*s.Layer]
		copy(y, f.params[2*s.Layer+1])
		for k, x := range f.values[s.On[0]] {
			for j, w := range w[k*len(y) : (k+1)*len(y)] {
				y[j] += x * w
			}
		}
		if f.p.Layers[s.Layer].Act == infer.ReLU {
			for j := range y {
				y[j] = max(0, y[j])
			}
		}
	}
	for _, d := range f.dvalues {
		clear(d)
	}
}

// loss returns what the row adds to the loss of the batch, and leaves its gradient by the output before the activation.
func (f *float64s) loss(output int, target float64) float64 {
	z, d := f.values[f.p.Outputs[output]], f.dvalues[f.p.Outputs[output]]
	n := float64(f.p.Batch)
	switch f.p.Head(output).Act {
	case infer.Sigmoid:
		d[0] = (1/(1+math.Exp(-z[0])) - target) / n
		return (max(z[0], 0) - z[0]*target + math.Log1p(math.Exp(-math.Abs(z[0])))) / n
	case infer.Softmax:
		sum := 0.0
		for _, v := range z {
			sum += math.Exp(v)
		}
		for j, v := range z {
			d[j] = math.Exp(v) / sum / n
		}
		d[int(target)] -= 1 / n
		return (math.Log(sum) - z[int(target)]) / n
	default:
		d[0] = 2 * (z[0] - target) / n
		return (z[0] - target) * (z[0] - target) / n
	}
}

func (f *float64s) backward() {
	for i := len(f.p.Steps) - 1; i >= 0; i-- {
		s, v := f.p.Steps[i], len(f.p.X)+i
		y, dy := f.values[v], f.dvalues[v]
		if s.Layer == infer.Concat {
			for _, v := range s.On {
				for j := range f.dvalues[v] {
					f.dvalues[v][j] += dy[j]
				}
				dy = dy[len(f.dvalues[v]):]
			}
			continue
		}
		if f.p.Layers[s.Layer].Act == infer.ReLU {
			for j := range dy {
				if y[j] <= 0 {
					dy[j] = 0
				}
			}
		}
		w, dw, db := f.params[2*s.Layer], f.grads[2*s.Layer], f.grads[2*s.Layer+1]
		for j, d := range dy {
			db[j] += d
		}
		x, dx := f.values[s.On[0]], f.dvalues[s.On[0]]
		for k := range x {
			w, dw := w[k*len(dy):(k+1)*len(dy)], dw[k*len(dy):(k+1)*len(dy)]
			sum := 0.0
			for j, d := range dy {
				dw[j] += x[k] * d
				sum += w[j] * d
			}
			dx[k] += sum
		}
	}
}

// A form of Adam says where it adds epsilon: to the root of the mean of squares, or to that root after its bias correction.
type form int

const (
	keras form = iota // the end of section 2 of the paper, Kingma and Ba 2014
	paper             // the paper's algorithm 1
)

func (f *float64s) update(step int, by form) {
	t := float64(step)
	root := math.Sqrt(1 - math.Pow(Beta2, t))
	alpha, epsilon := LearningRate*root/(1-math.Pow(Beta1, t)), Epsilon
	if by == paper {
		epsilon *= root
	}
	for i, w := range f.params {
		m, v := f.m[i], f.v[i]
		for j, g := range f.grads[i] {
			m[j] += (g - m[j]) * (1 - Beta1)
			v[j] += (g*g - v[j]) * (1 - Beta2)
			w[j] -= alpha * m[j] / (math.Sqrt(v[j]) + epsilon)
		}
	}
}
