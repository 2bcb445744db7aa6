package main

import (
	"fmt"
	"strings"
)

// A fn is one assembly function being printed.
type fn struct {
	name   string
	proto  string   // the parameters as Go has them
	args   int      // bytes of parameters
	frame  int      // bytes of local variables
	notes  []string // the register map and what else the reader needs
	body   strings.Builder
	labels int
	consts map[num]bool // the constants it reads

	placing func(label string) // called before a label is placed, or nil
}

// op prints one instruction.
func (f *fn) op(mnemonic string, operands ...any) {
	fmt.Fprintf(&f.body, "\t%s", mnemonic)
	for i, o := range operands {
		sep := ", "
		if i == 0 {
			sep = " "
		}
		fmt.Fprintf(&f.body, "%s%v", sep, o)
	}
	f.body.WriteByte('\n')
}

// note adds a line to the comment above the function.
func (f *fn) note(format string, args ...any) {
	f.notes = append(f.notes, fmt.Sprintf(format, args...))
}

// label returns a new name for a place in the function.
func (f *fn) label(name string) string {
	f.labels++
	return fmt.Sprintf("%s%d", name, f.labels)
}

// at puts a label here.
func (f *fn) at(label string) {
	if f.placing != nil {
		f.placing(label)
	}
	fmt.Fprintf(&f.body, "%s:\n", label)
}
