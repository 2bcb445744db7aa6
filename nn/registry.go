package nn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/espalier-ml/espalier/internal/brief"
)

// The registry has every class that a model file can name: of layers, activations, initializers, regularizers, constraints,
// losses, metrics, optimizers and schedules. Each belongs to the vocabularies whose interface it implements. A program registers
// all of them when it starts, and asks for few: what an interface says of a type is found out where a name is asked for.
var registry = struct {
	sync.RWMutex
	byName     map[string][]*class // of several vocabularies, and aliases
	byType     map[reflect.Type][]*class
	configured map[string]*class // what a name is when it has a configuration, where it has none otherwise
}{byName: make(map[string][]*class, 256), byType: make(map[reflect.Type][]*class, 256), configured: map[string]*class{}}

// A class is a type under the name that files have for it.
type class struct {
	name     string
	kind     reflect.Type
	defaults any
	only     reflect.Type // of an alias: its vocabulary

	once  sync.Once
	usual []field // of defaults
	err   error
}

// fields returns those of the defaults.
func (c *class) fields() ([]field, error) {
	c.once.Do(func() { c.usual, c.err = encodeFields(c.defaults) })
	return c.usual, c.err
}

// in reports whether the class belongs to a vocabulary.
func (c *class) in(vocabulary reflect.Type) bool {
	return (c.only == nil || c.only == vocabulary) && reflect.PointerTo(c.kind).Implements(vocabulary)
}

// vocabularies are the interfaces, with the word for their classes in errors.
var vocabularies = map[reflect.Type]string{
	reflect.TypeFor[Kind]():               "class",
	reflect.TypeFor[ActivationFunction](): "activation",
	reflect.TypeFor[Initializer]():        "initializer",
	reflect.TypeFor[Loss]():               "loss",
	reflect.TypeFor[Metric]():             "metric",
	reflect.TypeFor[Optimizer]():          "optimizer",
	reflect.TypeFor[Schedule]():           "schedule",
	reflect.TypeFor[Regularizer]():        "regularizer",
	reflect.TypeFor[Constraint]():         "constraint",
}

// Register gives a type that implements [Kind], [ActivationFunction], [Initializer], [Regularizer], [Constraint], [Loss],
// [Metric], [Optimizer] or [Schedule], itself or its pointer, the name under which models that use it are saved and loaded. What is not registered
// cannot be used, so that no model turns out to be impossible to save. Call it in an init function:
//
//	func init() { nn.Register("LayerNormalization", layerNormalization{Epsilon: 1e-3}) }
//
// The exported fields of the type, under their JSON names, are its configuration. A file leaves out those that are as in
// defaults, so a field can be added later with a default that does what was done before. A configuration can hold other
// registered values as [Object].
//
// The classes of this package have the names, fields and defaults of Keras. A name that starts with a small letter, Keras'
// way to name a function, stands alone in a file where the configuration is as in defaults. Register panics if the name is taken, or if the type
// belongs to none of these vocabularies: both are mistakes in the program.
func Register[T any](name string, defaults T) { register(reflect.TypeFor[T](), name, defaults) }

// register is Register without a type parameter: of code that has one, a program holds a copy for each class, and reads all of
// them when it starts.
func register(t reflect.Type, name string, defaults any) {
	c := &class{name: name, kind: t, defaults: defaults}
	registry.Lock()
	defer registry.Unlock()
	fits := false
	for v, word := range vocabularies {
		if !c.in(v) {
			continue
		}
		fits = true
		if registered(v, name) != nil {
			panic(fmt.Sprintf("nn: Register: there is a %s %q already", word, name))
		}
		if len(registry.byName[name]) == 0 {
			break // which other vocabularies it belongs to does not matter
		}
	}
	if !fits {
		panic(fmt.Sprintf("nn: Register: %v is no Kind, ActivationFunction, Initializer, Regularizer, Constraint, Loss, Metric, Optimizer or Schedule", t))
	}
	registry.byName[name] = append(registry.byName[name], c)
	registry.byType[t] = append(registry.byType[t], c)
}

// registered returns the class that a vocabulary has under a name, or nil.
func registered(vocabulary reflect.Type, name string) *class {
	for _, c := range registry.byName[name] {
		if c.in(vocabulary) {
			return c
		}
	}
	return nil
}

