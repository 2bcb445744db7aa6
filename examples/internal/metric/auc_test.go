package metric

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The area is counted pair by pair.
func TestAUC(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, levels := range []int{1, 2, 5, 1000} { // few levels: many ties
		scores, positive := make([]float64, 200), make([]bool, 200)
		for i := range scores {
			scores[i], positive[i] = float64(r.IntN(levels)), r.IntN(3) == 0
		}
		right, pairs := 0.0, 0.0
		for i, p := range positive {
			for j, q := range positive {
				if !p || q {
					continue
				}
				pairs++
				if scores[i] > scores[j] {
					right++
				} else if scores[i] == scores[j] {
					right += 0.5
				}
			}
		}
		if got, want := AUC(scores, positive), right/pairs; math.Abs(got-want) > 1e-12 {
			t.Errorf("%d levels: got %v, want %v", levels, got, want)
		}
	}
	if got := AUC([]float64{1, 2}, []bool{true, true}); !math.IsNaN(got) {
		t.Errorf("of positives only: got %v, want NaN", got)
	}
}
