package nn

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// kernelAndBias is what a configuration of Keras says of the weights of a layer that has a kernel, and perhaps a bias, and of
// its result. A [Kind] embeds it.
type kernelAndBias struct {
	KernelInitializer Object[Initializer] `json:"kernel_initializer"`
	BiasInitializer   Object[Initializer] `json:"bias_initializer"`
	KernelRegularizer Object[Regularizer] `json:"kernel_regularizer"`
	BiasRegularizer   Object[Regularizer] `json:"bias_regularizer"`
	Activity          Object[Regularizer] `json:"activity_regularizer"`
	KernelConstraint  Object[Constraint]  `json:"kernel_constraint"`
	BiasConstraint    Object[Constraint]  `json:"bias_constraint"`
}

// usualKernel is the default of Keras.
func usualKernel() kernelAndBias {
	return kernelAndBias{KernelInitializer: Object[Initializer]{GlorotUniform()}, BiasInitializer: Object[Initializer]{Zeros()}}
}

// askKernel asks for the kernel.
func (k *kernelAndBias) askKernel(b *Builder, shape Shape) {
	b.weight("kernel", shape, k.KernelInitializer, k.KernelRegularizer, k.KernelConstraint)
}

// askBias asks for the bias.
func (k *kernelAndBias) askBias(b *Builder, shape Shape) {
	b.weight("bias", shape, k.BiasInitializer, k.BiasRegularizer, k.BiasConstraint)
}

// weight asks for a parameter with all that a configuration says of it.
func (b *Builder) weight(name string, shape Shape, i Object[Initializer], r Object[Regularizer], c Object[Constraint]) {
	b.Param(name, shape, i.Value)
	b.Regularize(r.Value)
	b.Constrain(c.Value)
}

// ActivityRegularizer implements [ActivityRegularized].
func (k *kernelAndBias) ActivityRegularizer() Regularizer { return k.Activity.Value }

// A WeightOption says what a weight of a layer starts from, what it costs or what it is kept to. Layers take those options
// whose fields their configurations in Keras have, under the same names: KernelInitializer is kernel_initializer.
type WeightOption struct {
	name  string // of the function
	field string // in the configuration
	value any    // an Object
}

// KernelInitializer sets what the kernel of a layer, such as [Dense], starts from; Glorot uniform otherwise.
func KernelInitializer(i Initializer) WeightOption {
	return WeightOption{"KernelInitializer", "kernel_initializer", Object[Initializer]{i}}
}

// BiasInitializer sets what the bias of a layer, such as [Dense], starts from; zero otherwise.
func BiasInitializer(i Initializer) WeightOption {
	return WeightOption{"BiasInitializer", "bias_initializer", Object[Initializer]{i}}
}

// EmbeddingsInitializer sets what an [Embedding] starts from; uniform between -0.05 and 0.05 otherwise.
func EmbeddingsInitializer(i Initializer) WeightOption {
	return WeightOption{"EmbeddingsInitializer", "embeddings_initializer", Object[Initializer]{i}}
}

// KernelRegularizer adds a penalty of the kernel of a layer to the loss, nil for none.
func KernelRegularizer(r Regularizer) WeightOption {
	return WeightOption{"KernelRegularizer", "kernel_regularizer", Object[Regularizer]{r}}
}

// BiasRegularizer adds a penalty of the bias of a layer to the loss, nil for none.
func BiasRegularizer(r Regularizer) WeightOption {
	return WeightOption{"BiasRegularizer", "bias_regularizer", Object[Regularizer]{r}}
}

// EmbeddingsRegularizer adds a penalty of the vectors of an [Embedding] to the loss, nil for none. All of them then learn in
// every step, not only those that a batch looks up.
func EmbeddingsRegularizer(r Regularizer) WeightOption {
	return WeightOption{"EmbeddingsRegularizer", "embeddings_regularizer", Object[Regularizer]{r}}
}

// ActivityRegularizer adds a penalty of the result of a layer to the loss, divided by the rows of the batch; nil is none.
func ActivityRegularizer(r Regularizer) WeightOption {
	return WeightOption{"ActivityRegularizer", "activity_regularizer", Object[Regularizer]{r}}
}

// KernelConstraint keeps the kernel of a layer to a constraint, nil for none.
func KernelConstraint(c Constraint) WeightOption {
	return WeightOption{"KernelConstraint", "kernel_constraint", Object[Constraint]{c}}
}

// BiasConstraint keeps the bias of a layer to a constraint, nil for none.
func BiasConstraint(c Constraint) WeightOption {
	return WeightOption{"BiasConstraint", "bias_constraint", Object[Constraint]{c}}
}

// EmbeddingsConstraint keeps the vectors of an [Embedding] to a constraint, nil for none.
func EmbeddingsConstraint(c Constraint) WeightOption {
	return WeightOption{"EmbeddingsConstraint", "embeddings_constraint", Object[Constraint]{c}}
}

// RecurrentInitializer sets what the recurrent kernel of a recurrent layer, such as [LSTM], starts from; orthogonal otherwise.
func RecurrentInitializer(i Initializer) WeightOption {
	return WeightOption{"RecurrentInitializer", "recurrent_initializer", Object[Initializer]{i}}
}

