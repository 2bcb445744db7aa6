package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"github.com/espalier-ml/espalier/bench/infer"
)

// Adam's settings, which are Keras' defaults.
const (
	LearningRate = 1e-3
	Beta1        = 0.9
	Beta2        = 0.999
	Epsilon      = 1e-7
)

// Batches is how many batches there are. All have the same inputs with other targets, so that no network can learn them by
// heart: gradients stay far from zero in however many steps.
const Batches = 8

// Tolerance is how far the losses of a library may be from those of float64 with the same form of Adam, relative to them.
const Tolerance = 1e-5

// Problem is a row with its operands, which all libraries share and none changes. The loss of a step is the sum of the
// outputs' losses, which are means over the rows: the squared error of a linear output, the cross-entropy of the others.
type Problem struct {
	Row
	infer.Operands
	// Targets has for each batch and output a value for each row: 0 or 1 for a sigmoid, a class for a softmax.
	Targets [Batches][][]float32
	// Losses is where a library leaves the loss of each of its steps: of step i, which trains on batch i mod Batches, in
	// element i mod len(Losses). The first len(Losses) steps are checked.
	Losses []float64
	want   [2][]float64 // by form
}

// NewProblem returns the operands of a row, the same ones for each call.
func NewProblem(row Row) (*Problem, error) {
	operands, err := infer.NewOperands(infer.Row(row))
	if err != nil {
		return nil, err
	}
	p := &Problem{Row: row, Operands: *operands}
	r := rand.New(rand.NewPCG(uint64(row.Batch), 2))
	for b := range p.Targets {
		for o := range p.Outputs {
			p.Targets[b] = append(p.Targets[b], targets(r, p.Head(o), row.Batch))
		}
	}
	p.want = wanted(p)
	p.Losses = make([]float64, len(p.want[keras]))
	p.Spoil()
	return p, nil
}

// Head returns the layer that an output comes from.
func (p *Problem) Head(output int) infer.Layer { return p.Layers[p.HeadLayer(output)] }

// HeadLayer returns the number of the layer that an output comes from.
func (p *Problem) HeadLayer(output int) int { return p.Steps[p.Outputs[output]-len(p.Inputs)].Layer }

func targets(r *rand.Rand, head infer.Layer, rows int) []float32 {
	values := infer.Aligned(rows)
	for i := range values {
		switch head.Act {
		case infer.Sigmoid:
			values[i] = float32(r.IntN(2))
		case infer.Softmax:
			values[i] = float32(r.IntN(head.Out))
		default:
			values[i] = float32(2*r.Float64() - 1)
		}
	}
	return values
}

// references has the losses that were computed before: those of the large network take seconds.
var references = struct {
	sync.Mutex
	losses map[Row][2][]float64
}{losses: map[Row][2][]float64{}}

func wanted(p *Problem) [2][]float64 {
	references.Lock()
	defer references.Unlock()
	row := p.Row
	row.Threads = 1
	losses, ok := references.losses[row]
	if !ok {
		steps := 20
		if p.Parameters() > 1e6 {
			steps = 4
		}
		losses = [...][]float64{keras: reference(p, steps, keras), paper: reference(p, steps, paper)}
		references.losses[row] = losses
	}
	return losses
}

// Spoil overwrites the losses, so that [Problem.Check] sees what the next steps wrote.
func (p *Problem) Spoil() {
	for i := range p.Losses {
		p.Losses[i] = math.NaN()
	}
}

// Check compares the losses of the first steps with those of float64, which must agree in one form of Adam.
func (p *Problem) Check() error {
	err := p.check(keras)
	if err != nil && p.check(paper) == nil {
		return nil
	}
	return err
}

func (p *Problem) check(f form) error {
	for i, got := range p.Losses {
		if want := p.want[f][i]; !(math.Abs(got-want) <= Tolerance*want) {
			return fmt.Errorf("the loss of step %d is %v, not %v", i, got, want)
		}
	}
	return nil
}

// FLOPs counts the multiplications and additions of the products of a step: forward, the gradient of the weights, and
// that of what is not an input.
func FLOPs(n infer.Network, batch int) float64 {
	products := 0
	for _, s := range n.Steps {
		if s.Layer == infer.Concat {
			continue
		}
		times := 2
		if s.On[0] >= len(n.Inputs) {
			times = 3
		}
		products += times * n.Layers[s.Layer].In * n.Layers[s.Layer].Out
	}
	return 2 * float64(batch) * float64(products)
}
