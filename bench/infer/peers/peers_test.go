package peers_test

import (
	"testing"

	"github.com/espalier-ml/espalier/bench/infer"
	"github.com/espalier-ml/espalier/bench/infer/peers"
)

// TestAgree demands that every library computes what float64 does, in each of its ways; and so what Espalier does.
func TestAgree(t *testing.T) {
	libraries, missing, stop := peers.All()
	defer stop()
	for _, m := range missing {
		t.Log(m)
	}
	for _, row := range append(infer.Rows(1), infer.Rows(2)...) {
		if testing.Short() && row.Batch > 128 {
			continue
		}
		p, err := infer.NewProblem(row)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range append(libraries, infer.Espalier{}) {
			calls, err := l.Prepare(p)
			if err != nil {
				t.Fatalf("%s, %v: %v", l.Name(), row, err)
			}
			if len(calls) == 0 && l.Name() != "gomlx" {
				t.Errorf("%s has no call for %v", l.Name(), row)
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
