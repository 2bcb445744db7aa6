package asmsim

import "testing"

func TestMoves(t *testing.T) {
	for text, want := range map[string]vec{
		"VMOVAPS X0, X3":                upFrom(100, 4),
		"VMOVSS 8(AX), X3":              lanes(502),
		"VBROADCASTSS.Z 4(AX), K1, Z3":  lanes(501, 501, 0, 0, 501, 0, 501),
		"VBLENDMPS Z0, Z1, K1, Z3":      lanes(100, 101, 202, 203, 104, 205, 106, 207, 208, 209, 210, 211, 212, 213, 214, 215),
		"VBLENDMPS.Z Z0, Z1, K1, Z3":    lanes(100, 101, 0, 0, 104, 0, 106),
		"VEXTRACTF128 $1, Y0, X3":       upFrom(104, 4),
		"VEXTRACTF32X4 $2, Z0, X3":      upFrom(108, 4),
		"VEXTRACTF64X4 $1, Z0, Y3":      upFrom(108, 8),
		"VPINSRD $2, 4(AX), X1, X3":     lanes(200, 201, 501, 203),
		"VINSERTF128 $1, (AX), Y1, Y3":  lanes(200, 201, 202, 203, 500, 501, 502, 503),
		"VINSERTF32X4 $3, (AX), Z1, Z3": lanes(200, 201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 211, 500, 501, 502, 503),
		"VINSERTF64X4 $1, (AX), Z1, Z3": lanes(200, 201, 202, 203, 204, 205, 206, 207, 500, 501, 502, 503, 504, 505, 506, 507),
	} {
		requireLanes(t, text, want)
	}
}

// The top bits of Y2 select lanes 1 and 7.
func TestSigns(t *testing.T) {
	for text, want := range map[string]vec{
		"VMASKMOVPS (AX), Y2, Y3":    lanes(0, 501, 0, 0, 0, 0, 0, 507),
		"VBLENDVPS Y2, Y0, Y1, Y3":   lanes(200, 101, 202, 203, 204, 205, 206, 107),
		"VBLENDVPS Y2, (AX), Y1, Y3": lanes(200, 501, 202, 203, 204, 205, 206, 507),
	} {
		m, _ := state()
		m.z[2] = lanes(0, signBit, 1, 0, 0, 0, 0, ^uint32(0))
		do(t, m, text)
		if m.z[3] != want {
			t.Errorf("%s: got %d, want %d", text, m.z[3], want)
		}
		do(t, m, "VPMOVD2M Z2, K3")
		if m.k[3] != 1<<1|1<<7 {
			t.Errorf("VPMOVD2M: got %b", m.k[3])
		}
	}
}

func TestStores(t *testing.T) {
	for text, want := range map[string][]uint32{
		"VMOVSS X0, (AX)":           {100, 501, 502},
		"VMOVLPS X0, (AX)":          {100, 101, 502},
		"VMOVUPS X0, (AX)":          {100, 101, 102, 103, 504},
		"VPEXTRD $3, X0, (AX)":      {103, 501, 502},
		"VEXTRACTF128 $1, Y0, (AX)": {104, 105, 106, 107, 504},
	} {
		m, mem := state()
		do(t, m, text)
		for i, w := range want {
			if mem[i] != w {
				t.Errorf("%s: word %d is %d, want %d", text, i, mem[i], w)
			}
		}
	}
}

func TestSetMask(t *testing.T) {
	m, _ := state()
	m.r[1] = 0x7654_3210
	do(t, m, "KMOVW CX, K3")
	if m.k[3] != 0x3210 {
		t.Errorf("got %#x", m.k[3])
	}
}
