package plan

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"unsafe"

	"github.com/espalier-ml/espalier/kernels"
)

// A Plan is a record made ready to serve: lowered to fused steps, its weights packed for the processor. It is immutable and
// has its own copy of the weights, so any number of goroutines may use it. A row's result has the same bits in any batch.
type Plan struct {
	table    *kernels.Table
	pool     *kernels.Pool // nil for one worker
	maxBatch int
	inputs   []port
	outputs  []port
	steps    []step
	chained  []chain
	buffers  []buffer
	uses     []use // of the memory of inputs and outputs
	arena    int   // floats that a session has for each row of a batch

	// sessions are those of Predict. What no call has used between two garbage collections goes with the second one.
	sessions sync.Pool
}

// A port is an input or output of a plan.
type port struct {
	name     string
	features int
	buffer   int
}

// A view is where a step finds an operand: lead rows of cols columns, stride apart, for each sample; or a constant, which
// all sessions and samples share.
type view struct {
	constant           *kernels.Matrix // nil for the others
	buffer, offset     int
	lead, cols, stride int
}

// A step is one kernel call: y = op(x...).
type step struct {
	op    string
	name  string // of the layers it computes
	act   kernels.Activation
	w     *kernels.PackedB                           // of a product, a convolution, or the product in a recurrence
	bound bool                                       // whether sessions bind a product to their memory
	run   func(t *kernels.Table, s *boundStep) error // of everything but a product
	y     view
	x     []view
	inner []bool // which of y and x only the step's chain uses; nil if it is in none
	flops int    // for each sample
	bytes int    // of weights
}

// A Config says how to make a plan.
type Config struct {
	MaxBatch int   // the rows that a session has memory for
	Workers  int   // goroutines that share large products; with 1 or less nothing is shared
	MaxBytes int64 // of weights and one session together; 0 stands for 1 GiB and twice the bytes of the weights
}

// MaxElements is the most floats that a session may have, so that every product of sizes stays in range.
const MaxElements = math.MaxInt32

// Plan lowers the record, packing the weights that its constants have now. Products get their activation in the same
// kernel call; narrow ones on one operand are one product, as are those with the same weights; what a concatenation joins
// is computed where the joined rows lie; dropout and reshapes vanish, and what depends on constants only is computed now.
// The recorder must not be used afterwards.
//
// A result has the bits that the tape of package autograd gives, with one exception: a product takes in scales and shifts of
// columns before and behind it ([Recorder.Affine], [Recorder.Scale]). With k rows of weights and M for the sum of the
// magnitudes of all terms of an element, each of them changes it by at most (k+2)·2⁻²²·M, the same on every machine.
func (r *Recorder) Plan(c Config) (*Plan, error) {
	if r.err != nil {
		return nil, r.err
	}
	if c.MaxBatch < 1 {
		return nil, fmt.Errorf("maxBatch is %d, must be at least 1", c.MaxBatch)
	}
	if err := kernels.Err(); err != nil {
		return nil, err
	}
	if len(r.outputs) == 0 {
		return nil, errors.New("nothing is to be computed: the record has no output")
	}
	r.err = errors.New("the record has become a plan") // the passes have changed it
	p := &Plan{table: kernels.Default(), maxBatch: c.MaxBatch}
	l := lowering{Plan: p, Recorder: r, packed: map[string]*kernels.PackedB{}, tables: map[*value]*kernels.Matrix{}, maxBytes: r.limit(c)}
	if err := l.lower(); err != nil {
		return nil, err
	}
	if err := l.checkMemory(l.layOut()); err != nil {
		return nil, err
	}
	for _, copy := range l.copies {
		if err := copy(); err != nil {
			return nil, err
		}
	}
	if c.Workers > 1 {
		p.pool = kernels.NewPool(c.Workers)
		runtime.AddCleanup(p, func(pool *kernels.Pool) { pool.Close() }, p.pool)
	}
	return p, nil
}

// limit returns the limit of memory.
func (r *Recorder) limit(c Config) int64 {
	if c.MaxBytes != 0 {
		return c.MaxBytes
	}
	bytes := int64(1 << 30)
	for _, v := range r.values {
		if v.fixed && v.step == nil { // is given, not computed
			bytes += 2 * 4 * int64(v.elements())
		}
	}
	return bytes
}

// checkMemory reports a plan that needs more than its limit. A session takes arena floats for each row of a batch.
func (l *lowering) checkMemory(arena int64) error {
	if arena > int64(MaxElements/l.maxBatch) {
		return fmt.Errorf("maxBatch is %d, and each row takes %d floats: together more than %d", l.maxBatch, arena, MaxElements)
	}
	l.arena = int(arena)
	session := 4*arena*int64(l.maxBatch) + int64(len(l.steps))*int64(unsafe.Sizeof(boundStep{}))
	if need := l.memory + session; need > l.maxBytes {
		return fmt.Errorf("needs %d bytes, %d for weights and %d for a session of up to %d rows; MaxBytes allows %d", need, l.memory, session, l.maxBatch, l.maxBytes)
	}
	return nil
}

var errEmptyPlan = errors.New("the plan is empty: make it with nn.NewPlan or a Recorder")

// isEmpty reports a Plan that nothing has made.
func (p *Plan) isEmpty() bool { return p == nil || p.table == nil }

// MaxBatch returns the rows that a session has memory for.
func (p *Plan) MaxBatch() int { return p.maxBatch }

// InputNames returns the names of the inputs, in order.
func (p *Plan) InputNames() []string { return portNames(p.inputs) }

// OutputNames returns the names of the outputs, in order.
func (p *Plan) OutputNames() []string { return portNames(p.outputs) }

// InputFeatures returns the elements of a row of input i. It panics, like an index, if there is no input i.
func (p *Plan) InputFeatures(i int) int { return p.inputs[i].features }

// OutputFeatures returns the elements of a row of output i. It panics, like an index, if there is no output i.
func (p *Plan) OutputFeatures(i int) int { return p.outputs[i].features }

func portNames(ports []port) []string {
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = p.name
	}
	return names
}
