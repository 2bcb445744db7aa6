package draw

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Boxes, and the places at which arrows pass between them, must not touch.
func TestLayoutKeepsItsDistance(t *testing.T) {
	for what, d := range diagrams() {
		boxes := 0
		for _, row := range d.layout() {
			for i, x := range row {
				if x.box != nil {
					boxes++
				}
				require.GreaterOrEqual(t, x.x-x.width/2, margin-1, what)
				if i > 0 {
					space := x.x - x.width/2 - row[i-1].x - row[i-1].width/2
					require.GreaterOrEqual(t, space, boxSpace-1, what)
				}
			}
		}
		require.Len(t, d.boxes, boxes, what)
		for _, a := range d.arrows {
			if a.isLoop() {
				continue
			}
			upper, lower := a.ends()
			require.Less(t, upper.item.row, lower.item.row, what)
			require.Len(t, a.route, lower.item.row-upper.item.row+1, what)
		}
	}
}

func TestOrderHasFewCrossings(t *testing.T) {
	// Two fans whose ends are given crosswise can be drawn without any crossing.
	d := New("")
	var inner []*Box
	for i := range 6 {
		inner = append(inner, chain(d, Box{Name: fmt.Sprint(i), Role: Input}, Box{})[1])
	}
	for i := range inner {
		d.Arrow(inner[5-i], d.Box(Box{Role: Output}), "", "")
	}
	require.Zero(t, crossings(d.layout()))
}

// A picture that is too large for beauty is drawn all the same.
func TestLayoutOfManyBoxes(t *testing.T) {
	d := New("")
	boxes := make([]Box, maxItems)
	all := chain(d, boxes...)
	d.Arrow(all[0], all[len(all)-1], "", "")
	require.Len(t, d.layout(), maxItems)
	require.Len(t, d.arrows[len(d.arrows)-1].route, 2)
	require.NotContains(t, d.SVG(), "NaN")
}
