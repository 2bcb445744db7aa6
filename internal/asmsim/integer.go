package asmsim

// The instructions on general registers, with the size of their operands.
var integers = map[string]decoder{
	"MOVL":  move(4),
	"MOVQ":  move(8),
	"LEAQ":  addressOf,
	"ADDQ":  modify(8, add),
	"SUBL":  modify(4, sub),
	"SUBQ":  modify(8, sub),
	"IMULQ": modify(8, mul),
	"ANDQ":  modify(8, and),
	"XORL":  modify(4, xor),
	"XORQ":  modify(8, xor),
	"SHLL":  modify(4, shl),
	"SHLQ":  modify(8, shl),
	"SHRQ":  modify(8, shr),
	"SARQ":  modify(8, sar),
	"CMPQ":  test(8, sub),
	"TESTQ": test(8, and),

	"CMOVQGT": moveIf(8, lessEqual.not()),
}

// The instructions that jump or end the function.
var jumps = map[string]decoder{
	"JMP": jump(always),
	"JEQ": jump(equal),
	"JNE": jump(equal.not()),
	"JLT": jump(less),
	"JGE": jump(less.not()),
	"JLE": jump(lessEqual),
	"RET": ret,
}

// condition is what a jump or a conditional move tests.
type condition struct {
	reads uint8
	holds func(f uint8) bool
}

var (
	always    = condition{0, func(uint8) bool { return true }}
	equal     = condition{zf, func(f uint8) bool { return f&zf != 0 }}
	less      = condition{sf | of, func(f uint8) bool { return (f&sf != 0) != (f&of != 0) }}
	lessEqual = condition{zf | sf | of, func(f uint8) bool { return equal.holds(f) || less.holds(f) }}
)

func (c condition) test(m *machine) bool {
	if m.unknown&c.reads != 0 {
		panic("the condition reads a flag that is undefined")
	}
	return c.holds(m.flags)
}

func (c condition) not() condition {
	return condition{c.reads, func(f uint8) bool { return !c.holds(f) }}
}

// An operation is f(dst, src) of integers of size bytes. It sets the flags.
type operation func(m *machine, dst, src uint64, size int) uint64

func add(m *machine, a, b uint64, size int) uint64 {
	r := a + b
	return m.result(r, size, (a^r)&(b^r)>>(8*size-1)&1 != 0)
}

func sub(m *machine, a, b uint64, size int) uint64 {
	r := a - b
	return m.result(r, size, (a^b)&(a^r)>>(8*size-1)&1 != 0)
}

func and(m *machine, a, b uint64, size int) uint64 { return m.result(a&b, size, false) }
func xor(m *machine, a, b uint64, size int) uint64 { return m.result(a^b, size, false) }

// mul leaves zero and sign undefined, without which nobody reads the overflow.
func mul(m *machine, a, b uint64, _ int) uint64 {
	m.unknown = allFlags
	return a * b
}

func shl(m *machine, v, count uint64, size int) uint64 {
	return shift(m, v, count, size, func(n uint64) uint64 { return v << n })
}

func shr(m *machine, v, count uint64, size int) uint64 {
	return shift(m, v, count, size, func(n uint64) uint64 { return v >> n })
}

func sar(m *machine, v, count uint64, size int) uint64 {
	return shift(m, v, count, size, func(n uint64) uint64 {
		return uint64(int64(v) << (64 - 8*size) >> (64 - 8*size) >> n)
	})
}

// shift takes the low bits of the count. A count of zero changes no flags, and overflow is defined for one bit only:
// leave it out.
func shift(m *machine, v, count uint64, size int, by func(n uint64) uint64) uint64 {
	n := count & uint64(8*size-1)
	if n == 0 {
		return v
	}
	r := m.result(by(n), size, false)
	m.unknown |= of
	return r
}

// move copies size bytes.
func move(size int) decoder {
	return func(in *inst) step {
		in.plain(2)
		get, set := in.get(0, size), in.set(1, size)
		return func(m *machine) { set(m, get(m)) }
	}
}

// moveIf copies size bytes if the condition holds. It reads the source either way.
func moveIf(size int, c condition) decoder {
	return func(in *inst) step {
		in.plain(2)
		in.is(1, general)
		get, old, set := in.get(0, size), in.get(1, size), in.set(1, size)
		return func(m *machine) {
			v := get(m)
			if !c.test(m) {
				v = old(m)
			}
			set(m, v)
		}
	}
}

// addressOf is LEAQ.
func addressOf(in *inst) step {
	in.plain(2)
	in.is(0, memory)
	in.is(1, general)
	a, set := in.ops[0].mem, in.set(1, 8)
	return func(m *machine) { set(m, a.at(m)) }
}

// modify is dst = f(dst, src).
func modify(size int, f operation) decoder {
	return func(in *inst) step {
		in.plain(2)
		src, dst, set := in.get(0, size), in.get(1, size), in.set(1, size)
		return func(m *machine) { set(m, f(m, dst(m), src(m), size)) }
	}
}

// test sets the flags as f(a, b) does: Go writes the operands of a comparison in Intel's order.
func test(size int, f operation) decoder {
	return func(in *inst) step {
		in.plain(2)
		a, b := in.get(0, size), in.get(1, size)
		return func(m *machine) { f(m, a(m), b(m), size) }
	}
}

func jump(c condition) decoder {
	return func(in *inst) step {
		in.plain(1)
		in.is(0, label)
		target := in.ops[0].pc
		return func(m *machine) {
			if c.test(m) {
				m.pc = target
			}
		}
	}
}

func ret(in *inst) step {
	in.plain(0)
	return func(m *machine) {
		if m.dirty {
			panic("no VZEROUPPER since a Y or Z register was written")
		}
		m.pc = -1
	}
}
