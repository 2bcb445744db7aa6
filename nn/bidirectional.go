package nn

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/espalier-ml/espalier/ops"
)

type bidirectional struct {
	Layer    Object[Kind] `json:"layer"`
	Backward Object[Kind] `json:"backward_layer"` // the zero Object: Layer, reversed
	Merge    mergeMode    `json:"merge_mode"`
}

func init() { Register("Bidirectional", bidirectional{Merge: "concat"}) }

// Bidirectional calls a recurrent layer on a sequence and another one, with weights of its own, on the same sequence in the
// other direction, and merges the two results: [MergeMode] says how, by default beside each other. The other layer has the
// configuration of the first, but for [BackwardLayer]. The weights are those of the layers, as forward/kernel and
// backward/kernel. With [ReturnSequences] the states that belong to one step of the input come together, and they are zero for
// steps that the mask leaves out.
func Bidirectional(layer *Layer, opts ...LayerOption) *Layer {
	l := New(&bidirectional{Layer: kindOf(layer), Merge: "concat"}, opts...)
	l.adoptError(layer)
	return l
}

// A BidirectionalOption is an option of [Bidirectional].
type BidirectionalOption struct {
	name string
	set  func(l *Layer, b *bidirectional)
}

func (o BidirectionalOption) applyLayer(l *Layer) {
	b, ok := l.kind.(*bidirectional)
	if !ok || o.set == nil {
		l.err = errors.Join(l.err, errors.New("does not take "+o.name+": only Bidirectional does"))
		return
	}
	o.set(l, b)
}

// MergeMode says how the two results become one: concat, sum, mul or ave, their mean.
func MergeMode(mode string) BidirectionalOption {
	return BidirectionalOption{"MergeMode", func(_ *Layer, b *bidirectional) { b.Merge = mergeMode(mode) }}
}

// BackwardLayer gives the layer for the other direction, which must go there: see [GoBackwards].
func BackwardLayer(layer *Layer) BidirectionalOption {
	return BidirectionalOption{"BackwardLayer", func(l *Layer, b *bidirectional) {
		b.Backward = kindOf(layer)
		l.adoptError(layer)
	}}
}

// mergeMode is "" for Keras' null, two results.
type mergeMode string

func (m *mergeMode) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		*m = ""
		return nil
	}
	return json.Unmarshal(text, (*string)(m))
}

var mergeModes = []mergeMode{"concat", "sum", "mul", "ave"}

// layers returns the two layers, with the zero outputs that Keras gives them.
func (k *bidirectional) layers(b *Builder) (forward, backward recurrentKind) {
	forward, ok := k.Layer.Value.(recurrentKind)
	if !ok {
		b.Errorf("the layer within is a %s, must be an LSTM, a GRU or a SimpleRNN", className(k.Layer.Value))
		return nil, nil
	}
	if backward = forward.reversed(); k.Backward.Value != nil {
		if backward, ok = k.Backward.Value.(recurrentKind); !ok {
			b.Errorf("the backward layer is a %s, must be an LSTM, a GRU or a SimpleRNN", className(k.Backward.Value))
			return nil, nil
		}
	}
	if f, o := forward.base(), backward.base(); f.Backwards == o.Backwards || f.Sequences != o.Sequences {
		b.Errorf("the two layers have go_backwards %v and %v, which must differ, and return_sequences %v and %v, which must be equal",
			f.Backwards, o.Backwards, f.Sequences, o.Sequences)
		return nil, nil
	}
	if forward.base().Activity.Value != nil || backward.base().Activity.Value != nil {
		b.Errorf("activity_regularizer of a layer within is not supported")
	}
	forward, backward = forward.reversed().reversed(), backward.reversed().reversed() // copies
	for _, r := range []recurrentKind{forward, backward} {
		r.base().ZeroOutput = r.base().Sequences
	}
	return forward, backward
}

func (k *bidirectional) Build(b *Builder, in []Shape) Shape {
	if !slices.Contains(mergeModes, k.Merge) {
		b.Errorf("merge mode %q: valid are %q", string(k.Merge), mergeModes)
	}
	forward, backward := k.layers(b)
	if forward == nil {
		return Shape{1}
	}
	x := b.One(in)
	y, other := b.Inner("forward", forward, x), b.Inner("backward", backward, x)
	switch {
	case k.Merge == "concat":
		y = slices.Clone(y)
		y[len(y)-1] += other.Last()
	case !slices.Equal(y, other):
		b.Errorf("merge mode %q: the results are %s and %s, must have one shape", string(k.Merge), y, other)
	}
	return y
}

func (k *bidirectional) Forward(c *Call) *ops.Tensor {
	var y [2]*ops.Tensor
	var width [2]int
	for i := range y {
		within := c.within(i, c.In(0), c.Mask(0))
		r := within.node.layer.kind.(recurrentKind)
		y[i], width[i] = r.base().output(within, r.states(within)), r.base().Units
	}
	switch k.Merge {
	case "sum":
		return c.Add(y[0], y[1])
	case "ave":
		return c.Scale(c.Add(y[0], y[1]), 0.5)
	case "mul":
		return c.Multiply(y[0], y[1])
	}
	for i := range y {
		y[i] = c.Reshape(y[i], y[i].Rows*(y[i].Cols/width[i]), width[i])
	}
	return c.Samples(c.Concatenate(y[0], y[1]))
}
