// Package draw draws diagrams of boxes and arrows as SVG, Mermaid and DOT, and tables for a terminal. It knows nothing of
// what they are about. Any text is safe in any format: none can break a picture, a page or a table.
package draw

import "fmt"

// A Diagram is boxes and the arrows between them.
type Diagram struct {
	name   string
	boxes  []*Box
	arrows []*arrow
}

// A Role is where a box stands in its diagram; it decides on the box's colour.
type Role int

const (
	Hidden Role = iota // between the others
	Input
	Output
)

// A Box is three lines of text.
type Box struct {
	Name   string // cut if it is long
	Kind   string
	Size   string
	Role   Role
	Shared string // a note; the box stands for several and looks like it
	Frozen string // a note; the border is dashed

	id     string
	arrows []*arrow // that leave it
	item   item     // of the layout
}

// An arrow leads from a box to one that uses it, or to itself.
type arrow struct {
	from, to   *Box
	tail, head string // labels
	back       bool   // closes a cycle
	route      []*item
}

// New returns a diagram without boxes.
func New(name string) *Diagram { return &Diagram{name: Visible(name)} }

// Box adds a box.
func (d *Diagram) Box(b Box) *Box {
	b.Name = Visible(b.Name)
	for _, s := range []*string{&b.Kind, &b.Size, &b.Shared, &b.Frozen} {
		*s = printable(*s)
	}
	b.id = fmt.Sprintf("n%d", len(d.boxes))
	d.boxes = append(d.boxes, &b)
	return &b
}

// Arrow adds an arrow between boxes of the diagram, with labels at its ends where they are not empty. In an SVG, arrows
// that leave a box with the same label leave it at one point.
func (d *Diagram) Arrow(from, to *Box, tail, head string) {
	a := &arrow{from: from, to: to, tail: printable(tail), head: printable(head)}
	from.arrows = append(from.arrows, a)
	d.arrows = append(d.arrows, a)
}

// details returns the lines under a box's name for formats that have no place for notes of their own.
func (b *Box) details() (kind, size string) {
	kind = b.Kind
	for _, note := range []string{b.Shared, b.Frozen} {
		if note != "" {
			kind += " · " + note
		}
	}
	return kind, b.Size
}

var (
	roleNames   = [...]string{Input: "input", Hidden: "hidden", Output: "output"}
	roleFills   = [...]string{Input: "#e8f1fc", Hidden: "#f5f6f8", Output: "#fdf0e1"}
	roleStrokes = [...]string{Input: "#4585cb", Hidden: "#98a2b0", Output: "#d98634"}
)

const (
	textColor   = "#1f2732"
	detailColor = "#5b6675"
	arrowColor  = "#7f8a99"
	sharedColor = "#8465cf"
	frozenColor = "#4a8a9c"
)
