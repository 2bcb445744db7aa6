package keras

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/espalier-ml/espalier/internal/hdf5"
	"github.com/espalier-ml/espalier/nn"
)

// A training is how a file says what compile was given: a .keras file with an optimizer, an .h5 file with the configuration of one.
type training struct {
	Optimizer   json.RawMessage `json:"optimizer"`
	OptimizerH5 json.RawMessage `json:"optimizer_config"`
	Loss        json.RawMessage `json:"loss"`
	LossWeights json.RawMessage `json:"loss_weights"`
	Metrics     json.RawMessage `json:"metrics"`
	Weighted    json.RawMessage `json:"weighted_metrics"`
}

// compile compiles a model as the file says. An error says what has no meaning here; the model is then not compiled.
func (f *file) compile(m *nn.Model) error {
	var t training
	if err := json.Unmarshal(f.training, &t); err != nil {
		return err
	}
	if isNull(t.Optimizer) {
		t.Optimizer = t.OptimizerH5
	}
	optimizer, err := readOptimizer(t.Optimizer)
	if err != nil {
		return err
	}
	names := m.OutputNames()
	losses, metrics, weighted, weights := nn.Losses{}, nn.Metrics{}, nn.WeightedMetrics{}, nn.LossWeights{}
	each := func(text json.RawMessage, use func(name string, text json.RawMessage) error) error {
		parts, err := perOutput(text, names)
		for name, part := range parts {
			if err == nil && !isNull(part) {
				err = use(name, part)
			}
		}
		return err
	}
	for _, name := range names {
		losses[name] = nil
	}
	errs := []error{
		each(t.Loss, func(name string, text json.RawMessage) error {
			l, err := readObject[nn.Loss](text)
			losses[name] = l
			return err
		}),
		each(t.LossWeights, func(name string, text json.RawMessage) error {
			var w float64
			err := json.Unmarshal(text, &w)
			weights[name] = w
			return err
		}),
	}
	for _, of := range []struct {
		text json.RawMessage
		all  map[string][]nn.Metric
	}{{t.Metrics, metrics}, {t.Weighted, weighted}} {
		text, err := listOfOne(of.text, len(names))
		errs = append(errs, err, each(text, func(name string, text json.RawMessage) error {
			var list []json.RawMessage
			if json.Unmarshal(text, &list) != nil {
				list = []json.RawMessage{text}
			}
			for _, text := range list {
				if string(text) == `"acc"` {
					text = json.RawMessage(`"accuracy"`)
				}
				metric, err := readObject[nn.Metric](text)
				if err != nil {
					return err
				}
				of.all[name] = append(of.all[name], metric)
			}
			return nil
		}))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return m.Compile(optimizer, losses, weights, metrics, weighted)
}

// listOfOne puts the list of the metrics of the only output into a list for all outputs.
func listOfOne(text json.RawMessage, outputs int) (json.RawMessage, error) {
	var list []json.RawMessage
	if outputs != 1 || json.Unmarshal(text, &list) != nil || len(list) == 1 && bytes.HasPrefix(list[0], []byte("[")) {
		return text, nil
	}
	return json.Marshal([]any{list})
}

// perOutput returns what a file has for each output: in a dictionary, in a list, or one for all.
func perOutput(text json.RawMessage, names []string) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	var list []json.RawMessage
	var dictionary map[string]json.RawMessage
	switch {
	case isNull(text):
	case json.Unmarshal(text, &list) == nil:
		if len(list) != len(names) {
			return nil, fmt.Errorf("%d entries for %d outputs", len(list), len(names))
		}
		for i, name := range names {
			all[name] = list[i]
		}
	case json.Unmarshal(text, &dictionary) == nil && dictionary["class_name"] == nil:
		for name, v := range dictionary {
			if name = cleanName(name); !slices.Contains(names, name) {
				return nil, fmt.Errorf("unknown output %q", name)
			}
			all[name] = v
		}
	default:
		for _, name := range names {
			all[name] = text
		}
	}
	return all, nil
}

// readObject returns a loss or a metric.
func readObject[T any](text json.RawMessage) (T, error) {
	var o nn.Object[T]
	text, err := simplify(text, 0)
	if err == nil {
		var of struct {
			Class  string `json:"class_name"`
			Config fields `json:"config"`
		}
		if json.Unmarshal(text, &of) == nil && of.Class != "" {
			delete(of.Config, "dtype")
			delete(of.Config, "fn") // the function that the class is of
			if string(of.Config["reduction"]) == `"auto"` {
				delete(of.Config, "reduction")
			}
			if text, err = json.Marshal(of); of.Class == "MeanMetricWrapper" { // of Keras 2, for a metric that was given by its name
				text = of.Config["name"]
			}
		}
	}
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	return o.Value, err
}

