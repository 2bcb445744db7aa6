package asmsim

import (
	"fmt"
	"math"
	"testing"
	"unsafe"
)

// state is the machine on which the tests below run one instruction: lane i of Z0, Z1, Z2, Z3 holds 100+i, 200+i, 300+i,
// 400+i, as the words at AX hold 500+i; K1 selects lanes 0, 1, 4 and 6.
func state() (*machine, []uint32) {
	m := new(machine)
	m.reset(new(function), nil)
	mem := make([]uint32, 32)
	for i := range 16 {
		for z := range 4 {
			m.z[z][i] = uint32(100*(z+1) + i)
		}
		mem[i] = uint32(500 + i)
	}
	m.k[1] = 0b0101_0011
	m.r[0] = uint64(uintptr(unsafe.Pointer(&mem[0])))
	return m, mem
}

// do runs one instruction.
func do(t *testing.T, m *machine, text string) {
	t.Helper()
	p, err := Parse("TEXT ·f(SB), NOSPLIT, $0-0\n" + text + "\nRET\n")
	if err != nil {
		t.Fatal(err)
	}
	p.functions["f"].code[0].step(m)
}

// lanes are 16 integers; what is not given is 0.
func lanes(x ...uint32) (v vec) { copy(v[:], x); return v }

// upFrom returns first, first+1 and so on, n lanes of 16.
func upFrom(first uint32, n int) (v vec) {
	for i := range n {
		v[i] = first + uint32(i)
	}
	return v
}

func floats(x ...float64) (v vec) {
	for i, f := range x {
		v[i] = word(float32(f))
	}
	return v
}

