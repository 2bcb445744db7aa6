package asmsim

// The instructions on mask registers. They write the whole register: what is beyond their size becomes zero.
func init() {
	for s, size := range map[string]int{"B": 1, "W": 2, "D": 4, "Q": 8} {
		low := ones(size)
		binary := func(f func(a, b uint64) uint64) decoder {
			return func(in *inst) step {
				in.plain(3)
				a, b, d := in.register(0, opmask), in.register(1, opmask), in.register(2, opmask)
				return func(m *machine) { m.k[d] = f(m.k[a], m.k[b]) & low }
			}
		}
		decoders["KAND"+s] = binary(and)
		decoders["KOR"+s] = binary(or)
		decoders["KXOR"+s] = binary(xor)
		decoders["KXNOR"+s] = binary(func(a, b uint64) uint64 { return ^(a ^ b) })
		decoders["KANDN"+s] = binary(andNot)
		decoders["KADD"+s] = binary(func(a, b uint64) uint64 { return a + b })
		decoders["KNOT"+s] = func(in *inst) step {
			in.plain(2)
			a, d := in.register(0, opmask), in.register(1, opmask)
			return func(m *machine) { m.k[d] = ^m.k[a] & low }
		}
		shift := func(f func(v, n uint64) uint64) decoder {
			return func(in *inst) step {
				in.plain(3)
				n, a, d := in.immediate(0)&0xff, in.register(1, opmask), in.register(2, opmask)
				return func(m *machine) { m.k[d] = f(m.k[a]&low, n) & low }
			}
		}
		decoders["KSHIFTL"+s] = shift(func(v, n uint64) uint64 { return v << n })
		decoders["KSHIFTR"+s] = shift(func(v, n uint64) uint64 { return v >> n })
		test := func(f func(a, b uint64) (zero, carry bool)) decoder {
			return func(in *inst) step {
				in.plain(2)
				a, b := in.register(0, opmask), in.register(1, opmask)
				return func(m *machine) {
					zero, carry := f(m.k[a]&low, m.k[b]&low)
					m.setFlags(allFlags, flag(zf, zero)|flag(cf, carry))
				}
			}
		}
		decoders["KORTEST"+s] = test(func(a, b uint64) (bool, bool) { return a|b == 0, a|b == low })
		decoders["KTEST"+s] = test(func(a, b uint64) (bool, bool) { return a&b == 0, a&^b == 0 })
		decoders["KMOV"+s] = func(in *inst) step {
			in.plain(2)
			src, dst := in.ops[0], in.ops[1]
			switch {
			case src.kind == opmask && dst.kind == opmask:
				return func(m *machine) { m.k[dst.reg] = m.k[src.reg] & low }
			case dst.kind == opmask:
				get := in.get(0, size)
				if src.kind == immediate {
					fail("a mask is not set from an immediate")
				}
				return func(m *machine) { m.k[dst.reg] = get(m) }
			case dst.kind == general:
				set := in.set(1, 8)
				in.register(0, opmask)
				return func(m *machine) { set(m, m.k[src.reg]&low) }
			}
			set := in.set(1, size)
			in.register(0, opmask)
			return func(m *machine) { set(m, m.k[src.reg]) }
		}
	}
}
