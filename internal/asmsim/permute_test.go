package asmsim

import "testing"

func TestPermutations(t *testing.T) {
	for text, want := range map[string]vec{
		"VPERMILPS $0x1b, Z0, Z3":      lanes(103, 102, 101, 100, 107, 106, 105, 104, 111, 110, 109, 108, 115, 114, 113, 112),
		"VSHUFPS $0xb1, Z0, Z1, Z3":    lanes(201, 200, 103, 102, 205, 204, 107, 106, 209, 208, 111, 110, 213, 212, 115, 114),
		"VUNPCKLPS Y0, Y1, Y3":         lanes(200, 100, 201, 101, 204, 104, 205, 105),
		"VUNPCKHPS Y0, Y1, Y3":         lanes(202, 102, 203, 103, 206, 106, 207, 107),
		"VUNPCKLPD Y0, Y1, Y3":         lanes(200, 201, 100, 101, 204, 205, 104, 105),
		"VUNPCKHPD Y0, Y1, Y3":         lanes(202, 203, 102, 103, 206, 207, 106, 107),
		"VMOVHLPS X0, X1, X3":          lanes(102, 103, 202, 203),
		"VBLENDPS $0x5, X0, X1, X3":    lanes(100, 201, 102, 203),
		"VPERMPD $0x1b, Y0, Y3":        lanes(106, 107, 104, 105, 102, 103, 100, 101),
		"VPERM2F128 $0x31, Y0, Y1, Y3": lanes(204, 205, 206, 207, 104, 105, 106, 107),
		"VPERM2F128 $0x82, Y0, Y1, Y3": lanes(100, 101, 102, 103),
		"VSHUFF64X2 $0x4e, Z0, Z1, Z3": lanes(208, 209, 210, 211, 212, 213, 214, 215, 100, 101, 102, 103, 104, 105, 106, 107),
		"VSHUFF64X2 $0x1, Y0, Y1, Y3":  lanes(204, 205, 206, 207, 100, 101, 102, 103),
	} {
		requireLanes(t, text, want)
	}
}
