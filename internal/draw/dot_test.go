package draw

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDOT(t *testing.T) {
	const quoted = `"(?:[^"\\]|\\.)*"`
	attributes := `\[\w+=` + quoted + `(?: \w+=` + quoted + `)*\]`
	edge := regexp.MustCompile(`^\tn\d+ -> n\d+(?: ` + attributes + `)?$`)
	node := regexp.MustCompile(`^\tn\d+ \[label=<<b>([^<>]*)</b><br/>[^<>]*<br/>[^<>]*> \w+=` + quoted + `(?: \w+=(?:` + quoted + `|\d))*\]$`)
	for what, d := range diagrams() {
		lines := strings.Split(strings.TrimSuffix(d.DOT(), "\n"), "\n")
		require.Regexp(t, `^digraph `+quoted+` {$`, lines[0])
		require.Equal(t, "}", lines[len(lines)-1])
		var names []string
		count := 0
		for _, line := range lines[3 : len(lines)-1] {
			if match := node.FindStringSubmatch(line); match != nil {
				names = append(names, html.UnescapeString(match[1]))
				continue
			}
			require.Regexp(t, edge, line)
			count++
		}
		require.Equal(t, d.names(same), names, what)
		require.Equal(t, len(d.arrows), count, what)
	}
}
