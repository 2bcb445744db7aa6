package asmsim

import "math/bits"

// A source is where a vector operand comes from.
type source struct {
	reg  int // or -1
	load func(m *machine) *vec
}

func (s *source) of(m *machine) *vec {
	if s.reg >= 0 {
		return &m.z[s.reg]
	}
	return s.load(m)
}

// keep returns the lanes that the mask of the instruction selects.
func (in *inst) keep(m *machine) uint64 {
	if in.mask == 0 {
		return ^uint64(0)
	}
	return m.k[in.mask]
}

// vector returns the register of operand i, which must have n lanes.
func (in *inst) vector(i, n int) int {
	if r := in.register(i, vector); in.ops[i].lanes == n {
		return r
	}
	fail("operand %d should have %d lanes", i+1, n)
	return 0
}

// source returns operand i of n lanes. Of memory it reads what keep selects.
func (in *inst) source(i, n int, keep func(m *machine) uint64) source {
	o := in.ops[i]
	if o.kind != memory {
		return source{reg: in.vector(i, n)}
	}
	if in.bcst {
		o.mem.access(4, false)
		return source{-1, func(m *machine) *vec {
			x := uint32(0)
			if keep(m)&(1<<n-1) != 0 {
				x = uint32(m.load(o.mem.at(m), 4))
			}
			for j := range n {
				m.in[j] = x
			}
			return &m.in
		}}
	}
	o.mem.access(4*n, false)
	return source{-1, func(m *machine) *vec { return m.loadLanes(o.mem.at(m), n, keep(m)) }}
}

func everything(*machine) uint64 { return ^uint64(0) }

// destination returns how to write n lanes to operand i under the mask. The rest of a register becomes zero.
func (in *inst) destination(i, n int) func(m *machine, v *vec) {
	o := in.ops[i]
	if o.kind == memory {
		o.mem.access(4*n, true)
		return func(m *machine, v *vec) { m.storeLanes(o.mem.at(m), n, in.keep(m), v) }
	}
	r, wide := in.vector(i, n), n > 4
	if in.mask == 0 {
		return func(m *machine, v *vec) {
			m.z[r] = *v
			clear(m.z[r][n:])
			m.dirty = m.dirty || wide
		}
	}
	return func(m *machine, v *vec) {
		d, keep := &m.z[r], in.keep(m)
		for j := range d {
			switch {
			case j >= n:
				d[j] = 0
			case keep>>j&1 != 0:
				d[j] = v[j]
			case in.zeroing:
				d[j] = 0
			}
		}
		m.dirty = m.dirty || wide
	}
}

// form is an instruction that computes a vector from vectors of the same number of lanes.
type form struct {
	sources int  // 1: y; 2: y and x; the order in Go's text, so x is Intel's first source
	imm     bool // before them
	wide    bool // elements have 64 bits, which masks do not select here
	whole   bool // memory is read where masked off, too
	f       func(r, d, x, y *vec, imm uint64, n int)
}

