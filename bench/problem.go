package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"unsafe"

	"github.com/espalier-ml/espalier/kernels"
)

// Problem is a row with its operands, which all libraries share. The operands start at cache lines and are contiguous.
type Problem struct {
	Row
	A, B   kernels.Matrix // fwd, dense: X, W; dx: dY, W; dw: X, dY; softmax, crossentropy: logits and none
	Bias   []float32      // dense
	Labels []int32        // crossentropy

	C    kernels.Matrix // the result; of crossentropy the gradient
	Loss []float32      // crossentropy
}

// NewProblem returns the operands of a row, the same ones for each call.
func NewProblem(row Row) *Problem {
	r := rand.New(rand.NewPCG(uint64(row.M)<<32|uint64(row.K), uint64(row.N)))
	random := func(rows, cols int) kernels.Matrix {
		m := aligned(rows, cols)
		for i := range m.Data {
			m.Data[i] = float32(r.NormFloat64())
		}
		return m
	}
	p := &Problem{Row: row}
	m, k, n := row.M, row.K, row.N
	switch row.Op {
	case Forward, Dense:
		p.A, p.B, p.C = random(m, k), random(k, n), aligned(m, n)
	case InputGrad:
		p.A, p.B, p.C = random(m, n), random(k, n), aligned(m, k)
	case WeightGrad:
		p.A, p.B, p.C = random(m, k), random(m, n), aligned(k, n)
	case Softmax, CrossEntropy:
		p.A, p.C = random(m, n), aligned(m, n)
	}
	if row.Op == Dense {
		p.Bias = random(1, n).Data
	}
	if row.Op == CrossEntropy {
		p.Labels, p.Loss = make([]int32, m), make([]float32, m)
		for i := range p.Labels {
			p.Labels[i] = r.Int32N(int32(n))
		}
	}
	p.Spoil()
	return p
}

// aligned returns a matrix that starts at a cache line.
func aligned(rows, cols int) kernels.Matrix {
	const line = 64 / 4
	data := make([]float32, rows*cols+line)
	skip := 0
	for uintptr(unsafe.Pointer(&data[skip]))%64 != 0 {
		skip++
	}
	return kernels.MatrixOf(data[skip:skip+rows*cols:skip+rows*cols], rows, cols)
}

// Spoil overwrites the results, so that [Problem.Check] sees what the next call wrote.
func (p *Problem) Spoil() {
	for _, s := range [][]float32{p.C.Data, p.Loss} {
		for i := range s {
			s[i] = float32(math.NaN())
		}
	}
}

// Check compares a sample of the results with the same computation in float64.
func (p *Problem) Check() error {
	if p.Op == Softmax || p.Op == CrossEntropy {
		return p.checkRows()
	}
	const sample = 64
	r := rand.New(rand.NewPCG(1, 2))
	last := len(p.C.Data) - 1
	for i := range sample {
		at := r.IntN(last + 1)
		switch i { // the corners
		case 0:
			at = 0
		case 1:
			at = last
		case 2:
			at = p.C.Cols - 1
		case 3:
			at = last - p.C.Cols + 1
		}
		want, size, depth := p.product(at/p.C.Cols, at%p.C.Cols)
		// The bound of a sum of depth terms in any order.
		bound := float64(depth+4) * size / (1 << 24)
		if got := float64(p.C.Data[at]); !(math.Abs(got-want) <= bound) {
			return fmt.Errorf("element (%d, %d) is %v, not %v", at/p.C.Cols, at%p.C.Cols, got, want)
		}
	}
	return nil
}

// product returns element (i, j) of the result, the sum of its terms' absolute values, and their number.
func (p *Problem) product(i, j int) (sum, size float64, depth int) {
	a := func(q int) float32 { return p.A.Data[i*p.A.Stride+q] }
	b := func(q int) float32 { return p.B.Data[q*p.B.Stride+j] }
	depth = p.K
	switch p.Op {
	case InputGrad:
		b = func(q int) float32 { return p.B.Data[j*p.B.Stride+q] }
		depth = p.N
	case WeightGrad:
		a = func(q int) float32 { return p.A.Data[q*p.A.Stride+i] }
		depth = p.M
	}
	for q := range depth {
		term := float64(a(q)) * float64(b(q))
		sum += term
		size += math.Abs(term)
	}
	if p.Op == Dense {
		bias := float64(p.Bias[j])
		sum, size = max(0, sum+bias), size+math.Abs(bias)
	}
	return sum, size, depth
}

// checkRows checks the first, the middle and the last row of a softmax.
func (p *Problem) checkRows() error {
	near := func(got float32, want float64) bool { return math.Abs(float64(got)-want) <= 1e-6+1e-4*math.Abs(want) }
	for _, i := range []int{0, p.M / 2, p.M - 1} {
		x := p.A.Row(i)
		highest := math.Inf(-1)
		for _, v := range x {
			highest = max(highest, float64(v))
		}
		sum := 0.0
		for _, v := range x {
			sum += math.Exp(float64(v) - highest)
		}
		for j, got := range p.C.Row(i) {
			want := math.Exp(float64(x[j])-highest) / sum
			if p.Op == CrossEntropy && j == int(p.Labels[i]) {
				want--
			}
			if !near(got, want) {
				return fmt.Errorf("element (%d, %d) is %v, not %v", i, j, got, want)
			}
		}
		if p.Op == CrossEntropy {
			want := math.Log(sum) + highest - float64(x[p.Labels[i]])
			if !near(p.Loss[i], want) {
				return fmt.Errorf("loss %d is %v, not %v", i, p.Loss[i], want)
			}
		}
	}
	return nil
}
