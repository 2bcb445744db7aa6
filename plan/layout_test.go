package plan

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Buffers that are in use at the same time lie apart, and the arena is hardly larger than what is in use at a time.
func TestLayOut(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		l := lowering{Plan: &Plan{}}
		steps := 1 + r.IntN(100)
		for range 1 + r.IntN(60) {
			b := buffer{width: 1 + r.IntN(100), first: r.IntN(steps)}
			if b.last = min(steps, b.first+r.IntN(9)); r.IntN(8) == 0 {
				b.first, b.last = -1, steps // of an input or output
			}
			l.buffers = append(l.buffers, b)
		}
		arena := l.layOut()
		most := int64(0)
		for step := -1; step <= steps; step++ {
			used := make([]bool, arena)
			sum := int64(0)
			for i := range l.buffers {
				b := &l.buffers[i]
				if b.first > step || b.last < step {
					continue
				}
				sum += b.size()
				for at := range b.width {
					require.False(t, used[b.offset+at], "seed %d, step %d, buffer %d at %d", seed, step, i, b.offset+at)
					used[b.offset+at] = true
				}
			}
			most = max(most, sum)
		}
		require.LessOrEqual(t, arena, most*3/2+64, "seed %d", seed)
	}
}

func TestGaps(t *testing.T) {
	var g gaps
	for i := range int64(4) {
		require.Equal(t, 16*i, g.take(16))
	}
	g.give(gap{16, 32})
	require.EqualValues(t, 64, g.take(32), "the gap is too small")
	g.give(gap{0, 16})
	require.Equal(t, []gap{{0, 32}}, g.list, "joined")
	require.EqualValues(t, 0, g.take(16))
	g.give(gap{64, 96})
	require.EqualValues(t, 64, g.take(48), "the end grows")
	require.EqualValues(t, 112, g.end)
	g.give(gap{32, 48})
	require.Equal(t, []gap{{16, 48}}, g.list)
	g.give(gap{0, 16})
	require.Equal(t, []gap{{0, 48}}, g.list)
	require.EqualValues(t, 0, g.take(48))
	require.Empty(t, g.list)

	g = gaps{}
	g.take(64 * maxGaps)
	for i := range int64(2 * maxGaps) { // more than are remembered
		g.give(gap{32 * i, 32*i + 16})
		require.LessOrEqual(t, len(g.list), maxGaps)
	}
}
