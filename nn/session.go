package nn

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/espalier-ml/espalier/kernels"
)

// A Session is the memory in which one goroutine runs a plan: write the inputs, Run, read the outputs. It allocates
// nothing, takes no lock and starts no goroutine.
type Session struct {
	plan    *Plan
	batch   int // rows of the steps' operands, for each sample one
	scratch kernels.Scratch
	steps   []boundStep
	inputs  [][]float32
	outputs [][]float32
	uses    []use
	away    bool // RunOn left operands in the caller's memory
	first   int  // row of the caller's data that Predict put into row 0: for errors
}

// A use is an operand that lies in the memory of an input or output.
type use struct {
	step, operand int // operand -1 is the result
	output        bool
	port          int
}

// A boundStep is a step of the plan with its operands in the session's memory.
type boundStep struct {
	*planStep
	lead  int // rows for each sample
	dense kernels.BoundDense
	y     kernels.Matrix
	x     [2]kernels.Matrix
}

// NewSession returns a session with memory of its own.
func (p *Plan) NewSession() *Session {
	s := &Session{plan: p, steps: make([]boundStep, len(p.steps))}
	s.scratch.Pool = p.pool
	arena := make([]float32, p.arena*p.maxBatch)
	matrix := func(v view) kernels.Matrix {
		return kernels.Matrix{Data: arena[p.buffers[v.buffer].offset*p.maxBatch+v.offset:], Rows: v.lead * p.maxBatch, Cols: v.cols, Stride: v.stride}
	}
	s.batch = p.maxBatch
	for i := range p.steps {
		b := &s.steps[i]
		b.planStep = &p.steps[i]
		b.lead, b.y = b.planStep.y.lead, matrix(b.planStep.y)
		for j, x := range b.planStep.x {
			b.x[j] = matrix(x)
		}
		if b.op == denseOp {
			if err := p.table.Bind(&b.dense, b.y, b.x[0], b.w, b.act); err != nil {
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
	for i, step := range p.steps {
		for j, v := range append([]view{step.y}, step.x...) {
			for k, o := range p.inputs {
				if v.buffer == o.buffer {
					s.uses = append(s.uses, use{i, j - 1, false, k})
				}
			}
			for k, o := range p.outputs {
				if v.buffer == o.buffer {
					s.uses = append(s.uses, use{i, j - 1, true, k})
				}
			}
		}
	}
	return s
}

// move points the operands in the memory of inputs and outputs at other memory, of batch rows.
func (s *Session) move(inputs, outputs [][]float32, batch int) error {
	for _, u := range s.uses {
		b := &s.steps[u.step]
		memory := inputs
		if u.output {
			memory = outputs
		}
		v, m := &b.planStep.y, &b.y
		if u.operand >= 0 {
			v, m = &b.planStep.x[u.operand], &b.x[u.operand]
		}
		m.Data = memory[u.port][v.offset:]
	}
	for _, u := range s.uses {
		if b := &s.steps[u.step]; b.op == denseOp {
			y, x := b.y, b.x[0]
			y.Rows, x.Rows = b.lead*batch, b.lead*batch
			if err := s.plan.table.Bind(&b.dense, y, x, b.w, b.act); err != nil {
				return err
			}
		}
	}
	return nil
}

// RunOn is Run on the caller's memory: it reads batch rows of each input from inputs and writes as many of each output
// to outputs. Input and Output keep what they have. Inputs and outputs must not overlap.
func (s *Session) RunOn(inputs, outputs [][]float32, batch int) error {
	if err := s.plan.check(inputs, outputs, batch); err != nil {
		return fmt.Errorf("nn: Session.RunOn: %w", err)
	}
	if batch < 1 || batch > s.plan.maxBatch {
		return fmt.Errorf("nn: Session.RunOn: batch is %d, valid are 1 to %d", batch, s.plan.maxBatch)
	}
	s.away = true
	if err := s.move(inputs, outputs, batch); err != nil {
		return err
	}
	return s.run(batch)
}

// Input returns the memory of input i: maxBatch rows, of which Run reads the first. Like an index it panics if there is
// no input i.
func (s *Session) Input(i int) []float32 { return s.inputs[i] }

// Output returns the memory of output i: maxBatch rows, of which Run writes the first. They are valid until the next Run.
func (s *Session) Output(i int) []float32 { return s.outputs[i] }

// InputByName is Input for the input of that name.
func (s *Session) InputByName(name string) ([]float32, error) {
	return byName("input", name, s.plan.inputs, s.inputs)
}

// OutputByName is Output for the output of that name.
func (s *Session) OutputByName(name string) ([]float32, error) {
	return byName("output", name, s.plan.outputs, s.outputs)
}

func byName(what, name string, ports []port, memory [][]float32) ([]float32, error) {
	i := slices.IndexFunc(ports, func(p port) bool { return p.name == name })
	if i < 0 {
		return nil, fmt.Errorf("nn: Session: unknown %s %q: valid are %q", what, name, portNames(ports))
	}
	return memory[i], nil
}

// Run computes the outputs of the first batch rows of the inputs. An index that is none of an [Embedding]'s is an error
// that names input, layer and row and wraps a [kernels.IndexError]; the outputs then hold anything.
func (s *Session) Run(batch int) error {
	if batch < 1 || batch > s.plan.maxBatch {
		return fmt.Errorf("nn: Session.Run: batch is %d, valid are 1 to %d", batch, s.plan.maxBatch)
	}
	if s.away {
		if err := s.move(s.inputs, s.outputs, s.plan.maxBatch); err != nil {
			return err
		}
		s.away = false
	}
	return s.run(batch)
}

// copy copies rows, most of which are short: a call for one element would cost more than the element.
func (b *boundStep) copy() {
	y, x := &b.y, &b.x[0]
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
}

func (s *Session) run(batch int) error {
	if s.batch != batch {
		s.batch = batch
		for i := range s.steps {
			b := &s.steps[i]
			b.y.Rows = batch * b.lead
			for j := range b.x {
				b.x[j].Rows = b.y.Rows
			}
		}
	}
	t := s.plan.table
	for i := range s.steps {
		b := &s.steps[i]
		var err error
		switch b.op {
		case denseOp:
			err = b.dense.Run(&s.scratch, b.y.Rows)
		case softmaxOp:
			err = t.Softmax(b.y, b.x[0])
		case geluOp:
			err = t.Gelu(b.y, b.x[0])
		case activateOp:
			err = t.Activate(b.y, b.x[0], nil, b.act)
		case copyOp:
			b.copy()
		case embedOp:
			if err = t.Gather(b.y, b.x[0], b.rows); err != nil {
				err = s.indexError(b.planStep, err)
			}
		case addOp:
			err = t.Add(b.y, b.x[0], b.x[1])
		case multiplyOp:
			err = t.Mul(b.y, b.x[0], b.x[1])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// indexError says which input, layer and row an error of Gather is about.
func (s *Session) indexError(step *planStep, err error) error {
	i := slices.IndexFunc(s.plan.inputs, func(p port) bool { return p.buffer == step.x[0].buffer })
	var index *kernels.IndexError
	if errors.As(err, &index) {
		index.Row += s.first
	}
	return fmt.Errorf("nn: input %q: layer %q (Embedding): %w", s.plan.inputs[i].name, step.name, err)
}

// Predict computes the outputs of any number of rows: inputs[i] has batch rows of input i, outputs[i] has room for as
// many of output i. It may be called from any number of goroutines, and allocates nothing once there have been as many
// calls at the same time.
func (p *Plan) Predict(inputs, outputs [][]float32, batch int) error {
	if err := p.check(inputs, outputs, batch); err != nil {
		return fmt.Errorf("nn: Plan.Predict: %w", err)
	}
	s := p.sessions.take()
	if s == nil {
		s = p.NewSession()
	}
	defer p.sessions.put(s)
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
		return fmt.Errorf("got %d %ss, the model has %d: %q", len(memory), what, len(ports), portNames(ports))
	}
	for i, p := range ports {
		if n := len(memory[i]); n/p.features < batch {
			return fmt.Errorf("%s %q has %d elements, %d rows of %d features need %d", what, p.name, n, batch, p.features, batch*p.features)
		}
	}
	return nil
}

// A freeList keeps sessions between calls of Predict.
type freeList [freeSlots]struct {
	session atomic.Pointer[Session]
	_       [56]byte // the rest of a cache line
}

const freeSlots = 64

// home returns the slot at which the calling goroutine begins to look. It hashes the address of its stack, so that a
// goroutine mostly finds what it put there, and those on different cores seldom meet.
func home() uint32 {
	var here byte
	return uint32(uintptr(unsafe.Pointer(&here))>>11) * 0x9e3779b1 >> 26
}

// take returns a session, or nil if there is none.
func (f *freeList) take() *Session {
	for i, at := 0, home(); i < freeSlots; i, at = i+1, (at+1)%freeSlots {
		if slot := &f[at].session; slot.Load() != nil {
			if s := slot.Swap(nil); s != nil {
				return s
			}
		}
	}
	return nil
}

// put gives a session back, or to the garbage collector if all slots have one.
func (f *freeList) put(s *Session) {
	for i, at := 0, home(); i < freeSlots; i, at = i+1, (at+1)%freeSlots {
		if f[at].session.CompareAndSwap(nil, s) {
			return
		}
	}
}