func TestLanes(t *testing.T) {
	merged := lanes(500, 501, 402, 403, 504, 405, 506, 407, 408, 409, 410, 411, 412, 413, 414, 415)
	zeroed := lanes(500, 501, 0, 0, 504, 0, 506)
	for text, want := range map[string]vec{
		// masks
		"VMOVUPS (AX), K1, Z3":           merged,
		"VMOVDQU32 (AX), K1, Z3":         merged,
		"VMOVUPS.Z (AX), K1, Z3":         zeroed,
		"VMOVUPS.Z (AX), K1, Y3":         zeroed,
		"VMOVUPS (AX), K1, Y3":           lanes(500, 501, 402, 403, 504, 405, 506, 407),
		"VMOVUPS (AX), Z3":               upFrom(500, 16),
		"VMOVUPS (AX), Y3":               upFrom(500, 8),
		"VMOVAPS X0, X3":                 upFrom(100, 4),
		"VMOVSS 8(AX), X3":               lanes(502),
		"VPADDD Z0, Z1, K1, Z3":          lanes(300, 302, 402, 403, 308, 405, 312, 407, 408, 409, 410, 411, 412, 413, 414, 415),
		"VPADDD.Z Z0, Z1, K1, Z3":        lanes(300, 302, 0, 0, 308, 0, 312),
		"VPSUBD.BCST 4(AX), Z1, Z3":      upFrom(0xffff_fed3, 16), // 200 - 501
		"VPADDD.BCST.Z (AX), X1, K1, X3": lanes(700, 701),
		"VBLENDMPS Z0, Z1, K1, Z3":       lanes(100, 101, 202, 203, 104, 205, 106, 207, 208, 209, 210, 211, 212, 213, 214, 215),
		"VPBLENDMD.Z Z0, Z1, K1, Z3":     lanes(100, 101, 0, 0, 104, 0, 106),
		"VPBROADCASTD.Z CX, K1, Z3":      lanes(garbage&0xffffffff, garbage&0xffffffff, 0, 0, garbage&0xffffffff, 0, garbage&0xffffffff),
		"VBROADCASTSS.Z 4(AX), K1, Z3":   lanes(501, 501, 0, 0, 501, 0, 501),
		"VBROADCASTF32X4 (AX), Z3":       lanes(500, 501, 502, 503, 500, 501, 502, 503, 500, 501, 502, 503, 500, 501, 502, 503),
		"VCOMPRESSPS Z0, K1, Z3":         lanes(100, 101, 104, 106, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415),
		"VCOMPRESSPS.Z Z0, K1, Z3":       lanes(100, 101, 104, 106),
		"VEXPANDPS Z0, K1, Z3":           lanes(100, 101, 402, 403, 102, 405, 103, 407, 408, 409, 410, 411, 412, 413, 414, 415),
		"VEXPANDPS.Z (AX), K1, Z3":       lanes(500, 501, 0, 0, 502, 0, 503),
		"VEXTRACTF32X4 $2, Z0, X3":       upFrom(108, 4),
		"VEXTRACTF64X4 $1, Z0, Y3":       upFrom(108, 8),
		"VEXTRACTF32X8.Z $1, Z0, K1, Y3": lanes(108, 109, 0, 0, 112, 0, 114),
		"VINSERTF64X4 $1, Y0, Z1, Z3":    lanes(200, 201, 202, 203, 204, 205, 206, 207, 100, 101, 102, 103, 104, 105, 106, 107),
		"VINSERTF32X4 $3, (AX), Z1, Z3":  lanes(200, 201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 211, 500, 501, 502, 503),
		// permutes
		"VSHUFF32X4 $0x4e, Z0, Z1, Z3": lanes(208, 209, 210, 211, 212, 213, 214, 215, 100, 101, 102, 103, 104, 105, 106, 107),
		"VSHUFF32X4 $0x1, Y0, Y1, Y3":  lanes(204, 205, 206, 207, 100, 101, 102, 103),
		"VSHUFPS $0xb1, Z0, Z1, Z3":    lanes(201, 200, 103, 102, 205, 204, 107, 106, 209, 208, 111, 110, 213, 212, 115, 114),
		"VUNPCKLPS Z0, Z1, K1, Z3":     lanes(200, 100, 402, 403, 204, 405, 205, 407, 408, 409, 410, 411, 412, 413, 414, 415),
		"VPERMPS Z0, Z1, Z3":           lanes(108, 109, 110, 111, 112, 113, 114, 115, 100, 101, 102, 103, 104, 105, 106, 107), // 200&15 = 8
		"VPERMT2PS Z0, Z1, Z3":         lanes(408, 409, 410, 411, 412, 413, 414, 415, 100, 101, 102, 103, 104, 105, 106, 107), // 200&31 = 8
		"VPERMI2PS Z0, Z1, Z3":         lanes(100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115), // 400&31 = 16
		"VALIGND $3, Z0, Z1, Z3":       lanes(103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 200, 201, 202),
		"VALIGND.Z $1, X0, X1, K1, X3": lanes(101, 102),
		"VPERMILPS $0x1b, Z0, Z3":      lanes(103, 102, 101, 100, 107, 106, 105, 104, 111, 110, 109, 108, 115, 114, 113, 112),
		// bits
		"VPTERNLOGD $0xf0, Z0, Z1, Z3": upFrom(400, 16), // the destination
		"VPTERNLOGD $0xcc, Z0, Z1, Z3": upFrom(200, 16), // the first source
		"VPTERNLOGD $0xaa, Z0, Z1, Z3": upFrom(100, 16), // the second source
		"VPTERNLOGD $0x96, X0, X1, X3": lanes(100^200^400, 101^201^401, 102^202^402, 103^203^403),
		"VPTERNLOGD $0xca, X0, X1, X3": lanes(400&200|^uint32(400)&100, 401&201|^uint32(401)&101, 402&202|^uint32(402)&102, 403&203|^uint32(403)&103),
		"VPXORD Z3, Z3, Z3":            {},
		"VPANDND X0, X1, X3":           lanes(^uint32(200)&100, ^uint32(201)&101, ^uint32(202)&102, ^uint32(203)&103),
		"VPSLLD.Z $4, Z0, K1, Z3":      lanes(1600, 1616, 0, 0, 1664, 0, 1696),
		"VPSRAVD Z0, Z1, Z3":           {}, // by 32 and more
		"VPSRAD $31, Z0, Z3":           {},
	} {
		m, _ := state()
		do(t, m, text)
		if m.z[3] != want {
			t.Errorf("%s: got %d, want %d", text, m.z[3], want)
		}
	}
}

