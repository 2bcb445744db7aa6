package nn

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Constraints beside Keras' formulas in float64: vectors along the axes have the lengths that they must have.
func TestConstraints(t *testing.T) {
	for _, c := range []struct {
		constraint Constraint
		shape      Shape
		axes       []int
		length     func(norm float64) float64
	}{
		{MaxNorm(1), Shape{3, 70}, []int{0}, func(n float64) float64 { return min(n, 1) }},
		{MaxNorm(1, -1), Shape{3, 70}, []int{1}, func(n float64) float64 { return min(n, 1) }},
		{MaxNorm(1), Shape{9}, []int{0}, func(n float64) float64 { return min(n, 1) }},
		{UnitNorm(), Shape{4, 5}, []int{0}, func(float64) float64 { return 1 }},
		{UnitNorm(0, 1, 2), Shape{2, 3, 2, 5}, []int{0, 1, 2}, func(float64) float64 { return 1 }},
		{UnitNorm(2, 1), Shape{2, 3, 2, 5}, []int{1, 2}, func(float64) float64 { return 1 }},
		{MinMaxNorm(0.5, 1, 0.25), Shape{3, 7}, []int{0}, func(n float64) float64 { return 0.25*min(max(n, 0.5), 1) + 0.75*n }},
	} {
		w := make([]float32, c.shape.Elements())
		for i := range w {
			w[i] = float32(math.Sin(float64(i * i)))
		}
		// group numbers the vector that an element belongs to.
		group := func(i int) (g int) {
			for axis, scale := len(c.shape)-1, 1; axis >= 0; axis-- {
				if at := i % c.shape[axis]; !slices.Contains(c.axes, axis) {
					g += scale * at
					scale *= c.shape[axis]
				}
				i /= c.shape[axis]
			}
			return g
		}
		norms := map[int]float64{}
		for i, v := range float64s(w) {
			norms[group(i)] += v * v
		}
		var want []float64
		for i, v := range float64s(w) {
			norm := math.Sqrt(norms[group(i)])
			want = append(want, v*c.length(norm)/(norm+1e-7))
		}
		require.NoError(t, c.constraint.(interface{ Check(Shape) error }).Check(c.shape))
		c.constraint.Constrain(w, c.shape)
		require.InDeltaSlice(t, want, float64s(w), 1e-6, "%v", c.constraint)

		text, err := encodeJSON(Object[Constraint]{c.constraint})
		require.NoError(t, err)
		var again Object[Constraint]
		require.NoError(t, decodeJSON(string(text), &again))
		require.Equal(t, c.constraint, again.Value)
	}
	w := []float32{-1, 0, 2, -3}
	NonNeg().Constrain(w, Shape{2, 2})
	require.Equal(t, []float32{0, 0, 2, 0}, w)
}

// Keras' configurations: an axis is a number or a list.
func TestConstraintConfig(t *testing.T) {
	for text, want := range map[string]Constraint{
		`{"class_name":"MaxNorm","config":{"max_value":3,"axis":[0,1,2]}}`: MaxNorm(3, 0, 1, 2),
		`{"class_name":"UnitNorm","config":{"axis":1}}`:                    UnitNorm(1),
		`"max_norm"`: MaxNorm(2),
		`"non_neg"`:  NonNeg(),
	} {
		var o Object[Constraint]
		require.NoError(t, o.UnmarshalJSON([]byte(text)))
		require.Equal(t, want, o.Value)
	}
	require.ErrorContains(t, MaxNorm(1, 0, 2).(*maxNorm).Check(Shape{1, 2, 3}), "MaxNorm: axes [0 2] must be neighbours")
	require.ErrorContains(t, MaxNorm(-1).(*maxNorm).Check(Shape{1, 2, 3}), "MaxNorm: -1 must be finite")
	require.ErrorContains(t, (&unitNorm{normAxes{}}).Check(Shape{1}), "UnitNorm: there are no axes")
}

// A weight is where it may be after every step; one that is frozen stays.
func TestConstraintInTraining(t *testing.T) {
	x := Input("x", 2)
	m, err := NewModel([]*Node{x}, []*Node{Dense(3, Linear, Name("y"), KernelConstraint(UnitNorm()), BiasConstraint(NonNeg())).On(x)})
	require.NoError(t, err)
	require.NoError(t, m.Compile(Adam(0.5), Losses{"y": MSE()}))
	d := Data{Inputs: Arrays{"x": Floats{1, 2}}, Targets: Arrays{"y": Floats{-5, 0, 5}}}
	before := weightBits(m)
	m.Layers()[1].SetTrainable(false)
	_, err = m.TrainOnBatch(d)
	require.NoError(t, err)
	require.Equal(t, before, weightBits(m))
	m.Layers()[1].SetTrainable(true)
	for range 3 {
		_, err = m.TrainOnBatch(d)
		require.NoError(t, err)
		k, b := m.Weights()[0], m.Weights()[1]
		for j := range 3 {
			require.InDelta(t, 1, math.Hypot(float64(k.Row(0)[j]), float64(k.Row(1)[j])), 1e-6)
			require.GreaterOrEqual(t, b.Data[j], float32(0))
		}
	}
}
