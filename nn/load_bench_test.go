package nn

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkLoadLarge loads a file of 48 MB, beside reading and copying its bytes.
func BenchmarkLoadLarge(b *testing.B) {
	x := Input("x", 2000)
	h := Dense(2000, ReLU).On(Dense(2000, ReLU).On(x))
	m, err := NewModel([]*Node{x}, []*Node{Dense(2000, Linear).On(h)})
	require.NoError(b, err)
	path := filepath.Join(b.TempDir(), "model.safetensors")
	require.NoError(b, m.Save(path))
	b.Run("bytes", func(b *testing.B) {
		for b.Loop() {
			text, err := os.ReadFile(path)
			require.NoError(b, err)
			copy(make([]byte, len(text)), text)
		}
	})
	b.Run("model", func(b *testing.B) {
		for b.Loop() {
			_, err := Load(path)
			require.NoError(b, err)
		}
	})
}