// Only what the mask selects is written to memory, and a masked-off lane is not even touched.
func TestMaskedMemory(t *testing.T) {
	for text, want := range map[string][]uint32{
		"VMOVUPS Z0, K1, (AX)":           {100, 101, 502, 503, 104, 505, 106, 507},
		"VCOMPRESSPS Z0, K1, (AX)":       {100, 101, 104, 106, 504, 505, 506, 507},
		"VEXTRACTF32X4 $1, Z0, K1, (AX)": {104, 105, 502, 503, 504, 505, 506, 507},
		"VMASKMOVPS Y0, Y3, (AX)":        {500, 101, 502, 503, 504, 505, 506, 107},
	} {
		m, mem := state()
		m.z[3] = lanes(0, signBit, 1, 0, 0, 0, 0, ^uint32(0))
		do(t, m, text)
		for i, w := range want {
			if mem[i] != w {
				t.Errorf("%s: word %d is %d, want %d", text, i, mem[i], w)
			}
		}
	}
	for _, text := range []string{
		"VMOVUPS.Z (AX), K1, Z3", "VMOVUPS (AX), K1, Z3", "VPADDD (AX), Z0, K1, Z3", "VEXPANDPS (AX), K1, Z3",
		"VMOVUPS Z0, K1, (AX)", "VCOMPRESSPS Z0, K1, (AX)", "VMASKMOVPS (AX), Y3, Y2", "VMASKMOVPS Y0, Y3, (AX)",
		"VCMPPS $0, (AX), Z0, K1, K2", "VBROADCASTSS 24(AX), K1, Z3", "VPADDD.BCST (AX), Z0, K1, Z3",
	} {
		m, mem := state()
		m.z[3] = lanes(0, signBit, 0, 0, 0, 0, signBit)
		m.checked = true
		m.allow(unsafe.Pointer(&mem[0]), 4*7, true)
		do(t, m, text) // panics beyond lane 6
	}
}

func TestMaskRegisters(t *testing.T) {
	for text, want := range map[string]uint64{
		"KMOVW K2, K3":               0xff0f,
		"KMOVB K2, K3":               0x0f,
		"KMOVW (AX), K3":             0x01f4,
		"KNOTW K2, K3":               0x00f0,
		"KANDW K1, K2, K3":           0x0003,
		"KANDNW K1, K2, K3":          0x0050, // K1 without K2
		"KORW K1, K2, K3":            0xff5f,
		"KXORW K1, K2, K3":           0xff5c,
		"KXNORW K1, K2, K3":          0x00a3,
		"KSHIFTLW $4, K1, K3":        0x0530,
		"KSHIFTRW $4, K1, K3":        0x0005,
		"KADDW K1, K2, K3":           0xff62,
		"VPCMPD $1, Z1, Z0, K3":      0xffff, // 100 < 200
		"VPCMPD $6, Z1, Z0, K3":      0,
		"VPCMPD $5, X0, X0, K3":      0xf,
		"VPCMPUD $1, Z1, Z0, K1, K3": 0x53,
		"VPCMPEQD Y0, Y0, K3":        0xff,
		"VPCMPGTD Z0, Z1, K3":        0xffff, // 200 > 100
		"VPCMPGTD Z1, Z0, K3":        0,
		"VPTESTMD Z2, Z0, K3":        0x0ff0, // 8 is a bit of 104 to 111
		"VPTESTNMD Z2, Z0, K3":       0xf00f,
	} {
		m, _ := state()
		m.k[2] = 0xff0f | 0xabcd<<16
		for i := range m.z[2] {
			m.z[2][i] = 8
		}
		do(t, m, text)
		if m.k[3] != want {
			t.Errorf("%s: got %#x, want %#x", text, m.k[3], want)
		}
	}
	m, _ := state()
	m.z[0] = lanes(signBit, 1, ^uint32(0), 0, 0, signBit)
	do(t, m, "VPMOVD2M Z0, K3")
	do(t, m, "VPMOVM2D K3, Y3")
	if m.k[3] != 0b100101 || m.z[3] != lanes(^uint32(0), 0, ^uint32(0), 0, 0, ^uint32(0)) {
		t.Errorf("VPMOVD2M and back: got %b, %x", m.k[3], m.z[3])
	}
	for text, want := range map[string]uint8{
		"KTESTW K1, K2":   0,
		"KTESTW K4, K2":   zf | cf,
		"KTESTW K5, K2":   cf, // none outside of K2
		"KORTESTW K1, K2": 0,
		"KORTESTW K4, K4": zf,
		"KORTESTW K2, K6": cf,
	} {
		m, _ := state()
		m.k[2], m.k[4], m.k[5], m.k[6] = 0xff0f, 0, 0xf, 0x00f0
		do(t, m, text)
		if m.flags != want || m.unknown != 0 {
			t.Errorf("%s: got %b, want %b", text, m.flags, want)
		}
	}
}

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
				if m.k[3]>>lane&1 != 0 != on || m.z[3][lane] != bit32(on) {
					t.Errorf("predicate %d, lane %d: want %v", imm, lane, on)
				}
			}
		}
	}
}

