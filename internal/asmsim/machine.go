package asmsim

import (
	"fmt"
	"unsafe"
)

// vec is a vector register of 16 lanes; X and Y registers are its first 4 and 8.
type vec [16]uint32

// Registers beyond the 16 general ones make every address r[base] + r[index]*scale + displacement.
const (
	rSP   = 4 // the lowest local
	rBP   = 5
	rZero = 16
	rArgs = 17 // the pseudo-register FP
	rTop  = 18 // the pseudo-register SP, the end of the locals
)

// Flags, as far as the kernels read them.
const (
	zf = 1 << iota
	sf
	of
	allFlags = zf | sf | of
)

// machine is the state of one call.
type machine struct {
	r       [19]uint64
	z       [32]vec
	k       [8]uint64
	flags   uint8
	unknown uint8 // flags that the last instruction to touch them left undefined
	pc      int
	dirty   bool // the upper part of a vector register was written
	in, out vec  // a vector read from memory and one that is being computed
	stack   []uint64

	checked bool
	regions []region
}

const garbage = 0xfff7_a5a5_fff7_a5a5 // two signaling NaNs, an unmapped address and an absurd count

var garbageVec = func() (v vec) {
	for i := range v {
		v[i] = garbage & 0xffffffff
	}
	return v
}()

// reset prepares a call: nothing that f did not write itself holds a useful value.
func (m *machine) reset(f *function, args unsafe.Pointer) {
	for i := range m.r {
		m.r[i] = garbage
	}
	for i := range m.z {
		m.z[i] = garbageVec
	}
	for i := range m.k {
		m.k[i] = garbage
	}
	words := f.frame/8 + 1
	if len(m.stack) < words {
		m.stack = make([]uint64, words)
	}
	for i := range m.stack {
		m.stack[i] = garbage
	}
	m.r[rZero] = 0
	m.r[rArgs] = uint64(uintptr(args))
	m.r[rSP] = uint64(uintptr(unsafe.Pointer(unsafe.SliceData(m.stack))))
	m.r[rTop] = m.r[rSP] + uint64(f.frame)
	m.unknown = allFlags
	m.pc = 0
	m.dirty = false
	m.checked = false
}

func (m *machine) allow(p unsafe.Pointer, size int, writable bool) {
	from := uint64(uintptr(p))
	m.regions = append(m.regions, region{from, from + uint64(size), writable})
}

// touch panics unless the call may access size bytes at addr.
func (m *machine) touch(addr uint64, size int, write bool) {
	if !m.checked {
		return
	}
	for _, r := range m.regions {
		if addr >= r.from && addr+uint64(size) <= r.to && (r.writable || !write) {
			return
		}
	}
	verb := "read"
	if write {
		verb = "write"
	}
	panic(fmt.Sprintf("out-of-bounds %s of %d bytes at %#x", verb, size, addr))
}

// pointer makes an address that the program computed usable. Its memory is kept alive by the call's arguments.
func pointer(addr uint64) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }

// load reads an integer of 4 or 8 bytes.
func (m *machine) load(addr uint64, size int) uint64 {
	m.touch(addr, size, false)
	if size == 4 {
		return uint64(*(*uint32)(pointer(addr)))
	}
	return *(*uint64)(pointer(addr))
}

// store writes the low 4 or 8 bytes of v.
func (m *machine) store(addr uint64, size int, v uint64) {
	m.touch(addr, size, true)
	if size == 4 {
		*(*uint32)(pointer(addr)) = uint32(v)
	} else {
		*(*uint64)(pointer(addr)) = v
	}
}

// loadLanes reads those of n lanes that keep selects and no other memory.
func (m *machine) loadLanes(addr uint64, n int, keep uint64) *vec {
	m.in = vec{}
	if all := uint64(1)<<n - 1; keep&all == all {
		m.touch(addr, 4*n, false)
		for i := range n {
			m.in[i] = *(*uint32)(pointer(addr + 4*uint64(i)))
		}
		return &m.in
	}
	for i := range n {
		if keep>>i&1 != 0 {
			m.in[i] = uint32(m.load(addr+4*uint64(i), 4))
		}
	}
	return &m.in
}

// storeLanes writes those of n lanes that keep selects and no other memory.
func (m *machine) storeLanes(addr uint64, n int, keep uint64, v *vec) {
	if all := uint64(1)<<n - 1; keep&all == all {
		m.touch(addr, 4*n, true) // all or nothing
	}
	for i := range n {
		if keep>>i&1 != 0 {
			m.store(addr+4*uint64(i), 4, uint64(v[i]))
		}
	}
}

// blank returns a vector of zeros for a result; the next instruction uses it again.
func (m *machine) blank() *vec {
	m.out = vec{}
	return &m.out
}

// result sets the flags of an integer result and returns it, cut to size bytes.
func (m *machine) result(r uint64, size int, overflow bool) uint64 {
	r &= ones(size)
	m.flags = flag(zf, r == 0) | flag(sf, r>>(8*size-1) != 0) | flag(of, overflow)
	m.unknown = 0
	return r
}

// ones is the largest integer of size bytes.
func ones(size int) uint64 { return ^uint64(0) >> (64 - 8*size) }

func flag(f uint8, on bool) uint8 {
	if on {
		return f
	}
	return 0
}