// registerConfigured registers the type that a function is where a file gives it a configuration, while its name alone is
// another value: the type's method plain returns that value, or nil where the configuration is not the usual one.
func registerConfigured[T interface{ plain() any }](name string, defaults T) {
	c := &class{name: name, kind: reflect.TypeFor[T](), defaults: defaults}
	registry.Lock()
	defer registry.Unlock()
	registry.configured[name] = c
	registry.byType[c.kind] = append(registry.byType[c.kind], c)
}

// alias gives a class more names, under which it is read. It is written under its own.
func alias[T any](name string, more ...string) {
	registry.Lock()
	defer registry.Unlock()
	vocabulary := reflect.TypeFor[T]()
	c := registered(vocabulary, name)
	for _, m := range more {
		if registered(vocabulary, m) != nil {
			panic(fmt.Sprintf("nn: alias: there is a %q already", m))
		}
		registry.byName[m] = append(registry.byName[m], &class{name: c.name, kind: c.kind, defaults: c.defaults, only: vocabulary})
	}
}

// classOf returns the class of a registered value. Values of one type can be classes of their own: those that are equal to
// the defaults of one, as activations are, or that name it.
func classOf(v any) (*class, error) {
	t := reflect.TypeOf(v)
	if t == nil {
		return nil, errors.New("is nil")
	}
	value := reflect.ValueOf(v)
	if t.Kind() == reflect.Pointer {
		if value.IsNil() {
			return nil, fmt.Errorf("is a nil %v", t)
		}
		t, value = t.Elem(), value.Elem()
	}
	registry.RLock()
	defer registry.RUnlock()
	all := registry.byType[t]
	if len(all) == 1 {
		return all[0], nil
	}
	if v, ok := v.(interface{ className() string }); ok {
		for _, c := range all {
			if c.name == v.className() {
				return c, nil
			}
		}
	}
	for _, c := range all {
		if value.Comparable() && value.Equal(reflect.ValueOf(c.defaults)) {
			return c, nil
		}
	}
	if len(all) > 0 {
		return nil, fmt.Errorf("%v %v is not one of those that are registered", t, value)
	}
	return nil, fmt.Errorf("%v is not registered: call nn.Register with a name for it in an init function", t)
}

// className is classOf for what has been checked to be registered.
func className(v any) string {
	c, err := classOf(v)
	if err != nil {
		return fmt.Sprintf("%T", v)
	}
	return c.name
}

// newObject returns a value of a class with the given configuration.
func newObject[T any](name string, config []byte) (T, error) {
	var none T
	vocabulary := reflect.TypeFor[T]()
	c, ok := lookUp(vocabulary, name)
	if !ok {
		return none, unknownClass(vocabulary, name)
	}
	p := reflect.New(c.kind)
	p.Elem().Set(reflect.ValueOf(c.defaults))
	if c.kind.Kind() != reflect.Struct && len(config) > 0 {
		if decodeJSON(string(config), &struct{}{}) != nil {
			return none, fmt.Errorf("%s has no configuration: write its name alone", brief.Quote(name))
		}
		config = nil
	}
	if len(config) > 0 {
		if err := readConfig(p.Elem(), config); err != nil {
			return none, fmt.Errorf("config: %w", err)
		}
	}
	if v, ok := p.Elem().Interface().(interface{ plain() any }); ok {
		if plain, ok := v.plain().(T); ok {
			return plain, nil
		}
	}
	if v, ok := p.Elem().Interface().(T); ok {
		return v, nil
	}
	return p.Interface().(T), nil
}

// lookUp returns the class of a name. As in Keras, glorot_uniform is another one for GlorotUniform.
func lookUp(vocabulary reflect.Type, name string) (*class, bool) {
	registry.RLock()
	defer registry.RUnlock()
	c := registered(vocabulary, name)
	if short := strings.ReplaceAll(name, "_", ""); c == nil && name == strings.ToLower(name) {
		for other := range registry.byName {
			if strings.ToLower(other) != short {
				continue
			}
			if o := registered(vocabulary, other); o != nil && !o.isFunction() {
				return o, true
			}
		}
	}
	if c != nil && registry.configured[c.name] != nil && registry.configured[c.name].kind.Implements(vocabulary) {
		c = registry.configured[c.name]
	}
	return c, c != nil
}

