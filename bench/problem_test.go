package bench

import (
	"slices"
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

// TestAuto demands a call by the tiles that Espalier chooses and one for each level, of which each is right.
func TestAuto(t *testing.T) {
	for _, packed := range []bool{false, true} {
		p := NewProblem(Row{Op: Dense, ISA: Auto, Threads: 1, M: 9, K: 40, N: 21, Packed: packed})
		calls, err := Espalier{}.Prepare(p)
		if err != nil {
			t.Fatal(err)
		}
		var ways []string
		for _, c := range calls {
			ways = append(ways, c.Way)
			if _, err := p.Verify("espalier", c); err != nil {
				t.Error(err)
			}
		}
		want := []string{ways[0]}
		for _, level := range Levels() {
			want = append(want, ways[0]+" "+level)
		}
		if !slices.Equal(ways, want) {
			t.Errorf("ways are %q, want %q", ways, want)
		}
	}
	for _, r := range Rows(Auto, 1) {
		if r.FLOPs() == 0 {
			t.Errorf("%v is no product", r)
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
