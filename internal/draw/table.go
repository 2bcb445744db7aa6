package draw

import (
	"fmt"
	"strings"
)

// A Table is text in columns between lines, as the Python package rich prints it.
type Table struct {
	Width   int // in places of a terminal
	Columns []Column
	Rows    [][]string // a cell for each column

	widths []int // of the columns' texts, without the space on either side
	out    strings.Builder
}

// A Column has a header and an end, as a share of the table's width: that of the last one is 1.
type Column struct {
	Header string
	End    float64
	Align  func(text string, width int) string // Left, Right or Center
}

const (
	maxWidth     = 1 << 16
	headerBorder = "┃"
)

// Print returns the table. It is an error if the width is too small for the columns, or larger than 65,536.
func (t *Table) Print() (string, error) {
	if err := t.layout(); err != nil {
		return "", err
	}
	t.out.Reset()
	t.rule("┏━", "━┳━", "━┓")
	header := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		header[i] = c.Header
	}
	t.row(headerBorder, header)
	for i, cells := range t.Rows {
		if i == 0 {
			t.rule("┡━", "━╇━", "━┩")
		} else {
			t.rule("├─", "─┼─", "─┤")
		}
		t.row("│", cells)
	}
	t.rule("└─", "─┴─", "─┘")
	return t.out.String(), nil
}

// layout gives the columns their shares of the width.
func (t *Table) layout() error {
	if t.Width > maxWidth {
		return fmt.Errorf("a width of %d characters is more than %d", t.Width, maxWidth)
	}
	t.widths = make([]int, len(t.Columns))
	start := 0
	for i, c := range t.Columns {
		// Borders and spaces come on top of the shares. rich takes what is too much away from all columns alike, and what
		// is left over by the division falls to the last column but one.
		end := int(c.End * float64(t.Width))
		if end-start < 4 {
			return fmt.Errorf("insufficient width: %d characters for %d columns", t.Width, len(t.Columns))
		}
		t.widths[i] = end - start - 3
		start = end
	}
	if n := len(t.widths); n > 0 {
		t.widths[max(0, n-2)]--
	}
	return nil
}

// rule prints a horizontal line; the middle rune of cross is the crossing itself.
func (t *Table) rule(first, cross, last string) {
	line := string([]rune(first)[1])
	for i, width := range t.widths {
		if i > 0 {
			first = cross
		}
		t.out.WriteString(first + strings.Repeat(line, width))
	}
	t.out.WriteString(last + "\n")
}

// row prints one row of the table, as many lines as its longest cell needs. Headers stand at the bottom of theirs.
func (t *Table) row(border string, cells []string) {
	lines := make([][]string, len(cells))
	height := 0
	for i, width := range t.widths {
		lines[i] = wrap(printable(cells[i]), width)
		height = max(height, len(lines[i]))
	}
	for y := range height {
		for i, c := range t.Columns {
			text, line := "", y
			if border == headerBorder {
				line -= height - len(lines[i])
			}
			if line >= 0 && line < len(lines[i]) {
				text = lines[i][line]
			}
			t.out.WriteString(border + " " + c.Align(text, t.widths[i]) + " ")
		}
		t.out.WriteString(border + "\n")
	}
}