func (f form) decode(in *inst) step {
	var imm uint64
	first := 0
	if f.imm {
		imm, first = in.immediate(0)&0xff, 1
	}
	last := first + f.sources
	if len(in.ops) != last+1 {
		fail("%d operands, want %d", len(in.ops), last+1)
	}
	in.register(last, vector)
	n := in.ops[last].lanes
	if f.wide && (in.mask != 0 || in.bcst) {
		fail("masks and broadcasts of 64-bit elements are not supported")
	}
	keep := in.keep
	if f.whole {
		keep = everything
	}
	y := in.source(first, n, keep)
	x := source{}
	if f.sources == 2 {
		x.reg = in.vector(first+1, n)
	}
	d, put := in.ops[last].reg, in.destination(last, n)
	return func(m *machine) {
		r := m.blank()
		f.f(r, &m.z[d], x.of(m), y.of(m), imm, n)
		put(m, r)
	}
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

// pick makes lane i of every group of 4 from the same group of the sources.
func pick(f func(x, y []uint32, imm uint64, i int) uint32) form {
	return form{sources: 2, whole: true, f: func(r, _, x, y *vec, imm uint64, n int) {
		for g := 0; g < n; g += 4 {
			for i := range 4 {
				r[g+i] = f(x[g:g+4], y[g:g+4], imm, i)
			}
		}
	}}
}

// Variations of a form: with an immediate, with 64-bit elements, with one source.
func (f form) withImm() form { f.imm = true; return f }
func (f form) of64() form    { f.wide = true; return f }
func (f form) unary() form   { f.sources = 1; return f }

// ternary looks three bits up in imm.
func ternary(r, d, x, y *vec, imm uint64, n int) {
	for i := range n {
		for bit := range 8 {
			if imm>>bit&1 == 0 {
				continue
			}
			all := ^uint32(0)
			for j, v := range [3]uint32{y[i], x[i], d[i]} {
				if bit>>j&1 == 0 {
					v = ^v
				}
				all &= v
			}
			r[i] |= all
		}
	}
}

// quarters picks groups of 4 lanes, as VSHUFF32X4 does: half of them from either source.
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

// halves picks two groups of 4 lanes out of four, or zeros, as VPERM2F128 does.
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

// twoTables looks lanes of index up in the 2n lanes of two tables.
func twoTables(r, index, low, high *vec, n int) {
	for i := range n {
		c := int(index[i]) & (2*n - 1)
		if c < n {
			r[i] = low[c]
		} else {
			r[i] = high[c-n]
		}
	}
}

func shiftLanes(f func(y uint32, n uint64) uint32) decoder {
	return func(in *inst) step {
		if len(in.ops) > 0 && in.ops[0].kind != immediate {
			fail("only shifts by an immediate are supported")
		}
		return each1Imm(f).decode(in)
	}
}

// Counts of 32 and more shift everything out.
func lshift(y uint32, n uint64) uint32 { return y << n }
func rshift(y uint32, n uint64) uint32 { return y >> n }
func ashift(y uint32, n uint64) uint32 { return uint32(int32(y) >> n) }

func bit32(on bool) uint32 {
	if on {
		return ^uint32(0)
	}
	return 0
}

// test decodes a comparison: to a mask register, under the mask, or, where vectors is set, to a vector of
// ones and zeros. Masked-off memory is not read.
func test(sources int, imm, vectors bool, predicate func(imm uint64) func(x, y uint32) bool) decoder {
	return func(in *inst) step {
		var value uint64
		first := 0
		if imm {
			if value = in.immediate(0); value > 0xff {
				fail("immediate out of range")
			}
			first = 1
		}
		last := first + sources
		if len(in.ops) != last+1 {
			fail("%d operands, want %d", len(in.ops), last+1)
		}
		holds := predicate(value)
		// The register source tells the number of lanes.
		in.register(last-1, vector)
		n := in.ops[last-1].lanes
		y, x := in.source(first, n, in.keep), source{reg: in.ops[last-1].reg}
		if in.ops[last].kind == opmask {
			k := in.ops[last].reg
			return func(m *machine) {
				a, b := x.of(m), y.of(m)
				var bits uint64
				for i := range n {
					if holds(a[i], b[i]) {
						bits |= 1 << i
					}
				}
				m.k[k] = bits & in.keep(m)
			}
		}
		if !vectors || in.mask != 0 || n == 16 {
			fail("the result goes to a mask register")
		}
		put := in.destination(last, n)
		return func(m *machine) {
			a, b := x.of(m), y.of(m)
			r := m.blank()
			for i := range n {
				r[i] = bit32(holds(a[i], b[i]))
			}
			put(m, r)
		}
	}
}

func always(f func(x, y uint32) bool) func(uint64) func(x, y uint32) bool {
	return func(uint64) func(x, y uint32) bool { return f }
}

// moveVector loads, stores and copies.
func moveVector(aligned, wide bool) decoder {
	return func(in *inst) step {
		if len(in.ops) != 2 || in.bcst {
			fail("want two operands")
		}
		o, n := in.ops[0], in.ops[1].lanes
		if o.kind == vector {
			n, o = o.lanes, in.ops[1]
		}
		if n == 0 {
			fail("want a vector")
		}
		if wide && in.mask != 0 {
			fail("masks of 64-bit elements are not supported")
		}
		src, put := in.source(0, n, in.keep), in.destination(1, n)
		if !aligned || o.kind != memory {
			return func(m *machine) { put(m, src.of(m)) }
		}
		return func(m *machine) {
			if o.mem.at(m)%uint64(4*n) != 0 {
				panic("the address is not aligned")
			}
			put(m, src.of(m))
		}
	}
}

// broadcast repeats the first group lanes of memory or, where allowed, of an X register or a general one.
func broadcast(group int, fromGeneral, fromRegister, wide bool) decoder {
	return func(in *inst) step {
		if len(in.ops) != 2 || in.bcst {
			fail("want two operands")
		}
		if wide && in.mask != 0 {
			fail("masks of 64-bit elements are not supported")
		}
		in.register(1, vector)
		n := in.ops[1].lanes
		if n <= group && group > 2 {
			fail("nothing to repeat")
		}
		put, o := in.destination(1, n), in.ops[0]
		var src source
		switch {
		case o.kind == general && fromGeneral:
			src = source{-1, func(m *machine) *vec { m.in[0] = uint32(m.r[o.reg]); return &m.in }}
		case o.kind == vector && !fromRegister:
			fail("want memory")
		case o.kind == vector:
			src.reg = in.vector(0, 4)
		default:
			// Lane j of memory is read if a lane that repeats it is.
			src = in.source(0, group, func(m *machine) uint64 {
				if in.mask == 0 {
					return ^uint64(0)
				}
				var keep uint64
				for i := range n {
					keep |= in.keep(m) >> i & 1 << (i % group)
				}
				return keep
			})
		}
		return func(m *machine) {
			s := src.of(m)
			r := m.blank()
			for i := range n {
				r[i] = s[i&(group-1)]
			}
			put(m, r)
		}
	}
}

// extract copies one group of lanes out of a wider register.
func extract(group int, wide bool) decoder {
	return func(in *inst) step {
		if len(in.ops) != 3 || in.bcst || wide && in.mask != 0 {
			fail("unsupported operands")
		}
		in.register(1, vector)
		n, r := in.ops[1].lanes, in.ops[1].reg
		if n <= group {
			fail("operand 2 is too narrow")
		}
		at, put := int(in.immediate(0))&(n/group-1)*group, in.destination(2, group)
		return func(m *machine) {
			v := m.blank()
			copy(v[:], m.z[r][at:at+group])
			put(m, v)
		}
	}
}

// insert replaces one group of lanes of a wider register.
func insert(group int, wide bool) decoder {
	return func(in *inst) step {
		if len(in.ops) != 4 || in.bcst || wide && in.mask != 0 {
			fail("unsupported operands")
		}
		in.register(3, vector)
		n := in.ops[3].lanes
		if n <= group {
			fail("operand 4 is too narrow")
		}
		at := int(in.immediate(0)) & (n/group - 1) * group
		y, x, put := in.source(1, group, everything), in.vector(2, n), in.destination(3, n)
		return func(m *machine) {
			m.out = m.z[x]
			copy(m.out[at:], y.of(m)[:group])
			put(m, &m.out)
		}
	}
}

// maskMove is VMASKMOVPS: the top bits of a vector select what of memory is read or written.
func maskMove(in *inst) step {
	in.plain(3)
	n := in.ops[1].lanes
	control := in.vector(1, n)
	keep := func(m *machine) uint64 { return m.z[control].signs(n) }
	if dst := in.ops[2]; dst.kind == memory {
		r := in.vector(0, n)
		dst.mem.access(4*n, true)
		return func(m *machine) { m.storeLanes(dst.mem.at(m), n, keep(m), &m.z[r]) }
	}
	in.register(0, memory)
	src, put := in.source(0, n, keep), in.destination(2, n)
	return func(m *machine) { put(m, src.of(m)) }
}

// blendVector is VBLENDVPS: the top bits of a vector select the second source.
func blendVector(in *inst) step {
	in.plain(4)
	n := in.ops[3].lanes
	control, y, x, put := in.vector(0, n), in.source(1, n, everything), in.vector(2, n), in.destination(3, n)
	return func(m *machine) {
		m.out = m.z[x]
		b := y.of(m)
		for i := range n {
			if m.z[control][i]>>31 != 0 {
				m.out[i] = b[i]
			}
		}
		put(m, &m.out)
	}
}

// blendMask is VBLENDMPS: the mask selects between the sources, and what it does not select is not read from memory.
func blendMask(in *inst) step {
	if len(in.ops) != 3 || in.mask == 0 {
		fail("want two sources, a mask and a destination")
	}
	in.register(2, vector)
	n := in.ops[2].lanes
	y, x := in.source(0, n, in.keep), in.vector(1, n)
	unmasked := *in
	unmasked.mask = 0
	put := unmasked.destination(2, n)
	return func(m *machine) {
		m.out = m.z[x]
		keep, b := in.keep(m), y.of(m)
		for i := range n {
			switch {
			case keep>>i&1 != 0:
				m.out[i] = b[i]
			case in.zeroing:
				m.out[i] = 0
			}
		}
		put(m, &m.out)
	}
}

// compress moves the selected lanes together at the beginning.
func compress(in *inst) step {
	if len(in.ops) != 2 || in.bcst {
		fail("want a source and a destination")
	}
	in.register(0, vector)
	n, src := in.ops[0].lanes, in.ops[0].reg
	packed := func(m *machine) (r vec, count int) {
		for i := range n {
			if in.keep(m)>>i&1 != 0 {
				r[count] = m.z[src][i]
				count++
			}
		}
		return r, count
	}
	if dst := in.ops[1]; dst.kind == memory {
		dst.mem.access(4*n, true)
		return func(m *machine) {
			r, count := packed(m)
			m.storeLanes(dst.mem.at(m), n, 1<<count-1, &r)
		}
	}
	d := in.vector(1, n)
	return func(m *machine) {
		r, count := packed(m)
		if !in.zeroing {
			copy(r[count:n], m.z[d][count:])
		}
		m.z[d] = r
		m.dirty = m.dirty || n > 4
	}
}

// expand spreads the first lanes to the selected ones.
func expand(in *inst) step {
	if len(in.ops) != 2 || in.bcst {
		fail("want a source and a destination")
	}
	in.register(1, vector)
	n := in.ops[1].lanes
	src := in.source(0, n, func(m *machine) uint64 { return 1<<bits.OnesCount64(in.keep(m)&(1<<n-1)) - 1 })
	put := in.destination(1, n)
	return func(m *machine) {
		s, next := src.of(m), 0
		r := m.blank()
		for i := range n {
			if in.keep(m)>>i&1 != 0 {
				r[i] = s[next]
				next++
			}
		}
		put(m, r)
	}
}

// scalar is an instruction on lane 0 of X registers: x passes its other lanes on, or the old destination does.
func scalar(f form, keepDestination bool) decoder {
	return func(in *inst) step {
		first := 0
		var imm uint64
		if f.imm {
			imm, first = in.immediate(0)&0xff, 1
		}
		in.plain(first + 3)
		y, x, d := in.scalarSource(first), in.vector(first+1, 4), in.vector(first+2, 4)
		return func(m *machine) {
			rest := &m.z[x]
			if keepDestination {
				rest = &m.z[d]
			}
			r := m.blank()
			f.f(r, &m.z[d], &m.z[x], y.of(m), imm, 1)
			m.z[d] = vec{r[0], rest[1], rest[2], rest[3]}
		}
	}
}

// scalarSource returns operand i, an X register or 4 bytes of memory.
func (in *inst) scalarSource(i int) source {
	o := in.ops[i]
	if o.kind != memory {
		return source{reg: in.vector(i, 4)}
	}
	o.mem.access(4, false)
	return source{-1, func(m *machine) *vec { return m.loadLanes(o.mem.at(m), 1, 1) }}
}

// moveScalar is VMOVSS, which from a register keeps the upper lanes of another.
func moveScalar(in *inst) step {
	if len(in.ops) == 3 {
		return scalar(each2(func(_, y uint32) uint32 { return y }), false)(in)
	}
	in.plain(2)
	if in.ops[0].kind == memory {
		src, d := in.scalarSource(0), in.vector(1, 4)
		return func(m *machine) { m.z[d] = *src.of(m) }
	}
	in.register(1, memory)
	s, set := in.vector(0, 4), in.set(1, 4)
	return func(m *machine) { set(m, uint64(m.z[s][0])) }
}

// moveWord is VMOVD and VMOVQ: between the lowest lanes of an X register and anything else.
func moveWord(size int) decoder {
	return func(in *inst) step {
		in.plain(2)
		if in.ops[1].kind == vector {
			d, get := in.vector(1, 4), func(m *machine) uint64 { return 0 }
			if s := in.ops[0]; s.kind == vector && size == 8 {
				s := in.vector(0, 4)
				get = func(m *machine) uint64 { return uint64(m.z[s][1])<<32 | uint64(m.z[s][0]) }
			} else if get = in.get(0, size); s.kind == immediate {
				fail("a vector is not set from an immediate")
			}
			return func(m *machine) {
				v := get(m)
				m.z[d] = vec{uint32(v), uint32(v >> 32)}
			}
		}
		s, set := in.vector(0, 4), in.set(1, size)
		return func(m *machine) { set(m, uint64(m.z[s][1])<<32|uint64(m.z[s][0])) }
	}
}

// moveHalf is VMOVLPS and VMOVHPS: to memory two lanes from at on, from memory the same over a copy of an X register.
func moveHalf(at int) decoder {
	return func(in *inst) step {
		if len(in.ops) == 2 {
			in.plain(2)
			in.register(1, memory)
			s, set := in.vector(0, 4), in.set(1, 8)
			return func(m *machine) { set(m, uint64(m.z[s][at+1])<<32|uint64(m.z[s][at])) }
		}
		in.plain(3)
		in.register(0, memory)
		get, x, d := in.get(0, 8), in.vector(1, 4), in.vector(2, 4)
		return func(m *machine) {
			v := get(m)
			m.z[d] = vec{m.z[x][0], m.z[x][1], m.z[x][2], m.z[x][3]}
			m.z[d][at], m.z[d][at+1] = uint32(v), uint32(v>>32)
		}
	}
}

// compareScalar sets the flags as an unsigned comparison would; NaN sets them all.
func compareScalar(in *inst) step {
	in.plain(2)
	y, x := in.scalarSource(0), in.vector(1, 4)
	return func(m *machine) {
		a, b := m.z[x][0], y.of(m)[0]
		var on uint8
		switch {
		case isNaN(a) || isNaN(b):
			on = zf | pf | cf
		case float(a) < float(b):
			on = cf
		case float(a) == float(b):
			on = zf
		}
		m.setFlags(allFlags, on)
	}
}

// signs returns the top bits of n lanes.
func (v *vec) signs(n int) (bits uint64) {
	for i := range n {
		bits |= uint64(v[i]>>31) << i
	}
	return bits
}

// moveSigns is VMOVMSKPS and VPMOVD2M: the top bits of the lanes go to a general or a mask register.
func moveSigns(to kind) decoder {
	return func(in *inst) step {
		in.plain(2)
		in.register(0, vector)
		n, s, d := in.ops[0].lanes, in.ops[0].reg, in.register(1, to)
		if to == opmask {
			return func(m *machine) { m.k[d] = m.z[s].signs(n) }
		}
		set := in.set(1, 8)
		return func(m *machine) { set(m, m.z[s].signs(n)) }
	}
}

// spreadMask is VPMOVM2D: lanes become all ones or zeros.
func spreadMask(in *inst) step {
	in.plain(2)
	k := in.register(0, opmask)
	in.register(1, vector)
	n := in.ops[1].lanes
	put := in.destination(1, n)
	return func(m *machine) {
		r := m.blank()
		for i := range n {
			r[i] = bit32(m.k[k]>>i&1 != 0)
		}
		put(m, r)
	}
}

func init() {
	forms := map[string]form{
		"VSQRTPS": each1(fsqrt),

		"VPADDD":  each2(func(x, y uint32) uint32 { return x + y }),
		"VPSUBD":  each2(func(x, y uint32) uint32 { return x - y }),
		"VPMULLD": each2(func(x, y uint32) uint32 { return x * y }),
		"VPMAXSD": each2(func(x, y uint32) uint32 { return uint32(max(int32(x), int32(y))) }),
		"VPMINSD": each2(func(x, y uint32) uint32 { return uint32(min(int32(x), int32(y))) }),
		"VPMAXUD": each2(func(x, y uint32) uint32 { return max(x, y) }),
		"VPMINUD": each2(func(x, y uint32) uint32 { return min(x, y) }),
		"VPABSD":  each1(func(y uint32) uint32 { return uint32(max(int32(y), -int32(y))) }),

		"VPSLLVD": each2(func(x, y uint32) uint32 { return lshift(x, uint64(y)) }),
		"VPSRLVD": each2(func(x, y uint32) uint32 { return rshift(x, uint64(y)) }),
		"VPSRAVD": each2(func(x, y uint32) uint32 { return ashift(x, uint64(y)) }),

		"VPTERNLOGD": {sources: 2, imm: true, f: ternary},

		"VSCALEFPS":   each2(scale),
		"VGETEXPPS":   each1(exponent),
		"VGETMANTPS":  each1Imm(mantissa),
		"VRNDSCALEPS": each1Imm(roundScale),
		"VROUNDPS":    each1Imm(func(y uint32, imm uint64) uint32 { return roundScale(y, imm&15) }),
		"VCVTPS2DQ":   each1(func(y uint32) uint32 { return toInt(y, 0) }),
		"VCVTTPS2DQ":  each1(func(y uint32) uint32 { return toInt(y, 3) }),
		"VCVTDQ2PS":   each1(func(y uint32) uint32 { return word(float32(int32(y))) }),

		"VSHUFPS": pick(func(x, y []uint32, imm uint64, i int) uint32 {
			from := x
			if i >= 2 {
				from = y
			}
			return from[imm>>(2*i)&3]
		}).withImm(),
		"VUNPCKLPS": pick(func(x, y []uint32, _ uint64, i int) uint32 { return [4]uint32{x[0], y[0], x[1], y[1]}[i] }),
		"VUNPCKHPS": pick(func(x, y []uint32, _ uint64, i int) uint32 { return [4]uint32{x[2], y[2], x[3], y[3]}[i] }),
		"VUNPCKLPD": pick(func(x, y []uint32, _ uint64, i int) uint32 { return [4]uint32{x[0], x[1], y[0], y[1]}[i] }).of64(),
		"VUNPCKHPD": pick(func(x, y []uint32, _ uint64, i int) uint32 { return [4]uint32{x[2], x[3], y[2], y[3]}[i] }).of64(),
		"VMOVLHPS":  pick(func(x, y []uint32, _ uint64, i int) uint32 { return [4]uint32{x[0], x[1], y[0], y[1]}[i] }).of64(),
		"VMOVHLPS":  pick(func(x, y []uint32, _ uint64, i int) uint32 { return [4]uint32{y[2], y[3], x[2], x[3]}[i] }).of64(),
		"VHADDPS": pick(func(x, y []uint32, _ uint64, i int) uint32 {
			from := x
			if i >= 2 {
				from = y
			}
			return fadd(from[2*(i%2)], from[2*(i%2)+1])
		}),
		"VMOVSHDUP": pick(func(_, y []uint32, _ uint64, i int) uint32 { return y[i|1] }).unary(),
		"VMOVSLDUP": pick(func(_, y []uint32, _ uint64, i int) uint32 { return y[i&^1] }).unary(),
		"VPSHUFD":   pick(func(_, y []uint32, imm uint64, i int) uint32 { return y[imm>>(2*i)&3] }).unary().withImm(),

		"VBLENDPS": {sources: 2, imm: true, whole: true, f: func(r, _, x, y *vec, imm uint64, n int) {
			for i := range n {
				r[i] = x[i]
				if imm>>i&1 != 0 {
					r[i] = y[i]
				}
			}
		}},
		"VSHUFF32X4": {sources: 2, imm: true, whole: true, f: quarters},
		"VSHUFF64X2": {sources: 2, imm: true, whole: true, wide: true, f: quarters},
		"VPERM2F128": {sources: 2, imm: true, whole: true, f: halves},
		"VPERMPS": {sources: 2, whole: true, f: func(r, _, x, y *vec, _ uint64, n int) {
			for i := range n {
				r[i] = y[int(x[i])&(n-1)]
			}
		}},
		"VPERMPD": {sources: 1, imm: true, whole: true, wide: true, f: func(r, _, _, y *vec, imm uint64, n int) {
			for i := range n {
				r[i] = y[i&^7+int(imm>>(i%8/2*2)&3)*2+i%2]
			}
		}},
		"VPERMT2PS": {sources: 2, whole: true, f: func(r, d, x, y *vec, _ uint64, n int) { twoTables(r, x, d, y, n) }},
		"VPERMI2PS": {sources: 2, whole: true, f: func(r, d, x, y *vec, _ uint64, n int) { twoTables(r, d, x, y, n) }},
		"VALIGND": {sources: 2, imm: true, whole: true, f: func(r, _, x, y *vec, imm uint64, n int) {
			for i := range n {
				if from := i + int(imm)&(n-1); from < n {
					r[i] = y[from]
				} else {
					r[i] = x[from-n]
				}
			}
		}},
	}
	for name, same := range map[string]string{"VPERMD": "VPERMPS", "VPERMT2D": "VPERMT2PS", "VPERMI2D": "VPERMI2PS",
		"VPERMQ": "VPERMPD", "VPERM2I128": "VPERM2F128", "VSHUFI32X4": "VSHUFF32X4", "VSHUFI64X2": "VSHUFF64X2",
		"VPUNPCKLDQ": "VUNPCKLPS", "VPUNPCKHDQ": "VUNPCKHPS", "VPUNPCKLQDQ": "VUNPCKLPD", "VPUNPCKHQDQ": "VUNPCKHPD"} {
		forms[name] = forms[same]
	}
	for name, f := range map[string]func(x, y uint32) uint32{
		"AND": func(x, y uint32) uint32 { return x & y }, "ANDN": func(x, y uint32) uint32 { return ^x & y },
		"OR": func(x, y uint32) uint32 { return x | y }, "XOR": func(x, y uint32) uint32 { return x ^ y },
	} {
		for _, suffix := range []string{"PS", "PD"} {
			forms["V"+name+suffix] = each2(f)
		}
		for _, suffix := range []string{"", "D", "Q"} {
			forms["VP"+name+suffix] = each2(f)
		}
		for _, s := range []string{"V" + name + "PD", "VP" + name + "Q"} {
			forms[s] = forms[s].of64()
		}
	}
	arithmetic := map[string]func(x, y uint32) uint32{"ADD": fadd, "SUB": fsub, "MUL": fmul, "DIV": fdiv, "MAX": fmax, "MIN": fmin}
	for name, f := range arithmetic {
		forms["V"+name+"PS"] = each2(f)
		decoders["V"+name+"SS"] = scalar(each2(f), false)
	}
	decoders["VSQRTSS"] = scalar(forms["VSQRTPS"], false)
	decoders["VROUNDSS"] = scalar(forms["VROUNDPS"], false)
	decoders["VRNDSCALESS"] = scalar(forms["VRNDSCALEPS"], false)
	decoders["VSCALEFSS"] = scalar(forms["VSCALEFPS"], false)

	for name, signs := range map[string][2]uint32{
		"VFMADD": {}, "VFMSUB": {0, signBit}, "VFNMADD": {signBit, 0}, "VFNMSUB": {signBit, signBit},
	} {
		for _, digits := range []string{"132", "213", "231"} {
			f := multiplyAdd(digits, signs[0], signs[1])
			forms[name+digits+"PS"] = f
			decoders[name+digits+"SS"] = scalar(f, true)
		}
	}
	for name, f := range forms {
		decoders[name] = f.decode
	}

	permil := forms["VPSHUFD"]
	decoders["VPERMILPS"] = func(in *inst) step {
		if len(in.ops) > 0 && in.ops[0].kind == immediate {
			return permil.decode(in)
		}
		return form{sources: 2, f: func(r, _, x, y *vec, _ uint64, n int) {
			for i := range n {
				r[i] = x[i&^3+int(y[i]&3)]
			}
		}}.decode(in)
	}
	decoders["VPSLLD"] = shiftLanes(lshift)
	decoders["VPSRLD"] = shiftLanes(rshift)
	decoders["VPSRAD"] = shiftLanes(ashift)

	decoders["VCMPPS"] = test(2, true, true, compare)
	decoders["VPCMPD"] = test(2, true, false, compareInts[int32])
	decoders["VPCMPUD"] = test(2, true, false, compareInts[uint32])
	decoders["VPCMPEQD"] = test(2, false, true, always(func(x, y uint32) bool { return x == y }))
	decoders["VPCMPGTD"] = test(2, false, true, always(func(x, y uint32) bool { return int32(x) > int32(y) }))
	decoders["VPTESTMD"] = test(2, false, false, always(func(x, y uint32) bool { return x&y != 0 }))
	decoders["VPTESTNMD"] = test(2, false, false, always(func(x, y uint32) bool { return x&y == 0 }))
	for _, s := range []string{"X", "Y", "Z"} {
		decoders["VFPCLASSPS"+s] = test(1, true, false, func(imm uint64) func(x, y uint32) bool {
			return func(x, _ uint32) bool { return class(x, imm) }
		})
	}

	for _, s := range []string{"VMOVUPS", "VMOVDQU", "VMOVDQU32", "VLDDQU"} {
		decoders[s] = moveVector(false, false)
	}
	for _, s := range []string{"VMOVAPS", "VMOVDQA", "VMOVDQA32", "VMOVNTPS"} {
		decoders[s] = moveVector(true, false)
	}
	for _, s := range []string{"VMOVUPD", "VMOVDQU64"} {
		decoders[s] = moveVector(false, true)
	}
	for _, s := range []string{"VMOVAPD", "VMOVDQA64"} {
		decoders[s] = moveVector(true, true)
	}
	decoders["VBROADCASTSS"] = broadcast(1, false, true, false)
	decoders["VPBROADCASTD"] = broadcast(1, true, true, false)
	decoders["VBROADCASTSD"] = broadcast(2, false, true, true)
	decoders["VBROADCASTF128"] = broadcast(4, false, false, false)
	decoders["VBROADCASTF32X4"] = broadcast(4, false, false, false)
	decoders["VBROADCASTF32X8"] = broadcast(8, false, false, false)
	decoders["VEXTRACTF128"] = extract(4, true)
	decoders["VEXTRACTI128"] = extract(4, true)
	decoders["VEXTRACTF32X4"] = extract(4, false)
	decoders["VEXTRACTF64X2"] = extract(4, true)
	decoders["VEXTRACTF32X8"] = extract(8, false)
	decoders["VEXTRACTF64X4"] = extract(8, true)
	decoders["VINSERTF128"] = insert(4, true)
	decoders["VINSERTI128"] = insert(4, true)
	decoders["VINSERTF32X4"] = insert(4, false)
	decoders["VINSERTF64X2"] = insert(4, true)
	decoders["VINSERTF32X8"] = insert(8, false)
	decoders["VINSERTF64X4"] = insert(8, true)

	decoders["VMASKMOVPS"] = maskMove
	decoders["VBLENDVPS"] = blendVector
	decoders["VBLENDMPS"] = blendMask
	decoders["VPBLENDMD"] = blendMask
	decoders["VCOMPRESSPS"] = compress
	decoders["VEXPANDPS"] = expand
	decoders["VMOVSS"] = moveScalar
	decoders["VMOVD"] = moveWord(4)
	decoders["VMOVQ"] = moveWord(8)
	decoders["VUCOMISS"] = compareScalar
	decoders["VCOMISS"] = compareScalar
	decoders["VMOVMSKPS"] = moveSigns(general)
	decoders["VPMOVD2M"] = moveSigns(opmask)
	decoders["VPMOVM2D"] = spreadMask
	decoders["VMOVLPS"] = moveHalf(0)
	decoders["VMOVHPS"] = moveHalf(2)
}
