//go:build peers && cgo && amd64

package peers_test

import (
	"slices"
	"testing"

	"github.com/espalier-ml/espalier/bench"
	"github.com/espalier-ml/espalier/bench/peers"
)

// TestWays demands that each library computes each op in every way it is said to: one that dropped out unseen would make a
// comparison too kind.
func TestWays(t *testing.T) {
	plain := map[string][]string{
		"openblas": {"sgemm"}, "onednn": {"sgemm", "matmul", "inner_product"}, "libxsmm": {"whole", "blocked"},
		"eigen": {"product"}, "gonum": {"Sgemm"},
	}
	packed := map[string][]string{
		"openblas": {"sgemm"}, "eigen": {"product"}, "gonum": {"Sgemm"},
		"onednn":  {"sgemm", "matmul", "inner_product", "matmul packed", "inner_product packed"},
		"libxsmm": {"whole", "blocked", "blocked packed"},
		"xnnpack": {"fully_connected packed"},
	}
	for _, test := range []struct {
		op     bench.Op
		packed bool
		want   map[string][]string
	}{
		{bench.Forward, false, plain},
		{bench.Forward, true, packed},
		{bench.InputGrad, false, plain},
		{bench.WeightGrad, false, plain},
		{bench.Dense, false, plain},
		{bench.Dense, true, packed},
		{bench.Softmax, false, map[string][]string{"onednn": {"softmax"}, "xnnpack": {"softmax"}}},
		{bench.CrossEntropy, false, map[string][]string{"onednn": {"logsoftmax", "logsoftmax + exp"}}},
	} {
		row := bench.Row{Op: test.op, ISA: "avx2", Threads: 1, M: 100, K: 784, N: 512, Packed: test.packed}
		p := bench.NewProblem(row)
		for _, l := range peers.All() {
			calls, err := l.Prepare(p)
			if err != nil {
				t.Fatal(err)
			}
			var ways []string
			for _, c := range calls {
				ways = append(ways, c.Way)
				c.Close()
			}
			if l.Name() == "xnnpack" && len(ways) == 0 {
				continue // it cannot be held to AVX2 where there is more
			}
			if !slices.Equal(ways, test.want[l.Name()]) {
				t.Errorf("%v: %s computes it by %q, want %q", row, l.Name(), ways, test.want[l.Name()])
			}
		}
	}
}
