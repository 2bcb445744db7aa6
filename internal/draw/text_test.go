package draw

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVisible(t *testing.T) {
	for name, want := range map[string]string{
		"größe 1": "größe 1", "\n\x00\t": "␊␀␉", "\xff\u0085\x7f": "���", "\ufffe": "�", "日本": "日本",
		"a\u202eb\u2066c\u200fd": "a�b�c�d", "a\u2028\u2029\ufeff\U0001fffe": "a����", "e\u0301 👩\u200d💻": "e\u0301 👩\u200d💻",
		strings.Repeat("ä", maxShown): strings.Repeat("ä", maxShown), strings.Repeat("ä", maxShown+1): strings.Repeat("ä", maxShown-1) + "…",
	} {
		require.Equal(t, want, Visible(name))
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		require.Equal(t, want, Thousands(n))
	}
}

func TestBytes(t *testing.T) {
	for size, want := range map[float64]string{0: "0.00 B", 1020: "1020.00 B", 1024: "1.00 KB", 1 << 20: "1.00 MB", 1 << 60: "1.00 EB"} {
		require.Equal(t, want, Bytes(size))
	}
}
