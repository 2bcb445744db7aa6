package plan

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
)

// A Session is the memory in which one goroutine runs a plan: write the inputs, Run, read the outputs. It allocates
// nothing, takes no lock and starts no goroutine.
type Session struct {
	plan    *Plan
	batch   int // samples for which the steps' operands are laid out now
	scratch kernels.Scratch
	steps   []boundStep
	part    boundStep // a step of a chain for some of the samples
	inputs  [][]float32
	outputs [][]float32
	away    bool // RunOn left operands in the caller's memory
	first   int  // row of the caller's data that Predict put into row 0: for errors
}

// A use is an operand that lies in the memory of an input or output.
type use struct {
	step, operand int // operand -1 is the result
	output        bool
	port          int
}

// A boundStep is a step of the plan with its operands in the session's memory, or the plan's if they are constants.
type boundStep struct {
	*step
	dense   kernels.BoundDense
	y       kernels.Matrix
	x       []kernels.Matrix
	scratch *kernels.Scratch // of the session
}

// bind binds the product of a step that has one, to rows of each sample.
func (b *boundStep) bind(t *kernels.Table, batch int) error {
	y, x := b.y, b.x[0]
	if b.run != nil { // a recurrence
		y, x = b.x[1], b.y.Columns(0, b.x[2].Cols)
	}
	y.Rows, x.Rows = b.step.y.lead*batch, b.step.y.lead*batch
	return t.Bind(&b.dense, y, x, b.w, b.act)
}

// resize lays the operands out for a batch; constants stay as they are.
func (b *boundStep) resize(batch int) {
	b.y.Rows = batch * b.step.y.lead
	for i, v := range b.step.x {
		if v.constant == nil {
			b.x[i].Rows = batch * v.lead
		}
	}
}

var errEmptySession = errors.New("the session is empty: make it with Plan.NewSession")

// NewSession returns a session with memory of its own. The session of a zero Plan is empty: Run, RunOn, InputByName and
// OutputByName return errors.
func (p *Plan) NewSession() *Session {
	if p.isEmpty() {
		return new(Session)
	}
	s := &Session{plan: p, steps: make([]boundStep, len(p.steps))}
	s.scratch.Pool = p.pool
	arena := make([]float32, p.arena*p.maxBatch)
	matrix := func(v view) kernels.Matrix {
		if v.constant != nil {
			return *v.constant
		}
		return kernels.Matrix{Data: arena[p.buffers[v.buffer].offset*p.maxBatch+v.offset:], Rows: v.lead * p.maxBatch, Cols: v.cols, Stride: v.stride}
	}
	s.batch = p.maxBatch
	for i := range p.steps {
		b := &s.steps[i]
		b.step, b.scratch = &p.steps[i], &s.scratch
		b.y = matrix(b.step.y)
		for _, x := range b.step.x {
			b.x = append(b.x, matrix(x))
		}
		if b.bound {
			if err := b.bind(p.table, p.maxBatch); err != nil {
				panic(err) // the plan does not fit itself
			}
		}
	}
	memory := func(ports []port) (all [][]float32) {
		for _, o := range ports {
			from := p.buffers[o.buffer].offset * p.maxBatch
			to := from + o.features*p.maxBatch
			all = append(all, arena[from:to:to])
		}
		return all
	}
	s.inputs, s.outputs = memory(p.inputs), memory(p.outputs)
	return s
}

// move points the operands in the memory of inputs and outputs at other memory, of batch rows.
func (s *Session) move(inputs, outputs [][]float32, batch int) error {
	for _, u := range s.plan.uses {
		b := &s.steps[u.step]
		memory := inputs
		if u.output {
			memory = outputs
		}
		v, m := &b.step.y, &b.y
		if u.operand >= 0 {
			v, m = &b.step.x[u.operand], &b.x[u.operand]
		}
		m.Data = memory[u.port][v.offset:]
	}
	for _, u := range s.plan.uses {
		if b := &s.steps[u.step]; b.bound {
			if err := b.bind(s.plan.table, batch); err != nil {
				return err
			}
		}
	}
	return nil
}

// RunOn is Run on the caller's memory: it reads batch rows of each input from inputs and writes as many of each output
// to outputs. Input and Output keep what they have. What lies behind the rows of an output stays as it is. No output may
// share memory with an input or another output: what outputs hold then is not specified. Inputs may share memory.
func (s *Session) RunOn(inputs, outputs [][]float32, batch int) error {
	if s == nil || s.plan == nil {
		return fmt.Errorf("plan: Session.RunOn: %w", errEmptySession)
	}
	if err := s.plan.check(inputs, outputs, batch); err != nil {
		return fmt.Errorf("plan: Session.RunOn: %w", err)
	}
	if batch < 1 || batch > s.plan.maxBatch {
		return fmt.Errorf("plan: Session.RunOn: batch is %d, valid are 1 to %d", batch, s.plan.maxBatch)
	}
	s.away = true
	if err := s.move(inputs, outputs, batch); err != nil {
		return err
	}
	return s.run(batch)
}

// Input returns the memory of input i: MaxBatch rows, of which Run reads the first batch. It panics, like an index, if
// there is no input i.
func (s *Session) Input(i int) []float32 { return s.inputs[i] }

// Output returns the memory of output i: MaxBatch rows, of which Run writes the first batch and leaves the others as they
// are. Results are valid until the next Run. It panics, like an index, if there is no output i.
func (s *Session) Output(i int) []float32 { return s.outputs[i] }

// InputByName is Input for the input of that name.
func (s *Session) InputByName(name string) ([]float32, error) {
	return s.byName("input", name, s.inputs)
}

// OutputByName is Output for the output of that name.
func (s *Session) OutputByName(name string) ([]float32, error) {
	return s.byName("output", name, s.outputs)
}

func (s *Session) byName(what, name string, memory [][]float32) ([]float32, error) {
	if s.plan == nil {
		return nil, fmt.Errorf("plan: Session: %w", errEmptySession)
	}
	ports := s.plan.inputs
	if what == "output" {
		ports = s.plan.outputs
	}
	i := slices.IndexFunc(ports, func(p port) bool { return p.name == name })
	if i < 0 {
		return nil, fmt.Errorf("plan: Session: unknown %s %s: valid are %s", what, brief.Quote(name), brief.QuoteAll(portNames(ports)))
	}
	return memory[i], nil
}

// Run computes the outputs of the first batch rows of the inputs. An index that an embedding does not have is an
// error that names input, layer and row and wraps a [kernels.IndexError]; what the outputs then hold is not specified.
// Other inputs are not checked: a NaN is computed with, and reaches no other row.
func (s *Session) Run(batch int) error {
	if s == nil || s.plan == nil {
		return fmt.Errorf("plan: Session.Run: %w", errEmptySession)
	}
	if batch < 1 || batch > s.plan.maxBatch {
		return fmt.Errorf("plan: Session.Run: batch is %d, valid are 1 to %d", batch, s.plan.maxBatch)
	}
	if s.away {
		if err := s.move(s.inputs, s.outputs, s.plan.maxBatch); err != nil {
			return err
		}
		s.away = false
	}
	return s.run(batch)
}

// copyRows copies rows, most of which are short: a call for one element would cost more than the element.
func copyRows(_ *kernels.Table, s *boundStep) error {
	y, x := &s.y, &s.x[0]
	for i := range y.Rows {
		to, from := y.Data[i*y.Stride:][:y.Cols], x.Data[i*x.Stride:][:y.Cols]
		if len(to) > 4 {
			copy(to, from)
			continue
		}
		//lint:ignore S1001 the call is what this avoids
		for j, v := range from {
			to[j] = v
		}
	}
	return nil
}

func (s *Session) run(batch int) error {
	if s.batch != batch {
		s.batch = batch
		for i := range s.steps {
			s.steps[i].resize(batch)
		}
	}
	t, chains := s.plan.table, s.plan.chained
	for i := 0; i < len(s.steps); i++ {
		b := &s.steps[i]
		var err error
		switch {
		case len(chains) > 0 && chains[0].from == i:
			err = s.runChain(chains[0], batch)
			i, chains = chains[0].to-1, chains[1:]
		case b.run == nil:
			err = b.dense.Run(&s.scratch, b.y.Rows)
		default:
			err = b.run(t, b)
		}
		if err != nil {
			return s.explain(b.step, err)
		}
	}
	return nil
}

// explain says which input, if it is of one, layer and row an error about an index is about.
func (s *Session) explain(step *step, err error) error {
	var index *kernels.IndexError
	if step.op != "embed" || !errors.As(err, &index) {
		return err
	}
	i := slices.IndexFunc(s.plan.inputs, func(p port) bool { return p.buffer == step.x[0].buffer })
	index.Row += s.first
	if i < 0 { // a computed index
		return fmt.Errorf("plan: layer %s (Embedding): %w", brief.Quote(step.name), err)
	}
	return fmt.Errorf("plan: input %s: layer %s (Embedding): %w", brief.Quote(s.plan.inputs[i].name), brief.Quote(step.name), err)
}

// Predict computes the outputs of any number of rows: inputs[i] has batch rows of input i, and outputs[i] room for as
// many of output i; what lies behind them stays as it is. It may be called from any number of goroutines. Each call takes a
// session that an earlier one has left and allocates nothing, or makes one if there is none; sessions that are not needed
// for two garbage collections are freed.
//
// No output may share memory with another output, nor with an input unless batch is at most MaxBatch: then, all inputs
// are read before an output is written. Inputs are checked as by [Session.Run].
func (p *Plan) Predict(inputs, outputs [][]float32, batch int) error {
	if p.isEmpty() {
		return fmt.Errorf("plan: Predict: %w", errEmptyPlan)
	}
	if err := p.check(inputs, outputs, batch); err != nil {
		return fmt.Errorf("plan: Predict: %w", err)
	}
	s, _ := p.sessions.Get().(*Session)
	if s == nil {
		s = p.NewSession()
	}
	defer p.sessions.Put(s)
	for from := 0; from < batch; from += p.maxBatch {
		rows := min(p.maxBatch, batch-from)
		for i, f := range p.inputs {
			copy(s.inputs[i], inputs[i][from*f.features:(from+rows)*f.features])
		}
		s.first = from
		if err := s.Run(rows); err != nil {
			return err
		}
		for i, f := range p.outputs {
			copy(outputs[i][from*f.features:(from+rows)*f.features], s.outputs[i])
		}
	}
	return nil
}

func (p *Plan) check(inputs, outputs [][]float32, batch int) error {
	if batch < 0 {
		return fmt.Errorf("batch is %d, must not be negative", batch)
	}
	if err := checkPorts("input", p.inputs, inputs, batch); err != nil {
		return err
	}
	return checkPorts("output", p.outputs, outputs, batch)
}

func checkPorts(what string, ports []port, memory [][]float32, batch int) error {
	if len(memory) != len(ports) {
		return fmt.Errorf("got %d %ss, the model has %d: %s", len(memory), what, len(ports), brief.QuoteAll(portNames(ports)))
	}
	for i, p := range ports {
		if n := len(memory[i]); n/p.features < batch {
			need := fmt.Sprint(batch * p.features)
			if hi, lo := bits.Mul64(uint64(batch), uint64(p.features)); hi > 0 || lo > math.MaxInt {
				need = "more than memory has"
			}
			return fmt.Errorf("%s %s has %d elements, %d rows of %d features need %s", what, brief.Quote(p.name), n, batch, p.features, need)
		}
	}
	return nil
}
