package main

import (
	"fmt"
	"strings"
)

// amd64 is one vector level of that architecture: AVX2 with 16 registers of 8 floats, or AVX-512 with 32 of 16.
type amd64 struct {
	suffix   string // of symbols: AVX2
	requires string
	width    int // floats in a vector
	regs     int
	prefix   string // of vector registers
	mask     string // register that selects the columns of a tail; AVX2 needs a vector for it
}

var (
	avx2   = amd64{"AVX2", "AVX2, FMA", 8, 16, "Y", "Y15"}
	avx512 = amd64{"AVX512", "AVX512F, AVX512VL, AVX512DQ, AVX512BW", 16, 32, "Z", "K1"}
)

// v returns the name of vector register i.
func (m amd64) v(i int) string { return fmt.Sprintf("%s%d", m.prefix, i) }

// load reads a vector; masked leaves out the columns beyond a tail and reads no memory there.
func (m amd64) load(f *fn, dst int, addr string, masked bool) {
	switch {
	case !masked:
		f.op("VMOVUPS", addr, m.v(dst))
	case m.width == 16:
		f.op("VMOVUPS.Z", addr, m.mask, m.v(dst))
	default:
		f.op("VMASKMOVPS", addr, m.mask, m.v(dst))
	}
}

// store writes a vector.
func (m amd64) store(f *fn, src int, addr string) { f.op("VMOVUPS", m.v(src), addr) }

// zero clears a vector.
func (m amd64) zero(f *fn, dst int) {
	if m.width == 16 {
		f.op("VPXORD", m.v(dst), m.v(dst), m.v(dst))
	} else {
		f.op("VXORPS", m.v(dst), m.v(dst), m.v(dst))
	}
}

// tailMask sets the mask register for count columns, 1 to width, given in register n. It destroys n and CX.
func (m amd64) tailMask(f *fn, n string) {
	if m.width == 16 {
		f.op("MOVQ", n, "CX")
		f.op("MOVL", "$1", n)
		f.op("SHLL", "CX", n)
		f.op("SUBL", "$1", n)
		f.op("KMOVW", n, m.mask)
		return
	}
	f.op("LEAQ", "tailMask<>(SB)", "CX")
	f.op("SHLQ", "$2", n)
	f.op("SUBQ", n, "CX")
	f.op("VMOVUPS", "64(CX)", m.mask)
}

// tailLow is how far the words with -Inf are behind the masks.
const tailLow = 128

// amd64Numbers declares what the functions read besides their operands: the masks of tails, each number in eight lanes,
// which is what one AVX2 register holds (AVX-512 broadcasts the first), and the numbers of the lanes.
func amd64Numbers(fns []*fn) string {
	var b strings.Builder
	b.WriteString("// Sixteen ones and sixteen zeros: the words from 64-4n on select the first n lanes. Then -Inf for the lanes they leave out.\n")
	for i := range 16 {
		fmt.Fprintf(&b, "DATA tailMask<>+%d(SB)/4, $0xffffffff\n", 4*i)
	}
	for i := range 16 {
		fmt.Fprintf(&b, "DATA tailMask<>+%d(SB)/4, $%#x\n", tailLow+64+4*i, uint32(minusInf))
	}
	fmt.Fprintf(&b, "GLOBL tailMask<>(SB), RODATA|NOPTR, $%d\n\n", 2*tailLow)
	for _, c := range constants(fns) {
		fmt.Fprintf(&b, "// %v\n", c)
		for i := range 4 {
			fmt.Fprintf(&b, "DATA %s<>+%d(SB)/8, $%#x\n", c.symbol(), 8*i, uint64(c)<<32|uint64(c))
		}
		fmt.Fprintf(&b, "GLOBL %s<>(SB), RODATA|NOPTR, $32\n", c.symbol())
	}
	for i := range 16 {
		fmt.Fprintf(&b, "DATA lanes<>+%d(SB)/4, $%d\n", 4*i, i)
	}
	b.WriteString("GLOBL lanes<>(SB), RODATA|NOPTR, $64\n")
	return b.String()
}
