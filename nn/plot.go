package nn

import (
	"fmt"
	"io"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/internal/draw"
)

// DOT writes the model's graph in the language of Graphviz: one node per layer, a model that is called being one, one edge per argument of a call. Edges
// at a shared layer carry the number of the call, as in Summary.
func (m *Model) DOT(w io.Writer) error { return m.plot(w, "DOT", (*draw.Diagram).DOT) }

// Mermaid writes the model's graph as a Mermaid flowchart, which Markdown pages show as a picture: one node per layer,
// one edge per argument of a call. Edges at a shared layer carry the number of the call, as in Summary.
func (m *Model) Mermaid(w io.Writer) error { return m.plot(w, "Mermaid", (*draw.Diagram).Mermaid) }

// SVG draws the model's graph: a box per layer, coloured by whether it is an input, an output or between, and an arrow
// per argument of a call. Arrows at a shared layer carry the number of the call, as in Summary. The picture needs no
// style sheet and no ids, so it can stand in a page as it is. In a picture of thousands of boxes and bends, arrows are
// straight and boxes stand in the order of Summary, so that drawing takes no longer than the picture is large.
func (m *Model) SVG(w io.Writer) error { return m.plot(w, "SVG", (*draw.Diagram).SVG) }

func (m *Model) plot(w io.Writer, format string, text func(*draw.Diagram) string) error {
	err := errEmptyModel
	if len(m.nodes) > 0 {
		_, err = io.WriteString(w, text(m.diagram()))
	}
	if err != nil {
		return fmt.Errorf("nn: %s of model %s: %w", format, brief.Quote(m.name), err)
	}
	return nil
}

// diagram has a box per layer and an arrow per argument of a call.
func (m *Model) diagram() *draw.Diagram {
	d := draw.New(m.name)
	roles := map[*Layer]draw.Role{}
	for _, n := range m.outputs {
		roles[n.top().layer] = draw.Output
	}
	for _, n := range m.inputs {
		roles[n.layer] = draw.Input
	}
	calls := m.calls()
	boxes := map[*Layer]*draw.Box{}
	for _, l := range m.layers {
		b := l.box(calls[l])
		b.Role = roles[l]
		boxes[l] = d.Box(b)
	}
	// label is the number of a call, where there are several.
	label := func(n *Node) string {
		n = n.top()
		if len(calls[n.layer]) == 1 {
			return ""
		}
		return fmt.Sprintf("[%d]", n.index)
	}
	for _, l := range m.layers {
		for _, n := range calls[l] {
			for _, in := range n.in {
				d.Arrow(boxes[in.top().layer], boxes[l], label(in), label(n))
			}
		}
	}
	return d
}

// box describes a layer: its name, its class and activation, its shape and size, and what is special about it.
func (l *Layer) box(calls []*Node) draw.Box {
	b := draw.Box{Name: l.name, Kind: l.Class(), Size: batchShape(calls)}
	if a := l.activation(); a != Linear {
		b.Kind += " · " + className(a)
	}
	switch n := l.paramCount(); n {
	case 0:
	case 1:
		b.Size += " · 1 param"
	default:
		b.Size += " · " + draw.Thousands(n) + " params"
	}
	if len(calls) > 1 {
		b.Shared = fmt.Sprintf("called %d×", len(calls))
	}
	if !l.Trainable() && l.paramCount() > 0 {
		b.Frozen = "frozen"
	}
	return b
}
