package nn

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
)

// OptimizerOptions are what every optimizer can do besides its own formula, under the names and with the meaning of Keras.
// An optimizer has them by embedding this type; one of your own can, too. The zero value, and the one in the optimizers that
// functions such as [Adam] return, does nothing, and costs nothing.
//
// A step applies them in this order: it gathers gradients, clips them, takes WeightDecay from the weights, makes the step of
// the optimizer, and averages the weights.
type OptimizerOptions struct {
	// WeightDecay takes from each weight its own share, apart from the gradient: w -= rate·WeightDecay·w, where rate is the
	// learning rate (Loshchilov and Hutter, arXiv:1711.05101). Every weight that is trained decays, biases and rows of an
	// [Embedding] that no batch looks up too, but for those that ExcludeFromWeightDecay names.
	WeightDecay float64 `json:"weight_decay"`

	// At most one of these three is set; 0 leaves gradients as they are. ClipNorm scales the gradient of each weight so that
	// its Euclidean norm is at most this, GlobalClipNorm those of all weights together, and ClipValue moves every element
	// into [-ClipValue, ClipValue].
	ClipNorm       float64 `json:"clipnorm"`
	GlobalClipNorm float64 `json:"global_clipnorm"`
	ClipValue      float64 `json:"clipvalue"`

	// UseEMA keeps a mean of each weight over the steps, mean = EMAMomentum·mean + (1-EMAMomentum)·w, which takes the place
	// of the weight when Fit ends, and before that every EMAOverwriteFrequency steps; 0 is never.
	UseEMA                bool    `json:"use_ema"`
	EMAMomentum           float64 `json:"ema_momentum"`
	EMAOverwriteFrequency int64   `json:"ema_overwrite_frequency"`

	// GradientAccumulationSteps changes the weights only in every such step, by the mean of the gradients since the last
	// change; 0 is in every step. A [Schedule] counts all steps, everything else counts the changes.
	GradientAccumulationSteps int64 `json:"gradient_accumulation_steps"`

	// ExcludeFromWeightDecay are regular expressions, such as "bias" or "^head/". Weights whose name, such as "dense/bias",
	// one of them matches do not decay. Keras has this as a method, and does not save it.
	ExcludeFromWeightDecay []string `json:"exclude_from_weight_decay"`
}

// usualOptions are the defaults of Keras.
func usualOptions() OptimizerOptions { return OptimizerOptions{EMAMomentum: 0.99} }

// Options returns o: an optimizer that embeds OptimizerOptions has them.
func (o *OptimizerOptions) Options() *OptimizerOptions { return o }

var noOptions = OptimizerOptions{}

// optionsOf returns the options of an optimizer.
func optionsOf(o Optimizer) *OptimizerOptions {
	if has, ok := o.(interface{ Options() *OptimizerOptions }); ok {
		if options := has.Options(); options != nil {
			return options
		}
	}
	return &noOptions
}

// check reports options that make no sense.
func (o *OptimizerOptions) check(rate float64) error {
	clips := 0
	for _, c := range []struct {
		name  string
		value float64
	}{{"clipnorm", o.ClipNorm}, {"global_clipnorm", o.GlobalClipNorm}, {"clipvalue", o.ClipValue}} {
		switch {
		case !(c.value >= 0 && c.value <= math.MaxFloat32):
			return fmt.Errorf("%s %v must be finite and not negative, in float32", c.name, c.value)
		case vanishes(c.value):
			return fmt.Errorf("%s %v is 0 in float32", c.name, c.value)
		case c.value != 0:
			clips++
		}
	}
	switch {
	case clips > 1:
		return errors.New("only one of clipnorm, global_clipnorm and clipvalue can be set")
	case !(o.EMAMomentum >= 0 && o.EMAMomentum <= 1):
		return fmt.Errorf("ema_momentum %v is not in [0, 1]", o.EMAMomentum)
	case o.EMAOverwriteFrequency < 0:
		return fmt.Errorf("ema_overwrite_frequency %d is negative", o.EMAOverwriteFrequency)
	case o.GradientAccumulationSteps < 0 || o.GradientAccumulationSteps == 1:
		return fmt.Errorf("gradient_accumulation_steps %d must be 0 or at least 2", o.GradientAccumulationSteps)
	}
	if _, err := anyOf(o.ExcludeFromWeightDecay); err != nil {
		return fmt.Errorf("exclude_from_weight_decay: %w", err)
	}
	return checkWeightDecay("weight decay", o.WeightDecay, rate)
}

func checkWeightDecay(name string, decay, rate float64) error {
	switch {
	case !(decay >= 0 && decay <= math.MaxFloat32):
		return fmt.Errorf("%s %v must be finite and not negative, in float32", name, decay)
	case vanishes(decay):
		return fmt.Errorf("%s %v is 0 in float32", name, decay)
	case rate*decay > math.MaxFloat32:
		return fmt.Errorf("learning rate %v times %s %v is beyond float32", rate, name, decay)
	}
	return nil
}

// maxPatterns is how many bytes a list of regular expressions can have: matching takes time for each of them.
const maxPatterns = 1 << 10

// anyOf returns what matches a name if one of the regular expressions does, and nil for none of them.
func anyOf(patterns []string) (*regexp.Regexp, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	size := 0
	for _, p := range patterns {
		if size += len(p) + 1; size > maxPatterns {
			return nil, fmt.Errorf("the regular expressions have more than %d bytes", maxPatterns)
		}
		if _, err := regexp.Compile(p); err != nil {
			return nil, err
		}
	}
	return regexp.Compile("(?:" + strings.Join(patterns, ")|(?:") + ")")
}

// A decayer is an optimizer whose weights do not all decay alike.
type decayer interface{ decayOf(w *Weight) float64 }

// decaysOf returns the weight decay of each weight.
func decaysOf(o Optimizer, weights []*Weight) ([]float64, error) {
	options := optionsOf(o)
	excluded, err := anyOf(options.ExcludeFromWeightDecay)
	if err != nil {
		return nil, err
	}
	decays := make([]float64, len(weights))
	own, ok := o.(decayer)
	for i, w := range weights {
		switch {
		case excluded != nil && excluded.MatchString(w.Name):
		case ok:
			decays[i] = own.decayOf(w)
		default:
			decays[i] = options.WeightDecay
		}
	}
	return decays, nil
}

// slots returns the names of the state that the options need for each weight.
func (o *OptimizerOptions) slots() (names []string) {
	if o.GradientAccumulationSteps > 0 {
		names = append(names, "gradient_accumulator")
	}
	if o.UseEMA {
		names = append(names, "average")
	}
	return names
}

// updates returns how many changes of the weights there are in so many steps.
func (o *OptimizerOptions) updates(steps int64) int64 {
	return steps / max(1, o.GradientAccumulationSteps)
}
