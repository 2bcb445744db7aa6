package asmsim

import (
	"os"
	"strings"
	"testing"
	"unsafe"
)

// state is the machine on which tests run one instruction: lane i of Z0, Z1, Z2, Z3 holds 100+i, 200+i, 300+i,
// 400+i, as the words at AX hold 500+i; K1 selects lanes 0, 1, 4 and 6.
func state() (*machine, []uint32) {
	m := new(machine)
	m.reset(new(function), nil)
	mem := make([]uint32, 32)
	for i := range 16 {
		for z := range 4 {
			m.z[z][i] = uint32(100*(z+1) + i)
		}
		mem[i] = uint32(500 + i)
	}
	m.k[1] = 0b0101_0011
	m.r[0] = uint64(uintptr(unsafe.Pointer(&mem[0])))
	return m, mem
}

// do runs one instruction.
func do(t *testing.T, m *machine, text string) {
	t.Helper()
	p, err := Parse("TEXT ·f(SB), NOSPLIT, $0-0\n" + text + "\nRET\n")
	if err != nil {
		t.Fatal(err)
	}
	p.functions["f"].code[0].step(m)
}

// lanes are 16 integers; what is not given is 0.
func lanes(x ...uint32) (v vec) { copy(v[:], x); return v }

// upFrom returns first, first+1 and so on, n lanes of 16.
func upFrom(first uint32, n int) (v vec) {
	for i := range n {
		v[i] = first + uint32(i)
	}
	return v
}

// requireLanes runs one instruction and looks at Z3.
func requireLanes(t *testing.T, text string, want vec) {
	t.Helper()
	m, _ := state()
	do(t, m, text)
	if m.z[3] != want {
		t.Errorf("%s: got %d, want %d", text, m.z[3], want)
	}
}

// What nobody uses nobody needs to trust.
func TestKernelsUseEveryDecoder(t *testing.T) {
	text, err := os.ReadFile("../../kernels/kernels_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, f := range parse(t, string(text)).functions {
		for i := range f.code {
			mnemonic, _, _ := strings.Cut(f.code[i].text, " ")
			mnemonic, _, _ = strings.Cut(mnemonic, ".")
			used[mnemonic] = true
		}
	}
	for mnemonic := range decoders {
		if !used[mnemonic] {
			t.Errorf("no kernel uses %s", mnemonic)
		}
	}
}

// Whatever the operands are, a decoder decodes or fails: Parse lets its panics through.
func TestDecodersFail(t *testing.T) {
	kinds := []string{"AX", "X0", "Y1", "Z2", "K1", "$3", "(AX)", "end"}
	var try func(mnemonic, operands string, more int)
	try = func(mnemonic, operands string, more int) {
		_, _ = Parse("TEXT ·f(SB), NOSPLIT, $0-0\n" + mnemonic + " " + operands + "\nend: RET\n")
		for _, k := range kinds {
			if more > 0 {
				try(mnemonic, strings.TrimPrefix(operands+", "+k, ", "), more-1)
			}
		}
	}
	for mnemonic := range decoders {
		try(mnemonic, "", 3)
		try(mnemonic+".BCST.Z", "", 2)
		for _, operands := range []string{"$1, X0", "$1, (AX)", "Y0, Y1", "(AX), Z1"} {
			try(mnemonic, operands, 2)
		}
	}
}

func TestMasks(t *testing.T) {
	merged := lanes(500, 501, 402, 403, 504, 405, 506, 407, 408, 409, 410, 411, 412, 413, 414, 415)
	zeroed := lanes(500, 501, 0, 0, 504, 0, 506)
	for text, want := range map[string]vec{
		"VMOVUPS (AX), K1, Z3":           merged,
		"VMOVUPS.Z (AX), K1, Z3":         zeroed,
		"VMOVUPS.Z (AX), K1, Y3":         zeroed,
		"VMOVUPS (AX), K1, Y3":           lanes(500, 501, 402, 403, 504, 405, 506, 407),
		"VMOVUPS (AX), Z3":               upFrom(500, 16),
		"VMOVUPS (AX), Y3":               upFrom(500, 8),
		"VPADDD Z0, Z1, K1, Z3":          lanes(300, 302, 402, 403, 308, 405, 312, 407, 408, 409, 410, 411, 412, 413, 414, 415),
		"VPADDD.Z Z0, Z1, K1, Z3":        lanes(300, 302, 0, 0, 308, 0, 312),
		"VPSUBD.BCST 4(AX), Z1, Z3":      upFrom(0xffff_fed3, 16), // 200 - 501
		"VPADDD.BCST.Z (AX), X1, K1, X3": lanes(700, 701),
		"VPSLLD.Z $4, Z0, K1, Z3":        lanes(1600, 1616, 0, 0, 1664, 0, 1696),
	} {
		requireLanes(t, text, want)
	}
}

// Only what the mask selects is written to memory, and a masked-off lane is not even touched.
func TestMaskedMemory(t *testing.T) {
	m, mem := state()
	do(t, m, "VMOVUPS Z0, K1, (AX)")
	for i, w := range []uint32{100, 101, 502, 503, 104, 505, 106, 507} {
		if mem[i] != w {
			t.Errorf("word %d is %d, want %d", i, mem[i], w)
		}
	}
	for _, text := range []string{
		"VMOVUPS.Z (AX), K1, Z3", "VMOVUPS (AX), K1, Z3", "VPADDD (AX), Z0, K1, Z3", "VMOVUPS Z0, K1, (AX)",
		"VMASKMOVPS (AX), Y3, Y2", "VCMPPS $0, (AX), Z0, K1, K2", "VBROADCASTSS 24(AX), K1, Z3",
		"VPADDD.BCST (AX), Z0, K1, Z3", "VBLENDMPS (AX), Z0, K1, Z3",
	} {
		m, mem := state()
		m.z[3] = lanes(0, signBit, 0, 0, 0, 0, signBit)
		m.checked = true
		m.allow(unsafe.Pointer(&mem[0]), 4*7, true)
		do(t, m, text) // panics beyond lane 6
	}
}
