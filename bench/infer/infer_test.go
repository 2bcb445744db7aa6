package infer

import "testing"

func TestNetworks(t *testing.T) {
	for name, want := range map[string]int{
		"mt": 11659, "mm": 1391, "mmmt": 995, "large": 1889381,
		"dlrm-bottom": 171392, "dlrm-top": 2197505, "wide-deep": 1522689, "ncf": 107009,
	} {
		n, err := NetworkOf(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Parameters(); got != want {
			t.Errorf("%s has %d parameters, want %d", name, got, want)
		}
		p, err := NewProblem(Row{name, 1, 1})
		if err != nil {
			t.Fatal(err)
		}
		m, err := Model(&p.Operands)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.CountParams(); got != want {
			t.Errorf("%s as a model has %d parameters, want %d", name, got, want)
		}
	}
	if n, err := NetworkOf("ncf"); err != nil || n.FLOPs(2) != 2*2*(256*256+256*128+128*64+64) {
		t.Errorf("a batch of 2 takes ncf %v FLOPs, error %v", n.FLOPs(2), err)
	}
	if _, err := NetworkOf("mlp"); err == nil {
		t.Error("an unknown name is no error")
	}
}

func TestRowNames(t *testing.T) {
	if got, want := (Row{"mt", 1, 8}).String(), "op=infer/model=mt/threads=1/batch=8"; got != want {
		t.Errorf("the name is %q, want %q", got, want)
	}
	if got := len(Rows(1)); got != 32 {
		t.Errorf("%d rows of one thread", got)
	}
	if got := len(Rows(2)); got != 2 {
		t.Errorf("%d rows of two threads", got)
	}
}

// TestCheckFinds demands that a wrong value does not pass.
func TestCheckFinds(t *testing.T) {
	for _, row := range append(Rows(1), Rows(2)...) {
		if testing.Short() && row.Batch > 128 {
			continue
		}
		p, err := NewProblem(row)
		if err != nil {
			t.Fatal(err)
		}
		if p.Check() == nil {
			t.Errorf("%v: spoiled outputs pass", row)
		}
		calls, err := Espalier{}.Prepare(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range calls {
			if err := p.Verify("espalier", c); err != nil {
				t.Error(err)
			}
			c.Close()
		}
		p.Y[0][0] += 0.001
		if p.Check() == nil {
			t.Errorf("%v: a wrong value passes", row)
		}
	}
}

// TestReader runs the loop of this machine, and demands that the one in Go reads whole lines.
func TestReader(t *testing.T) {
	p, err := NewProblem(Row{"large", 1, 1})
	if err != nil {
		t.Fatal(err)
	}
	var ns [3]uint32
	if err := Reader(p).Run(ns[:]); err != nil {
		t.Fatal(err)
	}
	before := sink
	values := []float32{15: 1}
	readGeneric(&values[0], 1)
	if sink == before {
		t.Error("the loop in Go does not see the last value of a line")
	}
}
