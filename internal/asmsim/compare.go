package asmsim

var comparisons = map[string]decoder{
	"VCMPPS":   compareFloats,
	"VPCMPEQD": compareEqual,
}

func compareFloats(in *inst) step {
	in.count(4)
	return in.compare(1, predicate(in.immediate(0)))
}

func compareEqual(in *inst) step {
	in.count(3)
	return in.compare(0, func(x, y uint32) bool { return x == y })
}

// compare decodes a comparison of the operands from the first on: to a mask register, under the mask, or, as AVX has it,
// to a vector of ones and zeros.
func (in *inst) compare(first int, holds func(x, y uint32) bool) step {
	n := in.lanes(first + 1)
	y, x := in.source(first, n, in.keep), in.vector(first+1, n)
	if to := in.ops[first+2]; to.kind == opmask {
		return func(m *machine) {
			a, b := &m.z[x], y(m)
			var bits uint64
			for i := range n {
				if holds(a[i], b[i]) {
					bits |= 1 << i
				}
			}
			m.k[to.reg] = bits & in.keep(m)
		}
	}
	if in.mask != 0 || n == 16 {
		fail("the result goes to a mask register")
	}
	put := in.destination(first+2, n)
	return func(m *machine) {
		a, b := &m.z[x], y(m)
		r := m.blank()
		for i := range n {
			if holds(a[i], b[i]) {
				r[i] = ^uint32(0)
			}
		}
		put(m, r)
	}
}

// predicate returns predicate imm of VCMPPS. The lowest three bits say what holds of ordered operands; bit 4 is about
// exceptions.
func predicate(imm uint64) func(x, y uint32) bool {
	if imm > 31 {
		fail("no predicate %d", imm)
	}
	ordered := [8]func(x, y float32) bool{
		func(x, y float32) bool { return x == y },
		func(x, y float32) bool { return x < y },
		func(x, y float32) bool { return x <= y },
		func(x, y float32) bool { return false },
		func(x, y float32) bool { return x != y },
		func(x, y float32) bool { return x >= y },
		func(x, y float32) bool { return x > y },
		func(x, y float32) bool { return true },
	}[imm&7]
	// UNORD, NEQ, NLT, NLE; EQ_U, NGE, NGT, TRUE.
	unordered := (1<<3|1<<4|1<<5|1<<6|1<<8|1<<9|1<<10|1<<15)>>(imm&15)&1 != 0
	return func(x, y uint32) bool {
		if isNaN(x) || isNaN(y) {
			return unordered
		}
		return ordered(float(x), float(y))
	}
}
