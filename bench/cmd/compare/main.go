// Command compare sets Espalier beside its peers: the same operands, the same run, each library called in its best way and
// checked before it is timed.
//
//	go run ./cmd/compare                        gonum and the machine's peak
//	go run -tags peers ./cmd/compare            the native libraries of install-peers.sh, too
//	    -rows 'op=fwd/isa=avx2/.*/m=32/'        only the rows whose names match
//	    -isa avx2 -threads 1 -rounds 9
//	    -isa auto                               by the tiles that Espalier chooses, beside those of each level
//	    -json FILE                              one line for each library, way and row
//	    -bar bars.txt                           exit with 1 if a row falls short of a bar
//
// Every pair of ISA and threads is measured by a process of its own, because the libraries read their limits when they are
// loaded.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/espalier-ml/espalier/bench"
	"github.com/espalier-ml/espalier/bench/infer"
	"github.com/espalier-ml/espalier/bench/layer"
	"github.com/espalier-ml/espalier/bench/peers"
	"github.com/espalier-ml/espalier/bench/train"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run() error {
	choices := append(bench.Levels(), bench.Auto)
	var (
		pattern = flag.String("rows", "", "measure the rows whose `name` matches this regular expression")
		out     = flag.String("json", "", "write each measurement as a line of JSON to this `file`")
		rounds  = flag.Int("rounds", 5, "`number` of rounds over all rows")
		isas    = flag.String("isa", strings.Join(choices, ","), "instruction sets to hold the libraries to; auto holds none")
		counts  = flag.String("threads", "1,2", "numbers of threads to hold the libraries to")
		barFile = flag.String("bar", "", "hold the rows against the bars in this `file`")
		child   = flag.String("child", "", "measure `products, infer, train or layer` in this process, whose limits are set, and print JSON")
	)
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if *rounds < 1 {
		return fmt.Errorf("-rounds %d: must be at least 1", *rounds)
	}
	selected, err := regexp.Compile(*pattern)
	if err != nil {
		return err
	}
	var bars []bar
	if *barFile != "" {
		if bars, err = readBars(*barFile); err != nil {
			return err
		}
	}
	var numbers []int
	for _, count := range strings.Split(*counts, ",") {
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 {
			return fmt.Errorf("-threads %q: want numbers like 1,2", *counts)
		}
		numbers = append(numbers, n)
	}
	var all report
	// apart measures in a process that is held to the limits, or is that process.
	apart := func(what, isa string, threads int, here func() (report, error)) error {
		if *child == what {
			r, err := here()
			if err != nil {
				return err
			}
			return json.NewEncoder(os.Stdout).Encode(r)
		}
		if *child != "" {
			return nil
		}
		r, err := measureApart(what, isa, threads, *pattern, *rounds)
		all.Libraries = append(all.Libraries, r.Libraries...)
		all.Measurements = append(all.Measurements, r.Measurements...)
		all.Timings = append(all.Timings, r.Timings...)
		return err
	}
	for _, isa := range strings.Split(*isas, ",") {
		if !slices.Contains(choices, isa) {
			return fmt.Errorf("-isa %q is not valid here: use %s", isa, strings.Join(choices, " or "))
		}
		for _, threads := range numbers {
			rows := slices.DeleteFunc(bench.Rows(isa, threads), func(r bench.Row) bool { return !selected.MatchString(r.String()) })
			if len(rows) > 0 {
				if err := apart("products", isa, threads, func() (report, error) { return measure(rows, *rounds) }); err != nil {
					return err
				}
			}
		}
	}
	// In inference and training every library uses what this machine has.
	for _, k := range kinds {
		for _, threads := range numbers {
			rows := slices.DeleteFunc(k.rows(threads), func(r callRow) bool { return !selected.MatchString(r.String()) })
			if len(rows) > 0 {
				if err := apart(k.name, bench.Auto, threads, func() (report, error) { return k.measure(rows, *rounds) }); err != nil {
					return err
				}
			}
		}
	}
	if *child != "" {
		return nil
	}
	if len(all.Measurements)+len(all.Timings) == 0 {
		return fmt.Errorf("no row matches %q; names are like %v, %v, %v or %v", *pattern,
			bench.Rows(bench.Auto, 1)[0], infer.Rows(1)[0], train.Rows(1)[0], layer.Rows(1)[0])
	}
	if *out != "" {
		if err := writeJSON(*out, all); err != nil {
			return err
		}
	}
	products, calls := resultsOf(all.Measurements), callResultsOf(all.Timings)
	if err := printAll(os.Stdout, all.Libraries, products, calls); err != nil {
		return err
	}
	if bars != nil {
		return judge(os.Stdout, bars, scoredRows(products, calls))
	}
	return nil
}

// kinds are what is timed call by call.
var kinds = []struct {
	name    string
	rows    func(threads int) []callRow
	measure func(rows []callRow, rounds int) (report, error)
}{
	{inference, func(threads int) []callRow { return callRows(inference, infer.Rows(threads)) }, inferRows},
	{training, func(threads int) []callRow { return callRows(training, train.Rows(threads)) }, trainRows},
	{layers, func(threads int) []callRow { return callRows(layers, layer.Rows(threads)) }, layerRows},
}

func callRows[R infer.Row | train.Row | layer.Row](kind string, rows []R) []callRow {
	var of []callRow
	for _, r := range rows {
		of = append(of, callRow{kind, infer.Row(r)})
	}
	return of
}

// printAll prints the versions of all libraries and the tables that have rows.
func printAll(w io.Writer, libraries []string, products []*result, calls []*callResult) error {
	if !peers.Native {
		fmt.Fprintln(w, "This build has no native peers: Espalier is compared with gonum and the machine's peak only. For the others run")
		fmt.Fprintln(w, "install-peers.sh and build with -tags peers and cgo.")
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, strings.Join(libraries, "\n"))
	if len(products) > 0 {
		if err := printTable(w, products); err != nil {
			return err
		}
	}
	if len(calls) > 0 {
		return printTimings(w, calls)
	}
	return nil
}

func scoredRows(products []*result, calls []*callResult) []scored {
	var rows []scored
	for _, r := range products {
		rows = append(rows, r)
	}
	for _, r := range calls {
		rows = append(rows, r)
	}
	return rows
}

// measureApart measures in a process that is held to the limits.
func measureApart(what, isa string, threads int, pattern string, rounds int) (report, error) {
	self, err := os.Executable()
	if err != nil {
		return report{}, err
	}
	cmd := exec.Command(self, "-child", what, "-isa", isa, "-threads", strconv.Itoa(threads), "-rows", pattern,
		"-rounds", strconv.Itoa(rounds))
	cmd.Env = peers.Environment(isa, threads)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return report{}, fmt.Errorf("measuring %s for %s with %d threads: %w", what, isa, threads, err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		return report{}, fmt.Errorf("measuring %s for %s with %d threads: %w", what, isa, threads, err)
	}
	return r, nil
}

func writeJSON(name string, all report) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	e := json.NewEncoder(f)
	var lines []any
	for _, m := range all.Measurements {
		lines = append(lines, m)
	}
	for _, m := range all.Timings {
		lines = append(lines, m)
	}
	for _, line := range lines {
		if err := e.Encode(line); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}
