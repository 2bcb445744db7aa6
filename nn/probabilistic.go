package nn

import "github.com/espalier-ml/espalier/internal/portable"

var (
	klDivergence = (&formula{class: "KLDivergence", name: "kl_divergence", more: []string{"kl_divergence", "kld", "KLD"},
		targets: Probabilities, row: klDivergenceRow}).register()
	poisson = (&formula{class: "Poisson", name: "poisson", more: []string{"poisson"},
		row: columnMean(func(p, t float64) (loss, slope float64) {
			p += kerasEpsilon
			return p - kerasEpsilon - float64(t*portable.Log(p)), 1 - t/p
		})}).register()
)

// KLDivergence is the sum over the columns of t·log(t/p), how much the distribution t differs from p (Kullback and Leibler,
// 1951). Both are clipped to [1e-7, 1].
func KLDivergence(opts ...LossOption) Loss { return klDivergence.loss(opts) }

// Poisson is the mean over the columns of p - t·log(p + 1e-7): but for what p does not change, -log of the probability of
// the count t where p is expected. End the output in what is positive.
func Poisson(opts ...LossOption) Loss { return poisson.loss(opts) }

func klDivergenceRow(g, p, t []float32, weight float64) float64 {
	sum := 0.0
	for j := range p {
		t := min(max(float64(t[j]), kerasEpsilon), 1)
		q := min(max(float64(p[j]), kerasEpsilon), 1)
		sum += float64(t * portable.Log(t/q))
		if g == nil {
			continue
		}
		if g[j] = 0; q == float64(p[j]) { // not clipped
			g[j] = float32(-t / q * weight)
		}
	}
	return sum
}
