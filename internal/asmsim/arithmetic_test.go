package asmsim

import (
	"math"
	"testing"
)

func floats(x ...float64) (v vec) {
	for i, f := range x {
		v[i] = word(float32(f))
	}
	return v
}

func TestBits(t *testing.T) {
	for text, want := range map[string]vec{
		"VPXORD Z3, Z3, Z3":  {},
		"VXORPS X0, X1, X3":  lanes(100^200, 101^201, 102^202, 103^203),
		"VANDPS X0, X1, X3":  lanes(100&200, 101&201, 102&202, 103&203),
		"VORPS X0, X1, X3":   lanes(100|200, 101|201, 102|202, 103|203),
		"VPSRAD $1, X0, X3":  lanes(50, 50, 51, 51),
		"VPSRAD $32, Z0, Z3": {},
		"VPSLLD $32, Z0, Z3": {},
	} {
		requireLanes(t, text, want)
	}
}

// NaN comes out as hardware makes it.
func TestFloats(t *testing.T) {
	inf, nan, zero := math.Inf(1), math.NaN(), math.Copysign(0, -1)
	for _, c := range []struct {
		text string
		x, y vec // X1, X0
		want vec
	}{
		{"VADDPS X0, X1, X3", floats(1, inf, 1, 0), floats(2, -inf, nan, zero), vec{word(3), indefinite, word(float32(nan)), 0}},
		{"VSUBPS X0, X1, X3", floats(1, inf, nan, 0), floats(2, inf, 1, 0), vec{word(-1), indefinite, word(float32(nan)), 0}},
		{"VMULPS X0, X1, X3", floats(3, 0, 1e-30, -1), floats(2, inf, 1e-30, 0), vec{word(6), indefinite, 0, signBit}},
		{"VDIVPS X0, X1, X3", floats(3, 0, 1, -1), floats(2, 0, 0, inf), vec{word(1.5), indefinite, infinity, signBit}},
		{"VSQRTPS X0, X3", vec{}, floats(9, zero, -1, inf), vec{word(3), signBit, indefinite, infinity}},
		{"VMAXPS X0, X1, X3", floats(0, nan, 1, 3), floats(zero, 1, nan, 2), floats(zero, 1, nan, 3)},
		{"VMINPS X0, X1, X3", floats(zero, nan, 1, 3), floats(0, 1, nan, 2), floats(0, 1, nan, 2)},
		{"VCVTDQ2PS X0, X3", vec{}, lanes(3, ^uint32(0), 1<<24+1), floats(3, -1, 1<<24)},
		{"VADDPS X0, X1, X3", vec{0x7f812345}, floats(1), vec{0x7fc12345}}, // quieted
	} {
		m, _ := state()
		m.z[1], m.z[0] = c.x, c.y
		do(t, m, c.text)
		if m.z[3] != c.want {
			t.Errorf("%s: got %x, want %x", c.text, m.z[3], c.want)
		}
	}
}

// The products differ in signs and in where the operands are.
func TestMultiplyAdd(t *testing.T) {
	for text, want := range map[string]float64{
		"VFMADD231PS Z0, Z1, Z3": 2*3 + 5, "VFMADD213PS Z0, Z1, Z3": 3*5 + 2, "VFMSUB231PS Z0, Z1, Z3": 2*3 - 5,
		"VFMSUB213PS Z0, Z1, Z3": 3*5 - 2, "VFNMADD231PS Z0, Z1, Z3": 5 - 2*3,
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
