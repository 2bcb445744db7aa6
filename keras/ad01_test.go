package keras

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// MLPerf Tiny's anomaly detector gives its sample the score that TensorFlow gives it, to 2e-6. ESPALIER_AD01 is the path of
// normal_id_01_00000000_hist_librosa.bin of mlcommons/tiny: 200 frames of 128 float32. A window is 5 frames, and the score of the
// sample is the mean over all windows of the mean squared error of their reconstruction.
func TestAnomalyScore(t *testing.T) {
	models, sample := os.Getenv("ESPALIER_REALMODELS"), os.Getenv("ESPALIER_AD01")
	if models == "" || sample == "" {
		t.Skip("ESPALIER_REALMODELS and ESPALIER_AD01 are not set")
	}
	m, err := Load(filepath.Join(models, "h5-anomaly-autoencoder", "model.h5"))
	require.NoError(t, err)
	b, err := os.ReadFile(sample)
	require.NoError(t, err)
	frames := make([]float32, len(b)/4)
	for i := range frames {
		frames[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	const frame, window = 128, 5 * 128
	var x nn.Floats
	for at := 0; at+window <= len(frames); at += frame {
		x = append(x, frames[at:at+window]...)
	}
	require.Len(t, x, 196*window)
	y, err := m.Predict(nn.Arrays{m.InputNames()[0]: x})
	require.NoError(t, err)
	sum := 0.0
	for i, v := range y[m.OutputNames()[0]].Data {
		d := float64(v) - float64(x[i])
		sum += d * d
	}
	score := sum / float64(len(x))
	t.Logf("score %.9g", score)
	require.InEpsilon(t, 9.4912904, score, 2e-6)
}