func TestFloatFunctions(t *testing.T) {
	inf, nan, zero := math.Inf(1), math.NaN(), math.Copysign(0, -1)
	quietNaN := word(float32(nan))
	tiny := float64(math.SmallestNonzeroFloat32)
	for _, c := range []struct {
		text string
		x, y vec // Z1, Z0
		want vec
	}{
		{"VSCALEFPS Z0, Z1, Z3", floats(3, 3, 3, -3, 1, 1, -1, inf, 1, 5, tiny, 1.5), floats(2, 2.9, -0.5, 1, inf, -inf, -inf, -5, 200, -200, 149, -149),
			floats(12, 12, 1.5, -6, inf, 0, zero, inf, inf, 0, 1, 2*tiny)},
		{"VSCALEFPS Z0, Z1, Z3", floats(nan, nan, nan, inf, 0, 1), floats(inf, -inf, 1, -inf, inf, nan),
			vec{infinity, 0, quietNaN, indefinite, indefinite, quietNaN}},
		{"VGETEXPPS Z0, Z3", vec{}, floats(1, 1.99, -8, 0.25, 0, -inf, tiny, 3), floats(0, 0, 3, -2, -inf, inf, -149, 1, -inf, -inf, -inf, -inf, -inf, -inf, -inf, -inf)},
		{"VGETMANTPS $0, X0, X3", vec{}, floats(12, -0.75, tiny, -inf), floats(1.5, -1.5, 1, -1)},
		{"VGETMANTPS $1, X0, X3", vec{}, floats(12, 4, -0.75, 0), floats(0.75, 1, -0.75, 1)},
		{"VGETMANTPS $2, X0, X3", vec{}, floats(12, 4, -0.75, inf), floats(0.75, 0.5, -0.75, 1)},
		{"VGETMANTPS $3, X0, X3", vec{}, floats(12, 5, -0.75, 2), floats(0.75, 1.25, -0.75, 1)},
		{"VGETMANTPS $4, X0, X3", vec{}, floats(-12, -5, zero, -inf), floats(1.5, 1.25, 1, 1)},
		{"VGETMANTPS $8, X0, X3", vec{}, floats(12, -5, zero, nan), vec{word(1.5), indefinite, word(-1), quietNaN}},
		{"VRNDSCALEPS $0, Z0, Z3", vec{}, floats(0.5, 1.5, -0.3, 2.6, inf), floats(0, 2, zero, 3, inf)},
		{"VRNDSCALEPS $1, Z0, Z3", vec{}, floats(0.5, 1.5, -0.3, 2.6), floats(0, 1, -1, 2)},
		{"VRNDSCALEPS $2, Z0, Z3", vec{}, floats(0.5, 1.5, -0.3, 2.6), floats(1, 2, zero, 3)},
		{"VRNDSCALEPS $3, Z0, Z3", vec{}, floats(0.5, 1.5, -1.3, 2.6), floats(0, 1, -1, 2)},
		{"VRNDSCALEPS $0x21, Z0, Z3", vec{}, floats(0.3, 1.9, -0.3, 2.25), floats(0.25, 1.75, -0.5, 2.25)},
		{"VCVTPS2DQ Z0, Z3", vec{}, floats(0.5, 1.5, -2.5, 1e10, nan), lanes(0, 2, ^uint32(1), signBit, signBit)},
		{"VMAXPS X0, X1, X3", floats(0, nan, 1, 3), floats(zero, 1, nan, 2), floats(zero, 1, nan, 3)},
		{"VMINPS X0, X1, X3", floats(zero, nan, 1, 3), floats(0, 1, nan, 2), floats(0, 1, nan, 2)},
	} {
		m, _ := state()
		m.z[1], m.z[0] = c.x, c.y
		do(t, m, c.text)
		if m.z[3] != c.want {
			t.Errorf("%s: got %x, want %x", c.text, m.z[3], c.want)
		}
	}
	m, _ := state()
	m.z[0] = vec{quietNaN, 0, signBit, infinity, infinity | signBit, 1, word(-2), 0x7f800001, word(2)}
	for bit := range 8 {
		do(t, m, fmt.Sprintf("VFPCLASSPSZ $%d, Z0, K3", 1<<bit))
		if want := uint64(1) << bit; bit == 1 {
			if m.k[3] != 0b1111_1110_0000_0010 { // the lanes not given are zeros
				t.Errorf("class %d: got %#b", bit, m.k[3])
			}
		} else if m.k[3] != want {
			t.Errorf("class %d: got %#b", bit, m.k[3])
		}
	}
}

