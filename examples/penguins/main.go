// Penguins trains three networks on the Palmer penguins and writes a report about them.
//
//	go run -C examples ./penguins
//
// The networks are in models.go. Each is trained and tested on several splits of the birds; the first one of each is
// saved, loaded again and asked about a bird that none of them has met.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/espalier-ml/espalier/nn"
)

// Clara is set aside before the splits are drawn, to be asked about at the end.
const (
	claraName = "Clara"
	claraRow  = 305 // of the table
)

type options struct {
	out, json      string
	splits, epochs int
	seed           uint64
	quiet, verbose bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "penguins: interrupted")
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "penguins:", err)
		os.Exit(1)
	}
}

func parse(args []string, usage io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("penguins", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.out, "out", filepath.Join("penguins", "out"), "write the report and the models to this `folder`")
	f.StringVar(&o.json, "json", "", "write the mean test results to this `file`, as JSON")
	f.IntVar(&o.splits, "splits", 10, "train each model on this `many` splits of the birds")
	f.IntVar(&o.epochs, "epochs", 0, "train for this `many` epochs (default: what suits each model)")
	f.Uint64Var(&o.seed, "seed", 1, "`seed` of the first split; the next ones count up from it")
	f.BoolVar(&o.quiet, "quiet", false, "print the results only")
	f.BoolVar(&o.verbose, "verbose", false, "print every epoch, with a bar on a terminal")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(usage, "Penguins trains three small networks on the Palmer penguins and writes a report.\n\nFlags:\n")
		f.SetOutput(usage)
		f.PrintDefaults()
		return o, err
	case err != nil:
		return o, err
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q: there are only flags, see -h", f.Arg(0))
	case o.splits < 1:
		return o, fmt.Errorf("-splits %d: needs at least 1", o.splits)
	case o.epochs < 0:
		return o, fmt.Errorf("-epochs %d: cannot be negative", o.epochs)
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	chatter := stdout
	if o.quiet {
		chatter = io.Discard
	}

	flock, err := readPenguins(strings.NewReader(penguinsCSV))
	if err != nil {
		return err
	}
	clara, birds, err := setAside(flock, claraRow)
	if err != nil {
		return err
	}
	fmt.Fprintf(chatter, "%d penguins of %d species. %s is set aside; training is on %s of the others, 80 : 20.\n\n",
		len(flock), len(speciesNames), claraName, count(o.splits, "random split"))

	// Train every model on every split.
	start := time.Now()
	var results []result
	for _, e := range experiments {
		if o.epochs > 0 {
			e.epochs = o.epochs
		}
		r, err := train(ctx, e, birds, o, chatter)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		results = append(results, r)
	}
	took := time.Since(start)

	// Save the first model of each, load it, and let the loaded one meet Clara.
	var visit meeting
	for _, r := range results {
		path := filepath.Join(o.out, r.name+".safetensors")
		loaded, err := r.reload(r.trials[0], path)
		if err != nil {
			return err
		}
		fmt.Fprintf(chatter, "saved %s, loaded it again: it predicts the same, bit for bit\n", path)
		answers, err := r.ask(r.trials[0], loaded, clara)
		if err != nil {
			return err
		}
		visit.add(r, answers)
	}
	visit.bird = clara

	printResults(stdout, results, took)
	visit.print(stdout)

	report := filepath.Join(o.out, "report.html")
	if err := writeReport(report, results, visit, took); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\nThe report is in %s\n", report)
	if o.json != "" {
		return writeJSON(o.json, results)
	}
	return nil
}

// train runs an experiment on all splits and prints how it goes.
func train(ctx context.Context, e experiment, birds []penguin, o options, w io.Writer) (result, error) {
	r := result{experiment: e}
	model, err := e.build(o.seed)
	if err != nil {
		return r, err
	}
	fmt.Fprintf(w, "%s\n\n", e.title)
	if err := model.Summary(w); err != nil {
		return r, err
	}
	fmt.Fprintln(w)

	b := newBoard(w, e)
	defer fmt.Fprintln(w)
	var more []nn.FitOption
	if o.verbose {
		more = append(more, nn.Verbose(w))
	}
	for i := range o.splits {
		t, err := e.run(ctx, birds, o.seed+uint64(i), more...)
		if err != nil {
			return r, err
		}
		r.trials = append(r.trials, t)
		b.line(strconv.Itoa(i+1), strconv.FormatUint(t.seed, 10), func(h int) string { return e.heads[h].format(t.scores[h]) })
	}
	b.line("mean", "± sd", r.told)
	return r, nil
}
