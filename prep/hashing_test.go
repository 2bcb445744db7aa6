package prep

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The fingerprints of texts of every length up to 300 are those of another program.
func TestFarmHash(t *testing.T) {
	var facts struct {
		Text         string
		Fingerprints []string
	}
	text, err := os.ReadFile("testdata/farmhash.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &facts))
	require.Len(t, facts.Fingerprints, 301)
	for n, want := range facts.Fingerprints {
		require.Equal(t, want, fmt.Sprintf("%016x", farmHash64(facts.Text[:n])), "%d bytes", n)
	}
}

// The test vectors of the paper on SipHash: key 00 01 ... 0f, texts 00 01 ... of each length.
func TestSipHash(t *testing.T) {
	for n, want := range map[int]uint64{0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 8: 0x93f5f5799a932462, 15: 0xa129ca6149be45e5} {
		text := make([]byte, n)
		for i := range text {
			text[i] = byte(i)
		}
		require.Equal(t, want, sipHash(0x0706050403020100, 0x0f0e0d0c0b0a0908, string(text)), "%d bytes", n)
	}
}

func TestFNV(t *testing.T) {
	for _, s := range []string{"", "a", "日本", "Palmer's penguins"} {
		h := fnv.New64a()
		h.Write([]byte(s))
		require.Equal(t, h.Sum64(), fnv1a(s))
	}
}
