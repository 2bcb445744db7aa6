package main

import (
	"bufio"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// wordLine is an instruction that the assembler lacks, as the generated file has it.
var wordLine = regexp.MustCompile(`(?m)^\tWORD \$0x([0-9a-f]{8}) // (.*)$`)

// printedWords returns those of the generated file, and each instruction that there is with the first and last registers,
// by their text.
func printedWords() map[string]string {
	var f fn
	for _, r := range [][3]int{{0, 0, 0}, {31, 0, 0}, {0, 31, 0}, {0, 0, 31}, {21, 10, 5}} {
		for mnemonic := range words3 {
			f.vector3(mnemonic, r[0], r[1], r[2])
		}
		for mnemonic := range words2 {
			f.vector2(mnemonic, r[0], r[1])
		}
		f.mulAddElement(r[0], r[1], r[2])
		f.arithmeticShift(r[0], r[1], 1+r[2]%31)
	}
	found := map[string]string{}
	for _, m := range wordLine.FindAllStringSubmatch(f.body.String()+files()["kernels_arm64.s"], -1) {
		found[m[2]] = m[1]
	}
	return found
}

// llvm-mc assembles each comment to its word.
func TestEncodingsLLVM(t *testing.T) {
	mc, err := exec.LookPath("llvm-mc")
	if err != nil {
		t.Skip("llvm-mc is missing")
	}
	found := printedWords()
	texts := make([]string, 0, len(found))
	for text := range found {
		texts = append(texts, text)
	}
	slices.Sort(texts)
	cmd := exec.Command(mc, "-triple=aarch64", "-mattr=-all,+neon", "-show-encoding")
	cmd.Stdin = strings.NewReader(strings.ToLower(strings.Join(texts, "\n")))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	encodings := regexp.MustCompile(`encoding: \[0x(..),0x(..),0x(..),0x(..)\]`).FindAllStringSubmatch(string(out), -1)
	if len(encodings) != len(texts) {
		t.Fatalf("%d instructions have %d encodings", len(texts), len(encodings))
	}
	for i, e := range encodings {
		if want := e[4] + e[3] + e[2] + e[1]; found[texts[i]] != want {
			t.Errorf("%s is %s, not %s", texts[i], want, found[texts[i]])
		}
	}
}

// The test data of Go's own assembler has most of these instructions, as comments where it lacks them, though not always
// on vectors of four.
func TestEncodingsGo(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^\s*(?://TODO )?V([A-Z]+) V(\d+)\.([SD]\d)(?:, V(\d+)\.[SD]\d)?, V(\d+)\.[SD]\d\s*// ([0-9a-f]{8})`)
	element := regexp.MustCompile(`^\s*//TODO VFMLA V(\d+)\.S\[(\d)\], V(\d+)\.S2, V(\d+)\.S2\s*// ([0-9a-f]{8})`)
	checked := map[string]bool{}
	check := func(mnemonic, arrangement, text string, have uint32) {
		const q, double = 1 << 30, 1 << 22
		switch arrangement {
		case "S2":
			have &^= q
		case "D2":
			have |= double
		}
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if want := uint32(b[3])<<24 | uint32(b[2])<<16 | uint32(b[1])<<8 | uint32(b[0]); have != want {
			t.Errorf("%s.%s is %08x, not %08x", mnemonic, arrangement, want, have)
		}
		checked[mnemonic] = true
	}
	number := func(s string) int {
		n, _ := strconv.Atoi(s)
		return n
	}
	names, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "src/cmd/asm/internal/asm/testdata/arm64*.s"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for s := bufio.NewScanner(file); s.Scan(); {
			if m := element.FindStringSubmatch(s.Text()); m != nil {
				check("FMLA", "S2", m[5], encodeElement(number(m[4]), number(m[3]), number(m[1]), number(m[2])))
			} else if m := line.FindStringSubmatch(s.Text()); m != nil {
				d, n := number(m[5]), number(m[2])
				if m[4] == "" && words2[m[1]] != 0 {
					check(m[1], m[3], m[6], encode2(m[1], d, n))
				} else if words3[m[1]] != 0 {
					check(m[1], m[3], m[6], encode3(m[1], d, number(m[4]), n))
				}
			}
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, list := range []map[string]uint32{words3, words2, {"FMLA": fmlaElement}} {
		for mnemonic := range list {
			if !checked[mnemonic] && mnemonic != "FSUB" && mnemonic != "BIC" { // it has neither, nor SSHR
				t.Errorf("%s is not in the test data", mnemonic)
			}
		}
	}
}

// No function touches the registers of the platform, the assembler, the goroutine, the frame, the caller or the stack.
func TestReservedRegisters(t *testing.T) {
	for _, line := range regexp.MustCompile(`(?m)^\t.*\b(R18|R2[789]|R30|RSP|g)\b.*$`).FindAllString(files()["kernels_arm64.s"], -1) {
		t.Error(line)
	}
}
