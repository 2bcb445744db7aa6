package prep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/nn"
)

// A Predictor answers records: it binds a pipeline and a plan. Any number of goroutines may use one. Once they have run,
// nothing is allocated.
type Predictor struct {
	pipeline *Pipeline
	plan     *nn.Plan
	ports    []*Port // of the plan's inputs
	outputs  []Output
	inverse  [][]Inverter // of the outputs, to be taken back from the last to the first
	columns  []bound
	pool     sync.Pool
	structs  sync.Map // reflect.Type -> []int: the field of each column, -1 for none
}

// A bound is a feature and where it writes.
type bound struct {
	*Feature
	columns []int // places of its names in pipeline.names
	port    int
	at      int
}

// A work is the memory of one call.
type work struct {
	cell    Cell
	values  []any // of a record, in the order of pipeline.names
	there   []bool
	inputs  [][]float32
	outputs [][]float32
}

// An Answer is what a model says about some records. It may be used again and again; Predict overwrites it.
type Answer struct {
	Rows    int
	Outputs []Output // in the model's order
}

// An Output is one output of an [Answer].
type Output struct {
	Name    string
	Classes []string  // of a target with a LabelEncoder, else nil
	Width   int       // numbers of a row
	Values  []float32 // rows × Width: probabilities, or numbers in the unit of the target's column
}

// Row returns the numbers of a row.
func (o *Output) Row(row int) []float32 { return o.Values[row*o.Width : (row+1)*o.Width] }

// Class returns the most probable class of a row and its probability; of equal ones the first. An output of one column has the
// probability of the second of two classes. Without Classes the name is "".
func (o *Output) Class(row int) (name string, probability float32) {
	p := o.Row(row)
	if len(o.Classes) == 2 && len(p) == 1 {
		if p[0] > 0.5 {
			return o.Classes[1], p[0]
		}
		return o.Classes[0], 1 - p[0]
	}
	best := 0
	for i := range p {
		if p[i] > p[best] {
			best = i
		}
	}
	if len(o.Classes) != len(p) {
		return "", p[best]
	}
	return o.Classes[best], p[best]
}

// Output returns the output of a name.
func (a *Answer) Output(name string) (*Output, error) {
	var valid []string
	for i := range a.Outputs {
		if a.Outputs[i].Name == name {
			return &a.Outputs[i], nil
		}
		valid = append(valid, a.Outputs[i].Name)
	}
	return nil, fmt.Errorf("prep: unknown output %s: valid are %s", brief.Quote(name), brief.QuoteAll(valid))
}

// MarshalJSON returns a list with an object for each row: by output its class and probability, or its number or numbers.
func (a *Answer) MarshalJSON() ([]byte, error) {
	rows := make([]map[string]any, a.Rows)
	for i := range rows {
		rows[i] = map[string]any{}
		for k := range a.Outputs {
			o := &a.Outputs[k]
			switch {
			case o.Classes != nil:
				name, p := o.Class(i)
				rows[i][o.Name] = map[string]any{"class": name, "probability": p}
			case o.Width == 1:
				rows[i][o.Name] = o.Row(i)[0]
			default:
				rows[i][o.Name] = o.Row(i)
			}
		}
	}
	return json.Marshal(rows)
}

// NewPredictor binds a fitted pipeline and a plan, whose inputs must be those of the pipeline. A number that a target's steps
// changed, such as a Normalization, is changed back in answers, if all of them can be.
func NewPredictor(p *Pipeline, plan *nn.Plan) (*Predictor, error) {
	s, err := bind(p, plan)
	if err != nil {
		return nil, brief.Error(fmt.Errorf("prep: NewPredictor: %w", err))
	}
	return s, nil
}

