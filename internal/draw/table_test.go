package draw

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func table(width int) *Table {
	return &Table{
		Width:   width,
		Columns: []Column{{"name", 0.5, Left}, {"value", 0.9, Right}, {"long header", 1, Center}},
		Rows:    [][]string{{"some words in a cell", "123,456,789,000", "Y"}, {"größe", "0", ""}},
	}
}

// Lines are as long as the table is wide, also where signs take two places of a terminal or none.
func TestTableIsStraight(t *testing.T) {
	require.Equal(t, 12, cells("入力 데이터a\u0301"))
	d := table(0)
	d.Rows = append(d.Rows, []string{"長い名前の層がここにあります長い名前の層がここにあります", "ｄｅｎｓｅ 레이어 👍 e\u0301", hostile})
	for width := 41; width < 200; width++ {
		d.Width = width
		text, err := d.Print()
		require.NoError(t, err)
		for line := range strings.Lines(text) {
			require.Equal(t, width, cells(strings.TrimSuffix(line, "\n")), "%s", line)
		}
	}
}

func TestTableOfAnyWidth(t *testing.T) {
	for _, width := range []int{math.MinInt, -1, 0, 1, 15, maxWidth + 1, math.MaxInt} {
		_, err := table(width).Print()
		require.ErrorContains(t, err, "width")
	}
	for width := 41; width < 300; width++ {
		_, err := table(width).Print()
		require.NoError(t, err)
	}
}

func TestTableWithoutRowsOrColumns(t *testing.T) {
	for _, d := range []Table{{Width: 9, Columns: []Column{{"a", 1, Left}}}, {}} {
		text, err := d.Print()
		require.NoError(t, err)
		require.NotEmpty(t, text)
	}
}
