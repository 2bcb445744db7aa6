package nn

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Each layer, call and step has random numbers of its own, and the same ones each time.
func TestRandomOfCalls(t *testing.T) {
	x := Input("x", 1)
	first := func(name string, seed uint64, index int) uint64 {
		c := &Call{node: Flatten().On(x), name: name, seed: seed, index: index}
		return c.Random().Uint64()
	}
	seen := map[uint64]string{}
	for _, name := range []string{"a", "b", "ab"} {
		for seed := range uint64(3) {
			for index := range 3 {
				v := first(name, seed, index)
				require.Empty(t, seen[v])
				seen[v] = name
				require.Equal(t, v, first(name, seed, index))
			}
		}
	}
}
