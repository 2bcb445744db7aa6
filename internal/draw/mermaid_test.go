package draw

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMermaid(t *testing.T) {
	edge := regexp.MustCompile(`^\tn\d+ -->(?:\|"[^"|<>]*"\|)? n\d+$`)
	node := regexp.MustCompile(`^\tn\d+[\[(]+"<b>((?:[^"<>&\x60|\\\[\]#;]|#\d+;)*)</b><br>[^"<>]*<br>[^"<>]*"[\])]+$`)
	class := regexp.MustCompile(`^\tclass(?:Def)? [\w,]+ [\w:,# -]+$`)
	for what, d := range diagrams() {
		lines := strings.Split(strings.TrimSuffix(d.Mermaid(), "\n"), "\n")
		require.Equal(t, "flowchart TD", lines[0])
		var names []string
		count := 0
		for _, line := range lines[1:] {
			switch match := node.FindStringSubmatch(line); {
			case match != nil:
				names = append(names, html.UnescapeString(strings.ReplaceAll(match[1], "#", "&#")))
			case edge.MatchString(line):
				count++
			default:
				require.Regexp(t, class, line)
			}
		}
		require.Equal(t, d.names(same), names, what)
		require.Equal(t, len(d.arrows), count, what)
	}
}
