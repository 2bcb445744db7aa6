package main

import (
	"fmt"
	"io"
	"strings"
)

// A board shows one experiment at work: a table that grows by a line per finished split.
type board struct {
	experiment
	w io.Writer
}

func newBoard(w io.Writer, e experiment) *board {
	b := &board{experiment: e, w: w}
	b.line("split", "seed", func(i int) string { return e.heads[i].score() })
	return b
}

// line prints a row of the table.
func (b *board) line(first, second string, cell func(head int) string) {
	var s strings.Builder
	fmt.Fprintf(&s, "  %5s  %6s", first, second)
	for i := range b.heads {
		fmt.Fprintf(&s, "  %18s", cell(i))
	}
	s.WriteByte('\n')
	io.WriteString(b.w, s.String())
}