// classes returns those of a vocabulary, by all their names.
func classes(vocabulary reflect.Type) map[string]*class {
	registry.RLock()
	defer registry.RUnlock()
	all := map[string]*class{}
	for name := range registry.byName {
		if c := registered(vocabulary, name); c != nil {
			all[name] = c
		}
	}
	return all
}

func unknownClass(vocabulary reflect.Type, name string) error {
	var valid []string
	for v, c := range classes(vocabulary) {
		if v == c.name {
			valid = append(valid, v)
		}
	}
	slices.Sort(valid)
	return fmt.Errorf("unknown %s %s: valid are %q; one of your own must be registered before the file is read: nn.Register(%s, ...)",
		vocabularies[vocabulary], brief.Quote(name), valid, brief.Quote(name))
}

// encodeConfig returns the fields of a registered value that differ from the defaults, as a JSON object.
func encodeConfig(v any) ([]byte, error) {
	c, err := classOf(v)
	if err != nil {
		return nil, err
	}
	if c.kind.Kind() != reflect.Struct {
		return []byte("{}"), nil
	}
	have, err := encodeFields(v)
	if err != nil {
		return nil, err
	}
	usual, err := c.fields()
	if err != nil {
		return nil, err
	}
	return encodeObject(slices.DeleteFunc(have, func(f field) bool {
		return slices.ContainsFunc(usual, func(u field) bool { return u.name == f.name && bytes.Equal(u.value, f.value) })
	}))
}

// encodeObject returns the JSON object of fields.
func encodeObject(fields []field) ([]byte, error) {
	text := []byte("{")
	for _, f := range fields {
		if len(text) > 1 {
			text = append(text, ',')
		}
		name, err := encodeJSON(f.name)
		if err != nil {
			return nil, err
		}
		text = append(append(append(text, name...), ':'), f.value...)
	}
	return append(text, '}'), nil
}

type field struct {
	name  string
	value json.RawMessage
}

// encodeFields returns the members of v's JSON object in their order.
func encodeFields(v any) ([]field, error) {
	text, err := encodeJSON(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, fmt.Errorf("the configuration of %T is %s, must be a JSON object", v, brief.Cut(string(text), brief.MaxQuoted))
	}
	var fields []field
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		f := field{name: name.(string)}
		if err := d.Decode(&f.value); err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// An Object is a registered value as a field of a configuration, such as the activation of a layer. In a file it is what
// Keras writes: the name of a function, or {"class_name": ..., "config": ...}; null is the zero Object. Where a file is
// read, "he_normal" stands for HeNormal with the usual configuration, and so on.
type Object[T any] struct{ Value T }

// MarshalJSON writes the class and its configuration.
func (o Object[T]) MarshalJSON() ([]byte, error) {
	if any(o.Value) == nil {
		return []byte("null"), nil
	}
	c, err := classOf(o.Value)
	if err != nil {
		return nil, err
	}
	config, err := encodeConfig(o.Value)
	if err != nil {
		return nil, err
	}
	if c.isFunction() && string(config) == "{}" {
		return encodeJSON(c.name)
	}
	return encodeJSON(struct {
		Class  string          `json:"class_name"`
		Config json.RawMessage `json:"config"`
	}{c.name, config})
}

// isFunction reports a name that stands alone where the configuration is the usual one.
func (c *class) isFunction() bool { return c.name != "" && c.name[0] >= 'a' && c.name[0] <= 'z' }

// UnmarshalJSON makes the value anew.
func (o *Object[T]) UnmarshalJSON(text []byte) (err error) {
	text = bytes.TrimSpace(text)
	switch {
	case bytes.Equal(text, []byte("null")):
		*o = Object[T]{}
		return nil
	case bytes.HasPrefix(text, []byte(`"`)):
		var name string
		if err := json.Unmarshal(text, &name); err != nil {
			return err
		}
		o.Value, err = newObject[T](name, nil)
		return err
	}
	var of envelope
	if err := decodeJSON(string(text), &of); err != nil {
		return err
	}
	o.Value, err = newObject[T](of.class(), of.Config)
	return err
}
