package nn

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/ops"
)

// scaling is a layer with one weight per feature.
type scaling struct{ Limit int }

func init() { Register("Scaling", scaling{}) }

func TestSharedLayerAsksForOneShape(t *testing.T) {
	l := New(&scaling{Limit: 5})
	require.NoError(t, l.On(Input("five", 5)).err)
	require.NoError(t, l.On(Input("other", 5)).err)
	require.EqualError(t, l.On(Input("three", 3)).err, "gamma is (5), this call asks for (3)")

	l = New(&scaling{Limit: 5})
	require.EqualError(t, l.On(Input("six", 6)).err, "too many features", "parameters beside an error do not count")
	require.NoError(t, l.On(Input("five", 5)).err)

	l = Dense(2, Linear)
	require.NoError(t, l.On(Input("five", 5)).err)
	require.EqualError(t, l.On(Input("three", 3)).err, "kernel is (5, 2), this call asks for (3, 2)")
}

func (s *scaling) Build(b *Builder, in []Shape) Shape {
	b.Param("gamma", in[0], Zeros())
	if in[0].Last() > s.Limit {
		b.Errorf("too many features")
	}
	return in[0]
}

func (*scaling) Forward(c *Call) *ops.Tensor { return c.In(0) }
