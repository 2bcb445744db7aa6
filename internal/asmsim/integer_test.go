package asmsim

import "testing"

// BX becomes what an instruction makes of BX = -6 and CX = 67.
func TestIntegers(t *testing.T) {
	for text, want := range map[string]int64{
		"MOVL CX, BX": 67, "MOVL BX, BX": 1<<32 - 6, "MOVL $-1, BX": 1<<32 - 1, "MOVQ $-1, BX": -1, "MOVQ CX, BX": 67,
		"LEAQ 5(CX)(BX*4), BX": 67 - 24 + 5,
		"ADDQ CX, BX":          61, "SUBQ CX, BX": -73, "SUBL CX, BX": 1<<32 - 73, "IMULQ CX, BX": -402,
		"ANDQ $-4, BX": -8, "XORQ BX, BX": 0, "XORL $1, BX": 1<<32 - 5,
		"SHLQ $4, BX": -96, "SHRQ $60, BX": 15, "SARQ $1, BX": -3, "SHLL CX, BX": 1<<32 - 48, "SHLQ CX, BX": -48, // by 3
	} {
		m, _ := state()
		m.r[3], m.r[1] = ^uint64(5), 67
		do(t, m, text)
		if got := int64(m.r[3]); got != want {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	}
}

// Comparisons are signed and hold beyond overflow.
func TestConditions(t *testing.T) {
	const low, high = -1 << 63, 1<<63 - 1
	for _, c := range [][2]int64{{1, 2}, {2, 2}, {3, 2}, {-1, 1}, {low, 1}, {1, low}, {high, -1}, {-1, high}, {0, 0}} {
		m, _ := state()
		m.r[3], m.r[1] = uint64(c[0]), uint64(c[1])
		do(t, m, "CMPQ BX, CX")
		for _, p := range []struct {
			name  string
			c     condition
			holds bool
		}{
			{"EQ", equal, c[0] == c[1]}, {"LT", less, c[0] < c[1]}, {"LE", lessEqual, c[0] <= c[1]},
			{"GT", lessEqual.not(), c[0] > c[1]}, {"always", always, true},
		} {
			if p.c.test(m) != p.holds {
				t.Errorf("%d %s %d: got %v", c[0], p.name, c[1], !p.holds)
			}
		}
		do(t, m, "CMOVQGT CX, BX")
		if got, want := int64(m.r[3]), min(c[0], c[1]); got != want {
			t.Errorf("CMOVQGT of %d: got %d, want %d", c, got, want)
		}
		do(t, m, "TESTQ CX, CX")
		if less.test(m) != (c[1] < 0) || equal.test(m) != (c[1] == 0) {
			t.Errorf("TESTQ of %d: flags %b", c[1], m.flags)
		}
	}
}
