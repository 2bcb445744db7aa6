package draw

import (
	"fmt"
	"html"
	"strings"
)

// DOT returns the diagram in the language of Graphviz.
func (d *Diagram) DOT() string {
	w := &strings.Builder{}
	fmt.Fprintf(w, "digraph \"%s\" {\n", dotEscape(d.name))
	fmt.Fprintf(w, "\tnode [shape=box style=\"rounded,filled\" fontname=\"Helvetica\" fontsize=11 fontcolor=\"%s\"]\n", textColor)
	fmt.Fprintf(w, "\tedge [color=\"%s\" fontname=\"Helvetica\" fontsize=9 arrowsize=0.7]\n", arrowColor)
	for _, b := range d.boxes {
		kind, size := b.details()
		look := ""
		if b.Shared != "" {
			look += " peripheries=2"
		}
		if b.Frozen != "" {
			look += ` style="rounded,filled,dashed"`
		}
		fmt.Fprintf(w, "\t%s [label=<<b>%s</b><br/>%s<br/>%s> fillcolor=\"%s\" color=\"%s\"%s]\n",
			b.id, html.EscapeString(b.Name), html.EscapeString(kind), html.EscapeString(size), roleFills[b.Role], roleStrokes[b.Role], look)
	}
	for _, a := range d.arrows {
		var labels []string
		if a.tail != "" {
			labels = append(labels, fmt.Sprintf("taillabel=\"%s\"", dotEscape(a.tail)))
		}
		if a.head != "" {
			labels = append(labels, fmt.Sprintf("headlabel=\"%s\"", dotEscape(a.head)))
		}
		fmt.Fprintf(w, "\t%s -> %s", a.from.id, a.to.id)
		if labels != nil {
			fmt.Fprintf(w, " [%s]", strings.Join(labels, " "))
		}
		w.WriteString("\n")
	}
	w.WriteString("}\n")
	return w.String()
}

// dotEscape returns what stands between quotes.
func dotEscape(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }
