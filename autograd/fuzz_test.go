package autograd_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/internal/formula"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// A program is bytes that are read as operations. Behind the end there are zeros.
type program struct{ code []byte }

func (p *program) next(n int) int {
	if len(p.code) == 0 || n <= 0 {
		return 0
	}
	b := p.code[0]
	p.code = p.code[1:]
	return int(b) % n
}

// run reads operations and applies them to the operands and to one another's results; a scalar sums up all of them. A
// wild program takes any operand anywhere, the others look for one that fits and leave out what nothing fits.
func (p program) run(c calc, values []*ops.Tensor, wild bool) *ops.Tensor {
	loss := c.Scale(c.Sum(values[0]), 0.5)
	pick := func(fits func(rows, cols int) bool) *ops.Tensor {
		first := p.next(len(values))
		for i := range values {
			x := values[(first+i)%len(values)]
			if rows, cols := shapeOf(x); wild || fits(rows, cols) {
				return x
			}
		}
		return nil
	}
	anything := func(rows, cols int) bool { return true }
	like := func(x *ops.Tensor) *ops.Tensor {
		m, n := shapeOf(x)
		return pick(func(rows, cols int) bool { return rows == m && cols == n })
	}
	for range 12 {
		if len(p.code) == 0 {
			break
		}
		op := p.next(20)
		x := pick(anything)
		m, n := shapeOf(x)
		var y *ops.Tensor
		switch op {
		case 0, 1:
			w := pick(func(rows, _ int) bool { return rows == n })
			if w == nil {
				continue
			}
			_, out := shapeOf(w)
			var b *ops.Tensor
			if op == 1 {
				b = pick(func(rows, cols int) bool { return rows == 1 && cols == out })
			}
			y = c.Dense(x, w, b, activations[p.next(len(activations))])
		case 2:
			y = c.Activate(x, activations[p.next(len(activations))])
		case 3:
			y = c.Softmax(x)
		case 4:
			rows := 1 + p.next(4)
			if !wild && m*n%rows != 0 {
				continue
			}
			y = c.Reshape(x, rows, m*n/rows)
		case 5:
			y = c.Concatenate(x, pick(func(rows, _ int) bool { return rows == m }))
		case 6:
			y = c.Concatenate(x, x, pick(func(rows, _ int) bool { return rows == m }))
		case 7:
			from := p.next(n)
			if wild {
				from--
			}
			y = c.Slice(x, from, from+1+p.next(n-from))
		case 8:
			y = c.Add(x, like(x))
		case 9:
			y = c.Multiply(x, like(x))
		case 10:
			y = c.Scale(x, float32(p.next(256)-128)/64)
		case 11:
			y = c.RowSum(x)
		case 12:
			y = c.Dropout(x, float64(p.next(5))/5, source(uint64(p.next(256))))
		case 13:
			y = c.Mean(x)
		case 14:
			y = x // counts twice
		case 15:
			name := losses[p.next(len(losses))]
			if name[0] == 'C' {
				x = c.Activate(x, kernels.Sigmoid)
			}
			r := newRand(uint64(p.next(256)))
			t := target{labels: r.labels(m, max(n, 1)), values: r.positive(m, n, 0)}
			if p.next(2) == 1 {
				t.weights = r.weights(m)
			}
			y = lossOf(c, name, x, t)
		case 16:
			y = c.Unary(x, formula.Unaries[p.next(len(formula.Unaries))])
		case 17:
			r := newRand(uint64(p.next(256)))
			x := r.indices(1+p.next(3), 1+p.next(2), m, 0)
			if wild && x.Rows > 0 && p.next(2) == 1 {
				x.Data[0] = float32(m)
			}
			y = c.Embedding(c.Const(x), pick(func(rows, _ int) bool { return rows == m }))
		case 18:
			row := func(rows, cols int) bool { return rows == 1 && cols == n }
			y = c.Affine(x, pick(row), pick(row))
		case 19:
			y = c.Custom(swish{}, m, n, x, c.Const(newRand(uint64(p.next(256))).normal(1, n, 0)))
		}
		if rows, cols := shapeOf(y); rows*cols > 100 {
			continue
		}
		values = append(values, y)
		loss = c.Add(loss, weighted(c, y))
	}
	return loss
}

// Any sequence of operations runs or is an error, and its gradients are those of the reference.
func FuzzTape(f *testing.F) {
	source := rand.New(rand.NewPCG(30, 7))
	for range 300 {
		code := make([]byte, 2+source.IntN(60))
		for i := range code {
			code[i] = byte(source.Uint32())
		}
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code []byte) {
		p := program{code}
		wild := p.next(4) == 0
		mask := p.next(16)
		r := newRand(31)
		operands := []kernels.Matrix{r.normal(2, 3, 0), r.normal(3, 2, 0), r.normal(1, 3, 2), r.positive(2, 2, 0)}
		for _, table := range kernels.Tables() {
			tape := autograd.NewTape(table)
			for range 2 { // in a fresh tape and in a used one
				tape.Reset()
				tape.Poison()
				leaves, tensors := make([]*ops.Tensor, len(operands)), make([]*autograd.Tensor, len(operands))
				for i, m := range operands {
					if tensors[i] = tape.Const(m); mask>>i&1 == 1 {
						tensors[i] = tape.Param(m)
					}
					leaves[i] = tensors[i]
				}
				loss := p.run(tape, leaves, wild)
				if err := tape.Err(); err != nil {
					if !wild {
						t.Fatal(err)
					}
					require.Equal(t, err, tape.Backward(loss))
					continue
				}
				require.NoError(t, tape.Backward(loss))

				g := func(c calc, values []*ops.Tensor) *ops.Tensor { return p.run(c, values, wild) }
				var ref reference
				ref.value(g, []mat{matOf(operands[0]), matOf(operands[1]), matOf(operands[2]), matOf(operands[3])})
				if ref.rough || !(ref.largest < 100) {
					continue // no fair comparison
				}
				_, want := gradients(g, operands)
				for i, x := range tensors {
					if mask>>i&1 == 0 {
						require.Nil(t, tape.Grad(x).Data)
					} else if tape.Grad(x).Data == nil { // on no path to the loss
						requireNear(t, want[i], make([]float32, len(want[i])), 0, fmt.Sprintf("operand %d", i))
					} else {
						requireNear(t, want[i], values(tape.Grad(x)), 1e-3, fmt.Sprintf("operand %d", i))
					}
				}
			}
		}
	})
}
