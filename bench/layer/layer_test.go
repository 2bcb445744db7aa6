package layer

import (
	"testing"
)

// TestCheckFinds demands that Espalier's calls pass, and that a wrong value does not; every layer has an ONNX file.
func TestCheckFinds(t *testing.T) {
	for _, row := range Rows(1) {
		p, err := NewProblem(row)
		if err != nil {
			t.Fatal(err)
		}
		if p.check() == nil {
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
		p.Y[0] += 0.001
		if p.check() == nil {
			t.Errorf("%v: a wrong value passes", row)
		}
		if file, err := p.ONNX(); err != nil || len(file) == 0 {
			t.Errorf("%v: an ONNX file of %d bytes, error %v", row, len(file), err)
		}
	}
}

func TestNames(t *testing.T) {
	if got, want := (Row{"gru", 1, 8}).String(), "op=layer/model=gru/threads=1/batch=8"; got != want {
		t.Errorf("the name is %q, want %q", got, want)
	}
	if _, err := NewProblem(Row{"mlp", 1, 8}); err == nil {
		t.Error("an unknown name is no error")
	}
}
