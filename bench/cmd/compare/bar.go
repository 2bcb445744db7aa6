package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/espalier-ml/espalier/bench/peers"
)

// measures are the words that a bar may use: those of [result.value], and the peers of products, inference and training.
var measures = []string{"peak", "best", "forced", "softmax", "openblas", "onednn", "libxsmm", "xnnpack", "eigen", "gonum",
	"onnxruntime", "onnxruntime_go", "pytorch", "gomlx", "gorgonia", "gonnx", "libtorch", "tfjs"}

// A scored row has measures, by name, if they were taken.
type scored interface {
	String() string
	value(measure string) (float64, bool)
}

// A bar is what Espalier must reach in some rows: a line with a regular expression for their names, a measure, a minimum,
// and geomean if only the geometric mean must reach it.
type bar struct {
	text    string
	rows    *regexp.Regexp
	measure string
	minimum float64
	geomean bool
}

func readBars(name string) ([]bar, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	bars, err := parseBars(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", name, err)
	}
	return bars, nil
}

// parseBars reads one bar a line; # starts a comment.
func parseBars(text string) ([]bar, error) {
	var bars []bar
	i := 0
	for line := range strings.Lines(text) {
		i++
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		b := bar{text: strings.Join(fields, " "), geomean: len(fields) == 4 && fields[3] == "geomean"}
		if len(fields) != 3 && !b.geomean {
			return nil, fmt.Errorf("%d: want a regular expression, a measure, a minimum and perhaps geomean", i)
		}
		if b.measure = fields[1]; !slices.Contains(measures, b.measure) {
			return nil, fmt.Errorf("%d: unknown measure %q: use %s", i, b.measure, strings.Join(measures, ", "))
		}
		var err error
		if b.rows, err = regexp.Compile(fields[0]); err != nil {
			return nil, fmt.Errorf("%d: %w", i, err)
		}
		if b.minimum, err = strconv.ParseFloat(fields[2], 64); err != nil {
			return nil, fmt.Errorf("%d: %w", i, err)
		}
		bars = append(bars, b)
	}
	return bars, nil
}

// judge prints how each bar is met. It returns an error if one is missed, or if this run measured none; a bar that it has no
// measurements for is named, and is not missed.
func judge(w io.Writer, bars []bar, results []scored) error {
	fmt.Fprint(w, "\nbars\n")
	measured, missed := 0, 0
	for _, b := range bars {
		// Without the native libraries the fastest peer says little.
		if b.measure == "best" && !peers.Native {
			fmt.Fprintf(w, "not measured  %s\n", b.text)
			continue
		}
		n, short := b.judge(results)
		if n > 0 {
			measured++
		}
		switch {
		case n == 0:
			fmt.Fprintf(w, "not measured  %s\n", b.text)
		case len(short) == 0:
			fmt.Fprintf(w, "reached       %s (rows: %d)\n", b.text, n)
		default:
			missed++
			fmt.Fprintf(w, "MISSED        %s (rows: %d)\n", b.text, n)
			for _, s := range short {
				fmt.Fprintf(w, "              %s\n", s)
			}
		}
	}
	switch {
	case measured == 0:
		return fmt.Errorf("none of the %d bars was measured", len(bars))
	case missed > 0:
		return fmt.Errorf("%d of %d bars are missed", missed, measured)
	}
	return nil
}

// judge returns how many results the bar is for, and what falls short.
func (b bar) judge(results []scored) (n int, short []string) {
	var matching []scored
	for _, r := range results {
		if _, ok := r.value(b.measure); ok && b.rows.MatchString(r.String()) {
			matching = append(matching, r)
		}
	}
	if b.geomean {
		mean, n := geomean(matching, b.measure)
		if n > 0 && mean < b.minimum {
			short = append(short, fmt.Sprintf("%.3f  geometric mean", mean))
		}
		return n, short
	}
	for _, r := range matching {
		if v, _ := r.value(b.measure); v < b.minimum {
			short = append(short, fmt.Sprintf("%.3f  %v", v, r))
		}
	}
	return len(matching), short
}