func bind(p *Pipeline, plan *nn.Plan) (*Predictor, error) {
	if p == nil || plan == nil {
		return nil, errors.New("the pipeline or the plan is nil")
	}
	if !p.Fitted() {
		return nil, errNotFitted
	}
	s := &Predictor{pipeline: p, plan: plan}
	byName := map[string]*Port{}
	targets := map[string]*Port{}
	for _, port := range p.ports {
		if port.target {
			targets[port.name] = port
		} else {
			byName[port.name] = port
		}
	}
	inputs := plan.InputNames()
	for name := range byName {
		if !slices.Contains(inputs, name) {
			return nil, fmt.Errorf("the pipeline makes input %s, the plan's are %s", brief.Quote(name), brief.QuoteAll(inputs))
		}
	}
	for i, name := range inputs {
		port, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("the plan has input %s, the pipeline makes %s", brief.Quote(name), brief.QuoteAll(slices.Sorted(maps.Keys(byName))))
		}
		if port.width != plan.InputFeatures(i) {
			return nil, fmt.Errorf("input %s: the pipeline makes %d numbers, the plan reads %d", brief.Quote(name), port.width, plan.InputFeatures(i))
		}
		s.ports = append(s.ports, port)
		at := 0
		for _, f := range port.features {
			b := bound{Feature: f, port: i, at: at}
			for _, column := range f.names {
				b.columns = append(b.columns, slices.Index(p.names, column))
			}
			s.columns = append(s.columns, b)
			at += f.out
		}
	}
	for i, name := range plan.OutputNames() {
		o := Output{Name: name, Width: plan.OutputFeatures(i)}
		var inverse []Inverter
		if port := targets[name]; port != nil && len(port.features) == 1 {
		back:
			for _, t := range slices.Backward(port.features[0].steps) {
				switch t := t.(type) {
				case *LabelEncoder:
					if o.Width != len(t.Classes) && !(o.Width == 1 && len(t.Classes) == 2) {
						return nil, fmt.Errorf("output %s has %d columns, its target has the classes %s", brief.Quote(name), o.Width, brief.QuoteAll(t.Classes))
					}
					o.Classes = t.Classes
				case Inverter:
					inverse = append(inverse, t)
				case *Imputer:
				default:
					inverse = nil
					break back
				}
			}
			if o.Width != port.width {
				inverse = nil
			}
		}
		s.outputs, s.inverse = append(s.outputs, o), append(s.inverse, inverse)
	}
	return s, nil
}

// Predict sets a to the answer to records, each a map[string]any, a struct or a pointer to one, see [Structs]; pointers are not
// copied. A column that no step reads is ignored. Errors name the record, if there are several, the column and the value; a is
// then not changed.
func (s *Predictor) Predict(a *Answer, records ...any) error {
	if s == nil || s.plan == nil {
		return errors.New("prep: Predict: the predictor is empty: make it with NewPredictor or Load")
	}
	w, _ := s.pool.Get().(*work)
	if w == nil {
		w = &work{values: make([]any, len(s.pipeline.names)), there: make([]bool, len(s.pipeline.names)),
			inputs: make([][]float32, len(s.ports)), outputs: make([][]float32, len(s.outputs))}
	}
	defer s.pool.Put(w)
	n := len(records)
	if n == 0 {
		return errors.New("prep: Predict: there are no records")
	}
	for i, port := range s.ports {
		w.inputs[i] = slices.Grow(w.inputs[i][:0], n*port.width)[:n*port.width]
	}
	for i, r := range records {
		err := s.open(w, r)
		if err == nil {
			err = s.row(w, i)
		}
		clear(w.values)
		if err != nil {
			if n > 1 {
				err = fmt.Errorf("record %d: %w", i, err)
			}
			return brief.Error(fmt.Errorf("prep: Predict: %w", err))
		}
	}
	for i, o := range s.outputs {
		w.outputs[i] = slices.Grow(w.outputs[i][:0], n*o.Width)[:n*o.Width]
	}
	if err := s.plan.Predict(w.inputs, w.outputs, n); err != nil {
		return brief.Error(fmt.Errorf("prep: Predict: %w", err))
	}
	if len(a.Outputs) != len(s.outputs) {
		a.Outputs = make([]Output, len(s.outputs))
	}
	a.Rows = n
	for i, o := range s.outputs {
		o.Values = append(a.Outputs[i].Values[:0], w.outputs[i]...)
		for _, t := range s.inverse[i] {
			for k, y := range o.Values {
				o.Values[k] = float32(t.Invert(float64(y)))
			}
		}
		a.Outputs[i] = o
	}
	return nil
}

