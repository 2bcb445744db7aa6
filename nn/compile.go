package nn

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A CompileOption is one of [Losses], [LossWeights] and [Metrics], each given once.
type CompileOption interface{ applyCompile(*compilation) error }

// Losses are the losses by output name. Every output needs one; nil leaves an output untrained. A cross-entropy must fit what
// the output's layer ends in, see [FromLogits].
type Losses map[string]Loss

// LossWeights scale the losses in the total, by output name; outputs that are not named have weight 1. Logged losses of
// single outputs are not scaled.
type LossWeights map[string]float64

// Metrics are what to measure, by output name.
type Metrics map[string][]Metric

type compilation struct {
	losses  Losses
	weights LossWeights
	metrics Metrics
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

// A head is an output that is trained.
type head struct {
	name    string
	node    *Node
	loss    Loss
	weight  float64
	columns int // of the targets, where they are values
	metrics []Metric
	fused   Fused // the loss, if it includes the output's activation
	from    *Node // whose activation that is

	// Keras' names in the logs: "label_loss" and "label_accuracy", in a model of one output "" and "accuracy".
	lossLog    string
	metricLogs []string
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
	)
	if err != nil {
		return nil, err
	}
	var heads []*head
	var errs []error
	for _, n := range m.outputs {
		name := n.layer.name
		h := &head{name: name, node: n, loss: c.losses[name], weight: 1, metrics: slices.Clone(c.metrics[name])}
		if w, ok := c.weights[name]; ok {
			h.weight = w
		}
		if h.loss == nil {
			if len(h.metrics) > 0 {
				errs = append(errs, fmt.Errorf("output %q: has metrics but no loss", name))
			}
			continue
		}
		if err := h.check(); err != nil {
			errs = append(errs, fmt.Errorf("output %q: %w", name, err))
		}
		h.from = n.named()
		if f, ok := h.loss.(Fused); ok && f.Fuses(h.from.layer.activation()) {
			h.fused = f
		}
		prefix := ""
		if len(m.outputs) > 1 {
			prefix = name + "_"
			h.lossLog = prefix + "loss"
		}
		for _, metric := range h.metrics {
			if metric != nil {
				h.metricLogs = append(h.metricLogs, prefix+metric.Name())
			}
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
	for i, metric := range h.metrics {
		if metric == nil {
			return fmt.Errorf("metric %d is nil", i)
		}
		if _, err := classOf(metric); err != nil {
			return fmt.Errorf("metric %d: %w", i, err)
		}
		if m, ok := metric.(Columned); h.columns != h.node.features() && !(ok && m.TargetColumns(out) == h.columns) {
			return fmt.Errorf("metric %s takes targets as wide as the output, %d columns, those of loss %s have %d", metric.Name(), h.node.features(), h.loss.Name(), h.columns)
		}
		if _, err := metric.Start(h.output()); err != nil {
			return fmt.Errorf("metric %s: %w", metric.Name(), err)
		}
		if slices.ContainsFunc(h.metrics[:i], func(m Metric) bool { return m.Name() == metric.Name() }) {
			return fmt.Errorf("metric %s is given twice", metric.Name())
		}
	}
	return nil
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
	names := h.metricLogs
	if h.lossLog != "" {
		names = append([]string{h.lossLog}, names...)
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
