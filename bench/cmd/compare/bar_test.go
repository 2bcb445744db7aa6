package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/espalier-ml/espalier/bench"
	"github.com/espalier-ml/espalier/bench/infer"
)

// someProducts is Espalier at 80 and 90 ns with a peer at 100 ns, in two rows, a softmax with its cross-entropy, and a row in
// which Espalier chooses.
func someProducts() []*result {
	fwd := func(m int) bench.Row {
		return bench.Row{Op: bench.Forward, ISA: "avx2", Threads: 1, M: m, K: 20, N: 128}
	}
	softmax := bench.Row{Op: bench.Softmax, ISA: "avx2", Threads: 1, M: 32, N: 10}
	auto := bench.Row{Op: bench.Dense, ISA: bench.Auto, Threads: 1, M: 8, K: 20, N: 128}
	entropy := softmax
	entropy.Op = bench.CrossEntropy
	return resultsOf([]measurement{
		{Lib: ours, Row: fwd(8), NS: 80, ShareOfPeak: 0.95},
		{Lib: "openblas", Way: "slow", Row: fwd(8), NS: 200},
		{Lib: "openblas", Way: "fast", Row: fwd(8), NS: 100},
		{Lib: "gonum", Row: fwd(8), NS: 400},
		{Lib: peak, Row: fwd(8), NS: 76, GFLOPS: 100, ShareOfPeak: 1},
		{Lib: ours, Row: fwd(16), NS: 90, ShareOfPeak: 0.85},
		{Lib: "openblas", Row: fwd(16), NS: 100},
		{Lib: ours, Row: softmax, NS: 80},
		{Lib: ours, Row: entropy, NS: 100},
		{Lib: ours, Way: "Gemm", Row: auto, NS: 100},
		{Lib: ours, Way: "Gemm avx512", Row: auto, NS: 98},
		{Lib: ours, Way: "Gemm avx2", Row: auto, NS: 120},
	})
}

// someResults has an inference, too, in which Espalier takes 2 µs and a peer 5, and a step of training.
func someResults() []scored {
	row := callRow{inference, infer.Row{Model: "mt", Threads: 1, Batch: 1}}
	step := callRow{training, row.Row}
	return scoredRows(someProducts(), callResultsOf([]timing{
		{Lib: ours, callRow: row, P50: 2},
		{Lib: "onnxruntime", Way: "Run", callRow: row, P50: 6},
		{Lib: "onnxruntime", Way: "IoBinding", callRow: row, P50: 5},
		{Lib: "eigen", callRow: row, P50: 3},
		{Lib: reader, callRow: row, P50: 1},
		{Lib: peak, callRow: row, P50: 1.6},
		{Lib: ours, callRow: step, P50: 10},
		{Lib: "libtorch", callRow: step, P50: 80},
		{Lib: adam, callRow: step, P50: 1},
		{Lib: mover, callRow: step, P50: 1},
		{Lib: peak, callRow: step, P50: 1},
	}))
}

func TestBars(t *testing.T) {
	for _, test := range []struct {
		bar   string
		rows  int
		short int
	}{
		{"op=fwd/.*/m=(8|16)/ peak 0.80", 2, 0},
		{"op=fwd/.*/m=(8|16)/ peak 0.90", 2, 1},
		{"op=fwd peak 0.89 geomean # 0.899", 2, 0},
		{"op=fwd peak 0.90 geomean", 2, 1},
		{"op=fwd best 1.1", 2, 0},
		{"op=fwd openblas 1.2", 2, 1},
		{"op=fwd gonum 4", 1, 0},
		{"op=fwd onednn 1", 0, 0},
		{"op=dx best 1", 0, 0},
		{"op=crossentropy softmax 0.8", 1, 0},
		{"op=crossentropy softmax 0.81", 1, 1},
		{".* forced 0.98", 1, 0},
		{"op=dense/isa=auto/ forced 0.99", 1, 1},
		{"op=infer/model=mt/ onnxruntime 2.5", 1, 0},
		{"op=infer/model=mt/ onnxruntime 2.6", 1, 1},
		{"op=infer best 1.5", 1, 0},
		{"op=infer best 1.6", 1, 1},
		{"op=infer peak 0.8", 1, 0},
		{"op=infer peak 0.81", 1, 1},
		{"op=train peak 0.1", 1, 0},
		{"op=train peak 0.11", 1, 1},
		{"op=train/model=mt/ libtorch 8", 1, 0},
		{"op=train best 8.1", 1, 1},
	} {
		bars, err := parseBars("# a comment\n\n" + test.bar)
		if err != nil || len(bars) != 1 {
			t.Fatalf("%s: %v", test.bar, err)
		}
		if n, short := bars[0].judge(someResults()); n != test.rows || len(short) != test.short {
			t.Errorf("%s: %d rows, short %q; want %d rows, %d short", test.bar, n, short, test.rows, test.short)
		}
	}
}

