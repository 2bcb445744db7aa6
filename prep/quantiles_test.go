package prep

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
)

// The rank of an estimate is as near as the comment of quantiles promises, in whatever order the values come.
func TestQuantileSketch(t *testing.T) {
	const n = 300_000
	values := make([]float64, n)
	random := rand.New(rand.NewPCG(5, 5))
	for i := range values {
		values[i] = random.NormFloat64()
	}
	ascending := slices.Clone(values)
	slices.Sort(ascending)
	descending := slices.Clone(ascending)
	slices.Reverse(descending)
	for name, x := range map[string][]float64{"random": values, "ascending": ascending, "descending": descending} {
		var q quantiles
		for _, v := range x {
			q.add(v)
		}
		p := []float64{0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.99, 0.999, 1}
		for i, found := range q.at(p...) {
			rank := float64(sort.SearchFloat64s(ascending, found)) / n
			require.InDelta(t, p[i], rank, 6/(2*float64(sketchSize))+2.0/n, "%s, %v", name, p[i])
		}
		size := len(q.fresh)
		for _, level := range q.levels {
			size += len(level)
		}
		require.LessOrEqual(t, size, 10*sketchSize)
	}
}

// Frequent tokens are found among more than are counted at once.
func TestManyTokens(t *testing.T) {
	if testing.Short() {
		t.Skip("counts a million tokens")
	}
	p, err := New(Input("in", Column("s", &StringLookup{MaxTokens: 11})))
	require.NoError(t, err)
	s := make([]string, 900_000)
	for i := range s {
		s[i] = fmt.Sprint("rare", i)
		if i%3 == 0 {
			s[i] = fmt.Sprint("frequent", i/3%10)
		}
	}
	require.NoError(t, p.Fit(Columns{"s": s}.Rows()))
	words := p.ports[0].features[0].steps[0].(*StringLookup).Vocabulary
	require.Len(t, words, 10)
	for _, w := range words {
		require.Contains(t, w, "frequent")
	}
}
