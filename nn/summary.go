package nn

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/internal/draw"
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

// SummaryNested shows below each model that is called as a layer the layers that it has.
func SummaryNested() SummaryOption {
	return func(s *summary) { s.nested = true }
}

// Summary prints the table of layers that Keras' summary prints: each layer with its class, the shape of its result, its
// number of parameters and, unless the model is one chain, what it is connected to: dense[1][0] is the result of the
// second call of layer dense, encoder[0][1] the second output of the model encoder in its first call. It is an error if the table is too narrow for its columns.
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

// A summary is what options say.
type summary struct {
	width     int
	trainable bool
	nested    bool
}

func (s *summary) print(m *Model) (string, error) {
	chain := m.isChain()
	table := draw.Table{Width: s.width, Columns: s.columns(chain)}
	calls := m.calls()
	trained, frozen, optimizer := 0, 0, 0
	for _, l := range m.layers {
		table.Rows = append(table.Rows, s.row("", l, calls[l], chain, connections(calls[l])))
		if sub := l.submodel(); s.nested && sub != nil {
			table.Rows = append(table.Rows, s.rows(sub, 1, chain)...)
		}
	}
	for _, w := range m.weights {
		if w.Trainable() {
			trained += w.param.size()
		} else {
			frozen += w.param.size()
		}
	}
	if m.trainer != nil {
		optimizer = m.trainer.optimizerCount()
	}
	text, err := table.Print()
	if err != nil {
		return "", err
	}
	text = fmt.Sprintf("Model: \"%s\"\n", draw.Visible(m.name)) + text +
		countLine("Total", trained+frozen+optimizer) + countLine("Trainable", trained) + countLine("Non-trainable", frozen)
	if optimizer > 0 {
		text += countLine("Optimizer", optimizer)
	}
	return text, nil
}

// rows are those of a model within. As in Keras, they do not say what is connected.
func (s *summary) rows(m *Model, depth int, chain bool) (rows [][]string) {
	calls := m.calls()
	for _, l := range m.layers {
		rows = append(rows, s.row(strings.Repeat("   ", depth)+"└ ", l, calls[l], chain, "-"))
		if sub := l.submodel(); sub != nil {
			rows = append(rows, s.rows(sub, depth+1, chain)...)
		}
	}
	return rows
}

func (s *summary) row(indent string, l *Layer, calls []*Node, chain bool, connections string) []string {
	cells := []string{
		fmt.Sprintf("%s%s (%s)", indent, draw.Visible(l.name), l.Class()),
		batchShape(calls),
		draw.Thousands(l.paramCount()),
	}
	if !chain {
		cells = append(cells, connections)
	}
	if s.trainable {
		cells = append(cells, trainableMark(l))
	}
	return cells
}

// columns have Keras' shares of the width.
func (s *summary) columns(chain bool) []draw.Column {
	columns := []draw.Column{
		{Header: "Layer (type)", End: 0.45, Align: draw.Left},
		{Header: "Output Shape", End: 0.80, Align: draw.Left},
		{Header: "Param #", End: 1, Align: draw.Right},
	}
	if !chain {
		for i, end := range []float64{0.3, 0.56, 0.74} {
			columns[i].End = end
		}
		columns = append(columns, draw.Column{Header: "Connected to", End: 1, Align: draw.Left})
	}
	if s.trainable {
		for i := range columns {
			columns[i].End *= 0.9
		}
		columns = append(columns, draw.Column{Header: "Trainable", End: 1, Align: draw.Center})
	}
	return columns
}

// countLine prints a number of values of four bytes.
func countLine(what string, n int) string {
	return fmt.Sprintf(" %s params: %s (%s)\n", what, draw.Thousands(n), draw.Bytes(4*float64(n)))
}

// isChain reports whether each layer is called once, on the one before it.
func (m *Model) isChain() bool {
	for i, n := range m.tops {
		if i == 0 && len(n.in) > 0 || i > 0 && (len(n.in) != 1 || n.in[0].top() != m.tops[i-1]) {
			return false
		}
	}
	return len(m.layers) == len(m.tops)
}

// calls returns the calls of each layer that belong to the model, in their order: a layer may also be part of others.
func (m *Model) calls() map[*Layer][]*Node {
	calls := map[*Layer][]*Node{}
	for _, n := range m.tops {
		calls[n.layer] = append(calls[n.layer], n)
	}
	for _, nodes := range calls {
		slices.SortFunc(nodes, func(a, b *Node) int { return a.index - b.index })
	}
	return calls
}

// batchShape is the shape of the last call's result: (None, 8); of several results it is a list.
func batchShape(calls []*Node) string {
	var shapes []string
	for _, n := range calls[len(calls)-1].results() {
		shapes = append(shapes, strings.Replace(n.shape.String(), "(", "(None, ", 1))
	}
	if len(shapes) == 1 {
		return shapes[0]
	}
	return "[" + strings.Join(shapes, ", ") + "]"
}

// connections lists what the calls were made on.
func connections(calls []*Node) string {
	var from []string
	for _, n := range calls {
		for _, in := range n.in {
			top := in.top()
			from = append(from, fmt.Sprintf("%s[%d][%d]", draw.Visible(top.layer.name), top.index, slices.Index(top.results(), in)))
		}
	}
	if from == nil {
		return "-"
	}
	return strings.Join(from, ", ")
}

func trainableMark(l *Layer) string {
	switch {
	case l.paramCount() == 0:
		return "-"
	case !l.Trainable():
		return "N"
	}
	return "Y"
}
