package ops

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
)

// A Band is which of the others an element of a sequence sees: element t those from t-Before to t+After. A negative number
// is no limit.
type Band struct{ Before, After int }

// farBelow is what keeps a softmax from a score, as in Keras.
const farBelow = 1e9

// ComputeMaskScores is what every recorder computes for a MaskScores of [Ops]. queries and keys have no data where all of
// them count.
func ComputeMaskScores(y, x, queries, keys kernels.Matrix, groups, heads int, b Band) {
	perGroup, n := x.Rows/groups, x.Cols/heads
	for i := range x.Rows {
		group, t := i/perGroup, i%perGroup
		first, end := 0, n
		if b.Before >= 0 {
			first = min(max(t-b.Before, 0), n)
		}
		if b.After >= 0 {
			end = max(min(t+b.After, n-1)+1, first)
		}
		row := y.Row(i)
		copy(row, x.Row(i))
		if queries.Data != nil && queries.Row(group)[t] == 0 {
			lower(row)
			continue
		}
		for h := range heads {
			scores := row[h*n : (h+1)*n]
			lower(scores[:first])
			lower(scores[end:])
			if keys.Data == nil {
				continue
			}
			for s, v := range keys.Row(group)[first:end] {
				if v == 0 {
					scores[first+s] -= farBelow
				}
			}
		}
	}
}

func lower(scores []float32) {
	for s := range scores {
		scores[s] -= farBelow
	}
}

// CheckMaskScores reports operands of a MaskScores of [Ops] that do not fit. queries and keys may be nil.
func CheckMaskScores(x, queries, keys *Tensor, groups, heads int) error {
	if groups < 1 || heads < 1 || x.Rows%groups+x.Cols%heads > 0 {
		return fmt.Errorf("the scores are %dx%d, in %d groups of %d heads: %w", x.Rows, x.Cols, groups, heads, kernels.ErrShape)
	}
	for _, m := range []struct {
		what string
		mask *Tensor
		cols int
	}{{"queries", queries, x.Rows / groups}, {"keys", keys, x.Cols / heads}} {
		if m.mask != nil && (m.mask.Rows != groups || m.mask.Cols != m.cols) {
			return fmt.Errorf("the mask of the %s is %dx%d, the scores are %dx%d, in %d groups of %d heads: %w",
				m.what, m.mask.Rows, m.mask.Cols, x.Rows, x.Cols, groups, heads, kernels.ErrShape)
		}
	}
	return nil
}