// The four products differ in signs, the three orders in where the operands are.
func TestMultiplyAdd(t *testing.T) {
	for text, want := range map[string]float64{
		"VFMADD231PS Z0, Z1, Z3": 2*3 + 5, "VFMADD213PS Z0, Z1, Z3": 3*5 + 2, "VFMADD132PS Z0, Z1, Z3": 5*2 + 3,
		"VFMSUB231PS Z0, Z1, Z3": 2*3 - 5, "VFNMADD231PS Z0, Z1, Z3": 5 - 2*3, "VFNMSUB231PS Z0, Z1, Z3": -2*3 - 5,
		"VFMADD231SS X0, X1, X3": 11,
	} {
		m, _ := state()
		m.z[0][0], m.z[1][0], m.z[3][0] = word(2), word(3), word(5)
		do(t, m, text)
		if got := float(m.z[3][0]); float64(got) != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
	one := func(a, b, c float32) float32 { return float(fused(word(a), word(b), word(c), 0, 0)) }
	for _, c := range []struct{ a, b, c, want float32 }{
		{1 + 0x1p-12, 1 - 0x1p-12, 0, 1 - 0x1p-24},
		{0x1p-75, 0x1p-75, 0x1p-149, 0x1p-148}, // a tie among denormal numbers, to even
		{0x1p-75, -0x1p-75, 0x1p-149, 0},
		{0x1p-100, 0x1p-100, 1 + 0x1p-23, 1 + 0x1p-23},
		{math.MaxFloat32, 1, math.MaxFloat32, float32(math.Inf(1))},
		// 2^24 + 1 is a tie that a product of 1 ± 2^-46 decides, which float64 loses.
		{1 + 0x1p-23, 1 + 0x1p-23, 0x1p24, 0x1p24 + 2},
		{1 + 0x1p-23, 1 - 0x1p-23, 0x1p24, 0x1p24},
		{1 + 0x1p-23, 1 - 0x1p-23, 0x1p24 + 2, 0x1p24 + 2},
	} {
		if got := one(c.a, c.b, c.c); got != c.want {
			t.Errorf("%v*%v+%v: got %v, want %v", c.a, c.b, c.c, got, c.want)
		}
	}
}
