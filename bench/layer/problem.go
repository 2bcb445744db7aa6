package layer

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/espalier-ml/espalier/bench/infer"
	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/onnx"
)

// Tolerance is how far a library's outputs may be from those of Espalier's Predict, relative to values above 1
// and absolute below. ONNX Runtime's approximations of sigmoid and tanh are a few 1e-6 off.
const Tolerance = 2e-5

// A Library is Espalier or one of its peers.
type Library interface {
	Name() string
	Version() string
	// Prepare returns the library's calls for a problem, none if it takes no part.
	Prepare(p *Problem) ([]infer.Call, error)
}

// Problem is a row with its operands and its output, which all libraries write.
type Problem struct {
	Row
	Model *nn.Model
	X, Y  []float32
	want  []float32
}

// NewProblem returns a row with its operands, the same ones for each call.
func NewProblem(row Row) (*Problem, error) {
	l, err := layerOf(row.Model)
	if err != nil {
		return nil, err
	}
	p := &Problem{Row: row, X: infer.Aligned(row.Batch * l.Input.Elements())}
	if p.Model, err = l.model(); err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range p.X {
		p.X[i] = float32(2*r.Float64() - 1)
	}
	outputs, err := p.Model.Predict(nn.Arrays{"x": nn.Floats(p.X)})
	if err != nil {
		return nil, err
	}
	p.want = outputs["y"].Data
	p.Y = infer.Aligned(len(p.want))
	p.spoil()
	return p, nil
}

// ONNX returns the model as an ONNX file.
func (p *Problem) ONNX() ([]byte, error) {
	var b bytes.Buffer
	err := onnx.Write(&b, p.Model)
	return b.Bytes(), err
}

func (p *Problem) spoil() {
	for i := range p.Y {
		p.Y[i] = float32(math.NaN())
	}
}

// Verify runs a call once and checks its results.
func (p *Problem) Verify(library string, c infer.Call) error {
	p.spoil()
	var ns [1]uint32
	err := c.Run(ns[:])
	if err == nil && c.Fetch != nil {
		err = c.Fetch()
	}
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return fmt.Errorf("%s %s, %v: %w", library, c.Way, p.Row, err)
	}
	return nil
}

func (p *Problem) check() error {
	for i, got := range p.Y {
		want := float64(p.want[i])
		if d := math.Abs(float64(got) - want); !(d <= Tolerance*max(1, math.Abs(want))) {
			return fmt.Errorf("value %d is %v, not %v", i, got, want)
		}
	}
	return nil
}
