package infer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"unsafe"

	"github.com/espalier-ml/espalier/kernels"
)

// Tolerance is how far a library's outputs may be from those of float64, relative to values above 1 and absolute below. Two
// libraries that pass differ by twice as much at most.
const Tolerance = 1e-5

// Operands are what a row computes from, and all libraries share. Slices start at cache lines, matrices are row-major.
type Operands struct {
	Row
	Network
	Weights [][]float32 // of each layer, In rows and Out columns
	Biases  [][]float32
	X       [][]float32 // inputs, batch rows each
}

// NewOperands returns the operands of a row, the same ones for each call. A network's weights do not depend on the batch.
func NewOperands(row Row) (*Operands, error) {
	network, err := NetworkOf(row.Model)
	if err != nil {
		return nil, err
	}
	o := &Operands{Row: row, Network: network}
	r := rand.New(rand.NewPCG(uint64(network.Parameters()), 1))
	for _, l := range network.Layers {
		// Glorot's limit keeps the values of all layers at about one size.
		limit := math.Sqrt(6 / float64(l.In+l.Out))
		o.Weights = append(o.Weights, random(r, l.In*l.Out, limit))
		o.Biases = append(o.Biases, random(r, l.Out, 0.1))
	}
	for _, features := range network.Inputs {
		o.X = append(o.X, random(r, row.Batch*features, 1))
	}
	return o, nil
}

// Problem is a row with its operands and its outputs, which all libraries write.
type Problem struct {
	Operands
	Y    [][]float32 // outputs, batch rows each; where a library writes, or leaves what it wrote elsewhere
	want [][]float64
}

// NewProblem returns a row with its operands, the same ones for each call.
func NewProblem(row Row) (*Problem, error) {
	operands, err := NewOperands(row)
	if err != nil {
		return nil, err
	}
	p := &Problem{Operands: *operands}
	widths := p.Widths()
	for _, v := range p.Outputs {
		p.Y = append(p.Y, Aligned(row.Batch*widths[v]))
	}
	p.want = wanted(p)
	p.Spoil()
	return p, nil
}

// references has the outputs that were computed before: those of the large batches take seconds.
var references = struct {
	sync.Mutex
	outputs map[Row][][]float64
}{outputs: map[Row][][]float64{}}

func wanted(p *Problem) [][]float64 {
	references.Lock()
	defer references.Unlock()
	row := p.Row
	row.Threads = 1
	outputs, ok := references.outputs[row]
	if !ok {
		outputs = p.reference()
		references.outputs[row] = outputs
	}
	return outputs
}

// random returns values between -limit and limit.
func random(r *rand.Rand, n int, limit float64) []float32 {
	values := Aligned(n)
	for i := range values {
		values[i] = float32((2*r.Float64() - 1) * limit)
	}
	return values
}

// Aligned returns n values that start at a cache line.
func Aligned(n int) []float32 {
	const line = 64 / 4
	data := make([]float32, n+line)
	skip := 0
	for uintptr(unsafe.Pointer(&data[skip]))%64 != 0 {
		skip++
	}
	return data[skip : skip+n : skip+n]
}

// reference computes the outputs in float64.
func (p *Problem) reference() (outputs [][]float64) {
	values := make([][]float64, 0, len(p.X)+len(p.Steps))
	for _, x := range p.X {
		v := make([]float64, len(x))
		for i := range x {
			v[i] = float64(x[i])
		}
		values = append(values, v)
	}
	widths := p.Widths()
	for _, s := range p.Steps {
		var y []float64
		for i := range p.Batch {
			if s.Layer != Concat {
				x, in := values[s.On[0]], p.Layers[s.Layer].In
				y = append(y, p.dense(s.Layer, x[i*in:(i+1)*in])...)
				continue
			}
			for _, v := range s.On {
				y = append(y, values[v][i*widths[v]:(i+1)*widths[v]]...)
			}
		}
		values = append(values, y)
	}
	for _, v := range p.Outputs {
		outputs = append(outputs, values[v])
	}
	return outputs
}

// dense returns what a layer makes of one row.
func (p *Problem) dense(layer int, x []float64) []float64 {
	l := p.Layers[layer]
	y := make([]float64, l.Out)
	for j := range y {
		y[j] = float64(p.Biases[layer][j])
	}
	for i, v := range x {
		for j, w := range p.Weights[layer][i*l.Out : (i+1)*l.Out] {
			y[j] += v * float64(w)
		}
	}
	sum := 0.0
	for j, v := range y {
		switch l.Act {
		case ReLU:
			y[j] = max(0, v)
		case Sigmoid:
			y[j] = 1 / (1 + math.Exp(-v))
		case Softmax: // of small values
			y[j] = math.Exp(v)
			sum += y[j]
		}
	}
	if l.Act == Softmax {
		for j := range y {
			y[j] /= sum
		}
	}
	return y
}

// Values returns memory for each value, in which a library may compute. The inputs are the operands themselves, the outputs y,
// unless it is nil. A value that Concat joins is part of the result of Concat, which so has nothing left to do.
func (o *Operands) Values(y [][]float32) []kernels.Matrix {
	widths := o.Widths()
	values := make([]kernels.Matrix, len(widths))
	for v, x := range o.X {
		values[v] = kernels.MatrixOf(x, o.Batch, widths[v])
	}
	for i, v := range o.Outputs[:len(y)] {
		values[v] = kernels.MatrixOf(y[i], o.Batch, widths[v])
	}
	for i := len(o.Steps) - 1; i >= 0; i-- {
		v, s := len(o.X)+i, o.Steps[i]
		if values[v].Data == nil {
			values[v] = kernels.MatrixOf(Aligned(o.Batch*widths[v]), o.Batch, widths[v])
		}
		if s.Layer == Concat {
			column := 0
			for _, part := range s.On {
				values[part] = values[v].Columns(column, column+widths[part])
				column += widths[part]
			}
		}
	}
	return values
}

// Spoil overwrites the outputs, so that [Problem.Check] sees what the next call wrote.
func (p *Problem) Spoil() {
	for _, y := range p.Y {
		for i := range y {
			y[i] = float32(math.NaN())
		}
	}
}

// Check compares all outputs with float64.
func (p *Problem) Check() error {
	for o, y := range p.Y {
		for i, got := range y {
			want := p.want[o][i]
			if d := math.Abs(float64(got) - want); !(d <= Tolerance*max(1, math.Abs(want))) {
				return fmt.Errorf("value %d of output %d is %v, not %v", i, o, got, want)
			}
		}
	}
	return nil
}
