package draw

import (
	"fmt"
	"strings"
)

// Mermaid returns the diagram as a Mermaid flowchart.
func (d *Diagram) Mermaid() string {
	w := &strings.Builder{}
	w.WriteString("flowchart TD\n")
	shapes := [][2]string{Input: {"([", "])"}, Hidden: {"[", "]"}, Output: {"([", "])"}}
	for _, b := range d.boxes {
		kind, size := b.details()
		shape := shapes[b.Role]
		if b.Shared != "" {
			shape = [2]string{"[[", "]]"}
		}
		fmt.Fprintf(w, "\t%s%s\"<b>%s</b><br>%s<br>%s\"%s\n", b.id, shape[0], mermaidEscape(b.Name, ""), mermaidEscape(kind, "(),"), mermaidEscape(size, "(),"), shape[1])
	}
	for _, a := range d.arrows {
		label := a.tail
		if label != "" && a.head != "" {
			label += " to "
		}
		if label += a.head; label != "" {
			label = fmt.Sprintf("|\"%s\"|", mermaidEscape(label, "[]"))
		}
		fmt.Fprintf(w, "\t%s -->%s %s\n", a.from.id, label, a.to.id)
	}
	class := func(name, look string, has func(*Box) bool) {
		var ids []string
		for _, b := range d.boxes {
			if has(b) {
				ids = append(ids, b.id)
			}
		}
		if ids != nil {
			fmt.Fprintf(w, "\tclassDef %s %s\n\tclass %s %s\n", name, look, strings.Join(ids, ","), name)
		}
	}
	for _, r := range []Role{Input, Hidden, Output} {
		name := roleNames[r]
		look := fmt.Sprintf("fill:%s,stroke:%s,color:%s", roleFills[r], roleStrokes[r], textColor)
		class(name, look, func(b *Box) bool { return b.Role == r })
	}
	class("frozen", "stroke-dasharray:5 4", func(b *Box) bool { return b.Frozen != "" })
	return w.String()
}

// mermaidEscape writes everything that could mean something to Mermaid, Markdown or HTML as a character code, but
// for the signs that are plain where the text stands.
func mermaidEscape(s, plain string) string {
	var b strings.Builder
	for _, r := range s {
		if r == ' ' || r == '_' || r >= 0x80 || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || strings.ContainsRune(plain, r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}
