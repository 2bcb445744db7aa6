package peers

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"github.com/espalier-ml/espalier/bench"
)

// Gonum is the BLAS in Go of gonum.org: Sgemm on row-major operands, which it reads transposed where the op says so. It
// uses as many threads as GOMAXPROCS allows.
type Gonum struct{}

func (Gonum) Name() string { return "gonum" }

func (Gonum) Version() string { return moduleVersion("gonum.org/v1/gonum") }

func (Gonum) Prepare(p *bench.Problem) ([]bench.Call, error) {
	ta, tb, depth := blas.NoTrans, blas.NoTrans, p.K
	switch p.Op {
	case bench.Softmax, bench.CrossEntropy:
		return nil, nil
	case bench.InputGrad:
		tb, depth = blas.Trans, p.N
	case bench.WeightGrad:
		ta, depth = blas.Trans, p.M
	}
	var lib gonum.Implementation
	a, b, c := p.A, p.B, p.C
	return []bench.Call{bench.GoCall("Sgemm", func(iterations int) error {
		for range iterations {
			lib.Sgemm(ta, tb, c.Rows, c.Cols, depth, 1, a.Data, a.Stride, b.Data, b.Stride, 0, c.Data, c.Stride)
			if p.Op == bench.Dense {
				for i := range c.Rows {
					row := c.Row(i)
					for j, bias := range p.Bias {
						row[j] = max(0, row[j]+bias)
					}
				}
			}
		}
		return nil
	})}, nil
}
