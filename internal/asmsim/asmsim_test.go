package asmsim

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func parse(t testing.TB, text string) *Program {
	t.Helper()
	p, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// message returns what do panics with.
func message(do func()) (text string) {
	defer func() {
		if e := recover(); e != nil {
			text = fmt.Sprint(e)
		}
	}()
	do()
	return ""
}

func wantMessage(t *testing.T, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) || want == "" {
		t.Errorf("got message %q, want one with %q", got, want)
	}
}

const scaleText = `
//go:build !purego

#include "textflag.h"

DATA limits<>+0(SB)/4, $2.0
DATA limits<>+8(SB)/8, $-1
GLOBL limits<>(SB), RODATA|NOPTR, $16

// func scale(x *float32, n int, twice int32, by float32) (done int)
TEXT ·scale(SB), NOSPLIT, $16-32
	MOVQ x+0(FP), AX
	MOVQ n+8(FP), CX
	MOVQ CX, left-8(SP)
	VBROADCASTSS by+20(FP), X1
	MOVL twice+16(FP), DX
	TESTQ DX, DX
	JEQ loop
	VMULPS limits<>+0(SB), X1, X1
	PCALIGN $32
loop:
	SUBQ $1, left-8(SP)
	JLT done
	VMOVSS (AX), X0
	VMULPS X0, X1, X0
	VMOVSS X0, (AX)
	ADDQ $4, AX
	JMP loop
done:
	MOVQ CX, ret+24(FP)
	RET
`

func TestFunc(t *testing.T) {
	var scale func(x *float32, n int, twice int32, by float32) int
	p := parse(t, scaleText)
	p.Func("scale", &scale)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 100 {
				x := []float32{1, 2, 3, 4}
				if got := scale(&x[0], 3, 1, 5); got != 3 || x[0] != 10 || x[2] != 30 || x[3] != 4 {
					t.Errorf("got %d, %v", got, x)
				}
			}
		})
	}
	group.Wait()
	if lines := p.Unreached("scale"); len(lines) != 0 {
		t.Errorf("not reached: %v", lines)
	}
}

func TestChecked(t *testing.T) {
	var scale func(x *float32, n int, twice int32, by float32) int
	p := parse(t, scaleText)
	x := []float32{1, 2, 3, 4}
	var mem, read Memory
	mem.Allow(x[:3])
	read.AllowRead(x)
	p.CheckedFunc("scale", &scale, &mem)
	scale(&x[0], 3, 1, 5)
	wantMessage(t, message(func() { scale(&x[0], 4, 1, 5) }), "scale: line 24: VMOVSS (AX), X0: out-of-bounds read of 4 bytes")
	p.CheckedFunc("scale", &scale, &read)
	wantMessage(t, message(func() { scale(&x[0], 4, 1, 5) }), "line 26: VMOVSS X0, (AX): out-of-bounds write of 4 bytes")
	p.Func("scale", &scale)
	wantMessage(t, message(func() { scale(nil, 4, 1, 5) }), "line 24: VMOVSS (AX), X0: ")
}

func TestTypes(t *testing.T) {
	p := parse(t, scaleText)
	var wrong func(x *float32, n int, twice int32, by float32)
	wantMessage(t, message(func() { p.Func("scale", &wrong) }), "scale: line 11: TEXT has 32 bytes of arguments, func(*float32, int, int32, float32) has 24")
	wantMessage(t, message(func() { p.Func("scale", wrong) }), "is not a pointer to a func")
	wantMessage(t, message(func() { p.Func("other", &wrong) }), "no function other")
}

func TestStrict(t *testing.T) {
	for body, want := range map[string]string{
		"VXORPS Y0, Y0, Y0":                        "RET: no VZEROUPPER",
		"VZEROUPPER\nVPXORD Z9, Z9, Z9":            "RET: no VZEROUPPER",
		"again:\nJMP again":                        "too many instructions: a runaway loop?",
		"JEQ out\nout:":                            "JEQ out: the condition reads a flag that is undefined",
		"MOVQ $3, AX\nIMULQ AX, AX\nJLT out\nout:": "JLT out: the condition reads a flag that is undefined",
		"MOVQ (AX), AX":                            "MOVQ (AX), AX: ", // registers hold no address
		"LEAQ limits<>(SB), AX\nMOVL AX, (AX)":     "out-of-bounds write of 4 bytes",
		"LEAQ limits<>(SB), AX\nVMOVUPS 4(AX), X0": "out-of-bounds read of 16 bytes",
	} {
		p := parse(t, "DATA limits<>+0(SB)/4, $1\nGLOBL limits<>(SB), RODATA, $16\nTEXT ·f(SB), NOSPLIT, $0-0\n"+body+"\nRET\n")
		p.Limit = 1000
		var f func()
		p.CheckedFunc("f", &f, new(Memory))
		wantMessage(t, message(f), want)
	}
}

