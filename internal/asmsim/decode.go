package asmsim

import (
	"maps"
	"strings"
)

// A decoder turns an instruction into its step, or fails.
type decoder func(in *inst) step

// decoders holds all that the simulator knows, by mnemonic: what the kernels use and no more, as a test checks. What they
// come to need is a line in one of the tables.
var decoders = func() map[string]decoder {
	all := map[string]decoder{}
	for _, table := range []map[string]decoder{integers, jumps, moves, comparisons} {
		maps.Copy(all, table)
	}
	for name, f := range arithmetic {
		all[name] = f.decode
	}
	for name, f := range permutations {
		all[name] = f.unmasked
	}
	return all
}()

// inst is an instruction being decoded.
type inst struct {
	name          string
	ops           []operand
	mask          int // number of the mask register, 0 without
	zeroing, bcst bool
}

// decode turns the text of an instruction into its step.
func (p *Program) decode(f *function, text string) step {
	word, rest, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
	parts := strings.Split(word, ".")
	in := &inst{name: parts[0]}
	for _, suffix := range parts[1:] {
		switch suffix {
		case "Z":
			in.zeroing = true
		case "BCST":
			in.bcst = true
		default:
			fail("unknown suffix %s", suffix)
		}
	}
	if rest = strings.TrimSpace(rest); rest != "" {
		for _, o := range strings.Split(rest, ",") {
			in.ops = append(in.ops, p.operand(f, strings.TrimSpace(o)))
		}
	}
	decoder := decoders[in.name]
	if decoder == nil {
		fail("unknown instruction")
	}
	if n := len(in.ops); in.name[0] == 'V' && n > 2 && in.ops[n-2].kind == opmask {
		in.mask = in.ops[n-2].reg
		in.ops = append(in.ops[:n-2], in.ops[n-1])
		if in.mask == 0 {
			fail("K0 cannot be a mask")
		}
	}
	if in.zeroing && (in.mask == 0 || in.ops[len(in.ops)-1].kind != vector) {
		fail("zeroing needs a mask and a register")
	}
	if in.bcst && !in.hasMemory() {
		fail("broadcast without a memory operand")
	}
	return decoder(in)
}

func (in *inst) hasMemory() bool {
	for _, o := range in.ops {
		if o.kind == memory {
			return true
		}
	}
	return false
}

// count fails unless the instruction has n operands.
func (in *inst) count(n int) {
	if len(in.ops) != n {
		fail("%d operands, want %d", len(in.ops), n)
	}
}

// plain fails unless the instruction has n operands and neither a mask nor a suffix.
func (in *inst) plain(n int) {
	in.count(n)
	if in.mask != 0 || in.bcst {
		fail("mask or suffix not supported")
	}
}

// is fails unless operand i is of the kind.
func (in *inst) is(i int, k kind) {
	if in.ops[i].kind != k {
		fail("operand %d is the wrong kind", i+1)
	}
}

// register returns the number of operand i, a register of the kind.
func (in *inst) register(i int, k kind) int {
	in.is(i, k)
	return in.ops[i].reg
}

// immediate returns operand i, a number.
func (in *inst) immediate(i int) uint64 {
	in.is(i, immediate)
	return in.ops[i].imm
}

// get returns how to read the low size bytes of operand i.
func (in *inst) get(i, size int) func(m *machine) uint64 {
	low := ones(size)
	switch o := in.ops[i]; o.kind {
	case general:
		return func(m *machine) uint64 { return m.r[o.reg] & low }
	case immediate:
		return func(*machine) uint64 { return o.imm & low }
	case memory:
		o.mem.access(size, false)
		return func(m *machine) uint64 { return m.load(o.mem.at(m), size) }
	}
	fail("operand %d is no integer", i+1)
	return nil
}

// set returns how to write size bytes, 4 or 8, to operand i. The upper half of a register becomes zero.
func (in *inst) set(i, size int) func(m *machine, v uint64) {
	low := ones(size)
	switch o := in.ops[i]; o.kind {
	case general:
		if o.reg == rSP || o.reg == rBP {
			fail("write to the stack or frame pointer")
		}
		return func(m *machine, v uint64) { m.r[o.reg] = v & low }
	case memory:
		o.mem.access(size, true)
		return func(m *machine, v uint64) { m.store(o.mem.at(m), size, v) }
	}
	fail("operand %d cannot be written", i+1)
	return nil
}

// lanes returns how many lanes operand i has, a vector register.
func (in *inst) lanes(i int) int {
	in.is(i, vector)
	return in.ops[i].lanes
}

// vector returns the register of operand i, which must have n lanes.
func (in *inst) vector(i, n int) int {
	if in.lanes(i) != n {
		fail("operand %d should have %d lanes", i+1, n)
	}
	return in.ops[i].reg
}

// keep returns the lanes that the mask of the instruction selects.
func (in *inst) keep(m *machine) uint64 {
	if in.mask == 0 {
		return everything(m)
	}
	return m.k[in.mask]
}

func everything(*machine) uint64 { return ^uint64(0) }

// source returns how to read n lanes of operand i. Of memory only what keep selects is read.
func (in *inst) source(i, n int, keep func(m *machine) uint64) func(m *machine) *vec {
	o := in.ops[i]
	if o.kind != memory {
		r := in.vector(i, n)
		return func(m *machine) *vec { return &m.z[r] }
	}
	if in.bcst {
		o.mem.access(4, false)
		return func(m *machine) *vec {
			x := uint32(0)
			if keep(m)&(1<<n-1) != 0 {
				x = uint32(m.load(o.mem.at(m), 4))
			}
			for j := range n {
				m.in[j] = x
			}
			return &m.in
		}
	}
	o.mem.access(4*n, false)
	return func(m *machine) *vec { return m.loadLanes(o.mem.at(m), n, keep(m)) }
}

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
