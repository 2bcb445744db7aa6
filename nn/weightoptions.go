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

// kernel asks for the kernel.
func (k *kernelAndBias) kernel(b *Builder, shape Shape) {
	b.Param("kernel", shape, k.KernelInitializer.Value)
	b.Regularize(k.KernelRegularizer.Value)
	b.Constrain(k.KernelConstraint.Value)
}

// bias asks for the bias.
func (k *kernelAndBias) bias(b *Builder, shape Shape) {
	b.Param("bias", shape, k.BiasInitializer.Value)
	b.Regularize(k.BiasRegularizer.Value)
	b.Constrain(k.BiasConstraint.Value)
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
