package nn

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The losses, metrics and optimizers of this package keep their configuration in a file.
func TestConfigurations(t *testing.T) {
	losses := []Loss{MSE(), MAE(), SparseCategoricalCrossentropy(), CategoricalCrossentropy(FromLogits()), BinaryCrossentropy(FromLogits())}
	for _, l := range losses {
		text, err := encodeJSON(Object[Loss]{l})
		require.NoError(t, err)
		var again Object[Loss]
		require.NoError(t, decodeJSON(string(text), &again))
		require.Equal(t, l, again.Value)
	}
	for _, o := range []Optimizer{SGD(0.5), momentum(0.5), Adam(0.001), RMSprop(0.2)} {
		text, err := encodeJSON(Object[Optimizer]{o})
		require.NoError(t, err)
		var again Object[Optimizer]
		require.NoError(t, decodeJSON(string(text), &again))
		require.Equal(t, o, again.Value)
	}
	text, err := encodeJSON(Object[Optimizer]{Adam(0.001)})
	require.NoError(t, err)
	require.Equal(t, `{"class_name":"Adam","config":{}}`, string(text), "what is as in the defaults is left out")
}
