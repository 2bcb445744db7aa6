package prep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/nn"
)

// A Port is what a pipeline makes for one input of a model, or for one target.
type Port struct {
	name     string
	target   bool
	features []*Feature
	width    int // numbers of a row; 0 while that is not known
}

// Input makes an input of the model: the numbers of all columns, one after the other.
func Input(name string, columns ...*Feature) Port { return Port{name: name, features: columns} }

// Target makes the target of an output of the model. What a [LabelEncoder], or another step that gives whole numbers, makes is
// nn.Labels.
func Target(output string, columns ...*Feature) Port {
	return Port{name: output, target: true, features: columns}
}

// labels reports whether a target is labels of classes.
func (p *Port) labels() bool {
	return p.target && p.width == 1 && p.features[0].kind == Integer
}

func (p *Port) describe() string {
	if p.target {
		return "target " + brief.Quote(p.name)
	}
	return "input " + brief.Quote(p.name)
}

// A Pipeline makes the inputs and targets of a model from records. Once fitted it does not change, so any number of goroutines
// may use it.
type Pipeline struct {
	ports []*Port
	names []string // of all columns that inputs read
}

// New returns a pipeline of inputs and targets. Its errors name the column and arrive together. Each step belongs to one column;
// what [Pipeline.Fit] learns is in copies of the steps.
func New(ports ...Port) (*Pipeline, error) {
	p := &Pipeline{}
	for _, port := range ports {
		port.features = slices.Clone(port.features)
		p.ports = append(p.ports, &port)
	}
	if err := p.build(); err != nil {
		return nil, brief.Error(fmt.Errorf("prep: New: %w", err))
	}
	return p, nil
}

// build checks all steps and finds the widths of what they make.
func (p *Pipeline) build() error {
	var errs []error
	used := map[Transform]bool{}
	taken := map[string]bool{}
	total := 0
	p.names = nil
	for _, port := range p.ports {
		what := port.describe()
		if taken[what] {
			errs = append(errs, fmt.Errorf("%s is there twice", what))
		}
		taken[what] = true
		if len(port.features) == 0 {
			errs = append(errs, fmt.Errorf("%s has no columns", what))
		}
		port.width = 0
		known := true
		for _, f := range port.features {
			if f == nil {
				errs = append(errs, fmt.Errorf("%s: a column is nil", what))
				continue
			}
			f.target = port.target
			if err := f.build(); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", what, err))
				continue
			}
			for _, t := range f.steps {
				if used[t] {
					errs = append(errs, fmt.Errorf("%s: %s: its %s is a step of another column too", what, f.describe(), classOf(t)))
				}
				used[t] = true
			}
			if !port.target {
				for _, name := range f.names {
					if !slices.Contains(p.names, name) {
						p.names = append(p.names, name)
					}
				}
			}
			known = known && f.out > 0 && len(f.fitters()) == 0
			port.width += f.out
			total += f.out
		}
		if !known {
			port.width = 0
		}
	}
	if len(p.ports) == 0 {
		errs = append(errs, errors.New("there are no inputs"))
	}
	if total > 16*maxWidth {
		errs = append(errs, fmt.Errorf("a row has %d numbers, at most %d are possible", total, 16*maxWidth))
	}
	return errors.Join(errs...)
}

// Width returns how many numbers a row has in an input or target, for nn.Input. The pipeline must be fitted.
func (p *Pipeline) Width(name string) (int, error) {
	var valid []string
	for _, port := range p.ports {
		if port.name == name {
			if port.width == 0 {
				return 0, fmt.Errorf("prep: Width: %s: %w", port.describe(), errNotFitted)
			}
			return port.width, nil
		}
		valid = append(valid, port.name)
	}
	return 0, fmt.Errorf("prep: Width: unknown input or target %s: valid are %s", brief.Quote(name), brief.QuoteAll(valid))
}

var errNotFitted = errors.New("the pipeline is not fitted")

// Fitted reports whether nothing is left to fit.
func (p *Pipeline) Fitted() bool {
	for _, port := range p.ports {
		if port.width == 0 {
			return false
		}
	}
	return len(p.ports) > 0
}

