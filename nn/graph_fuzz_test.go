package nn

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Random graphs are evaluated and differentiated twice: by a Model in float32, and by a scalar float64 reference that
// goes sample by sample over its own description of the graph. The two must agree within refBound times the largest
// number that takes part; the conventions at kinks are the same: relu'(0) = 0, |x|'(0) = 0.
const refBound = 1e-5

// kink is how close to a kink the reference may come before rounding can put the model on its other side.
const kink = 1e-4

func TestRandomGraphs(t *testing.T) {
	const graphs = 600
	compared, kinds := 0, map[string]int{}
	for seed := range uint64(graphs) {
		g := newRefGraph(nil, seed)
		ok := t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			if g.run(t) {
				compared++
				for _, h := range g.heads {
					kinds[fmt.Sprintf("%s/fused=%t/logits=%t", h.kind, h.fused, h.logits)]++
				}
			}
		})
		if !ok {
			return
		}
	}
	require.Greater(t, compared, graphs*3/4, "graphs away from kinks")
	require.Len(t, kinds, 11, "every loss in every form: %v", kinds)
}

func FuzzGraph(f *testing.F) {
	f.Add([]byte{}, uint64(0))
	f.Add([]byte("espalier"), uint64(1))
	f.Add([]byte{3, 2, 1, 0, 9, 4, 4, 2, 2, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8}, uint64(2))
	f.Fuzz(func(t *testing.T, bytes []byte, seed uint64) {
		if len(bytes) > 200 {
			return
		}
		newRefGraph(bytes, seed).run(t)
	})
}
