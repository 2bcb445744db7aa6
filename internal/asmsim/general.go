package asmsim

import "math/bits"

// A decoder turns an instruction into its step, or fails.
type decoder func(in *inst) step

// decoders holds all that the simulator knows, by mnemonic.
var decoders = map[string]decoder{}

// sizes are the suffixes of integer instructions.
var sizes = map[string]int{"B": 1, "W": 2, "L": 4, "Q": 8}

// condition is what a jump or a conditional move tests.
type condition struct {
	reads uint8
	holds func(f uint8) bool
}

func (c *condition) test(m *machine) bool {
	if m.unknown&c.reads != 0 {
		panic("the condition reads a flag that is undefined")
	}
	return c.holds(m.flags)
}

func (c condition) not() condition {
	return condition{c.reads, func(f uint8) bool { return !c.holds(f) }}
}

var conditions = func() map[string]condition {
	some := func(flags uint8) condition {
		return condition{flags, func(f uint8) bool { return f&flags != 0 }}
	}
	less := condition{sf | of, func(f uint8) bool { return (f&sf != 0) != (f&of != 0) }}
	lessEqual := condition{zf | sf | of, func(f uint8) bool { return f&zf != 0 || less.holds(f) }}
	return map[string]condition{
		"EQ": some(zf), "NE": some(zf).not(),
		"CS": some(cf), "CC": some(cf).not(),
		"LS": some(cf | zf), "HI": some(cf | zf).not(),
		"MI": some(sf), "PL": some(sf).not(),
		"OS": some(of), "OC": some(of).not(),
		"PS": some(pf), "PC": some(pf).not(),
		"LT": less, "GE": less.not(),
		"LE": lessEqual, "GT": lessEqual.not(),
	}
}()

// plain fails unless the instruction has n operands and neither a mask nor a suffix.
func (in *inst) plain(n int) {
	if len(in.ops) != n {
		fail("%d operands, want %d", len(in.ops), n)
	}
	if in.mask != 0 || in.zeroing || in.bcst {
		fail("mask or suffix not supported")
	}
}

// get returns how to read the low size bytes of operand i.
func (in *inst) get(i, size int) func(m *machine) uint64 {
	switch o := in.ops[i]; o.kind {
	case general:
		r := o.reg
		if size == 8 {
			return func(m *machine) uint64 { return m.r[r] }
		}
		low := ones(size)
		return func(m *machine) uint64 { return m.r[r] & low }
	case immediate:
		v := o.imm & ones(size)
		return func(*machine) uint64 { return v }
	case memory:
		o.mem.access(size, false)
		return func(m *machine) uint64 { return m.load(o.mem.at(m), size) }
	}
	fail("operand %d is no integer", i+1)
	return nil
}

// set returns how to write size bytes to operand i.
func (in *inst) set(i, size int) func(m *machine, v uint64) {
	switch o := in.ops[i]; o.kind {
	case general:
		r := o.reg
		switch {
		case r == rSP || r == rBP:
			fail("write to the stack or frame pointer")
		case size == 8:
			return func(m *machine, v uint64) { m.r[r] = v }
		case size == 4:
			return func(m *machine, v uint64) { m.r[r] = v & 0xffffffff }
		}
		low := ones(size)
		return func(m *machine, v uint64) { m.r[r] = m.r[r]&^low | v&low }
	case memory:
		o.mem.access(size, true)
		return func(m *machine, v uint64) { m.store(o.mem.at(m), size, v) }
	}
	fail("operand %d cannot be written", i+1)
	return nil
}

// register fails unless operand i is a register of the kind, and returns its number.
func (in *inst) register(i int, k kind) int {
	if in.ops[i].kind != k {
		fail("operand %d is the wrong kind", i+1)
	}
	return in.ops[i].reg
}

func (in *inst) immediate(i int) uint64 {
	if in.ops[i].kind != immediate {
		fail("operand %d is no immediate", i+1)
	}
	return in.ops[i].imm
}

