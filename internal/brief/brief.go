// Package brief keeps messages short enough to be read.
package brief

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Names come from files and may be of any length. A message has only so much of them that it can be read.
const (
	MaxQuoted  = 100     // characters of a name
	MaxListed  = 32      // names of a list
	MaxMessage = 4 << 10 // bytes
)

// Quote returns a name in quotes, cut if it is long.
func Quote(name string) string { return fmt.Sprintf("%q", Cut(name, MaxQuoted)) }

// QuoteAll returns names in quotes, ["a" "b"], the first ones if there are many.
func QuoteAll(names []string) string {
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteByte(' ')
		}
		if i == MaxListed {
			fmt.Fprintf(&b, "and %d more", len(names)-i)
			break
		}
		b.WriteString(Quote(name))
	}
	return "[" + b.String() + "]"
}

// Cut returns the first characters of s with a sign that there were more.
func Cut(s string, characters int) string {
	if len(s) <= characters {
		return s
	}
	n := 0
	for i := range s {
		if n == characters-1 && utf8.RuneCountInString(s[i:]) > 1 {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// Error returns err, with a message of its own if it has a long one.
func Error(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if len(text) <= MaxMessage {
		return err
	}
	end := MaxMessage
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return &briefError{fmt.Sprintf("%s… (%d more bytes)", text[:end], len(text)-end), err}
}

type briefError struct {
	text string
	err  error
}

func (e *briefError) Error() string { return e.text }
func (e *briefError) Unwrap() error { return e.err }