// readOptimizer returns an optimizer, given by its name or with its configuration.
func readOptimizer(text json.RawMessage) (nn.Optimizer, error) {
	text, err := simplify(text, 0)
	if err != nil {
		return nil, err
	}
	var of struct {
		Class  string `json:"class_name"`
		Config fields `json:"config"`
	}
	if json.Unmarshal(text, &of) == nil && of.Class != "" {
		of.Class = strings.TrimPrefix(of.Class, "Custom>") // how TensorFlow 2.11 writes its own
		rename(of.Config, "lr", "learning_rate")
		for _, f := range []string{"name", "loss_scale_factor", "jit_compile", "is_legacy_optimizer"} {
			delete(of.Config, f)
		}
		for _, f := range []string{"decay", "schedule_decay"} {
			var v float64
			if json.Unmarshal(of.Config[f], &v) == nil && v == 0 {
				delete(of.Config, f)
			}
		}
		if text, err = json.Marshal(of); err != nil {
			return nil, err
		}
	}
	var o nn.Object[nn.Optimizer]
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, err
	}
	if o.Value == nil {
		return nil, errors.New("has no optimizer")
	}
	return o.Value, nil
}

// optimizerState gives a compiled model the state of the optimizer that a file of Keras 3 has.
func (f *file) optimizerState(m *nn.Model) error {
	g, err := f.weights.Group("optimizer/vars")
	at := strconv.Itoa
	if f.byLayer {
		if g, err = f.root.Group("optimizer_weights"); err != nil {
			return nil // it has none
		}
		names, _, err := g.StringList("weight_names")
		if err != nil {
			return err
		}
		at = func(i int) string {
			if i < len(names) {
				return names[i]
			}
			return "?"
		}
	}
	if err != nil {
		return nil // it has none
	}
	layout, err := newStateLayout(m)
	if err != nil || layout == nil {
		return err
	}
	steps, err := g.Dataset(at(0))
	if err != nil {
		return err
	}
	count, err := steps.Int64s()
	if err != nil || len(count) != 1 {
		return errors.Join(err, errors.New("the number of steps is not one number"))
	}
	layout.state.Steps = count[0]
	i := 1 + layout.rates
	for _, s := range layout.slots {
		d, err := g.Dataset(at(i))
		if err != nil {
			return err
		}
		if !slices.Equal(d.Shape, s.shape) {
			return fmt.Errorf("the optimizer's variable %d has shape %s, must have %s", i, nn.Shape(d.Shape), nn.Shape(s.shape))
		}
		if _, err := d.Float32s(s.values); err != nil {
			return err
		}
		i++
	}
	return m.SetOptimizerState(layout.state)
}

// A stateLayout is the state of an optimizer in the order of Keras' variables: the number of steps, the learning rate unless a
// schedule gives it, and then for each weight that is trained what the optimizer keeps.
type stateLayout struct {
	state nn.OptimizerState
	rates int // 1 or 0 learning rates
	slots []slot
}

// A slot is what an optimizer keeps for one weight.
type slot struct {
	shape  []int
	values []float32 // in state
}

// newStateLayout returns nil for an optimizer whose variables Keras orders in another way.
func newStateLayout(m *nn.Model) (*stateLayout, error) {
	c, ok := m.Compiled()
	if !ok {
		return nil, nil
	}
	together := 2 // slots that Keras makes for one weight after the other
	switch c.Optimizer.(type) {
	case *nn.AdamOptimizer, *nn.AdamWOptimizer, *nn.SGDOptimizer, *nn.AdagradOptimizer, *nn.AdadeltaOptimizer, *nn.AdamaxOptimizer,
		*nn.FtrlOptimizer, *nn.LionOptimizer, *nn.LambOptimizer:
	case *nn.RMSpropOptimizer:
		together = 1
	default:
		return nil, nil
	}
	if o, ok := c.Optimizer.(interface{ Options() *nn.OptimizerOptions }); ok && (o.Options().UseEMA || o.Options().GradientAccumulationSteps > 0) {
		return nil, nil
	}
	state, err := m.OptimizerState()
	if err != nil {
		return nil, err
	}
	l := &stateLayout{state: state, rates: 1}
	if c.Optimizer.LearningRate().Schedule != nil {
		l.rates = 0
	}
	n := len(c.Optimizer.Slots())
	for from := 0; from < n; from += together {
		for _, w := range m.Weights() {
			if !w.Trainable() {
				continue
			}
			for j := from; j < min(n, from+together); j++ {
				l.slots = append(l.slots, slot{w.Shape, state.Slots[w.Name][j]})
			}
		}
	}
	return l, nil
}