// move copies from bytes, widened by extend, to to bytes.
func move(from, to int, extend func(uint64) uint64) decoder {
	return func(in *inst) step {
		in.plain(2)
		get, set := in.get(0, from), in.set(1, to)
		if extend == nil {
			return func(m *machine) { set(m, get(m)) }
		}
		return func(m *machine) { set(m, extend(get(m))) }
	}
}

// modify is dst = f(dst, src), where f sets the flags.
func modify(size int, f func(m *machine, dst, src uint64, size int) uint64) decoder {
	return func(in *inst) step {
		in.plain(2)
		src, dst, set := in.get(0, size), in.get(1, size), in.set(1, size)
		return func(m *machine) { set(m, f(m, dst(m), src(m), size)) }
	}
}

// modify1 is dst = f(dst).
func modify1(size int, f func(m *machine, dst uint64, size int) uint64) decoder {
	return func(in *inst) step {
		in.plain(1)
		dst, set := in.get(0, size), in.set(0, size)
		return func(m *machine) { set(m, f(m, dst(m), size)) }
	}
}

func add(m *machine, a, b uint64, size int) uint64 {
	r := (a + b) & ones(size)
	overflow := (a^r)&(b^r)>>(8*size-1) != 0
	return m.result(r, size, cf|of, flag(cf, r < a)|flag(of, overflow))
}

func sub(m *machine, a, b uint64, size int) uint64 {
	r := (a - b) & ones(size)
	overflow := (a^b)&(a^r)>>(8*size-1)&1 != 0
	return m.result(r, size, cf|of, flag(cf, a < b)|flag(of, overflow))
}

func bitwise(f func(a, b uint64) uint64) func(m *machine, a, b uint64, size int) uint64 {
	return func(m *machine, a, b uint64, size int) uint64 { return m.result(f(a, b), size, cf|of, 0) }
}

func and(a, b uint64) uint64    { return a & b }
func or(a, b uint64) uint64     { return a | b }
func xor(a, b uint64) uint64    { return a ^ b }
func andNot(a, b uint64) uint64 { return a &^ b }

// extend64 sign-extends size bytes.
func extend64(v uint64, size int) int64 { return int64(v) << (64 - 8*size) >> (64 - 8*size) }

// shift returns a shift by a count of which the hardware takes the low bits; f returns the result and the bit shifted
// out last. Overflow is defined for one bit only: leave it out.
func shift(f func(v uint64, n uint, size int) (r, out uint64)) func(m *machine, v, count uint64, size int) uint64 {
	return func(m *machine, v, count uint64, size int) uint64 {
		n := uint(count & 31)
		if size == 8 {
			n = uint(count & 63)
		}
		if n == 0 {
			return v
		}
		r, out := f(v, n, size)
		m.unknown |= of
		carry := flag(cf, out&1 != 0)
		if n >= uint(8*size) {
			m.unknown |= cf
			return m.result(r, size, 0, 0)
		}
		return m.result(r, size, cf, carry)
	}
}

func shl(v uint64, n uint, size int) (r, out uint64) { return v << n, v >> (uint(8*size) - n) }
func shr(v uint64, n uint, _ int) (r, out uint64)    { return v >> n, v >> (n - 1) }
func sar(v uint64, n uint, size int) (r, out uint64) {
	s := extend64(v, size)
	return uint64(s >> n), uint64(s >> (n - 1))
}

// imul defines carry and overflow, which tell whether the product fits, and leaves zero and sign undefined.
func imul(m *machine, a, b uint64, size int) uint64 {
	hi, lo := bits.Mul64(uint64(extend64(a, size)), uint64(extend64(b, size)))
	// Mul64 is unsigned; the signed product differs in its upper half.
	hi -= uint64(extend64(a, size)>>63)&uint64(extend64(b, size)) + uint64(extend64(b, size)>>63)&uint64(extend64(a, size))
	r := lo & ones(size)
	s := extend64(r, size)
	over := s != int64(lo) || hi != uint64(s>>63)
	m.setFlags(cf|of, flag(cf|of, over))
	m.unknown |= zf | sf | pf
	return r
}

