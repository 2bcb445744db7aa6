package kernels

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A constant of the assembly is called what it is, in every lane. The last bits of a polynomial hardly show in its results.
func TestConstants(t *testing.T) {
	text, err := os.ReadFile("kernels_amd64.s")
	require.NoError(t, err)
	lines := regexp.MustCompile(`(?m)^DATA bits([0-9a-f]{8})<>\+(\d+)\(SB\)/8, \$0x([0-9a-f]+)$`).FindAllStringSubmatch(string(text), -1)
	require.Equal(t, strings.Count(string(text), "\nDATA bits"), len(lines))
	places := map[string]string{}
	for _, line := range lines {
		require.Equal(t, line[1]+line[1], fmt.Sprintf("%016s", line[3]), line[0])
		places[line[1]] += line[2] + " "
	}
	for name, all := range places {
		require.Equal(t, "0 8 16 24 ", all, name)
	}
}
