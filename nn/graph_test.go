package nn

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Layers stand by their distance from the outputs, farthest first; ties as the search from the outputs meets them; inputs
// that nothing uses come last.
func TestGraphOrder(t *testing.T) {
	named := func(l func(...LayerOption) *Layer, name string, in ...*Node) *Node { return l(Name(name)).On(in...) }
	for _, swapped := range []bool{false, true} {
		a, b, unused, spare := Input("a", 2), Input("b", 2), Input("unused", 2), Input("spare", 2)
		short := named(Flatten, "short", b)
		long := named(Flatten, "long2", named(Flatten, "long1", a))
		outputs := []*Node{named(Add, "sum", short, long), named(Flatten, "early", a)}
		want := []string{"a", "b", "long1", "short", "long2", "unused", "spare", "sum", "early"}
		if swapped {
			outputs[0], outputs[1] = outputs[1], outputs[0]
			want = []string{"a", "b", "long1", "short", "long2", "unused", "spare", "early", "sum"}
		}
		m, err := NewModel([]*Node{spare, a, b, unused}, outputs)
		require.NoError(t, err)
		var names []string
		for _, l := range m.layers {
			names = append(names, l.name)
		}
		require.Equal(t, want, names)
		place := map[*Node]int{}
		for i, n := range m.nodes {
			place[n] = i
			for _, in := range n.in {
				require.Less(t, place[in], i, n.layer.name)
			}
		}
	}
}
