// Package metric measures what the library's own metrics do not.
package metric

import (
	"cmp"
	"slices"
)

// AUC is the probability that a positive has a higher score than a negative, where a tie counts half: the area under the ROC
// curve. It is NaN if all are of one kind.
func AUC(scores []float64, positive []bool) float64 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	wins, below := 0.0, 0.0 // below: negatives with a lower score
	positives := 0.0
	for i := 0; i < len(order); {
		p, n := 0.0, 0.0 // of one score
		for score := scores[order[i]]; i < len(order) && scores[order[i]] == score; i++ {
			if positive[order[i]] {
				p++
			} else {
				n++
			}
		}
		wins += p * (below + n/2)
		below += n
		positives += p
	}
	return wins / (positives * below)
}
