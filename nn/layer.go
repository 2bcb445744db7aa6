package nn

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
)

// A Layer is a function of nodes with its parameters. Called on several nodes it shares them.
type Layer struct {
	kind    Kind
	name    string // "" until NewModel gives an automatic one
	created int64  // order of creation: automatic names follow it
	frozen  bool
	nodes   []*Node
	params  []*param
	built   bool // params are those of the first call

	automatic bool  // whether NewModel chose the name
	err       error // of an option; every node of the layer reports it
}

// A param is one parameter of a layer. value is the zero Matrix until NewModel or Load fills it.
type param struct {
	name        string // within the layer: "kernel"
	shape       Shape
	init        Initializer
	regularizer Regularizer // nil for none
	constraint  Constraint  // nil for none
	state       bool        // no optimizer changes it
	value       kernels.Matrix
}

func (p *param) size() int { return p.shape.Elements() }

func (p *param) place(values []float32) { p.value = p.matrix(values) }

// start gives the parameter its first values, drawn from a stream of the weight's own name.
func (p *param) start(seed uint64, name string) {
	p.init.Fill(p.value.Data, slices.Clone(p.shape), rand.New(rand.NewPCG(seed, hash(name))))
}

// matrix returns values as the parameter's matrix: a vector has one row.
func (p *param) matrix(values []float32) kernels.Matrix {
	cols := p.shape.Last()
	return kernels.MatrixOf(values, len(values)/cols, cols)
}

// A LayerOption configures a layer. An option that the class of layer does not know is an error, which [NewModel] reports.
// If an option is given twice the last one counts.
type LayerOption interface{ applyLayer(*Layer) }

// configure applies an option that only kinds of type K take.
func configure[K any](l *Layer, option string, set func(K)) {
	k, ok := l.kind.(K)
	if !ok {
		l.err = errors.Join(l.err, fmt.Errorf("does not take %s", option))
		return
	}
	set(k)
}

// A NameOption names a layer, a model or the log of a metric.
type NameOption string

// Name names a layer, a model or the log of a metric. Names of layers are unique within a model; an output is named after its
// layer.
func Name(name string) NameOption { return NameOption(name) }

func (o NameOption) applyLayer(l *Layer) { l.name = string(o) }
func (o NameOption) applyModel(m *Model) { m.name = string(o) }

var layersCreated atomic.Int64

// New returns a layer of a registered class: what functions such as [Dense] return. The layer keeps k.
func New(k Kind, opts ...LayerOption) *Layer {
	l := &Layer{kind: k, created: layersCreated.Add(1)}
	if _, err := classOf(k); err != nil {
		l.err = fmt.Errorf("the kind %w", err)
	}
	for i, o := range opts {
		if o == nil {
			l.err = errors.Join(l.err, errNilOption(i))
			continue
		}
		o.applyLayer(l)
	}
	return l
}

// adoptError makes an error of a layer within l one of l.
func (l *Layer) adoptError(within *Layer) {
	switch {
	case within == nil:
		l.err = errors.Join(l.err, errors.New("the layer within is nil"))
	case within.err != nil:
		l.err = errors.Join(l.err, fmt.Errorf("the layer within (%s): %w", within.Class(), within.err))
	}
}

// Name returns the layer's name. A layer that was not given one has none before it is part of a model.
func (l *Layer) Name() string { return l.name }

// Class returns Keras' name of the layer's class, such as "Dense".
func (l *Layer) Class() string { return className(l.kind) }

// Kind returns what the layer is of: its class with the configuration, which belongs to the layer.
func (l *Layer) Kind() Kind { return l.kind }

// SetTrainable freezes (false) or thaws (true) the layer's weights in every model that has it, from the next training
// step on. Layers start trainable. Of a model that is called as a layer it does so with all layers.
func (l *Layer) SetTrainable(trainable bool) {
	l.frozen = !trainable
	if s := l.submodel(); s != nil {
		s.SetTrainable(trainable)
	}
}

// Trainable reports whether training changes the layer's weights, or those of any layer of a model.
func (l *Layer) Trainable() bool {
	if s := l.submodel(); s != nil {
		return slices.ContainsFunc(s.layers, (*Layer).Trainable)
	}
	return !l.frozen
}

// Weights returns the layer's parameters under its name, in the order in which Keras has them; those of a model behind the names
// of its layers. They have values once the layer is part of a model.
func (l *Layer) Weights() []*Weight {
	var all []*Weight
	if s := l.submodel(); s != nil {
		for _, w := range s.weights {
			within := *w
			within.Name = l.name + "/" + w.Name
			all = append(all, &within)
		}
	}
	for _, p := range l.params {
		all = append(all, l.weight(l.name, p))
	}
	return all
}

// weight returns a parameter of the layer, whose path this is.
func (l *Layer) weight(path string, p *param) *Weight {
	return &Weight{Name: path + "/" + p.name, Shape: slices.Clone(p.shape), Matrix: p.value, layer: l, param: p}
}

func (l *Layer) paramCount() (n int) {
	if s := l.submodel(); s != nil {
		return s.CountParams()
	}
	for _, p := range l.params {
		n += p.size()
	}
	return n
}

// activation returns what the layer's result ends in, Linear if nothing is known.
func (l *Layer) activation() ActivationFunction {
	if a, ok := l.kind.(Activated); ok {
		return a.Activation()
	}
	return Linear
}

// describe names a layer in an error: layer "label" (Dense).
func (l *Layer) describe() string {
	return fmt.Sprintf("layer %s (%s)", brief.Quote(l.name), l.Class())
}
