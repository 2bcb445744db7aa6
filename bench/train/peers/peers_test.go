package peers_test

import (
	"slices"
	"testing"

	"github.com/espalier-ml/espalier/bench/train"
	"github.com/espalier-ml/espalier/bench/train/peers"
)

// TestAgree demands that the losses of every library are those of float64, in each of its ways; and so those of Espalier.
func TestAgree(t *testing.T) {
	libraries, missing, stop := peers.All()
	defer stop()
	for _, m := range missing {
		t.Log(m)
	}
	for _, row := range slices.Concat(train.Rows(1), train.Rows(2)) {
		if row.Model == "large" && row.Batch > 32 && len(libraries) == 1 {
			continue // gonum takes part in the smaller one, and this reference seconds
		}
		p, err := train.NewProblem(row)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range libraries {
			calls, err := l.Prepare(p)
			if err != nil {
				t.Fatalf("%s, %v: %v", l.Name(), row, err)
			}
			for _, c := range calls {
				if err := p.Verify(l.Name(), c); err != nil {
					t.Error(err)
				}
				c.Close()
			}
		}
	}
}
