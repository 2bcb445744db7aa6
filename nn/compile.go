package nn

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// A CompileOption is one of [Losses], [LossWeights] and [Metrics].
type CompileOption interface{ applyCompile(*compilation) }

// Losses are the losses by output name. Every output needs one; nil leaves an output untrained.
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

func (l Losses) applyCompile(c *compilation)      { c.losses = l }
func (w LossWeights) applyCompile(c *compilation) { c.weights = w }
func (m Metrics) applyCompile(c *compilation)     { c.metrics = m }

// A head is an output that is trained.
type head struct {
	name    string
	node    *Node
	loss    Loss
	weight  float64
	metrics []Metric
	fused   bool // the loss works from the logits of the output's activation

	// Keras' names in the logs: "label_loss" and "label_accuracy", in a model of one output "" and "accuracy".
	lossLog    string
	metricLogs []string
}

// Compile says how to train the model. It forgets the optimizer state of an earlier Compile; an error leaves that as it
// was.
func (m *Model) Compile(optimizer *Optimizer, opts ...CompileOption) error {
	var c compilation
	for _, o := range opts {
		o.applyCompile(&c)
	}
	heads, err := m.heads(c)
	if err = errors.Join(optimizer.check(), err); err != nil {
		return fmt.Errorf("nn: Compile: %w", err)
	}
	m.trainer = newTrainer(m, *optimizer, heads)
	m.trainer.start()
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
		if a, ok := n.layer.kind.(activated); ok {
			h.fused = h.loss.fuses(a.activation())
		}
		heads = append(heads, h)
	}
	if len(heads) == 0 {
		errs = append(errs, errors.New("every loss is nil"))
	}
	return heads, errors.Join(errs...)
}

func (h *head) check() error {
	if len(h.node.shape) != 1 {
		return fmt.Errorf("has shape %s, a loss needs one dimension: add Flatten", formatShape(h.node.shape))
	}
	if !(math.Abs(h.weight) <= math.MaxFloat32) {
		return fmt.Errorf("loss weight %v is not finite in float32", h.weight)
	}
	if err := h.loss.check(h.node.features()); err != nil {
		return err
	}
	for i, metric := range h.metrics {
		if metric == nil {
			return fmt.Errorf("metric %d is nil", i)
		}
		if err := metric.serves(h); err != nil {
			return err
		}
		if slices.ContainsFunc(h.metrics[:i], func(m Metric) bool { return m.Name() == metric.Name() }) {
			return fmt.Errorf("metric %s is given twice", metric.Name())
		}
	}
	return nil
}

var errNotCompiled = errors.New("the model is not compiled: call Compile first")
