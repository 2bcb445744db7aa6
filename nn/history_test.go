package nn_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

func TestHistory(t *testing.T) {
	m := watched(t)
	history, err := m.Fit(context.Background(), onePoint, nn.Epochs(3), nn.InitialEpoch(1))
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, history.Epochs)
	require.Equal(t, []string{"accuracy", "loss"}, history.Names())
	require.Equal(t, history.Logs["loss"][1], history.Last("loss"))
	require.True(t, math.IsNaN(history.Last("val_loss")))
	require.True(t, math.IsNaN(new(nn.History).Last("loss")))
}
