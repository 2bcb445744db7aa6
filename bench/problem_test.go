package bench

import (
	"testing"

	"github.com/espalier-ml/espalier/kernels"
)

// TestCheckFinds demands that a wrong element does not pass.
func TestCheckFinds(t *testing.T) {
	for _, table := range kernels.Tables()[1:] {
		for _, op := range []Op{Forward, InputGrad, WeightGrad, Dense, Softmax, CrossEntropy} {
			p := NewProblem(Row{Op: op, ISA: table.ISA.String(), Threads: 1, M: 9, K: 40, N: 21})
			if p.Check() == nil {
				t.Errorf("%s: spoiled results pass", op)
			}
			calls, err := Espalier{}.Prepare(p)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Verify("espalier", calls[0]); err != nil {
				t.Error(err)
			}
			p.C.Data[0] += 0.001
			if p.Check() == nil {
				t.Errorf("%s: a wrong element passes", op)
			}
		}
	}
}

// TestAllocations demands that Espalier's timing loops cost what its kernels cost.
func TestAllocations(t *testing.T) {
	for _, table := range kernels.Tables()[1:] {
		for _, row := range Rows(table.ISA.String(), 1) {
			if row.M != 32 || row.K > 128 {
				continue
			}
			calls, err := Espalier{}.Prepare(NewProblem(row))
			if err != nil {
				t.Fatal(err)
			}
			run := func(iterations int) float64 {
				return testing.AllocsPerRun(2, func() {
					if _, err := calls[0].Run(iterations); err != nil {
						t.Fatal(err)
					}
				})
			}
			if n := run(20) - run(10); n > 0 {
				t.Errorf("%v: 10 calls allocate %v times", row, n)
			}
		}
	}
}
