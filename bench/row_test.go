package bench

import "testing"

func TestRowNames(t *testing.T) {
	row := Row{Op: Forward, ISA: "avx2", Threads: 1, M: 32, K: 128, N: 64, Packed: true}
	if got, want := row.String(), "op=fwd/isa=avx2/threads=1/m=32/k=128/n=64/packed=true"; got != want {
		t.Errorf("the name is %q, want %q", got, want)
	}
	seen := map[string]bool{}
	for _, r := range Rows("avx2", 1) {
		if seen[r.String()] {
			t.Errorf("%v is there twice", r)
		}
		seen[r.String()] = true
	}
	if !seen[row.String()] {
		t.Errorf("%v is missing", row)
	}
}
