package train

import (
	"unsafe"

	"github.com/espalier-ml/espalier/bench/infer"
	"github.com/espalier-ml/espalier/kernels"
)

// OptimizerBytes is what Adam at least moves: it reads weights, their gradients and two means of these, and writes all but
// the gradients.
func OptimizerBytes(n infer.Network) int { return 7 * 4 * n.Parameters() }

// Optimizer returns Espalier's kernel for Adam over as many parameters as the problem has, and a loop that moves as much
// memory and computes nothing.
func Optimizer(p *Problem) (adam, moves infer.Call) {
	updated, moved := newParameters(p), newParameters(p)
	adam = infer.GoCall("kernels.Adam", func() error {
		for _, q := range updated {
			if err := kernels.Default().Adam(q.w, q.m, q.v, q.g, LearningRate, Beta1, Beta2, Epsilon); err != nil {
				return err
			}
		}
		return nil
	})
	moves = infer.GoCall("plain loop", func() error {
		for _, q := range moved {
			if lines := len(q.w) / 16; lines > 0 {
				move(unsafe.SliceData(q.w), unsafe.SliceData(q.m), unsafe.SliceData(q.v), unsafe.SliceData(q.g), lines)
			}
		}
		return nil
	})
	return adam, moves
}

// A parameter is what Adam works on: weights, the means of their gradients and of the squares of these, and the gradients.
type parameter struct{ w, m, v, g []float32 }

func newParameters(p *Problem) []parameter {
	var parameters []parameter
	for l := range p.Layers {
		for _, w := range [][]float32{p.Weights[l], p.Biases[l]} {
			q := parameter{infer.Aligned(len(w)), infer.Aligned(len(w)), infer.Aligned(len(w)), infer.Aligned(len(w))}
			copy(q.g, w)
			parameters = append(parameters, q)
		}
	}
	return parameters
}

// moveGeneric adds the cache lines from dw on to those from w, m and v on, as 64-bit words.
func moveGeneric(w, m, v, dw *float32, lines int) {
	words := func(p *float32) []uint64 { return unsafe.Slice((*uint64)(unsafe.Pointer(p)), 8*lines) }
	ws, ms, vs := words(w), words(m), words(v)
	for i, g := range words(dw) {
		ws[i] += g
		ms[i] += g
		vs[i] += g
	}
}
