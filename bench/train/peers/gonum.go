package peers

import (
	"math"
	"runtime/debug"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"github.com/espalier-ml/espalier/bench/infer"
	"github.com/espalier-ml/espalier/bench/train"
	"github.com/espalier-ml/espalier/kernels"
)

// Gonum is the networks written by hand on the BLAS in Go of gonum.org: Sgemm for the three products of a layer, loops for
// the rest, and one loop for Adam over all parameters. Memory is allocated once. It uses as many threads as GOMAXPROCS allows.
type Gonum struct{}

func (Gonum) Name() string { return "gonum" }

func (Gonum) Version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "gonum.org/v1/gonum" {
				return m.Version
			}
		}
	}
	return "unknown"
}

func (Gonum) Prepare(p *train.Problem) ([]infer.Call, error) {
	n := newNetwork(p)
	step := 0
	return []infer.Call{infer.GoCall("Sgemm", func() error {
		n.forward()
		p.Losses[step%len(p.Losses)] = n.loss(p.Targets[step%train.Batches])
		n.backward()
		step++
		n.adam(float64(step))
		return nil
	})}, nil
}

// network has the parameters of all layers side by side, each layer's weights and bias in turn, and so their gradients.
type network struct {
	p               *train.Problem
	params, grads   []float32
	m, v            []float32
	w, b, dw, db    [][]float32 // of each layer, in params and grads
	values, dvalues []kernels.Matrix
	// A layer or a value that is used twice adds its gradients up: these say which steps are the first in backward's order.
	firstOfLayer, firstOfValue []bool
}

func newNetwork(p *train.Problem) *network {
	size := p.Parameters()
	n := &network{
		p:      p,
		params: infer.Aligned(size), grads: infer.Aligned(size), m: infer.Aligned(size), v: infer.Aligned(size),
		values: p.Values(nil), dvalues: p.Values(nil),
		firstOfLayer: make([]bool, len(p.Steps)), firstOfValue: make([]bool, len(p.Steps)),
	}
	at := 0
	part := func(size int) (param, grad []float32) {
		at += size
		return n.params[at-size : at], n.grads[at-size : at]
	}
	for l, layer := range p.Layers {
		w, dw := part(layer.In * layer.Out)
		b, db := part(layer.Out)
		copy(w, p.Weights[l])
		copy(b, p.Biases[l])
		n.w, n.b, n.dw, n.db = append(n.w, w), append(n.b, b), append(n.dw, dw), append(n.db, db)
	}
	layers, values := map[int]bool{}, map[int]bool{}
	for i := len(p.Steps) - 1; i >= 0; i-- {
		s := p.Steps[i]
		n.firstOfLayer[i], n.firstOfValue[i] = !layers[s.Layer], !values[s.On[0]]
		layers[s.Layer], values[s.On[0]] = true, true
	}
	return n
}

func (n *network) forward() {
	var lib gonum.Implementation
	for i, s := range n.p.Steps {
		if s.Layer == infer.Concat {
			continue // its values lie side by side
		}
		l, x, y := n.p.Layers[s.Layer], n.values[s.On[0]], n.values[len(n.p.X)+i]
		for r := range y.Rows {
			copy(y.Row(r), n.b[s.Layer])
		}
		lib.Sgemm(blas.NoTrans, blas.NoTrans, y.Rows, l.Out, l.In, 1, x.Data, x.Stride, n.w[s.Layer], l.Out, 1, y.Data, y.Stride)
		if l.Act == infer.ReLU {
			for r := range y.Rows {
				row := y.Row(r)
				for j, v := range row {
					row[j] = max(0, v)
				}
			}
		}
	}
}

// loss returns the loss of a batch and leaves its gradients by the outputs before their activations.
func (n *network) loss(targets [][]float32) float64 {
	scale := 1 / float32(n.p.Batch)
	loss := float32(0)
	for o, v := range n.p.Outputs {
		act := n.p.Head(o).Act
		for r, target := range targets[o] {
			z, d := n.values[v].Row(r), n.dvalues[v].Row(r)
			switch act {
			case infer.Sigmoid:
				e := exp(-float32(math.Abs(float64(z[0]))))
				loss += scale * (max(z[0], 0) - z[0]*target + float32(math.Log1p(float64(e))))
				d[0] = scale * (1/(1+exp(-z[0])) - target)
			case infer.Softmax:
				highest := z[0]
				for _, v := range z {
					highest = max(highest, v)
				}
				sum := float32(0)
				for j, v := range z {
					d[j] = exp(v - highest)
					sum += d[j]
				}
				label := int(target)
				loss += scale * (float32(math.Log(float64(sum))) + highest - z[label])
				for j := range d {
					d[j] *= scale / sum
				}
				d[label] -= scale
			default:
				difference := z[0] - target
				loss += scale * difference * difference
				d[0] = 2 * scale * difference
			}
		}
	}
	return float64(loss)
}

func exp(x float32) float32 { return float32(math.Exp(float64(x))) }

func (n *network) backward() {
	var lib gonum.Implementation
	for i := len(n.p.Steps) - 1; i >= 0; i-- {
		s, v := n.p.Steps[i], len(n.p.X)+i
		if s.Layer == infer.Concat {
			continue
		}
		l, x, y, dx, dy := n.p.Layers[s.Layer], n.values[s.On[0]], n.values[v], n.dvalues[s.On[0]], n.dvalues[v]
		beta, db := float32(1), n.db[s.Layer]
		if n.firstOfLayer[i] {
			beta = 0
			clear(db)
		}
		for r := range dy.Rows {
			y, dy := y.Row(r), dy.Row(r)
			if l.Act == infer.ReLU {
				for j := range dy {
					if y[j] <= 0 {
						dy[j] = 0
					}
				}
			}
			for j, d := range dy {
				db[j] += d
			}
		}
		lib.Sgemm(blas.Trans, blas.NoTrans, l.In, l.Out, x.Rows, 1, x.Data, x.Stride, dy.Data, dy.Stride, beta, n.dw[s.Layer], l.Out)
		if s.On[0] < len(n.p.X) {
			continue // nobody asks for the gradient of an input
		}
		beta = 1
		if n.firstOfValue[i] {
			beta = 0
		}
		lib.Sgemm(blas.NoTrans, blas.Trans, dx.Rows, l.In, l.Out, 1, dy.Data, dy.Stride, n.w[s.Layer], l.Out, beta, dx.Data, dx.Stride)
	}
}

func (n *network) adam(step float64) {
	const beta1, beta2, epsilon = train.Beta1, train.Beta2, train.Epsilon
	alpha := float32(train.LearningRate * math.Sqrt(1-math.Pow(beta2, step)) / (1 - math.Pow(beta1, step)))
	m, v, grads := n.m[:len(n.params)], n.v[:len(n.params)], n.grads[:len(n.params)]
	for i, g := range grads {
		m[i] += (g - m[i]) * (1 - beta1)
		v[i] += (g*g - v[i]) * (1 - beta2)
		n.params[i] -= alpha * m[i] / (float32(math.Sqrt(float64(v[i]))) + epsilon)
	}
}
