package nn

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/espalier-ml/espalier/internal/brief"
)

// A SummaryOption configures Summary.
type SummaryOption func(*summary)

// SummaryWidth is the width of the table in columns of a terminal, of which Chinese, Japanese and Korean characters take
// two. The default is 80.
func SummaryWidth(characters int) SummaryOption {
	return func(s *summary) { s.width = characters }
}

// SummaryTrainable adds a column that tells which layers are trained (Y), frozen (N) or have no weights (-).
func SummaryTrainable() SummaryOption {
	return func(s *summary) { s.trainable = true }
}

// Summary prints the table of layers that Keras' summary prints: each layer with its class, the shape of its result, its
// number of parameters and, unless the model is one chain, what it is connected to: dense[1][0] is the result of the
// second call of layer dense. It is an error if the table is too narrow for its columns.
func (m *Model) Summary(w io.Writer, opts ...SummaryOption) error {
	s := summary{width: 80}
	for i, o := range opts {
		if o == nil {
			return fmt.Errorf("nn: summary of model %s: option %d is nil", brief.Quote(m.name), i)
		}
		o(&s)
	}
	text, err := "", errEmptyModel
	if len(m.nodes) > 0 {
		text, err = s.print(m)
	}
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err != nil {
		return fmt.Errorf("nn: summary of model %s: %w", brief.Quote(m.name), err)
	}
	return nil
}

// A summary is a table as Keras lays it out and as the Python package rich prints it.
type summary struct {
	width     int
	trainable bool
	columns   []column
	strings.Builder
}

type column struct {
	header string
	align  func(text string, width int) string
	width  int // of its text, without the space on either side
}

func (s *summary) print(m *Model) (string, error) {
	chain := m.isChain()
	if err := s.layout(chain); err != nil {
		return "", err
	}
	fmt.Fprintf(s, "Model: \"%s\"\n", visible(m.name))
	s.rule("┏━", "━┳━", "━┓")
	header := make([]string, len(s.columns))
	for i, c := range s.columns {
		header[i] = c.header
	}
	s.row(headerBorder, header)
	calls := m.calls()
	for i, l := range m.layers {
		if i == 0 {
			s.rule("┡━", "━╇━", "━┩")
		} else {
			s.rule("├─", "─┼─", "─┤")
		}
		cells := []string{
			fmt.Sprintf("%s (%s)", visible(l.name), l.kind.class()),
			batchShape(calls[l]),
			thousands(l.paramCount()),
		}
		if !chain {
			cells = append(cells, connections(calls[l]))
		}
		if s.trainable {
			cells = append(cells, trainableMark(l))
		}
		s.row("│", cells)
	}
	s.rule("└─", "─┴─", "─┘")
	trained, frozen, optimizer := 0, 0, 0
	if m.trainer != nil {
		optimizer = m.trainer.optimizerCount()
	}
	for _, l := range m.layers {
		if l.frozen {
			frozen += l.paramCount()
		} else {
			trained += l.paramCount()
		}
	}
	s.count("Total", trained+frozen+optimizer)
	s.count("Trainable", trained)
	s.count("Non-trainable", frozen)
	if optimizer > 0 {
		s.count("Optimizer", optimizer)
	}
	return s.String(), nil
}

const headerBorder = "┃"

// layout gives the columns Keras' shares of the width.
func (s *summary) layout(chain bool) error {
	s.columns = []column{{header: "Layer (type)", align: left}, {header: "Output Shape", align: left}, {header: "Param #", align: right}}
	ends := []float64{0.45, 0.80, 1}
	if !chain {
		s.columns = append(s.columns, column{header: "Connected to", align: left})
		ends = []float64{0.3, 0.56, 0.74, 1}
	}
	if s.trainable {
		s.columns = append(s.columns, column{header: "Trainable", align: center})
		for i := range ends {
			ends[i] *= 0.9
		}
		ends = append(ends, 1)
	}
	if s.width > 1<<16 {
		return fmt.Errorf("a width of %d characters is more than %d", s.width, 1<<16)
	}
	start := 0
	for i := range s.columns {
		// Borders and spaces come on top of Keras' shares. rich takes what is too much away from all columns alike, and
		// what is left over by the division falls to the last column but one.
		end := int(ends[i] * float64(s.width))
		if end-start < 4 {
			return fmt.Errorf("insufficient width: %d characters for %d columns", s.width, len(s.columns))
		}
		s.columns[i].width = end - start - 3
		start = end
	}
	s.columns[len(s.columns)-2].width--
	return nil
}

// rule prints a horizontal line; the middle rune of cross is the crossing itself.
func (s *summary) rule(first, cross, last string) {
	line := string([]rune(first)[1])
	for i, c := range s.columns {
		if i > 0 {
			first = cross
		}
		s.WriteString(first + strings.Repeat(line, c.width))
	}
	s.WriteString(last + "\n")
}