// writeOptimizer writes the variables of the optimizer, under the names that name gives.
func writeOptimizer(g *hdf5.Node, m *nn.Model, name func(i int) string) (int, error) {
	l, err := newStateLayout(m)
	if err != nil || l == nil {
		return 0, err
	}
	g.Dataset(name(0), nil, []int64{l.state.Steps})
	n := 1
	if l.rates > 0 {
		g.Dataset(name(1), nil, []float32{float32(m.LearningRate())})
		n++
	}
	for _, s := range l.slots {
		g.Dataset(name(n), s.shape, s.values)
		n++
	}
	return n, nil
}

// ours are the classes that Keras does not have.
var ours = []string{"BPR", "GaussianNLL", "PairwiseRanking", "Quantile", "ZeroInflatedLogNormal", "LinearWarmup", "FlatCosineDecay"}

// compileConfig returns what a model is compiled with, nil if it is not, or with something that Keras does not have.
func compileConfig(m *nn.Model) (map[string]any, error) {
	c, ok := m.Compiled()
	if !ok {
		return nil, nil
	}
	optimizer, err := trainingObject("keras.optimizers", nn.Object[nn.Optimizer]{Value: c.Optimizer})
	if err != nil {
		return nil, err
	}
	config := optimizer.(map[string]any)["config"].(fields)
	delete(config, "exclude_from_weight_decay") // a method in Keras, which no file has
	for _, f := range []string{"weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "ema_overwrite_frequency", "gradient_accumulation_steps"} {
		if string(config[f]) == "0" {
			config[f] = json.RawMessage("null")
		}
	}
	if string(config["momentum"]) == "0" {
		config["momentum"] = json.RawMessage("0.0") // Keras takes no integer
	}
	class := optimizer.(map[string]any)["class_name"].(string)
	if config["name"], err = json.Marshal(strings.ToLower(class)); err != nil {
		return nil, err
	}
	if rate := c.Optimizer.LearningRate(); rate.Schedule != nil {
		schedule, err := trainingObject("keras.optimizers.schedules", nn.Object[nn.Schedule]{Value: rate.Schedule})
		if err != nil || schedule == nil {
			return nil, err
		}
		if config["learning_rate"], err = json.Marshal(schedule); err != nil {
			return nil, err
		}
	}
	losses, metrics, weighted := map[string]any{}, map[string]any{}, map[string]any{}
	for name, l := range c.Losses {
		losses[name] = nil
		if l == nil {
			continue
		}
		if losses[name], err = trainingObject("keras.losses", nn.Object[nn.Loss]{Value: l}); err != nil || losses[name] == nil {
			return nil, err
		}
	}
	for _, of := range []struct {
		from map[string][]nn.Metric
		to   map[string]any
	}{{c.Metrics, metrics}, {c.WeightedMetrics, weighted}} {
		for name, all := range of.from {
			var list []any
			for _, metric := range all {
				o, err := trainingObject("keras.metrics", nn.Object[nn.Metric]{Value: metric})
				if err != nil || o == nil {
					return nil, err
				}
				list = append(list, o)
			}
			of.to[name] = list
		}
	}
	return map[string]any{
		"optimizer": optimizer, "loss": losses, "loss_weights": c.LossWeights, "metrics": orNull(metrics), "weighted_metrics": orNull(weighted),
		"run_eagerly": false, "steps_per_execution": 1, "jit_compile": false,
	}, nil
}

func orNull(all map[string]any) any {
	if len(all) == 0 {
		return nil
	}
	return all
}

// trainingObject returns a loss, a metric, an optimizer or a schedule as Keras has it, nil if Keras has no such class.
func trainingObject[T any](module string, v nn.Object[T]) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var of struct {
		Class  string          `json:"class_name"`
		Config json.RawMessage `json:"config"`
	}
	if json.Unmarshal(text, &of) != nil || of.Class == "" {
		return json.RawMessage(text), nil // the name of a function
	}
	if slices.Contains(ours, of.Class) {
		return nil, nil
	}
	if !isOurs(v.Value) {
		module = ""
	}
	if whole, err := json.Marshal(v.Value); err == nil && module == "keras.optimizers" { // whose defaults nn leaves out
		of.Config = whole
	}
	var config fields
	if err := json.Unmarshal(of.Config, &config); err != nil {
		return nil, err
	}
	return newObject(module, of.Class, config), nil
}