func TestParseErrors(t *testing.T) {
	for line, want := range map[string]string{
		"VFROBPS X0, X1, X2":       "line 2: VFROBPS X0, X1, X2: unknown instruction",
		"VADDPS.RN_SAE Z0, Z1, Z2": "unknown suffix RN_SAE",
		"VADDPS.Z Z0, Z1, Z2":      "zeroing needs a mask",
		"VMOVUPS.Z Z0, K1, (AX)":   "zeroing needs a mask and a register",
		"VADDPS.BCST Z0, Z1, Z2":   "broadcast without a memory operand",
		"VADDPS Z0, Z1, K0, Z2":    "K0 cannot be a mask",
		"VADDPS Y0, Z1, Z2":        "operand 1 should have 16 lanes",
		"VADDPS X0, X1":            "2 operands, want 3",
		"VUNPCKLPD Z0, Z1, K1, Z2": "mask or suffix not supported",
		"VMOVAPS (AX), X0":         "operand 1 is the wrong kind",
		"VPSLLD X0, X1, X2":        "operand 1 is the wrong kind",
		"VCMPPS $0, Z0, Z1, Z2":    "the result goes to a mask register",
		"VCMPPS $32, Z0, Z1, K2":   "no predicate 32",
		"MOVQ AX, X0":              "operand 2 cannot be written",
		"MOVQ AX, BP":              "write to the stack or frame pointer",
		"SUBQ $8, SP":              "write to the stack or frame pointer",
		"MOVQ n+8(FP), AX":         "8 bytes at 8 of 8 are out of bounds",
		"MOVQ AX, x-24(SP)":        "8 bytes at -8 of 16 are out of bounds",
		"MOVQ AX, 16(SP)":          "8 bytes at 16 of 16 are out of bounds",
		"MOVQ t<>(SB), AX":         "no symbol t<>",
		"MOVQ 8+4(AX), AX":         "unknown operand",
		"MOVQ (AX)(SP*2), AX":      "unknown index",
		"JMP there":                "unknown operand there",
		"CALL ·g(SB)":              "no symbol ·g",
		"DATA t<>+0(SB)/4, $1":     "outside of t<>",
		"MOVQ $x, AX":              "not a number: x",
	} {
		_, err := Parse("TEXT ·f(SB), NOSPLIT, $16-8\n" + line + "\nRET\n")
		if err == nil {
			t.Errorf("%s: no error", line)
		} else {
			wantMessage(t, err.Error(), want)
		}
	}
	_, err := Parse("TEXT ·f(SB), NOSPLIT, $0-0\nMOVQ $1, AX\n")
	wantMessage(t, fmt.Sprint(err), "f has no end")
}

// A decoder that panics by mistake has not decoded anything.
func TestParsePanics(t *testing.T) {
	decoders["MISTAKE"] = func(in *inst) step { _ = in.ops[1]; return nil }
	defer delete(decoders, "MISTAKE")
	wantMessage(t, message(func() { _, _ = Parse("TEXT ·f(SB), NOSPLIT, $0-0\nMISTAKE AX\nRET\n") }), "index out of range")
}

// BenchmarkLoop runs the inner loop of a product.
func BenchmarkLoop(b *testing.B) {
	p := parse(b, `
TEXT ·f(SB), NOSPLIT, $0-16
	MOVQ k+0(FP), CX
	MOVQ a+8(FP), AX
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
loop:
	VMOVUPS (AX), Z8
	VBROADCASTSS 4(AX), Z9
	VFMADD231PS Z8, Z9, Z0
	VBROADCASTSS 8(AX), Z9
	VFMADD231PS Z8, Z9, Z1
	VBROADCASTSS 12(AX), Z9
	VFMADD231PS Z8, Z9, Z2
	ADDQ $0, AX
	SUBQ $1, CX
	JNE loop
	VZEROUPPER
	RET
`)
	var f func(k int, a *float32)
	p.Func("f", &f)
	a := make([]float32, 16)
	for i := range a {
		a[i] = 1 / float32(i+3)
	}
	for b.Loop() {
		f(1000, &a[0])
	}
	b.ReportMetric(float64(b.N)*10000/b.Elapsed().Seconds()/1e6, "Minstr/s")
}