// RecurrentRegularizer adds a penalty of the recurrent kernel of a recurrent layer, such as [LSTM] to the loss, nil for none.
func RecurrentRegularizer(r Regularizer) WeightOption {
	return WeightOption{"RecurrentRegularizer", "recurrent_regularizer", Object[Regularizer]{r}}
}

// RecurrentConstraint keeps the recurrent kernel of a recurrent layer, such as [LSTM], to a constraint, nil for none.
func RecurrentConstraint(c Constraint) WeightOption {
	return WeightOption{"RecurrentConstraint", "recurrent_constraint", Object[Constraint]{c}}
}

// DepthwiseInitializer sets what the depthwise kernel of a depthwise or separable convolution starts from; Glorot uniform otherwise.
func DepthwiseInitializer(i Initializer) WeightOption {
	return WeightOption{"DepthwiseInitializer", "depthwise_initializer", Object[Initializer]{i}}
}

// DepthwiseRegularizer adds a penalty of the depthwise kernel of a depthwise or separable convolution to the loss, nil for none.
func DepthwiseRegularizer(r Regularizer) WeightOption {
	return WeightOption{"DepthwiseRegularizer", "depthwise_regularizer", Object[Regularizer]{r}}
}

// DepthwiseConstraint keeps the depthwise kernel of a depthwise or separable convolution to a constraint, nil for none.
func DepthwiseConstraint(c Constraint) WeightOption {
	return WeightOption{"DepthwiseConstraint", "depthwise_constraint", Object[Constraint]{c}}
}

// PointwiseInitializer sets what the pointwise kernel of a separable convolution starts from; Glorot uniform otherwise.
func PointwiseInitializer(i Initializer) WeightOption {
	return WeightOption{"PointwiseInitializer", "pointwise_initializer", Object[Initializer]{i}}
}

// PointwiseRegularizer adds a penalty of the pointwise kernel of a separable convolution to the loss, nil for none.
func PointwiseRegularizer(r Regularizer) WeightOption {
	return WeightOption{"PointwiseRegularizer", "pointwise_regularizer", Object[Regularizer]{r}}
}

// PointwiseConstraint keeps the pointwise kernel of a separable convolution to a constraint, nil for none.
func PointwiseConstraint(c Constraint) WeightOption {
	return WeightOption{"PointwiseConstraint", "pointwise_constraint", Object[Constraint]{c}}
}

// GammaInitializer sets what the scale gamma of a normalization, such as [BatchNormalization], starts from; one otherwise.
func GammaInitializer(i Initializer) WeightOption {
	return WeightOption{"GammaInitializer", "gamma_initializer", Object[Initializer]{i}}
}

// GammaRegularizer adds a penalty of the scale gamma of a normalization, such as [BatchNormalization] to the loss, nil for none.
func GammaRegularizer(r Regularizer) WeightOption {
	return WeightOption{"GammaRegularizer", "gamma_regularizer", Object[Regularizer]{r}}
}

// GammaConstraint keeps the scale gamma of a normalization, such as [BatchNormalization], to a constraint, nil for none.
func GammaConstraint(c Constraint) WeightOption {
	return WeightOption{"GammaConstraint", "gamma_constraint", Object[Constraint]{c}}
}

// BetaInitializer sets what the shift beta of a normalization, such as [BatchNormalization], starts from; zero otherwise.
func BetaInitializer(i Initializer) WeightOption {
	return WeightOption{"BetaInitializer", "beta_initializer", Object[Initializer]{i}}
}

// BetaRegularizer adds a penalty of the shift beta of a normalization, such as [BatchNormalization] to the loss, nil for none.
func BetaRegularizer(r Regularizer) WeightOption {
	return WeightOption{"BetaRegularizer", "beta_regularizer", Object[Regularizer]{r}}
}

// BetaConstraint keeps the shift beta of a normalization, such as [BatchNormalization], to a constraint, nil for none.
func BetaConstraint(c Constraint) WeightOption {
	return WeightOption{"BetaConstraint", "beta_constraint", Object[Constraint]{c}}
}

// AlphaInitializer sets what the slopes alpha of a [PReLU] start from; zero otherwise.
func AlphaInitializer(i Initializer) WeightOption {
	return WeightOption{"AlphaInitializer", "alpha_initializer", Object[Initializer]{i}}
}

// AlphaRegularizer adds a penalty of the slopes alpha of a [PReLU] to the loss, nil for none.
func AlphaRegularizer(r Regularizer) WeightOption {
	return WeightOption{"AlphaRegularizer", "alpha_regularizer", Object[Regularizer]{r}}
}

// AlphaConstraint keeps the slopes alpha of a [PReLU] to a constraint, nil for none.
func AlphaConstraint(c Constraint) WeightOption {
	return WeightOption{"AlphaConstraint", "alpha_constraint", Object[Constraint]{c}}
}

func (o WeightOption) applyLayer(l *Layer) {
	if v := reflect.ValueOf(l.kind); v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct {
		for _, f := range reflect.VisibleFields(v.Elem().Type()) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != o.field || !f.IsExported() || f.Type != reflect.TypeOf(o.value) {
				continue
			}
			if field, err := v.Elem().FieldByIndexErr(f.Index); err == nil {
				field.Set(reflect.ValueOf(o.value))
				return
			}
		}
	}
	l.err = errors.Join(l.err, fmt.Errorf("does not take %s: its configuration has no %s", o.name, o.field))
}