func TestJudge(t *testing.T) {
	for _, test := range []struct{ bars, want string }{
		{"op=fwd peak 0.8\nop=fwd onednn 1", ""},
		{"op=fwd peak 0.9\nop=fwd onednn 1", "1 of 1 bars are missed"},
		{"op=fwd onednn 1", "none of the 1 bars was measured"},
	} {
		bars, err := parseBars(test.bars)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		got := ""
		if err := judge(&text, bars, someResults()); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q: error %q, want %q, with\n%s", test.bars, got, test.want, text.String())
		}
	}
}

func TestBadBars(t *testing.T) {
	for _, text := range []string{"op=fwd", "op=fwd peak", "op=fwd peak high", "op=( peak 1", "op=fwd peak 1 mean", "op=fwd peak 1 geomean c", "op=fwd mkl 1"} {
		if _, err := parseBars("\n" + text); err == nil || !strings.HasPrefix(err.Error(), "2:") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

// TestBarsOfThisModule demands that every bar is for rows that exist.
func TestBarsOfThisModule(t *testing.T) {
	bars, err := readBars("../../bars.txt")
	if err != nil {
		t.Fatal(err)
	}
	var rows []fmt.Stringer
	for _, r := range slices.Concat(bench.Rows("avx2", 1), bench.Rows("avx512", 1), bench.Rows(bench.Auto, 1)) {
		rows = append(rows, r)
	}
	for _, k := range kinds {
		for _, r := range append(k.rows(1), k.rows(2)...) {
			rows = append(rows, r)
		}
	}
	for _, b := range bars {
		n := 0
		for _, r := range rows {
			if b.rows.MatchString(r.String()) {
				n++
			}
		}
		t.Logf("%3d rows: %s", n, b.text)
		if n == 0 {
			t.Errorf("no row for %s", b.text)
		}
	}
}

func TestTable(t *testing.T) {
	var text strings.Builder
	if err := printAll(&text, []string{"openblas 1"}, someProducts(), nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"openblas 1\n", "op=fwd/isa=avx2/threads=1 packed=false\n", "1.25", "openblas fast\n", "1.11", "0.98"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing from\n%s", want, text.String())
		}
	}
}

func TestMeasure(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	isas := bench.Levels()
	if len(isas) == 0 {
		t.Skip("no vector kernels in this build")
	}
	var rows []bench.Row
	for _, r := range bench.Rows(isas[0], 1) {
		if r.M == 32 && r.K <= 20 && r.N <= 128 {
			rows = append(rows, r)
		}
	}
	rows = append(rows, bench.Row{Op: bench.Forward, ISA: bench.Auto, Threads: 1, M: 32, K: 20, N: 128})
	r, err := measure(rows, 2)
	if err != nil {
		t.Fatal(err)
	}
	name := t.TempDir() + "/out.json"
	if err := writeJSON(name, r); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n != len(r.Measurements) {
		t.Errorf("%d lines for %d measurements", n, len(r.Measurements))
	}
	for _, result := range resultsOf(r.Measurements) {
		if result.ours.NS <= 0 {
			t.Errorf("%v took %v ns", result.Row, result.ours.NS)
		}
		if _, ok := result.value("forced"); ok != (result.ISA == bench.Auto) {
			t.Errorf("%v has a forced level: %t", result.Row, ok)
		}
	}
}

func TestTimings(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, k := range kinds {
		model, peer := "mm", "gonum Sgemm"
		if k.name == layers {
			model, peer = "gru", "" // of which there is none in Go
		}
		row := callRow{k.name, infer.Row{Model: model, Threads: 1, Batch: 32}}
		if !slices.Contains(k.rows(1), row) {
			t.Errorf("%v is no row of %s", row, k.name)
		}
		r, err := k.measure([]callRow{row}, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range r.Timings {
			if m.callRow != row || m.P50 <= 0 || m.P99 < m.P50 || m.P999 < m.P99 {
				t.Errorf("measured %+v", m)
			}
		}
		var text strings.Builder
		if err := printAll(&text, r.Libraries, nil, callResultsOf(r.Timings)); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{row.String(), k.name + ", threads 1: espalier", peer} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%q is missing from\n%s", want, text.String())
			}
		}
	}
}

// TestLoops demands that the large network's step is set beside the peak and the memory's bandwidth.
func TestLoops(t *testing.T) {
	row := callRow{training, infer.Row{Model: "large", Threads: 1, Batch: 32}}
	var text strings.Builder
	if err := printTimings(&text, callResultsOf([]timing{
		{Lib: ours, callRow: row, P50: 7000},
		{Lib: adam, callRow: row, P50: 2000},
		{Lib: mover, callRow: row, P50: 1000},
		{Lib: peak, callRow: row, P50: 4000},
	})); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"products: 49.4 GFLOP/s, 57 % of the peak of 86.4",
		"Adam: 52.9 MB in 2000.0 µs, 26.5 GB/s, 50 % of the 52.9 GB/s",
		"the step without Adam: 5000.0 µs, 69.1 GFLOP/s in products, 80 % of the peak of 86.4",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing from\n%s", want, text.String())
		}
	}
}
