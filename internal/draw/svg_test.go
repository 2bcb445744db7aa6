package draw

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSVG(t *testing.T) {
	allowed := []string{"svg", "g", "path", "rect", "text"}
	for what, d := range diagrams() {
		text := d.SVG()
		decoder := xml.NewDecoder(strings.NewReader(text))
		var names []string
		arrows, line, bold := 0, false, false
		for {
			token, err := decoder.Token()
			if err == io.EOF {
				break
			}
			require.NoError(t, err, what)
			switch token := token.(type) {
			case xml.StartElement:
				require.Contains(t, allowed, token.Name.Local)
				attributes := map[string]string{}
				for _, a := range token.Attr {
					attributes[a.Name.Local] = a.Value
				}
				for _, leak := range []string{"id", "class", "style", "href"} {
					require.NotContains(t, attributes, leak)
				}
				bold = attributes["font-weight"] == "bold"
				if token.Name.Local == "g" {
					line = attributes["fill"] == "none"
				}
				if token.Name.Local == "path" && line {
					arrows++
				}
			case xml.CharData:
				if bold {
					names = append(names, string(token))
				}
			case xml.EndElement:
				bold = false
			}
		}
		require.Equal(t, d.names(shorten), names, what)
		require.Equal(t, len(d.arrows), arrows, what)
		require.NotContains(t, text, "NaN", what)
		require.NotContains(t, text, "Inf", what)
	}
}
