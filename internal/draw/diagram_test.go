package draw

import (
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// chain adds boxes with an arrow from each to the next and returns them.
func chain(d *Diagram, boxes ...Box) []*Box {
	var all []*Box
	for i, b := range boxes {
		all = append(all, d.Box(b))
		if i > 0 {
			d.Arrow(all[i-1], all[i], "", "")
		}
	}
	return all
}

const hostile = "`]]>\r\n\u202e\\\"; n0 -> n1 <b>] %% end --> |x| #35; \x01\u0085 日本 \\"

// diagrams returns graphs with everything that a picture has to show.
func diagrams() map[string]*Diagram {
	all := map[string]*Diagram{"no box": New("")}

	all["one box"] = New("one")
	all["one box"].Box(Box{Name: "only", Kind: "kind", Size: "size", Role: Input})

	d := New("shared")
	a, b := d.Box(Box{Name: "a", Role: Input}), d.Box(Box{Name: "b", Role: Input})
	shared := d.Box(Box{Name: "shared", Kind: "Dense", Shared: "called 2×", Frozen: "frozen"})
	for i, in := range []*Box{a, b} {
		call := fmt.Sprintf("[%d]", i)
		d.Arrow(in, shared, "", call)
		d.Arrow(shared, d.Box(Box{Name: "out" + call, Role: Output}), call, "")
	}
	all["shared"] = d

	d = New("skips")
	boxes := chain(d, Box{Name: "0", Role: Input}, Box{Name: "1"}, Box{Name: "2"}, Box{Name: "3", Frozen: "frozen"}, Box{Name: "4"}, Box{Name: "5", Role: Output})
	for i := range boxes {
		for _, later := range boxes[min(i+2, len(boxes)):] {
			d.Arrow(boxes[i], later, "", "")
		}
	}
	d.Box(Box{Name: "alone", Role: Input})
	all["skips"] = d

	d = New("cycles")
	boxes = chain(d, Box{Name: "in", Role: Input}, Box{Name: "x", Shared: "called 3×"}, Box{Name: "y"}, Box{Name: "z"}, Box{Name: "input below", Role: Input})
	d.Arrow(boxes[1], boxes[1], "[0]", "[1]")
	d.Arrow(boxes[3], boxes[1], "", "[2]")
	d.Arrow(boxes[2], boxes[3], "", "")
	all["cycles"] = d

	d = New(hostile)
	boxes = chain(d, Box{Name: hostile, Kind: hostile, Size: hostile, Shared: hostile, Frozen: hostile}, Box{Name: hostile + hostile})
	d.Arrow(boxes[0], boxes[1], hostile, hostile)
	d.Arrow(boxes[1], boxes[1], hostile, hostile)
	all["hostile"] = d
	return all
}

// names returns what a box's first line is.
func (d *Diagram) names(shown func(string) string) []string {
	var names []string
	for _, b := range d.boxes {
		names = append(names, shown(b.Name))
	}
	return names
}

func same(s string) string { return s }

func TestDrawingsAreDeterministic(t *testing.T) {
	other := diagrams()
	for what, d := range diagrams() {
		for _, draw := range []func(*Diagram) string{(*Diagram).DOT, (*Diagram).Mermaid, (*Diagram).SVG} {
			text := draw(d)
			require.Equal(t, text, draw(other[what]), what)
			require.Equal(t, text, draw(d), what)
			require.True(t, utf8.ValidString(text), what)
		}
	}
}
