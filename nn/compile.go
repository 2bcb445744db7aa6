package nn

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A CompileOption is one of [Losses], [LossWeights], [Metrics] and [WeightedMetrics], each given once.
type CompileOption interface{ applyCompile(*compilation) error }

// Losses are the losses by output name. Every output needs one; nil leaves an output untrained. A cross-entropy must fit what
// the output's layer ends in, see [FromLogits].
type Losses map[string]Loss

// LossWeights scale the losses in the total, by output name; outputs that are not named have weight 1. Logged losses of
// single outputs are not scaled.
type LossWeights map[string]float64

// Metrics are what to measure, by output name. Each row counts 1, whatever weight it has.
type Metrics map[string][]Metric

// WeightedMetrics are what to measure, by output name, where each row counts as much as in the loss: its sample weight times
// that of its class. Their logs are named like those of [Metrics]; where an output has both of one name, the weighted one's
// begins with "weighted_".
type WeightedMetrics map[string][]Metric

type compilation struct {
	losses   Losses
	weights  LossWeights
	metrics  Metrics
	weighted WeightedMetrics
}

func (l Losses) applyCompile(c *compilation) (err error) {
	if c.losses != nil {
		err = errors.New("Losses are given twice")
	}
	c.losses = l
	return err
}

func (w LossWeights) applyCompile(c *compilation) (err error) {
	if c.weights != nil {
		err = errors.New("LossWeights are given twice")
	}
	c.weights = w
	return err
}

func (m Metrics) applyCompile(c *compilation) (err error) {
	if c.metrics != nil {
		err = errors.New("Metrics are given twice")
	}
	c.metrics = m
	return err
}

func (m WeightedMetrics) applyCompile(c *compilation) (err error) {
	if c.weighted != nil {
		err = errors.New("WeightedMetrics are given twice")
	}
	c.weighted = m
	return err
}

// A head is an output that is trained.
type head struct {
	name     string
	node     *Node
	loss     Loss
	weight   float64
	columns  int       // of the targets, where they are values
	measures []measure // those that are weighted last
	fused    Fused     // the loss, if it includes the output's activation
	from     *Node     // whose activation that is
	lossLog  string    // Keras' name of it: "label_loss", in a model of one output ""
	countLog string    // how many rows had a label, if not all: "label_labels"
}

// A measure is a metric of a head.
type measure struct {
	metric   Metric
	weighted bool     // the weights of rows count
	logs     []string // Keras' names: "label_accuracy", in a model of one output "accuracy"; one for each entry of a [Vector]
}

// Compile says how to train the model. It forgets the optimizer state of an earlier Compile; an error leaves that as it
// was. While a Fit or a TrainOnBatch runs, as in a callback, it is [ErrBusy].
func (m *Model) Compile(optimizer Optimizer, opts ...CompileOption) error {
	if err := m.compile(optimizer, opts); err != nil {
		return fmt.Errorf("nn: Compile: %w", err)
	}
	return nil
}

func (m *Model) compile(optimizer Optimizer, opts []CompileOption) error {
	if err := m.hold(); err != nil {
		return err
	}
	defer m.release()
	var c compilation
	var errs []error
	for i, o := range opts {
		if o == nil {
			return errNilOption(i)
		}
		errs = append(errs, o.applyCompile(&c))
	}
	heads, err := m.heads(c)
	errs = append(errs, checkOptimizer(optimizer), err)
	if err == nil {
		for _, h := range heads {
			errs = append(errs, h.checkNew())
		}
		errs = append(errs, checkLogNames(heads))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	m.trainer = newTrainer(m, copyOf(optimizer), heads)
	m.trainer.gather()
	return nil
}

func (m *Model) heads(c compilation) ([]*head, error) {
	err := errors.Join(
		checkUnknown("output in Losses", c.losses, m.outputNodes),
		checkMissing("output in Losses", c.losses, m.outputNodes),
		checkUnknown("output in LossWeights", c.weights, m.outputNodes),
		checkUnknown("output in Metrics", c.metrics, m.outputNodes),
		checkUnknown("output in WeightedMetrics", c.weighted, m.outputNodes),
	)
	if err != nil {
		return nil, err
	}
	var heads []*head
	var errs []error
	for _, n := range m.outputs {
		name := n.name()
		h := &head{name: name, node: n, loss: c.losses[name], weight: 1}
		for _, metric := range c.metrics[name] {
			h.measures = append(h.measures, measure{metric: metric})
		}
		for _, metric := range c.weighted[name] {
			h.measures = append(h.measures, measure{metric: metric, weighted: true})
		}
		if w, ok := c.weights[name]; ok {
			h.weight = w
		}
		if h.loss == nil {
			if len(h.measures) > 0 {
				errs = append(errs, fmt.Errorf("output %q: has metrics but no loss", name))
			}
			continue
		}
		h.from = n.named()
		if f, ok := h.loss.(Fused); ok && f.Fuses(h.from.layer.activation()) {
			h.fused = f
		}
		h.countLog = name + "_labels"
		prefix := ""
		if len(m.outputs) > 1 {
			prefix = name + "_"
			h.lossLog = prefix + "loss"
		}
		err := h.check()
		if err == nil {
			err = h.nameLogs(prefix)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("output %q: %w", name, err))
		}
		heads = append(heads, h)
	}
	if len(heads) == 0 {
		errs = append(errs, errors.New("every loss is nil"))
	}
	return heads, errors.Join(errs...)
}

