package keras

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// BenchmarkLoad loads a file of 48 MB, beside reading and copying its bytes.
func BenchmarkLoad(b *testing.B) {
	x := nn.Input("x", 2000)
	h := nn.Dense(2000, nn.ReLU).On(nn.Dense(2000, nn.ReLU).On(x))
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(2000, nn.Linear).On(h)})
	require.NoError(b, err)
	path := filepath.Join(b.TempDir(), "model.keras")
	require.NoError(b, Save(m, path))
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
