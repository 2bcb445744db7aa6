package peers_test

import (
	"slices"
	"testing"

	"github.com/espalier-ml/espalier/bench"
	"github.com/espalier-ml/espalier/bench/peers"
)

// TestAgree demands that every library computes what float64 does, in each of its ways.
func TestAgree(t *testing.T) {
	for _, row := range rows() {
		p := bench.NewProblem(row)
		for _, l := range append(peers.All(), bench.Espalier{}) {
			calls, err := l.Prepare(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range calls {
				if _, err := p.Verify(l.Name(), c); err != nil {
					t.Error(err)
				}
				c.Close()
			}
		}
	}
}

// rows has each op with shapes that leave remainders behind the blocks of the libraries.
func rows() []bench.Row {
	var rows []bench.Row
	shapes := [][3]int{{1, 10, 5}, {8, 5, 32}, {33, 20, 17}, {1, 128, 64}, {70, 130, 100}, {100, 784, 512}, {64, 64, 64}}
	for _, isa := range append(bench.Levels(), bench.Auto) {
		for _, threads := range []int{1, 2} {
			for _, s := range shapes {
				row := bench.Row{ISA: isa, Threads: threads, M: s[0], K: s[1], N: s[2]}
				for _, op := range []bench.Op{bench.Forward, bench.InputGrad, bench.WeightGrad, bench.Dense} {
					row.Op = op
					rows = append(rows, row)
					if op == bench.Forward || op == bench.Dense {
						row.Packed = true
						rows = append(rows, row)
						row.Packed = false
					}
				}
				row.K = 0
				for _, op := range []bench.Op{bench.Softmax, bench.CrossEntropy} {
					row.Op = op
					rows = append(rows, row)
				}
			}
		}
	}
	return rows
}

// TestEnvironment demands that the limits replace those that were set.
func TestEnvironment(t *testing.T) {
	t.Setenv("OPENBLAS_CORETYPE", "Nehalem")
	t.Setenv("OMP_NUM_THREADS", "7")
	env := peers.Environment("avx2", 2)
	for _, want := range []string{"OPENBLAS_CORETYPE=Haswell", "ONEDNN_MAX_CPU_ISA=AVX2", "LIBXSMM_TARGET=hsw", "OMP_NUM_THREADS=2"} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, gone := range []string{"OPENBLAS_CORETYPE=Nehalem", "OMP_NUM_THREADS=7"} {
		if slices.Contains(env, gone) {
			t.Errorf("%s is still there", gone)
		}
	}
	for _, isa := range []string{"avx512", bench.Auto} {
		if slices.Contains(peers.Environment(isa, 1), "OPENBLAS_CORETYPE=Haswell") {
			t.Errorf("%s is held to AVX2", isa)
		}
	}
}
