package prep

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/espalier-ml/espalier/internal/brief"
)

// A Transform is a step of a [Column]: it turns what a row has there into what the next step reads, or into numbers. Its exported
// fields are its configuration and, once it is fitted, its state; they are saved as JSON. A type is ready to be used and saved
// once it is registered, see [Register]. Apply is called on any goroutine and must not change the transform.
type Transform interface {
	// Reads says what the transform wants the values of a cell to be; they are converted where the column comes from the record.
	Reads() Kind
	// Build checks the configuration, and returns what the transform makes of a cell of width values, -1 where each row has a
	// number of values of its own. The width of the result is 0 while a transform that must be fitted is not.
	Build(width int) (Kind, int, error)
	// Apply changes c.Values. A transform that is Encoded writes c.Out instead, all of it.
	Apply(c *Cell) error
}

// A Fitter is a [Transform] that learns from data. It is shown each row once.
type Fitter interface {
	Transform
	Fitted() bool
	Fit(values []Value) error // values are not kept
	Finish() error
}

// An Inverter is a [Transform] of numbers that can be taken back, for targets.
type Inverter interface {
	Transform
	Invert(y float64) float64
}

// A Cell is what a row has in a column, on its way through the steps.
type Cell struct {
	Values []Value
	Out    []float32 // where a transform that is Encoded writes
	bytes  []byte    // of texts that are made
	ends   []int     // of tokens in bytes
	at     moment
}

var registry = struct {
	sync.RWMutex
	byName map[string]reflect.Type
	byType map[reflect.Type]string
}{byName: map[string]reflect.Type{}, byType: map[reflect.Type]string{}}

// Register gives a type of transforms the name under which it is saved: *T is the [Transform]. It panics if the name is taken.
// Call it from an init function or a package variable.
func Register[T any](class string) {
	t := reflect.TypeFor[T]()
	if !reflect.PointerTo(t).Implements(reflect.TypeFor[Transform]()) {
		panic(fmt.Sprintf("prep: Register: *%v is no Transform", t))
	}
	registry.Lock()
	defer registry.Unlock()
	if _, taken := registry.byName[class]; taken {
		panic(fmt.Sprintf("prep: Register: there is a class %q already", class))
	}
	registry.byName[class], registry.byType[t] = t, class
}

func init() {
	Register[Imputer]("Imputer")
	Register[Normalization]("Normalization")
	Register[MinMaxScaler]("MinMaxScaler")
	Register[RobustScaler]("RobustScaler")
	Register[QuantileTransformer]("QuantileTransformer")
	Register[Log]("Log")
	Register[StringLookup]("StringLookup")
	Register[IntegerLookup]("IntegerLookup")
	Register[LabelEncoder]("LabelEncoder")
	Register[Hashing]("Hashing")
	Register[HashedCrossing]("HashedCrossing")
	Register[Discretization]("Discretization")
	Register[CategoryEncoding]("CategoryEncoding")
	Register[TextVectorization]("TextVectorization")
	Register[Calendar]("Calendar")
}

// classOf returns the name of t's class, or "" if it is not registered.
func classOf(t Transform) string {
	v := reflect.TypeOf(t)
	if v.Kind() != reflect.Pointer {
		return ""
	}
	registry.RLock()
	defer registry.RUnlock()
	return registry.byType[v.Elem()]
}

// A step is a transform in JSON.
type step struct {
	Class  string          `json:"class_name"`
	Config json.RawMessage `json:"config"`
}

func encodeStep(t Transform) (step, error) {
	config, err := json.Marshal(t)
	return step{classOf(t), config}, err
}

func (s step) decode() (Transform, error) {
	registry.RLock()
	t, ok := registry.byName[s.Class]
	valid := slices.Sorted(maps.Keys(registry.byName))
	registry.RUnlock()
	if !ok {
		return nil, fmt.Errorf("unknown class %s: valid are %s", brief.Quote(s.Class), brief.QuoteAll(valid))
	}
	v := reflect.New(t).Interface().(Transform)
	if err := decode(s.Config, v); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Class, err)
	}
	return v, nil
}

// decode sets v and reports fields that it does not have.
func decode(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// widthOf describes how many values a cell has.
func widthOf(width int) string {
	if width < 0 {
		return "any number of values"
	}
	return fmt.Sprintf("%d values", width)
}