// row prints one row of the table, as many lines as its longest cell needs. Headers stand at the bottom of theirs.
func (s *summary) row(border string, cells []string) {
	lines := make([][]string, len(cells))
	height := 0
	for i, c := range s.columns {
		lines[i] = wrap(cells[i], c.width)
		height = max(height, len(lines[i]))
	}
	for y := range height {
		for i, c := range s.columns {
			text, line := "", y
			if border == headerBorder {
				line -= height - len(lines[i])
			}
			if line >= 0 && line < len(lines[i]) {
				text = lines[i][line]
			}
			s.WriteString(border + " " + c.align(text, c.width) + " ")
		}
		s.WriteString(border + "\n")
	}
}

func (s *summary) count(what string, n int) {
	fmt.Fprintf(s, " %s params: %s (%s)\n", what, thousands(n), memory(n))
}

// wrap breaks text at spaces into lines of at most width cells. A word that is longer is cut.
func wrap(text string, width int) []string {
	if width < 1 {
		return nil
	}
	var lines []string
	var line strings.Builder
	used := 0 // cells of line
	flush := func() {
		s := strings.TrimRight(line.String(), " ")
		if cells(s) > width {
			end, n := 0, 1 // the sign that it is cut takes a cell
			for i, r := range s {
				if n += cellsOf(r); n > width {
					break
				}
				end = i + utf8.RuneLen(r)
			}
			s = s[:end] + "…"
		}
		lines = append(lines, s)
		line.Reset()
		used = 0
	}
	started := false // leading spaces belong to the first word
	for word := range strings.SplitAfterSeq(text, " ") {
		n := cells(strings.TrimRight(word, " "))
		if n > 0 && started && used+n > width {
			flush()
		}
		started = started || n > 0
		line.WriteString(word)
		used += cells(word)
	}
	flush()
	return lines
}

func left(text string, width int) string  { return text + blanks(width-cells(text)) }
func right(text string, width int) string { return blanks(width-cells(text)) + text }
func center(text string, width int) string {
	return left(blanks((width-cells(text))/2)+text, width)
}

func blanks(n int) string { return strings.Repeat(" ", max(0, n)) }

// cells returns how many places of a terminal text takes: the table is straight where letters are as wide as two, too.
func cells(text string) int {
	n := 0
	for _, r := range text {
		n += cellsOf(r)
	}
	return n
}

// wide has the blocks of characters that take two places, by their first and last: Hangul, Chinese and Japanese signs,
// full-width forms, pictures (the Unicode standard's annex 11, but for single characters).
var wide = [][2]rune{{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xa960, 0xa97c}, {0xac00, 0xd7a3}, {0xf900, 0xfaff},
	{0xfe30, 0xfe6f}, {0xff01, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}}

func cellsOf(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case slices.ContainsFunc(wide, func(b [2]rune) bool { return b[0] <= r && r <= b[1] }):
		return 2
	}
	return 1
}

// isChain reports whether each layer is called once, on the one before it.
func (m *Model) isChain() bool {
	for i, n := range m.nodes {
		if i == 0 && len(n.in) > 0 || i > 0 && !slices.Equal(n.in, m.nodes[i-1:i]) {
			return false
		}
	}
	return len(m.layers) == len(m.nodes)
}

// calls returns the calls of each layer that belong to the model, in their order: a layer may also be part of others.
func (m *Model) calls() map[*Layer][]*Node {
	calls := map[*Layer][]*Node{}
	for _, n := range m.nodes {
		calls[n.layer] = append(calls[n.layer], n)
	}
	for _, nodes := range calls {
		slices.SortFunc(nodes, func(a, b *Node) int { return a.index - b.index })
	}
	return calls
}

// batchShape is the shape of the last call's result: (None, 8).
func batchShape(calls []*Node) string {
	return strings.Replace(formatShape(calls[len(calls)-1].shape), "(", "(None, ", 1)
}

// connections lists what the calls were made on.
func connections(calls []*Node) string {
	var from []string
	for _, n := range calls {
		for _, in := range n.in {
			from = append(from, fmt.Sprintf("%s[%d][0]", visible(in.layer.name), in.index))
		}
	}
	if from == nil {
		return "-"
	}
	return strings.Join(from, ", ")
}

func trainableMark(l *Layer) string {
	switch {
	case len(l.params) == 0:
		return "-"
	case l.frozen:
		return "N"
	}
	return "Y"
}

// thousands groups the digits of n: 1,234.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// memory is the size of n values of four bytes: 1.36 KB.
func memory(n int) string {
	size, unit := float64(n)*4, "B"
	for _, unit = range []string{"B", "KB", "MB", "GB", "TB", "PB"} {
		if size < 1024 {
			break
		}
		size /= 1024
	}
	return fmt.Sprintf("%.2f %s", size, unit)
}
