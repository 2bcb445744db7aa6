package draw

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/espalier-ml/espalier/internal/brief"
)

// maxShown is up to where tables and pictures show a name, in characters.
const maxShown = 250

// Visible replaces what would not print, or would turn the text around it, by a visible sign and cuts what is long, so
// that no name can break a table or a picture.
func Visible(name string) string { return printable(brief.Cut(name, maxShown)) }

// printable is Visible for text of any length.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ':
			return '␀' + r
		case unicode.IsControl(r), unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point), r == '\uFEFF':
			return unicode.ReplacementChar
		}
		return r
	}, s)
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

// Left fills text with blanks up to width places of a terminal.
func Left(text string, width int) string { return text + blanks(width-cells(text)) }

// Right is Left with the blanks before the text.
func Right(text string, width int) string { return blanks(width-cells(text)) + text }

// Center is Left with half of the blanks before the text.
func Center(text string, width int) string {
	return Left(blanks((width-cells(text))/2)+text, width)
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

// Thousands groups the digits of n: 1,234.
func Thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Bytes is a size as a person says it: 1.36 KB.
func Bytes(size float64) string {
	var unit string
	for _, unit = range []string{"B", "KB", "MB", "GB", "TB", "PB", "EB"} {
		if size < 1024 {
			break
		}
		size /= 1024
	}
	return fmt.Sprintf("%.2f %s", size, unit)
}
