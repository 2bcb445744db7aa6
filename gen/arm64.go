package main

import (
	"fmt"
	"math"
	"strings"
)

// Most floating-point instructions on vectors of four are missing in Go's assembler. They are printed as words, with the
// instruction in the comment; a test compares them with other assemblers.

// The instructions with all registers 0: of three operands, of two, and two more.
var (
	words3 = map[string]uint32{
		"FADD":  0x4e20d400,
		"FSUB":  0x4ea0d400,
		"FMUL":  0x6e20dc00,
		"FDIV":  0x6e20fc00,
		"FMAX":  0x4e20f400,
		"FMIN":  0x4ea0f400,
		"FADDP": 0x6e20d400,
		"FMAXP": 0x6e20f400,
		"FCMGT": 0x6ea0e400,
		"FCMGE": 0x6e20e400,
		"BIC":   0x4e601c00,
	}
	words2 = map[string]uint32{
		"FNEG":  0x6ea0f800,
		"FSQRT": 0x6ea1f800,
		"SCVTF": 0x4e21d800,
	}
)

const (
	sshr        = 0x4f000400
	fmlaElement = 0x4f801000
)

// native lists those that the assembler has, by the names it has for them.
var native = map[string]string{
	"AND": "VAND", "ORR": "VORR", "EOR": "VEOR", "ADD": "VADD", "SUB": "VSUB", "CMEQ": "VCMEQ", "FMLA": "VFMLA", "FMLS": "VFMLS",
	"BIT": "VBIT", "BIF": "VBIF", "BSL": "VBSL", "ZIP1": "VZIP1", "ZIP2": "VZIP2", "TRN1": "VTRN1", "TRN2": "VTRN2",
}

// arrangement is how Go's assembler wants an instruction's operands.
func arrangement(mnemonic string) string {
	switch mnemonic {
	case "AND", "ORR", "EOR", "BIT", "BIF", "BSL":
		return "B16"
	}
	return "S4"
}

func encode3(mnemonic string, d, n, m int) uint32 {
	w, ok := words3[mnemonic]
	if !ok {
		panic("no encoding of " + mnemonic)
	}
	return onRegisters(w, d, n, m)
}

func encode2(mnemonic string, d, n int) uint32 { return onRegisters(words2[mnemonic], d, n, 0) }

// encodeElement returns the word of the multiply-add d += n·m[lane].
func encodeElement(d, n, m, lane int) uint32 {
	return onRegisters(fmlaElement, d, n, m) | uint32(lane&1)<<21 | uint32(lane>>1)<<11
}

// encodeShift returns the word of an arithmetic shift to the right, whose field counts down from 64.
func encodeShift(d, n, by int) uint32 { return onRegisters(sshr, d, n, 0) | uint32(64-by)<<16 }

func onRegisters(w uint32, d, n, m int) uint32 { return w | uint32(m)<<16 | uint32(n)<<5 | uint32(d) }

// wordOf prints an instruction that the assembler lacks.
func (f *fn) wordOf(encoding uint32, text string, args ...any) {
	f.op(fmt.Sprintf("WORD $%#08x // %s", encoding, fmt.Sprintf(text, args...)))
}

// vector3 prints d = n op m on registers.
func (f *fn) vector3(mnemonic string, d, n, m int) {
	if name := native[mnemonic]; name != "" {
		a := arrangement(mnemonic)
		f.op(name, fmt.Sprintf("V%d.%s", m, a), fmt.Sprintf("V%d.%s", n, a), fmt.Sprintf("V%d.%s", d, a))
		return
	}
	a := "4S"
	if mnemonic == "BIC" {
		a = "16B"
	}
	f.wordOf(encode3(mnemonic, d, n, m), "%s V%d.%s, V%d.%s, V%d.%s", mnemonic, d, a, n, a, m, a)
}

// vector2 prints d = op n.
func (f *fn) vector2(mnemonic string, d, n int) {
	f.wordOf(encode2(mnemonic, d, n), "%s V%d.4S, V%d.4S", mnemonic, d, n)
}

// arithmeticShift prints d = n >> by.
func (f *fn) arithmeticShift(d, n, by int) {
	f.wordOf(encodeShift(d, n, by), "SSHR V%d.4S, V%d.4S, #%d", d, n, by)
}

// copyVector prints d = n.
func (f *fn) copyVector(d, n int) {
	f.op("VMOV", fmt.Sprintf("V%d.B16", n), fmt.Sprintf("V%d.B16", d))
}

// mulAddElement prints d += n·m[0].
func (f *fn) mulAddElement(d, n, m int) {
	f.wordOf(encodeElement(d, n, m, 0), "FMLA V%d.4S, V%d.4S, V%d.S[0]", d, n, m)
}

// neonLaneNumbers is where the numbers of the lanes are among the numbers, neonBytes where those of the bytes of a vector.
const neonLaneNumbers, neonBytes = 128, 192

// neonTable declares what the functions read besides their operands, all of it at one address: sixteen words of ones and
// of zeros, of which those from 64-4n on select the first n lanes; the numbers of the lanes; the numbers of bytes, of which
// those from 16-4n on select the last n lanes of a vector; then each constant in four lanes, which costs nothing but a load
// to put into a register.
func neonTable(fns []*fn) string {
	var b strings.Builder
	b.WriteString("// Ones and zeros: the words from 64-4n on select the first n lanes. The numbers of the lanes. The numbers of bytes:\n")
	b.WriteString("// those from 16-4n on make the last n lanes of a vector the first ones, and the others zero. Constants.\n")
	for i := range 8 {
		fmt.Fprintf(&b, "DATA numbers<>+%d(SB)/8, $0xffffffffffffffff\n", 8*i)
	}
	for i := range 16 {
		fmt.Fprintf(&b, "DATA numbers<>+%d(SB)/4, $%d\n", neonLaneNumbers+4*i, i)
	}
	for i, bytes := range []uint64{0x0706050403020100, 0x0f0e0d0c0b0a0908, math.MaxUint64, math.MaxUint64} {
		fmt.Fprintf(&b, "DATA numbers<>+%d(SB)/8, $%#x\n", neonBytes+8*i, bytes)
	}
	at := neonBytes + 32
	for _, c := range constants(fns) {
		fmt.Fprintf(&b, "#define %s %d // %v\n", c.symbol(), at, c)
		for i := range 2 {
			fmt.Fprintf(&b, "DATA numbers<>+%d(SB)/8, $%#x\n", at+8*i, uint64(c)<<32|uint64(c))
		}
		at += 16
	}
	fmt.Fprintf(&b, "GLOBL numbers<>(SB), RODATA|NOPTR, $%d\n", at)
	return b.String()
}