// Fit fits all steps that have no state yet, in one pass and memory that does not grow with the rows. Columns are fitted side by
// side on all processors; no result depends on how many there are. An error leaves the pipeline as it was.
func (p *Pipeline) Fit(rows Rows) error {
	next := &Pipeline{}
	text, err := p.MarshalJSON()
	if err == nil {
		err = next.UnmarshalJSON(text)
	}
	if err == nil {
		err = next.fit(rows)
	}
	if err != nil {
		return brief.Error(fmt.Errorf("prep: Fit: %w", err))
	}
	*p = *next
	return nil
}

func (p *Pipeline) fit(rows Rows) error {
	type job struct {
		port    *Port
		feature *Feature
		cell    Cell
		failed  int // the row of err
		err     error
	}
	var jobs []*job
	for _, port := range p.ports {
		for _, f := range port.features {
			if len(f.fitters()) > 0 {
				jobs = append(jobs, &job{port: port, feature: f})
			}
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	for t, err := range rows.pass() {
		n := 0
		if err == nil {
			n, err = t.Columns.rows()
		}
		if err != nil {
			return err
		}
		work := make(chan *job, len(jobs))
		for _, j := range jobs {
			work <- j
		}
		close(work)
		var group sync.WaitGroup
		for range min(runtime.GOMAXPROCS(0), len(jobs)) {
			group.Go(func() {
				for j := range work {
					columns, err := j.feature.find(t.Columns)
					for i := 0; i < n && err == nil; i++ {
						if err = j.feature.read(&j.cell, columns, i); err == nil {
							err = j.feature.fit(&j.cell)
						}
						j.failed = i
					}
					j.err = err
				}
			})
		}
		group.Wait()
		first := (*job)(nil)
		for _, j := range jobs {
			if j.err != nil && (first == nil || j.failed < first.failed) {
				first = j
			}
		}
		if first != nil {
			return fmt.Errorf("%s: %s: %w", t.where(first.failed), first.port.describe(), first.err)
		}
	}
	var errs []error
	for _, j := range jobs {
		for _, t := range j.feature.fitters() {
			if err := t.Finish(); err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: %s: %w", j.port.describe(), j.feature.describe(), classOf(t), err))
			}
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return p.build()
}

// find returns the columns of a table that f reads, nil for one that may be missing.
func (f *Feature) find(all Columns) ([]any, error) {
	found := make([]any, len(f.names))
	for i, name := range f.names {
		column, ok := all[name]
		if !ok && !f.optional {
			return nil, fmt.Errorf("column %s is missing, there are %s", brief.Quote(name), brief.QuoteAll(slices.Sorted(maps.Keys(all))))
		}
		found[i] = column
	}
	return found, nil
}

// read sets the values of c to those of row i of the columns.
func (f *Feature) read(c *Cell, columns []any, i int) error {
	c.Values = c.Values[:0]
	for k, column := range columns {
		if column == nil {
			c.Values = f.absent(c.Values)
			continue
		}
		var err error
		if c.Values, err = appendRow(c.Values, column, i); err != nil {
			return fmt.Errorf("column %s: %w", brief.Quote(f.names[k]), err)
		}
	}
	return nil
}

// absent appends what stands for a column that the record does not have.
func (f *Feature) absent(values []Value) []Value {
	n := 1
	if len(f.names) == 1 && f.width > 1 {
		n = f.width
	}
	for range n {
		values = append(values, Value{})
	}
	return values
}

// Stream returns what the model trains on: a chunk for each table of the rows, made on all processors. Prefetch makes the next
// chunk while the last one is used. A chunk is overwritten by the fourth one after it.
func (p *Pipeline) Stream(rows Rows) nn.Stream {
	return func() iter.Seq2[nn.Data, error] {
		return func(yield func(nn.Data, error) bool) {
			var ring [4]nn.Data // fresh memory costs more than what is written to it
			i := 0
			for t, err := range rows.pass() {
				d := &ring[i%len(ring)]
				i++
				if err == nil {
					err = p.fill(d, t, true)
				}
				if err != nil {
					yield(nn.Data{}, brief.Error(fmt.Errorf("prep: Stream: %w", err)))
					return
				}
				if !yield(*d, nil) {
					return
				}
			}
		}
	}
}

// Data returns all rows, in memory, with their targets.
func (p *Pipeline) Data(rows Rows) (nn.Data, error) { return p.collect("Data", rows, true) }

// Inputs returns the inputs of all rows, in memory; they need no columns of targets.
func (p *Pipeline) Inputs(rows Rows) (nn.Arrays, error) {
	d, err := p.collect("Inputs", rows, false)
	return d.Inputs, err
}

func (p *Pipeline) collect(what string, rows Rows, targets bool) (nn.Data, error) {
	all := nn.Data{Inputs: nn.Arrays{}}
	if targets {
		all.Targets = nn.Arrays{}
	}
	var d nn.Data
	for t, err := range rows.pass() {
		if err == nil {
			err = p.fill(&d, t, targets)
		}
		if err != nil {
			return nn.Data{}, brief.Error(fmt.Errorf("prep: %s: %w", what, err))
		}
		for _, pair := range [][2]nn.Arrays{{all.Inputs, d.Inputs}, {all.Targets, d.Targets}} {
			for name, part := range pair[1] {
				switch part := part.(type) {
				case nn.Floats:
					have, _ := pair[0][name].(nn.Floats)
					pair[0][name] = append(have, part...)
				case nn.Labels:
					have, _ := pair[0][name].(nn.Labels)
					pair[0][name] = append(have, part...)
				}
			}
		}
	}
	return all, nil
}

// fill makes d a chunk of a table, in the memory of an earlier chunk where d has one.
func (p *Pipeline) fill(d *nn.Data, t Table, targets bool) error {
	if !p.Fitted() {
		return errNotFitted
	}
	n, err := t.Columns.rows()
	if err != nil {
		return err
	}
	if d.Inputs == nil {
		d.Inputs = nn.Arrays{}
	}
	if d.Targets == nil && targets {
		d.Targets = nn.Arrays{}
	}
	type job struct {
		*Feature
		port    *Port
		columns []any
		out     []float32 // of the port
		at      int       // where the feature's numbers begin in a row
	}
	var jobs []job
	var labels []job
	for _, port := range p.ports {
		if port.target && !targets {
			continue
		}
		arrays := d.Inputs
		if port.target {
			arrays = d.Targets
		}
		old, _ := arrays[port.name].(nn.Floats)
		out := slices.Grow(old[:0], n*port.width)[:n*port.width] // every number is written
		at := 0
		for _, f := range port.features {
			columns, err := f.find(t.Columns)
			if err != nil {
				return fmt.Errorf("%s: %w", port.describe(), err)
			}
			jobs = append(jobs, job{f, port, columns, out, at})
			at += f.out
		}
		if port.labels() {
			labels = append(labels, jobs[len(jobs)-1])
		} else {
			arrays[port.name] = out
		}
	}
	const block = 256 // rows that one feature does at a time
	blocks := (n + block - 1) / block
	failed := make([]error, blocks)
	next := make(chan int, blocks)
	for b := range blocks {
		next <- b
	}
	close(next)
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), blocks) {
		group.Go(func() {
			var c Cell
			for b := range next {
				worst := n
				for _, j := range jobs {
					for i := b * block; i < min((b+1)*block, worst); i++ {
						err := j.read(&c, j.columns, i)
						from := i*j.port.width + j.at
						out := j.out[from : from+j.Feature.out]
						if err == nil {
							err = j.apply(&c, out)
						}
						if err == errUnlabelled {
							for k := range out {
								out[k] = float32(math.NaN())
							}
							continue
						}
						if err != nil {
							failed[b], worst = fmt.Errorf("%s: %s: %w", t.where(i), j.port.describe(), err), i
							break
						}
					}
				}
			}
		})
	}
	group.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	for _, j := range labels {
		old, _ := d.Targets[j.port.name].(nn.Labels)
		numbers := slices.Grow(old[:0], n)[:n]
		for i, x := range j.out {
			if x != x {
				numbers[i] = -1
				continue
			}
			if math.Abs(float64(x)) > maxVocabulary {
				return fmt.Errorf("%s: %s: %v is no label", t.where(i), j.port.describe(), x)
			}
			numbers[i] = int32(x)
		}
		d.Targets[j.port.name] = numbers
	}
	return nil
}

// In a file, a pipeline is JSON: its inputs and targets with their columns and steps.
type (
	pipelineJSON struct {
		Version int        `json:"version"`
		Inputs  []portJSON `json:"inputs"`
		Targets []portJSON `json:"targets"`
	}
	portJSON struct {
		Name    string        `json:"name"`
		Columns []featureJSON `json:"columns"`
	}
	featureJSON struct {
		Names    []string `json:"names"`
		Width    int      `json:"width"` // -1: lists
		Optional bool     `json:"optional,omitempty"`
		Steps    []step   `json:"steps"`
	}
)

const (
	jsonVersion = 1
	maxJSON     = 64 << 20 // bytes of a pipeline
)

// MarshalJSON returns the pipeline with everything that its steps have learned.
func (p *Pipeline) MarshalJSON() ([]byte, error) {
	all := pipelineJSON{Version: jsonVersion, Inputs: []portJSON{}, Targets: []portJSON{}}
	for _, port := range p.ports {
		made := portJSON{Name: port.name}
		for _, f := range port.features {
			column := featureJSON{Names: f.names, Width: f.width, Optional: f.optional, Steps: []step{}}
			for _, t := range f.steps {
				s, err := encodeStep(t)
				if err != nil {
					return nil, fmt.Errorf("%s: %s: %w", port.describe(), f.describe(), err)
				}
				column.Steps = append(column.Steps, s)
			}
			made.Columns = append(made.Columns, column)
		}
		if port.target {
			all.Targets = append(all.Targets, made)
		} else {
			all.Inputs = append(all.Inputs, made)
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(all)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// UnmarshalJSON makes p what MarshalJSON wrote. The text is not trusted: all of it is checked.
func (p *Pipeline) UnmarshalJSON(text []byte) error {
	if len(text) > maxJSON {
		return fmt.Errorf("prep: the pipeline has %d bytes, at most %d are possible", len(text), maxJSON)
	}
	next, err := decodePipeline(text)
	if err != nil {
		return brief.Error(fmt.Errorf("prep: the pipeline's JSON: %w", err))
	}
	*p = *next
	return nil
}

func decodePipeline(text []byte) (*Pipeline, error) {
	var all pipelineJSON
	if err := decode(text, &all); err != nil {
		return nil, err
	}
	if all.Version != jsonVersion {
		return nil, fmt.Errorf("has version %d, this program reads %d", all.Version, jsonVersion)
	}
	p := &Pipeline{}
	for i, port := range append(slices.Clip(all.Inputs), all.Targets...) {
		made := &Port{name: port.Name, target: i >= len(all.Inputs)}
		for _, column := range port.Columns {
			f := &Feature{names: column.Names, width: column.Width, optional: column.Optional}
			for _, s := range column.Steps {
				t, err := s.decode()
				if err != nil {
					return nil, fmt.Errorf("%s: %s: %w", made.describe(), f.describe(), err)
				}
				f.steps = append(f.steps, t)
			}
			made.features = append(made.features, f)
		}
		p.ports = append(p.ports, made)
	}
	return p, p.build()
}

// Describe prints a table: each column with its steps and the numbers that become of it.
func (p *Pipeline) Describe(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "to\tfrom\tsteps\tnumbers")
	for _, port := range p.ports {
		for _, f := range port.features {
			var steps []string
			for _, t := range f.steps {
				steps = append(steps, classOf(t)+brief.Cut(describeState(t), 60))
			}
			numbers := "not fitted"
			if f.out > 0 && len(f.fitters()) == 0 {
				numbers = fmt.Sprint(f.out)
			}
			from := strings.Join(f.names, " × ")
			if f.optional {
				from += " (optional)"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", port.describe(), brief.Cut(from, brief.MaxQuoted), strings.Join(steps, ", "), numbers)
		}
	}
	return table.Flush()
}

// describeState returns the configuration and state of a step in brackets.
func describeState(t Transform) string {
	switch t := t.(type) {
	case *StringLookup:
		return fmt.Sprintf("(%d texts)", len(t.Vocabulary))
	case *IntegerLookup:
		return fmt.Sprintf("(%d numbers)", len(t.Vocabulary))
	case *TextVectorization:
		return fmt.Sprintf("(%d tokens)", len(t.Vocabulary))
	case *QuantileTransformer:
		return fmt.Sprintf("(%d quantiles)", len(t.Quantiles))
	}
	config, err := json.Marshal(t)
	if err != nil || len(config) < 3 {
		return ""
	}
	text := strings.ReplaceAll(string(config[1:len(config)-1]), `"`, "")
	return "(" + digits.ReplaceAllStringFunc(text, func(number string) string {
		x, _ := strconv.ParseFloat(number, 64)
		return strconv.FormatFloat(x, 'g', 6, 64)
	}) + ")"
}

// digits finds numbers that are too long to be read.
var digits = regexp.MustCompile(`[0-9]+\.[0-9]{6,}(e[-+][0-9]+)?`)
