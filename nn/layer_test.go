package nn

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/ops"
)

// scaling is a layer with one weight per feature.
type scaling struct{ limit int }

func (scaling) class() string { return "Scaling" }

func (s scaling) build(in [][]int) ([]int, []param, error) {
	params := []param{{name: "gamma", rows: 1, cols: in[0][0], vector: true, fill: zeros}}
	if in[0][0] > s.limit {
		return nil, params, errors.New("too many features")
	}
	return in[0], params, nil
}

func (scaling) forward(c *call) *ops.Tensor { return c.in[0] }

func TestSharedLayerAsksForOneShape(t *testing.T) {
	l := newLayer(scaling{limit: 5})
	require.NoError(t, l.On(Input("five", 5)).err)
	require.NoError(t, l.On(Input("other", 5)).err)
	require.EqualError(t, l.On(Input("three", 3)).err, "gamma is (5), input 0 asks for (3)")

	l = newLayer(scaling{limit: 5})
	require.EqualError(t, l.On(Input("six", 6)).err, "too many features", "parameters beside an error do not count")
	require.NoError(t, l.On(Input("five", 5)).err)

	l = Dense(2, Linear)
	require.NoError(t, l.On(Input("five", 5)).err)
	require.EqualError(t, l.On(Input("three", 3)).err, "input 0 has 3 features, weights expect 5")
}
