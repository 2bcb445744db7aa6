// Mca prints what llvm-mca makes of the inner loops of the NEON kernels: a model of the processor, not a measurement.
// It cuts them out of a linked program, so that it sees what runs. Run it in bench: go run ./cmd/mca.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What a loop should reach: of the multiply-adds that the model can start in the time, and of the model's bound by
// resources. What does not is marked with a star.
const (
	gemmBar = 0.95
	rowBar  = 1.3
)

var tool = flag.String("mca", "llvm-mca", "the `program`; newer ones know more processors")

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "mca:", err)
		os.Exit(1)
	}
}

// A cpu is one processor model.
type cpu struct {
	name string
	fma  float64 // cycles per multiply-add of four lanes
}

func run() error {
	loops, err := findLoops()
	if err != nil {
		return err
	}
	var cpus []cpu
	var independent []string
	for i := range 24 {
		independent = append(independent, fmt.Sprintf("fmla v%d.4s, v24.4s, v28.s[0]", i))
	}
	for _, name := range []string{"neoverse-n1", "neoverse-v1", "neoverse-n2", "neoverse-v2", "apple-m1"} {
		cycles, _, err := model(name, independent)
		if err != nil {
			fmt.Fprintln(os.Stderr, "mca:", err)
			continue
		}
		cpus = append(cpus, cpu{name, cycles / float64(len(independent))})
	}
	header, rule := "| loop | FMLA |", "| --- | --- |"
	for _, c := range cpus {
		header += " " + c.name + " |"
		rule += " --- |"
	}
	for _, gemm := range []bool{true, false} {
		if gemm {
			fmt.Printf("\nProducts: cycles per FMLA, and the share of the model's limit.\n\n%s\n%s\n", header, rule)
		} else {
			fmt.Printf("\nOther kernels: cycles per iteration, and how often that is the model's bound.\n\n%s\n%s\n", header, rule)
		}
		for _, l := range loops {
			if strings.HasPrefix(l.name, "gemm") != gemm {
				continue
			}
			fmt.Printf("| %s | %d |", l.name, l.fmla)
			for _, c := range cpus {
				cycles, bound, err := model(c.name, l.code)
				if err != nil {
					return err
				}
				value, share := cycles/float64(l.fmla), c.fma*float64(l.fmla)/cycles
				beyond := share < gemmBar
				if !gemm {
					value, share = cycles, cycles/bound
					beyond = share > rowBar
				}
				mark := ""
				if beyond {
					mark = "*"
				}
				fmt.Printf(" %.2f, %.2f%s |", value, share, mark)
			}
			fmt.Println()
		}
	}
	return nil
}

// A loop is the code of one without a loop in it.
type loop struct {
	name string
	fmla int
	code []string
}

var (
	function = regexp.MustCompile(`^[0-9a-f]+ <.*\.(\w+NEON)\.abi0>:$`)
	line     = regexp.MustCompile(`^\s*([0-9a-f]+):\s+(.*)$`)
	target   = regexp.MustCompile(`0x([0-9a-f]+) <`)
	wanted   = regexp.MustCompile(`^(gemm|softmax|logSoftmax|sigmoid|tanh|binary|exp|gelu|erf|log)`)
)

// findLoops builds a program that has the kernels, and returns the loop of each that does most of its work.
func findLoops() ([]loop, error) {
	dir, err := os.MkdirTemp("", "mca")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "program")
	build := exec.Command("go", "build", "-o", program, "./cmd/compare")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("building: %w", err)
	}
	text, err := exec.Command("llvm-objdump", "-d", "--no-show-raw-insn", program).Output()
	if err != nil {
		return nil, fmt.Errorf("llvm-objdump: %w", err)
	}
	var loops []loop
	var name string
	var at []uint64
	var code []string
	finish := func() {
		if wanted.MatchString(name) && !strings.Contains(name, "Grad") {
			if l := largest(name, at, code); l.fmla > 0 {
				loops = append(loops, l)
			}
		}
		name, at, code = "", nil, nil
	}
	for s := range strings.Lines(string(text)) {
		s = strings.TrimSpace(s)
		if strings.HasSuffix(s, ">:") {
			finish()
			if m := function.FindStringSubmatch(s); m != nil {
				name = m[1]
			}
		} else if m := line.FindStringSubmatch(s); m != nil && name != "" {
			address, err := strconv.ParseUint(m[1], 16, 64)
			if err != nil {
				return nil, err
			}
			at, code = append(at, address), append(code, m[2])
		}
	}
	finish()
	slices.SortStableFunc(loops, func(a, b loop) int { return strings.Compare(a.name, b.name) })
	return loops, nil
}

// largest returns the innermost loop with the most multiply-adds. Loops with a tail in them are left out: they are not
// straight-line code.
func largest(name string, at []uint64, code []string) loop {
	var found loop
	last := -1 // the first instruction of the loop before
	for i, c := range code {
		m := target.FindStringSubmatch(c)
		if m == nil {
			continue
		}
		to, err := strconv.ParseUint(m[1], 16, 64)
		if err != nil || to > at[i] {
			continue
		}
		from, ok := slices.BinarySearch(at, to)
		if !ok || from <= last {
			continue
		}
		last = from
		l := loop{name: strings.TrimSuffix(name, "NEON")}
		for _, c := range code[from : i+1] {
			if strings.HasPrefix(c, "tbz") {
				l.fmla = 0
				break
			}
			if strings.HasPrefix(c, "fmla") || strings.HasPrefix(c, "fmls") {
				l.fmla++
			}
			// There are no labels in what the model reads, and it follows no branch.
			if m := target.FindStringIndex(c); m != nil {
				c = c[:m[0]] + "#4"
			}
			l.code = append(l.code, c)
		}
		if l.fmla > found.fmla {
			found = l
		}
	}
	return found
}

var (
	totalCycles = regexp.MustCompile(`Total Cycles:\s+(\d+)`)
	throughput  = regexp.MustCompile(`Block RThroughput:\s+([0-9.]+)`)
)

// model returns the cycles that an iteration takes, and its bound by resources.
func model(cpu string, code []string) (cycles, bound float64, err error) {
	const iterations = 1000
	cmd := exec.Command(*tool, "-mtriple=aarch64", "-mcpu="+cpu, fmt.Sprintf("-iterations=%d", iterations))
	cmd.Stdin = strings.NewReader(strings.Join(code, "\n"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("%s for %s: %w\n%s", *tool, cpu, err, out)
	}
	c, b := totalCycles.FindSubmatch(out), throughput.FindSubmatch(out)
	if c == nil || b == nil || strings.Contains(string(out), "not a recognized processor") {
		return 0, 0, fmt.Errorf("%s has no model of %s", *tool, cpu)
	}
	if cycles, err = strconv.ParseFloat(string(c[1]), 64); err != nil {
		return 0, 0, err
	}
	if bound, err = strconv.ParseFloat(string(b[1]), 64); err != nil {
		return 0, 0, err
	}
	return cycles / iterations, bound, nil
}