// open finds the values of a record.
func (s *Predictor) open(w *work, record any) error {
	if m, ok := record.(map[string]any); ok {
		for i, name := range s.pipeline.names {
			w.values[i], w.there[i] = m[name]
		}
		return nil
	}
	v := reflect.ValueOf(record)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return fmt.Errorf("the record is %T, must be a map[string]any, a struct or a pointer to one", record)
	}
	known, ok := s.structs.Load(v.Type())
	if !ok {
		fields, err := fieldsOf(v.Type())
		if err != nil {
			return err
		}
		places := make([]int, len(s.pipeline.names))
		for i, name := range s.pipeline.names {
			places[i] = -1
			if at, ok := fields[name]; ok {
				places[i] = at
			}
		}
		known, _ = s.structs.LoadOrStore(v.Type(), places)
	}
	for i, at := range known.([]int) {
		if w.there[i] = at >= 0; w.there[i] {
			w.values[i] = fieldOf(v.Field(at))
		}
	}
	return nil
}

// fieldOf is Interface without its allocations for the types that columns most often have.
func fieldOf(v reflect.Value) any {
	if v.CanAddr() {
		switch p := v.Addr().Interface().(type) {
		case *float64, *float32, *int, *int64, *int32, *string, *bool:
			return p
		}
	}
	return v.Interface()
}

// row writes the numbers of a record in row i of the inputs.
func (s *Predictor) row(w *work, i int) error {
	for k := range s.columns {
		f := &s.columns[k]
		c := &w.cell
		c.Values = c.Values[:0]
		for j, at := range f.columns {
			if !w.there[at] {
				if !f.optional {
					return fmt.Errorf("column %s is missing; it is not optional", brief.Quote(f.names[j]))
				}
				c.Values = f.absent(c.Values)
				continue
			}
			var err error
			if c.Values, err = appendValues(c.Values, w.values[at]); err != nil {
				return fmt.Errorf("column %s: %w", brief.Quote(f.names[j]), err)
			}
		}
		from := i*s.ports[f.port].width + f.at
		if err := f.apply(c, w.inputs[f.port][from:from+f.out]); err != nil {
			return err
		}
	}
	return nil
}

// metadataKey is the key of the pipeline in a model's metadata.
const metadataKey = "prep"

// Metadata returns the pipeline as an option of nn.NewModel and of its Save, so that the model's files hold it; see [Load] and [Of].
// It is a map to which a program can add what it wants to say itself; nn allows 1 MiB in all, which is some 50,000 words.
func (p *Pipeline) Metadata() (nn.MetadataOption, error) {
	text, err := p.MarshalJSON()
	if err != nil {
		return nil, brief.Error(fmt.Errorf("prep: Metadata: %w", err))
	}
	return nn.MetadataOption{metadataKey: string(text)}, nil
}

// Of returns the pipeline of a model that was made, or read, with [Pipeline.Metadata].
func Of(m *nn.Model) (*Pipeline, error) {
	text, ok := m.Metadata()[metadataKey]
	if !ok {
		return nil, errors.New("prep: Of: the model has no pipeline: make or save it with the pipeline's Metadata")
	}
	p := &Pipeline{}
	return p, p.UnmarshalJSON([]byte(text))
}

// Load returns a predictor of a model's file that has a pipeline, for calls with up to maxBatch records at once and more in parts.
func Load(path string, maxBatch int, opts ...nn.PlanOption) (*Predictor, error) {
	m, err := nn.Load(path, nn.ForServing())
	return load(m, err, maxBatch, opts)
}

// LoadFS is Load from a file system, such as an embed.FS.
func LoadFS(fsys fs.FS, name string, maxBatch int, opts ...nn.PlanOption) (*Predictor, error) {
	m, err := nn.LoadFS(fsys, name, nn.ForServing())
	return load(m, err, maxBatch, opts)
}

func load(m *nn.Model, err error, maxBatch int, opts []nn.PlanOption) (*Predictor, error) {
	if err != nil {
		return nil, err
	}
	p, err := Of(m)
	if err != nil {
		return nil, err
	}
	plan, err := nn.NewPlan(m, maxBatch, opts...)
	if err != nil {
		return nil, err
	}
	return NewPredictor(p, plan)
}
