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
		// Slower than 1 GFLOP/s would be no vector code, faster than 1000 no measurement.
		for _, threads := range []int{1, 2} {
			if p := Peak(isa, threads); p < 1 || p > 1000*float64(threads) {
				t.Errorf("%s: %d threads reach %v GFLOP/s", isa, threads, p)
			}
		}
	}
	if p := Peak("none", 1); p != 0 {
		t.Errorf("an unknown ISA reaches %v GFLOP/s", p)
	}
}
