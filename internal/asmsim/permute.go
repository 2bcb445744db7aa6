package asmsim

// The instructions that order lanes anew, without masks and broadcasts. What they call a double is two lanes here.
var permutations = map[string]form{
	"VPERMILPS": {sources: 1, imm: true, f: fours(func(_, y []uint32, imm uint64) [4]uint32 {
		return [4]uint32{y[imm&3], y[imm>>2&3], y[imm>>4&3], y[imm>>6&3]}
	})},
	"VSHUFPS": {sources: 2, imm: true, f: fours(func(x, y []uint32, imm uint64) [4]uint32 {
		return [4]uint32{x[imm&3], x[imm>>2&3], y[imm>>4&3], y[imm>>6&3]}
	})},
	"VUNPCKLPS": {sources: 2, f: fours(func(x, y []uint32, _ uint64) [4]uint32 {
		return [4]uint32{x[0], y[0], x[1], y[1]}
	})},
	"VUNPCKHPS": {sources: 2, f: fours(func(x, y []uint32, _ uint64) [4]uint32 {
		return [4]uint32{x[2], y[2], x[3], y[3]}
	})},
	"VUNPCKLPD": {sources: 2, f: fours(func(x, y []uint32, _ uint64) [4]uint32 {
		return [4]uint32{x[0], x[1], y[0], y[1]}
	})},
	"VUNPCKHPD": {sources: 2, f: fours(func(x, y []uint32, _ uint64) [4]uint32 {
		return [4]uint32{x[2], x[3], y[2], y[3]}
	})},
	"VMOVHLPS": {sources: 2, f: fours(func(x, y []uint32, _ uint64) [4]uint32 {
		return [4]uint32{y[2], y[3], x[2], x[3]}
	})},
	"VBLENDPS":   {sources: 2, imm: true, f: blend},
	"VPERMPD":    {sources: 1, imm: true, f: pairs},
	"VPERM2F128": {sources: 2, imm: true, f: halves},
	"VSHUFF64X2": {sources: 2, imm: true, f: quarters},
}

// fours makes every group of four lanes from the same group of the sources.
func fours(f func(x, y []uint32, imm uint64) [4]uint32) func(r, d, x, y *vec, imm uint64, n int) {
	return func(r, _, x, y *vec, imm uint64, n int) {
		for g := 0; g < n; g += 4 {
			four := f(x[g:g+4], y[g:g+4], imm)
			copy(r[g:], four[:])
		}
	}
}

// blend takes lanes of y where a bit of imm is set.
func blend(r, _, x, y *vec, imm uint64, n int) {
	for i := range n {
		r[i] = x[i]
		if imm>>i&1 != 0 {
			r[i] = y[i]
		}
	}
}

// pairs picks each pair of lanes from among the four of the same eight lanes.
func pairs(r, _, _, y *vec, imm uint64, n int) {
	for i := range n {
		r[i] = y[i&^7+int(imm>>(i%8/2*2)&3)*2+i%2]
	}
}

// halves picks two groups of four lanes out of the four of both sources, or zeros.
func halves(r, _, x, y *vec, imm uint64, _ int) {
	for g := range 2 {
		c := imm >> (4 * g)
		from := x
		if c&2 != 0 {
			from = y
		}
		if c&8 == 0 {
			at := 4 * (c & 1)
			copy(r[4*g:4*g+4], from[at:at+4])
		}
	}
}

// quarters picks groups of four lanes: half of them from either source.
func quarters(r, _, x, y *vec, imm uint64, n int) {
	groups := n / 4
	for g := range groups {
		from, width := x, 2
		if g >= groups/2 {
			from = y
		}
		if groups == 2 {
			width = 1
		}
		at := 4 * int(imm>>(g*width)) & (n - 4)
		copy(r[4*g:4*g+4], from[at:at+4])
	}
}
