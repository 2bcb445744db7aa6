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

// built is what tests change about a layer.
type built struct {
	build func(b *Builder, in []Shape) Shape
}

func (k *built) Build(b *Builder, in []Shape) Shape { return k.build(b, in) }
func (*built) Forward(c *Call) *ops.Tensor          { return c.In(0) }

func TestBuilder(t *testing.T) {
	x := Input("x", 2, 3)
	for _, c := range []struct {
		build func(b *Builder, in []Shape) Shape
		want  string
	}{
		{func(b *Builder, in []Shape) Shape { return in[0] }, ""},
		{func(b *Builder, in []Shape) Shape { return nil }, "shape has no dimensions"},
		{func(b *Builder, in []Shape) Shape { return Shape{3, 0} }, "shape (3, 0) has a dimension below 1"},
		{func(b *Builder, in []Shape) Shape { b.Errorf("first %d", 1); b.Errorf("second"); return nil }, "first 1"},
		{func(b *Builder, in []Shape) Shape { return b.One(append(in, in...)) }, "called on 2 nodes, takes 1"},
		{func(b *Builder, in []Shape) Shape { return Shape{b.One(nil).Last()} }, "called on 0 nodes, takes 1"},
		{func(b *Builder, in []Shape) Shape { b.Param("w", Shape{0}, Zeros()); return in[0] }, "w: shape (0) has a dimension below 1"},
		{func(b *Builder, in []Shape) Shape { b.Param("w", Shape{1}, nil); return in[0] }, "w: the initializer is nil"},
		{func(b *Builder, in []Shape) Shape { in[0][0] = 99; return Shape{1} }, ""},
	} {
		k := &built{c.build}
		l := &Layer{kind: k}
		if err := l.On(x).err; c.want == "" {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, c.want)
		}
		require.Equal(t, Shape{2, 3}, x.Shape(), "the shapes that Build is given are its own")
	}
}

// The second call must ask for as many weights as the first.
func TestCallsAskForTheSameWeights(t *testing.T) {
	x, more := Input("x", 2), false
	l := &Layer{kind: &built{func(b *Builder, in []Shape) Shape {
		b.Param("a", Shape{2, 3}, Zeros())
		if more {
			b.Param("b", Shape{2}, Zeros())
		}
		return in[0]
	}}}
	require.NoError(t, l.On(x).err)
	more = true
	require.EqualError(t, l.On(x).err, "has 1 weights, this call asks for 2")
}

// Only what gives values on, unchanged, may lie between an input and a layer that looks them up.
func TestIndices(t *testing.T) {
	x := Input("x", 2)
	look := func(n *Node) error { return Embedding(3, 1).On(n).err }
	require.NoError(t, look(x))
	require.NoError(t, look(Reshape([]int{1, 2}).On(Flatten().On(x))))
	for class, n := range map[string]*Node{
		"Dropout": Dropout(0.5).On(x), "Dense": Flatten().On(Dense(2, ReLU).On(x)), "Add": Reshape([]int{2, 1}).On(Add().On(x, x)),
	} {
		require.EqualError(t, look(n), "called on the result of a layer of class "+class+", must be called on an Input, or on a Reshape or Flatten of one")
	}
}

// What Forward returns must be what Build has promised.
func TestForwardKeepsItsPromise(t *testing.T) {
	x := Input("x", 2)
	n := (&Layer{kind: &built{func(b *Builder, in []Shape) Shape { return Shape{5} }}, name: "liar"}).On(x)
	m, err := NewModel([]*Node{x}, []*Node{n})
	require.NoError(t, err)
	const want = `layer "liar" (*nn.built): Forward returned 3 rows of 2, must be 3 rows of 5`
	_, err = m.Predict(Arrays{"x": Floats{1, 2, 3, 4, 5, 6}})
	require.EqualError(t, err, "nn: Predict: "+want)
	_, err = NewPlan(m, 1)
	require.ErrorContains(t, err, `layer "liar" (*nn.built): Forward returned 1 rows of 2, must be 1 rows of 5`)
}

// As many elements in another shape are other weights.
func TestCallsAskForTheSameShapes(t *testing.T) {
	x, shape := Input("x", 2), Shape{2, 3}
	l := &Layer{kind: &built{func(b *Builder, in []Shape) Shape { b.Param("a", shape, Zeros()); return in[0] }}}
	require.NoError(t, l.On(x).err)
	shape = Shape{3, 2}
	require.EqualError(t, l.On(x).err, "a is (2, 3), this call asks for (3, 2)")
}

// halving gives twice the rows that it should.
type halving struct{ built }

func (*halving) Forward(c *Call) *ops.Tensor { return c.Reshape(c.In(0), 2*c.In(0).Rows, 1) }

func TestForwardKeepsTheRows(t *testing.T) {
	x := Input("x", 2)
	k := &halving{built{func(_ *Builder, _ []Shape) Shape { return Shape{1} }}}
	m, err := NewModel([]*Node{x}, []*Node{(&Layer{kind: k, name: "half"}).On(x)})
	require.NoError(t, err)
	_, err = m.Predict(Arrays{"x": Floats{1, 2, 3, 4, 5, 6}})
	require.ErrorContains(t, err, "Forward returned 6 rows of 1, must be 3 rows of 1")
}