// output is what the head's loss and metrics know of it.
func (h *head) output() Output {
	l, ok := h.loss.(interface{ Logits() bool })
	return Output{
		Shape:      h.node.Shape(),
		Activation: h.node.lastActivation(),
		Targets:    h.loss.Targets(),
		Logits:     ok && l.Logits(),
	}
}

func (h *head) check() error {
	if len(h.node.shape) != 1 {
		return fmt.Errorf("has shape %s, a loss needs one dimension: add Flatten", h.node.shape)
	}
	if !(math.Abs(h.weight) <= math.MaxFloat32) {
		return fmt.Errorf("loss weight %v is not finite in float32", h.weight)
	}
	if _, err := classOf(h.loss); err != nil {
		return fmt.Errorf("the loss %w", err)
	}
	out := h.output()
	out.Activation = nil // checkNew looks at it
	if err := h.loss.Check(out); err != nil {
		return err
	}
	h.columns = h.node.features()
	if l, ok := h.loss.(Columned); ok {
		if h.columns = l.TargetColumns(out); h.columns < 1 {
			return fmt.Errorf("loss %s has targets of %d columns", h.loss.Name(), h.columns)
		}
	}
	return nil
}

// nameLogs checks the metrics and names their logs.
func (h *head) nameLogs(prefix string) error {
	of := map[string]bool{prefix + "loss": true} // logs
	for i := range h.measures {
		m := &h.measures[i]
		if m.metric == nil {
			return fmt.Errorf("metric %d is nil", i)
		}
		if _, err := classOf(m.metric); err != nil {
			return fmt.Errorf("metric %d: %w", i, err)
		}
		name, out := m.metric.Name(), h.output()
		if m, ok := m.metric.(Columned); h.columns != h.node.features() && !(ok && m.TargetColumns(out) == h.columns) {
			return fmt.Errorf("metric %s takes targets as wide as the output, %d columns, those of loss %s have %d", name, h.node.features(), h.loss.Name(), h.columns)
		}
		meter, err := m.metric.Start(out)
		if err != nil {
			return fmt.Errorf("metric %s: %w", name, err)
		}
		entries := 1
		if v, ok := meter.(Vector); ok {
			entries = len(v.Values())
		}
		if entries > maxEntries {
			return fmt.Errorf("metric %s: has %d numbers, at most %d can be logged", name, entries, maxEntries)
		}
		m.logs = entryLogs(prefix+name, entries)
		if m.weighted && of[m.logs[0]] {
			m.logs = entryLogs(prefix+"weighted_"+name, entries)
		}
		for _, log := range m.logs {
			if of[log] {
				return fmt.Errorf("metric %s is given twice: log %q would be both", name, log)
			}
			of[log] = true
		}
	}
	return nil
}

// entryLogs returns the logs of a metric: its name, or for each of several entries the name with a number.
func entryLogs(name string, entries int) []string {
	if entries == 1 {
		return []string{name}
	}
	var logs []string
	for i := range entries {
		logs = append(logs, fmt.Sprintf("%s_%d", name, i))
	}
	return logs
}

// isWeighted reports whether the head has weighted metrics.
func (h *head) isWeighted() bool {
	return len(h.measures) > 0 && h.measures[len(h.measures)-1].weighted
}

// checkNew reports what Compile refuses. A file may have it: it was written when Compile did not.
func (h *head) checkNew() error {
	out := h.output()
	err := errors.Join(h.loss.Check(out), out.checkActivated())
	if vanishes(h.weight) {
		err = errors.Join(err, fmt.Errorf("loss weight %v is 0 in float32", h.weight))
	}
	if err != nil {
		return fmt.Errorf("output %q: %w", h.name, err)
	}
	return nil
}

// logNames returns the names of all logs but those of validation.
func logNames(heads []*head) []string {
	names := []string{"loss"}
	for _, h := range heads {
		names = append(names, h.logNames()...)
	}
	return names
}

func (h *head) logNames() []string {
	var names []string
	if h.lossLog != "" {
		names = append(names, h.lossLog)
	}
	for _, m := range h.measures {
		names = append(names, m.logs...)
	}
	return names
}

// checkLogNames reports an output of which a log would have the name of a log of validation.
func checkLogNames(heads []*head) error {
	all := logNames(heads)
	var errs []error
	for _, h := range heads {
		for _, name := range h.logNames() {
			if of, ok := strings.CutPrefix(name, "val_"); ok && slices.Contains(all, of) {
				errs = append(errs, fmt.Errorf("output %q: its log %q has the name of %q in validation: give the output's layer another Name", h.name, name, of))
			}
		}
	}
	return errors.Join(errs...)
}

// ErrNotCompiled is the error of Fit, TrainOnBatch, Evaluate and SetLearningRate before Compile.
var ErrNotCompiled = errors.New("the model is not compiled: call Compile first")
