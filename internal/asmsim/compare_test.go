package asmsim

import (
	"fmt"
	"math"
	"testing"
)

// All predicates, for x less than, equal to, greater than and unordered with y.
func TestComparePredicates(t *testing.T) {
	for i, want := range []string{
		"0100", "1000", "1100", "0001", "1011", "0111", "0011", "1110", // EQ LT LE UNORD NEQ NLT NLE ORD
		"0101", "1001", "1101", "0000", "1010", "0110", "0010", "1111", // EQ_U NGE NGT FALSE NEQ_O GE GT TRUE
	} {
		m, _ := state()
		m.z[1] = floats(1, 2, 3, math.NaN())
		m.z[0] = floats(2, 2, 2, 2)
		for _, imm := range []int{i, i + 16} {
			do(t, m, fmt.Sprintf("VCMPPS $%d, X0, X1, K3", imm))
			do(t, m, fmt.Sprintf("VCMPPS $%d, Y0, Y1, Y3", imm))
			for lane := range 4 {
				on := want[lane] == '1'
				if m.k[3]>>lane&1 != 0 != on || m.z[3][lane] == ^uint32(0) != on {
					t.Errorf("predicate %d, lane %d: want %v", imm, lane, on)
				}
			}
		}
	}
}

func TestCompareEqual(t *testing.T) {
	m, _ := state()
	m.z[1] = upFrom(100, 5)
	do(t, m, "VPCMPEQD Z0, Z1, K3")
	do(t, m, "VPCMPEQD Z0, Z1, K1, K2")
	do(t, m, "VPCMPEQD Y0, Y1, Y3")
	ones := ^uint32(0)
	if m.k[3] != 0b1_1111 || m.k[2] != 0b1_0011 || m.z[3] != lanes(ones, ones, ones, ones, ones) {
		t.Errorf("got %b, %b, %x", m.k[3], m.k[2], m.z[3])
	}
}
