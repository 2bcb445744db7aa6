package nn

import (
	"github.com/espalier-ml/espalier/ops"
)

type embedding struct {
	InputDim    int                 `json:"input_dim"`
	OutputDim   int                 `json:"output_dim"`
	MaskZero    bool                `json:"mask_zero"`
	Initializer Object[Initializer] `json:"embeddings_initializer"`
	Regularizer Object[Regularizer] `json:"embeddings_regularizer"`
	Activity    Object[Regularizer] `json:"activity_regularizer"`
	Constraint  Object[Constraint]  `json:"embeddings_constraint"`
}

func init() { Register("Embedding", *usualEmbedding(0, 0)) }

// usualEmbedding has the defaults of Keras.
func usualEmbedding(inputDim, outputDim int) *embedding {
	return &embedding{InputDim: inputDim, OutputDim: outputDim, Initializer: Object[Initializer]{RandomUniform(-0.05, 0.05)}}
}

// maxInputDim is the largest n such that float32, in which indices arrive, holds every whole number up to n.
const maxInputDim = 1 << 24

// Embedding looks up a vector of outputDim weights for each whole number from 0 to inputDim-1: an input of shape (n)
// gives (n, outputDim), so that Flatten usually follows. The weights, embeddings [inputDim, outputDim], start uniform
// between -0.05 and 0.05: see [WeightOption].
//
// It must be called on an Input, or on a Reshape or Flatten of one; data for that input are [Labels], or [Floats] that
// hold whole numbers. Any other value is an error that names its row: data in memory, or a chunk of a Stream, is checked
// before the first weight changes by it.
func Embedding(inputDim, outputDim int, opts ...LayerOption) *Layer {
	return New(usualEmbedding(inputDim, outputDim), opts...)
}

// A MaskZeroOption makes index 0 of an Embedding stand for padding.
type MaskZeroOption struct{}

// MaskZero makes index 0 of an [Embedding] stand for padding: it is looked up as any other, but the mask of the result, see
// [Masker], leaves it out. Layers of other classes do not take it.
func MaskZero() MaskZeroOption { return MaskZeroOption{} }

func (MaskZeroOption) applyLayer(l *Layer) {
	configure(l, "MaskZero: only Embedding looks up indices", func(k *embedding) { k.MaskZero = true })
}

func (e *embedding) Build(b *Builder, in []Shape) Shape {
	x := b.One(in)
	if e.InputDim < 1 || e.InputDim > maxInputDim {
		b.Errorf("has input dimension %d, valid are 1 to %d", e.InputDim, maxInputDim)
	}
	if e.OutputDim < 1 {
		b.Errorf("has output dimension %d, needs at least 1", e.OutputDim)
	}
	b.Indices(e.InputDim)
	b.weight("embeddings", Shape{e.InputDim, e.OutputDim}, e.Initializer, e.Regularizer, e.Constraint)
	return append(x, e.OutputDim)
}

// ActivityRegularizer implements [ActivityRegularized].
func (e *embedding) ActivityRegularizer() Regularizer { return e.Activity.Value }

func (*embedding) Forward(c *Call) *ops.Tensor { return c.Embedding(c.In(0), c.Param(0)) }

func (e *embedding) Mask(c *Call) *ops.Tensor {
	if !e.MaskZero {
		return nil
	}
	return c.unequal(c.In(0), 1, 0)
}
