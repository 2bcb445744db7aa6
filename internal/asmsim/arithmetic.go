package asmsim

// The instructions that compute lanes from the same lanes of their sources, under a mask, and where one source may be a
// broadcast.
var arithmetic = map[string]form{
	"VADDPS":  each2(fadd),
	"VSUBPS":  each2(fsub),
	"VMULPS":  each2(fmul),
	"VDIVPS":  each2(fdiv),
	"VMAXPS":  each2(fmax),
	"VMINPS":  each2(fmin),
	"VSQRTPS": each1(fsqrt),

	"VFMADD213PS":  multiplyAdd("213", 0, 0),
	"VFMADD231PS":  multiplyAdd("231", 0, 0),
	"VFMSUB213PS":  multiplyAdd("213", 0, signBit),
	"VFMSUB231PS":  multiplyAdd("231", 0, signBit),
	"VFNMADD231PS": multiplyAdd("231", signBit, 0),

	"VANDPS": each2(func(x, y uint32) uint32 { return x & y }),
	"VORPS":  each2(func(x, y uint32) uint32 { return x | y }),
	"VXORPS": each2(func(x, y uint32) uint32 { return x ^ y }),
	"VPXORD": each2(func(x, y uint32) uint32 { return x ^ y }),
	"VPADDD": each2(func(x, y uint32) uint32 { return x + y }),
	"VPSUBD": each2(func(x, y uint32) uint32 { return x - y }),

	// Shifts by an immediate; 32 and more shift everything out.
	"VPSLLD": each1Imm(func(y uint32, n uint64) uint32 { return y << n }),
	"VPSRAD": each1Imm(func(y uint32, n uint64) uint32 { return uint32(int32(y) >> n) }),

	"VCVTDQ2PS": each1(func(y uint32) uint32 { return word(float32(int32(y))) }),
}

// form is an instruction that computes a vector from vectors of the same number of lanes.
type form struct {
	sources int  // 1: y; 2: y and x; the order in Go's text, so x is Intel's first source
	imm     bool // before them
	f       func(r, d, x, y *vec, imm uint64, n int)
}

func (f form) decode(in *inst) step {
	var imm uint64
	first := 0
	if f.imm {
		first = 1
	}
	last := first + f.sources
	in.count(last + 1)
	if f.imm {
		imm = in.immediate(0) & 0xff
	}
	n := in.lanes(last)
	y, d, put := in.source(first, n, in.keep), in.vector(last, n), in.destination(last, n)
	x := d // of one source, for nothing
	if f.sources == 2 {
		x = in.vector(first+1, n)
	}
	return func(m *machine) {
		r := m.blank()
		f.f(r, &m.z[d], &m.z[x], y(m), imm, n)
		put(m, r)
	}
}

// unmasked decodes an instruction that has neither masks nor broadcasts.
func (f form) unmasked(in *inst) step {
	in.plain(len(in.ops))
	return f.decode(in)
}

// each1 and each2 work on lanes of one and two sources.
func each1(f func(y uint32) uint32) form {
	return form{sources: 1, f: func(r, _, _, y *vec, _ uint64, n int) {
		for i := range n {
			r[i] = f(y[i])
		}
	}}
}

func each1Imm(f func(y uint32, imm uint64) uint32) form {
	return form{sources: 1, imm: true, f: func(r, _, _, y *vec, imm uint64, n int) {
		for i := range n {
			r[i] = f(y[i], imm)
		}
	}}
}

func each2(f func(x, y uint32) uint32) form {
	return form{sources: 2, f: func(r, _, x, y *vec, _ uint64, n int) {
		for i := range n {
			r[i] = f(x[i], y[i])
		}
	}}
}

// multiplyAdd is a·b + c, or with the signs of the product and of c flipped. The digits of its name order the operands
// in a, b, c: 1 is the destination, 2 the first source and 3 the second, which Go writes first.
func multiplyAdd(digits string, product, summand uint32) form {
	a, b, c := digits[0]-'1', digits[1]-'1', digits[2]-'1'
	return form{sources: 2, f: func(r, d, x, y *vec, _ uint64, n int) {
		operands := [3]*vec{d, x, y}
		a, b, c := operands[a], operands[b], operands[c]
		for i := range n {
			r[i] = fused(a[i], b[i], c[i], product, summand)
		}
	}}
}
