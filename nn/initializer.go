package nn

import (
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/espalier-ml/espalier/kernels"
)

// glorotUniform draws from U(-l, l), l = sqrt(6 / (fan in + fan out)) (Glorot and Bengio 2010), from a stream of the
// weight's own name: other layers do not change it.
func glorotUniform(p *param, seed uint64, name string) {
	drawWithin(p, seed, name, math.Sqrt(6/float64(p.rows+p.cols)))
}

// uniform draws from U(-0.05, 0.05), as Keras does for embeddings, in the same way.
func uniform(p *param, seed uint64, name string) { drawWithin(p, seed, name, 0.05) }

func drawWithin(p *param, seed uint64, name string, limit float64) {
	zeros(p, seed, name)
	random := rand.New(rand.NewPCG(seed, hash(name)))
	for i := range p.value.Data {
		p.value.Data[i] = float32((2*random.Float64() - 1) * limit)
	}
}

func zeros(p *param, _ uint64, _ string) { p.value = kernels.NewMatrix(p.rows, p.cols) }

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}
