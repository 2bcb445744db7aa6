package peers

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"github.com/espalier-ml/espalier/bench/infer"
	"github.com/espalier-ml/espalier/kernels"
)

// Gonum is the networks written by hand on the BLAS in Go of gonum.org: rows start as the bias, Sgemm adds the product, or
// Sgemv for a batch of one, and a loop applies the activation. Memory is allocated once. It uses as many threads as
// GOMAXPROCS allows.
type Gonum struct{}

func (Gonum) Name() string { return "gonum" }

func (Gonum) Version() string { return moduleVersion("gonum.org/v1/gonum") }

func (Gonum) Prepare(p *infer.Problem) ([]infer.Call, error) {
	values := p.Values(p.Y)
	return []infer.Call{infer.GoCall("Sgemm", func() error {
		for i, s := range p.Steps {
			if s.Layer != infer.Concat {
				dense(p, s.Layer, values[len(p.X)+i], values[s.On[0]])
			}
		}
		return nil
	})}, nil
}

func dense(p *infer.Problem, layer int, y, x kernels.Matrix) {
	var lib gonum.Implementation
	l, w, b := p.Layers[layer], p.Weights[layer], p.Biases[layer]
	for i := range y.Rows {
		copy(y.Row(i), b)
	}
	if y.Rows == 1 {
		lib.Sgemv(blas.Trans, l.In, l.Out, 1, w, l.Out, x.Data, 1, 1, y.Data, 1)
	} else {
		lib.Sgemm(blas.NoTrans, blas.NoTrans, y.Rows, l.Out, l.In, 1, x.Data, x.Stride, w, l.Out, 1, y.Data, y.Stride)
	}
	for i := range y.Rows {
		activate(y.Row(i), l.Act)
	}
}

func activate(row []float32, act infer.Activation) {
	switch act {
	case infer.ReLU:
		for j, v := range row {
			row[j] = max(0, v)
		}
	case infer.Sigmoid:
		for j, v := range row {
			row[j] = float32(1 / (1 + math.Exp(-float64(v))))
		}
	case infer.Softmax:
		highest := row[0]
		for _, v := range row {
			highest = max(highest, v)
		}
		sum := float32(0)
		for j, v := range row {
			row[j] = float32(math.Exp(float64(v - highest)))
			sum += row[j]
		}
		for j := range row {
			row[j] /= sum
		}
	}
}
