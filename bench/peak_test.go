package bench

import (
	"testing"

	"github.com/espalier-ml/espalier/kernels"
)

func TestPeak(t *testing.T) {
	for _, table := range kernels.Tables() {
		isa := table.ISA.String()
		if loop, _ := fmaLoop(isa); loop == nil {
			continue
		}
		// A process that is put aside may be as slow as it likes, but faster than 1000 GFLOP/s is no measurement.
		for _, threads := range []int{1, 2} {
			if p := Peak(isa, threads); p <= 0 || p > 1000*float64(threads) {
				t.Errorf("%s: %d threads reach %v GFLOP/s", isa, threads, p)
			}
		}
	}
	if p := Peak("none", 1); p != 0 {
		t.Errorf("an unknown ISA reaches %v GFLOP/s", p)
	}
}