// keepCarry runs f without letting it change the carry, as INC and DEC do.
func keepCarry(f func(m *machine, a, b uint64, size int) uint64) func(m *machine, dst uint64, size int) uint64 {
	return func(m *machine, dst uint64, size int) uint64 {
		old, unknown := m.flags&cf, m.unknown&cf
		r := f(m, dst, 1, size)
		m.flags = m.flags&^cf | old
		m.unknown |= unknown
		return r
	}
}

// bitCount is dst = f(src). Of the flags, zero and carry tell what all machines agree on.
func bitCount(size int, f func(v uint64, size int) uint64, carryOfZero bool) decoder {
	return func(in *inst) step {
		in.plain(2)
		src, set := in.get(0, size), in.set(1, size)
		return func(m *machine) {
			v := src(m)
			r := f(v, size)
			m.unknown |= allFlags
			m.setFlags(zf|cf, flag(zf, r == 0)|flag(cf, carryOfZero && v == 0))
			set(m, r)
		}
	}
}

// bitTest copies one bit of a register to the carry and then changes the register. The zero flag stays.
func bitTest(size int, change func(v, bit uint64) uint64) decoder {
	return func(in *inst) step {
		in.plain(2)
		in.register(1, general) // in memory the bit may be anywhere
		index, get, set := in.get(0, size), in.get(1, size), in.set(1, size)
		return func(m *machine) {
			v, bit := get(m), uint64(1)<<(index(m)&uint64(8*size-1))
			m.unknown |= of | sf | pf
			m.setFlags(cf, flag(cf, v&bit != 0))
			if change != nil {
				set(m, change(v, bit))
			}
		}
	}
}

