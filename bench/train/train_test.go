package train

import (
	"math"
	"testing"

	"github.com/espalier-ml/espalier/bench/infer"
)

func problem(t *testing.T, row Row) *Problem {
	p, err := NewProblem(row)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func prepare(t *testing.T, p *Problem) infer.Call {
	calls, err := Espalier{}.Prepare(p)
	if err != nil {
		t.Fatal(err)
	}
	return calls[0]
}

func TestRowNames(t *testing.T) {
	if got, want := (Row{"mt", 1, 32}).String(), "op=train/model=mt/threads=1/batch=32"; got != want {
		t.Errorf("the name is %q, want %q", got, want)
	}
	if got := len(Rows(1)); got != 8 {
		t.Errorf("%d rows of one thread", got)
	}
	if got := len(Rows(2)); got != 2 {
		t.Errorf("%d rows of two threads", got)
	}
}

// TestCheckFinds demands that Espalier's losses pass and wrong ones do not.
func TestCheckFinds(t *testing.T) {
	for _, row := range Rows(1) {
		if row.Model == "large" && row.Batch > 32 {
			continue // its reference takes seconds
		}
		p := problem(t, row)
		if p.Check() == nil {
			t.Errorf("%v: spoiled losses pass", row)
		}
		if err := p.Verify("espalier", prepare(t, p)); err != nil {
			t.Error(err)
		}
		p.Losses[len(p.Losses)-1] *= 1.0001
		if p.Check() == nil {
			t.Errorf("%v: a wrong loss passes", row)
		}
	}
}

// TestReference compares the gradients of the reference with central differences of its losses.
func TestReference(t *testing.T) {
	for _, n := range infer.Networks[:3] {
		p := problem(t, Row{n.Name, 1, 32})
		f := newFloat64s(p)
		f.gradients(0)
		for i, param := range f.params {
			for _, j := range []int{0, len(param) / 2, len(param) - 1} {
				const h = 1e-6
				got, at := f.grads[i][j], param[j]
				other := newFloat64s(p)
				other.params[i][j] = at + h
				above := other.gradients(0)
				other.params[i][j] = at - h
				below := other.gradients(0)
				if want := (above - below) / (2 * h); math.Abs(got-want) > 1e-6 {
					t.Errorf("%s: the gradient of value %d of parameter %d is %v, not %v", n.Name, j, i, got, want)
				}
			}
		}
	}
}

// TestNothingLearntByHeart demands that the loss stays high enough for gradients that a float32 can square.
func TestNothingLearntByHeart(t *testing.T) {
	for _, n := range infer.Networks[:3] {
		p := problem(t, Row{n.Name, 1, 32})
		if err := prepare(t, p).Run(make([]uint32, 5000)); err != nil {
			t.Fatal(err)
		}
		for _, loss := range p.Losses {
			if !(loss > 0.1) {
				t.Errorf("%s: a loss of %v", n.Name, loss)
			}
		}
	}
}

func TestFLOPs(t *testing.T) {
	n, err := infer.NetworkOf("mt")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := FLOPs(n, 32), 2.0*32*(2*20*128+3*(128*64+64*11)); got != want {
		t.Errorf("%v FLOPs, want %v", got, want)
	}
}

// TestOptimizer runs both loops of this machine, and demands that the one in Go moves whole lines.
func TestOptimizer(t *testing.T) {
	adam, moves := Optimizer(problem(t, Row{"mt", 1, 32}))
	var ns [3]uint32
	for _, c := range []infer.Call{adam, moves} {
		if err := c.Run(ns[:]); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []func(w, m, v, g *float32, lines int){move, moveGeneric} {
		w, m, v, g := infer.Aligned(33), infer.Aligned(33), infer.Aligned(33), infer.Aligned(33)
		for i := range g {
			g[i] = 1
		}
		f(&w[0], &m[0], &v[0], &g[0], 2)
		for _, values := range [][]float32{w, m, v} {
			if values[0] != 1 || values[31] != 1 || values[32] != 0 {
				t.Errorf("two lines became %v", values)
			}
		}
	}
}
