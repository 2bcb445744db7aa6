package asmsim

// The instructions that move lanes between registers and memory or choose among them.
var moves = map[string]decoder{
	"VMOVUPS":      moveVector,
	"VMOVAPS":      copyVector,
	"VMOVSS":       moveScalar,
	"VMOVLPS":      storeTwo,
	"VBROADCASTSS": broadcast,
	"VMASKMOVPS":   loadMasked,
	"VBLENDVPS":    blendVector,
	"VBLENDMPS":    blendMask,

	"VPEXTRD":       extract(1),
	"VEXTRACTF128":  extract(4),
	"VEXTRACTF32X4": extract(4),
	"VEXTRACTF64X4": extract(8),
	"VPINSRD":       insert(1),
	"VINSERTF128":   insert(4),
	"VINSERTF32X4":  insert(4),
	"VINSERTF64X4":  insert(8),

	"KMOVW":      setMask,
	"VPMOVD2M":   moveSigns,
	"VZEROUPPER": zeroUpper,
}

// moveVector loads, stores and copies.
func moveVector(in *inst) step {
	in.count(2)
	n := max(in.ops[0].lanes, in.ops[1].lanes)
	if n == 0 || in.bcst {
		fail("want a vector and no broadcast")
	}
	src, put := in.source(0, n, in.keep), in.destination(1, n)
	return func(m *machine) { put(m, src(m)) }
}

// copyVector is VMOVAPS between registers. In memory it would want an aligned address, which no kernel has.
func copyVector(in *inst) step {
	in.count(2)
	in.is(0, vector)
	in.is(1, vector)
	return moveVector(in)
}

// moveScalar loads or stores lane 0; a load makes the other lanes zero.
func moveScalar(in *inst) step {
	in.plain(2)
	if in.ops[0].kind == memory {
		get, d := in.get(0, 4), in.vector(1, 4)
		return func(m *machine) { m.z[d] = vec{uint32(get(m))} }
	}
	in.is(1, memory)
	s, set := in.vector(0, 4), in.set(1, 4)
	return func(m *machine) { set(m, uint64(m.z[s][0])) }
}

// storeTwo is VMOVLPS to memory.
func storeTwo(in *inst) step {
	in.plain(2)
	in.is(1, memory)
	s, set := in.vector(0, 4), in.set(1, 8)
	return func(m *machine) { set(m, uint64(m.z[s][1])<<32|uint64(m.z[s][0])) }
}

// broadcast is a copy of what the suffix BCST makes of memory.
func broadcast(in *inst) step {
	in.count(2)
	in.is(0, memory)
	if in.bcst {
		fail("broadcast twice")
	}
	in.bcst = true
	n := in.lanes(1)
	src, put := in.source(0, n, in.keep), in.destination(1, n)
	return func(m *machine) { put(m, src(m)) }
}

// loadMasked is VMASKMOVPS from memory: the top bits of a vector select what is read.
func loadMasked(in *inst) step {
	in.plain(3)
	in.is(0, memory)
	n := in.lanes(2)
	control := in.vector(1, n)
	src, put := in.source(0, n, func(m *machine) uint64 { return m.z[control].signs(n) }), in.destination(2, n)
	return func(m *machine) { put(m, src(m)) }
}

// blendVector takes the second source where the top bit of the control is set.
func blendVector(in *inst) step {
	in.plain(4)
	n := in.lanes(3)
	control, y, x, put := in.vector(0, n), in.source(1, n, everything), in.vector(2, n), in.destination(3, n)
	return func(m *machine) {
		m.out = m.z[x]
		b := y(m)
		for i := range n {
			if m.z[control][i]>>31 != 0 {
				m.out[i] = b[i]
			}
		}
		put(m, &m.out)
	}
}

// blendMask takes the second source where the mask says so, and reads no more of it from memory.
func blendMask(in *inst) step {
	in.count(3)
	if in.mask == 0 {
		fail("want a mask")
	}
	n := in.lanes(2)
	y, x := in.source(0, n, in.keep), in.vector(1, n)
	unmasked := *in
	unmasked.mask = 0
	put := unmasked.destination(2, n)
	return func(m *machine) {
		m.out = m.z[x]
		keep, b := in.keep(m), y(m)
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

// extract copies one group of lanes out of a wider register.
func extract(group int) decoder {
	return func(in *inst) step {
		in.plain(3)
		n := in.lanes(1)
		if n <= group {
			fail("operand 2 is too narrow")
		}
		at, x, put := int(in.immediate(0))&(n/group-1)*group, in.vector(1, n), in.destination(2, group)
		return func(m *machine) {
			r := m.blank()
			copy(r[:], m.z[x][at:at+group])
			put(m, r)
		}
	}
}

// insert replaces one group of lanes of a wider register.
func insert(group int) decoder {
	return func(in *inst) step {
		in.plain(4)
		n := in.lanes(3)
		if n <= group {
			fail("operand 4 is too narrow")
		}
		at := int(in.immediate(0)) & (n/group - 1) * group
		y, x, put := in.source(1, group, everything), in.vector(2, n), in.destination(3, n)
		return func(m *machine) {
			m.out = m.z[x]
			copy(m.out[at:], y(m)[:group])
			put(m, &m.out)
		}
	}
}

// setMask is KMOVW from a general register. What is beyond its size becomes zero.
func setMask(in *inst) step {
	in.plain(2)
	in.is(0, general)
	get, k := in.get(0, 2), in.register(1, opmask)
	return func(m *machine) { m.k[k] = get(m) }
}

// moveSigns is VPMOVD2M: the top bits of the lanes become a mask.
func moveSigns(in *inst) step {
	in.plain(2)
	n := in.lanes(0)
	x, k := in.vector(0, n), in.register(1, opmask)
	return func(m *machine) { m.k[k] = m.z[x].signs(n) }
}

// signs returns the top bits of n lanes.
func (v *vec) signs(n int) (bits uint64) {
	for i := range n {
		bits |= uint64(v[i]>>31) << i
	}
	return bits
}

func zeroUpper(in *inst) step {
	in.plain(0)
	return func(m *machine) {
		for i := range 16 {
			clear(m.z[i][4:])
		}
		m.dirty = false
	}
}
