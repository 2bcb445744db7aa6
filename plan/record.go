package plan

import (
	"errors"
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// A Recorder notes what is to be computed for one sample: the operations of [ops.Ops], between [Recorder.Input] and
// [Recorder.Output]. It computes nothing, so the Data of its tensors are nil but for constants. The first error sticks to
// it, and [Recorder.Plan] returns it.
type Recorder struct {
	values  []*value
	inputs  []*value
	outputs []output
	label   string
	err     error
}

// A value is a tensor and what the recorder and the passes know of it.
type value struct {
	ops.Tensor
	step  *operation // that computes it; nil for inputs and constants that are given
	name  string     // of an input
	fixed bool       // a constant, given or computed of constants

	// What the passes find out.
	same  *value   // whose elements it has, by itself or another
	users int      // how often it is an operand or an output
	depth int      // the longest way from an input
	place place    // of the elements
	laid  bool     // place is set
	tail  *value   // the function of it that takes its place
	group []*value // products that are one
}

type output struct {
	name  string
	value *value
}

// An operation is one line of the record.
type operation struct {
	name   string // as Describe prints it
	label  string // of whom it is a part
	kind   kind
	in     []*value
	act    kernels.Activation
	linear *linear                                    // what a product can take in
	from   int                                        // the first column of a slice
	run    func(t *kernels.Table, s *boundStep) error // of whole operands
	flops  int                                        // for each sample
}

// A kind is how the passes treat an operation.
type kind uint8

const (
	function    kind = iota // element by element: an operand may lie where the result does
	rowwise                 // row by row: the same, but its rows must be rows; operands but the first may be constants
	apart                   // whatever a Function does: its result lies apart from the operands, which may be constants
	product                 // Dense
	convolution             // Conv: its result lies apart, and its weights are packed
	depthwise               // Depthwise: its result lies apart
	embedding               // Embedding
	reshape                 // Reshape
	joining                 // Concatenate
	slicing                 // Slice
	recurrent               // Recurrent
)

var _ ops.Ops = (*Recorder)(nil)

// NewRecorder returns an empty recorder.
func NewRecorder() *Recorder { return new(Recorder) }

// Input returns the tensor, 1 x features, of a new input.
func (r *Recorder) Input(name string, features int) *ops.Tensor {
	v := r.value(1, features)
	v.name = name
	r.inputs = append(r.inputs, v)
	return &v.Tensor
}

// Const returns the tensor of a constant, such as weights. [Recorder.Plan] copies its values.
func (r *Recorder) Const(m kernels.Matrix) *ops.Tensor {
	if !m.Valid() {
		r.fail(fmt.Errorf("Const: a %dx%d matrix (stride %d) of %d elements: %w", m.Rows, m.Cols, m.Stride, len(m.Data), kernels.ErrShape))
	}
	v := r.value(m.Rows, m.Cols)
	v.Matrix, v.fixed = m, true
	return &v.Tensor
}

// Param is [Recorder.Const] for a parameter. A plan does not need its name.
func (r *Recorder) Param(_ string, m kernels.Matrix) *ops.Tensor { return r.Const(m) }

// Full returns the tensor of a constant that has the value v everywhere. Its memory counts among what is computed of constants.
func (r *Recorder) Full(rows, cols int, v float32) *ops.Tensor {
	return r.record(operation{name: "full", run: func(t *kernels.Table, s *boundStep) error { return t.Fill(s.y, v) }}, rows, cols)
}

// Output makes x an output, with all of its elements as one row.
func (r *Recorder) Output(name string, x *ops.Tensor) {
	if !r.accept("Output", x) {
		return
	}
	v := r.of(x)
	if v.fixed {
		r.fail(fmt.Errorf("Output: %q is a constant", name))
	}
	r.outputs = append(r.outputs, output{name, v})
}

// Label names what the operations from now on are a part of, such as a layer, for [Plan.Describe] and errors.
func (r *Recorder) Label(label string) { r.label = label }

// Err returns the first error of an operation.
func (r *Recorder) Err() error { return r.err }

var errMixed = errors.New("an operand is a constant, which has not a row for each sample, and another is not")

func (r *Recorder) fail(err error) {
	if r.err == nil {
		if r.label != "" {
			err = fmt.Errorf("%q: %w", r.label, err)
		}
		r.err = err
	}
}

func (r *Recorder) value(rows, cols int) *value {
	v := &value{Tensor: ops.Tensor{Matrix: kernels.Matrix{Rows: rows, Cols: cols, Stride: cols}, ID: int32(len(r.values))}}
	v.same = v
	r.values = append(r.values, v)
	return v
}

// of returns what the recorder knows of x, nil if it did not make it.
func (r *Recorder) of(x *ops.Tensor) *value {
	if x == nil || uint(x.ID) >= uint(len(r.values)) || &r.values[x.ID].Tensor != x {
		return nil
	}
	return r.values[x.ID]
}

func (r *Recorder) accept(name string, operands ...*ops.Tensor) bool {
	for i, x := range operands {
		if r.of(x) == nil {
			r.fail(fmt.Errorf("%s: operand %d is not of this recorder", name, i))
		}
	}
	return r.err == nil
}

var dead = ops.Tensor{ID: -1}

// record appends an operation with a rows x cols result.
func (r *Recorder) record(o operation, rows, cols int, operands ...*ops.Tensor) *ops.Tensor {
	if !r.accept(o.name, operands...) {
		return &dead
	}
	o.label = r.label
	constants := 0
	for _, x := range operands {
		v := r.of(x)
		if v.fixed {
			constants++
		}
		o.in = append(o.in, v)
	}
	fixed := constants == len(operands)
	if constants > 0 && !fixed && (o.kind == function || o.kind == joining) {
		r.fail(fmt.Errorf("%s: %w", o.name, errMixed))
		return &dead
	}
	if rows < 0 || cols < 0 || cols > 0 && rows > MaxElements/cols {
		r.fail(fmt.Errorf("%s: a result of %dx%d has more than %d elements: %w", o.name, rows, cols, MaxElements, kernels.ErrShape))
		return &dead
	}
	y := r.value(rows, cols)
	y.fixed = fixed
	y.step = &o
	return &y.Tensor
}

// unary records a function of x with a result of its shape.
func (r *Recorder) unary(o operation, x *ops.Tensor) *ops.Tensor {
	if !r.accept(o.name, x) {
		return &dead
	}
	o.flops = x.Rows * x.Cols
	return r.record(o, x.Rows, x.Cols, x)
}