func init() {
	for s, size := range sizes {
		decoders["MOV"+s] = move(size, size, nil)
		decoders["ADD"+s] = modify(size, add)
		decoders["SUB"+s] = modify(size, sub)
		decoders["AND"+s] = modify(size, bitwise(and))
		decoders["OR"+s] = modify(size, bitwise(or))
		decoders["XOR"+s] = modify(size, bitwise(xor))
		decoders["SHL"+s] = modify(size, shift(shl))
		decoders["SHR"+s] = modify(size, shift(shr))
		decoders["SAR"+s] = modify(size, shift(sar))
		decoders["INC"+s] = modify1(size, keepCarry(add))
		decoders["DEC"+s] = modify1(size, keepCarry(sub))
		decoders["NEG"+s] = modify1(size, func(m *machine, dst uint64, size int) uint64 { return sub(m, 0, dst, size) })
		decoders["NOT"+s] = modify1(size, func(_ *machine, dst uint64, _ int) uint64 { return ^dst })
		// Go writes the operands of a comparison in Intel's order.
		decoders["CMP"+s] = func(in *inst) step {
			in.plain(2)
			a, b := in.get(0, size), in.get(1, size)
			return func(m *machine) { sub(m, a(m), b(m), size) }
		}
		decoders["TEST"+s] = func(in *inst) step {
			in.plain(2)
			a, b := in.get(0, size), in.get(1, size)
			return func(m *machine) { m.result(a(m)&b(m), size, cf|of, 0) }
		}
		if size < 4 {
			for t, to := range map[string]int{"L": 4, "Q": 8} {
				decoders["MOV"+s+t+"ZX"] = move(size, to, nil)
				decoders["MOV"+s+t+"SX"] = move(size, to, func(v uint64) uint64 { return uint64(extend64(v, size)) })
			}
			continue
		}
		decoders["IMUL"+s] = modify(size, imul)
		decoders["IMUL3"+s] = func(in *inst) step {
			in.plain(3)
			imm, src, set := in.immediate(0)&ones(size), in.get(1, size), in.set(2, size)
			return func(m *machine) { set(m, imul(m, imm, src(m), size)) }
		}
		decoders["LEA"+s] = func(in *inst) step {
			in.plain(2)
			in.register(0, memory)
			in.register(1, general)
			a, set := in.ops[0].mem, in.set(1, size)
			return func(m *machine) { set(m, a.at(m)) }
		}
		decoders["BT"+s] = bitTest(size, nil)
		decoders["BTS"+s] = bitTest(size, or)
		decoders["BTR"+s] = bitTest(size, andNot)
		decoders["BTC"+s] = bitTest(size, xor)
		decoders["POPCNT"+s] = bitCount(size, func(v uint64, _ int) uint64 { return uint64(bits.OnesCount64(v)) }, false)
		decoders["TZCNT"+s] = bitCount(size, func(v uint64, size int) uint64 { return uint64(min(bits.TrailingZeros64(v), 8*size)) }, true)
		decoders["LZCNT"+s] = bitCount(size, func(v uint64, size int) uint64 { return uint64(bits.LeadingZeros64(v) - 64 + 8*size) }, true)
		// BZHI keeps the bits of the second operand below the first.
		decoders["BZHI"+s] = func(in *inst) step {
			in.plain(3)
			index, src, set := in.get(0, 1), in.get(1, size), in.set(2, size)
			return func(m *machine) {
				v, n := src(m), index(m)
				all := n >= uint64(8*size)
				if !all {
					v &= 1<<n - 1
				}
				set(m, m.result(v, size, cf|of, flag(cf, all)))
			}
		}
	}
	decoders["MOVLQSX"] = move(4, 8, func(v uint64) uint64 { return uint64(extend64(v, 4)) })
	decoders["MOVLQZX"] = move(4, 8, nil)

	for name, c := range conditions {
		decoders["J"+name] = func(in *inst) step {
			in.plain(1)
			in.register(0, label)
			target := in.ops[0].pc
			return func(m *machine) {
				if c.test(m) {
					m.pc = target
				}
			}
		}
		for s, size := range map[string]int{"L": 4, "Q": 8} {
			decoders["CMOV"+s+name] = func(in *inst) step {
				in.plain(2)
				in.register(1, general)
				src, dst, set := in.get(0, size), in.get(1, size), in.set(1, size)
				return func(m *machine) {
					// Both are read, and 32 bits clear the upper half either way.
					v, old := src(m), dst(m)
					if !c.test(m) {
						v = old
					}
					set(m, v)
				}
			}
		}
	}
	for alias, name := range map[string]string{"JL": "JLT", "JG": "JGT", "JE": "JEQ", "JZ": "JEQ", "JNZ": "JNE",
		"JB": "JCS", "JLO": "JCS", "JAE": "JCC", "JHS": "JCC", "JA": "JHI", "JBE": "JLS", "JS": "JMI", "JNS": "JPL"} {
		decoders[alias] = decoders[name]
	}
	decoders["JMP"] = func(in *inst) step {
		in.plain(1)
		in.register(0, label)
		target := in.ops[0].pc
		return func(m *machine) { m.pc = target }
	}
	decoders["RET"] = func(in *inst) step {
		in.plain(0)
		return func(m *machine) {
			if m.dirty {
				panic("no VZEROUPPER since a Y or Z register was written")
			}
			m.pc = -1
		}
	}
	decoders["VZEROUPPER"] = func(in *inst) step {
		in.plain(0)
		return func(m *machine) {
			for i := range 16 {
				clear(m.z[i][4:])
			}
			m.dirty = false
		}
	}
	for _, name := range []string{"PREFETCHT0", "PREFETCHT1", "PREFETCHT2", "PREFETCHNTA"} {
		decoders[name] = func(in *inst) step { // reads nothing, at any address
			in.plain(1)
			in.register(0, memory)
			return func(*machine) {}
		}
	}
}
