// Flights trains one network with two tasks on 3,000,000 flights: how many minutes late does a flight arrive, and is that
// more than 15?
//
//	bash examples/flights/fetch.sh                       # once: 13 MB, needs npm
//	go run -C examples ./flights
//	go run -C examples ./flights -generated 300000       # without the file, on made-up flights
//
// The network reads when a flight leaves, and from where to where. It is in model.go, the table in data.go, the training
// in train.go.
//
// Flights are drawn at random, by -seed: 85 % to learn from, 5 % to watch while learning, 10 % to be tested on in the end.
// A test flight therefore has learned flights of the same day around it. The network tells what a day was like; it does
// not forecast the next one.
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
	"time"

	"github.com/espalier-ml/espalier/examples/internal/chart"
)

type options struct {
	file, out     string
	generated     int
	epochs, batch int
	seed          uint64
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	_, err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "flights: interrupted")
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "flights:", err)
		os.Exit(1)
	}
}

func parse(args []string, usage io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("flights", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.file, "file", filepath.Join("flights", "data", "flights-3m.parquet"), "read the flights from this `file`")
	f.IntVar(&o.generated, "generated", 0, "make up this `many` flights instead")
	f.StringVar(&o.out, "out", filepath.Join("flights", "out"), "write the report to this `folder`")
	f.IntVar(&o.epochs, "epochs", 3, "train for this `many` epochs")
	f.IntVar(&o.batch, "batch", 512, "`rows` of a batch")
	f.Uint64Var(&o.seed, "seed", 1, "`seed` of the split, the weights and the order of the rows")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(usage, "Flights trains a network on how late flights arrive, and writes a report.\n\nFlags:\n")
		f.SetOutput(usage)
		f.PrintDefaults()
		return o, err
	case err != nil:
		return o, err
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q: there are only flags, see -h", f.Arg(0))
	case o.generated < 0 || o.generated > 0 && o.generated < minRows:
		return o, fmt.Errorf("-generated %d: needs at least %d", o.generated, minRows)
	case o.epochs < 1:
		return o, fmt.Errorf("-epochs %d: needs at least 1", o.epochs)
	case o.batch < 1:
		return o, fmt.Errorf("-batch %d: needs at least 1", o.batch)
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout io.Writer) (*result, error) {
	o, err := parse(args, stdout)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return nil, err
	}
	start := time.Now()
	var f *flights
	if o.generated > 0 {
		f = generate(o.generated, o.seed)
	} else if f, err = readFlights(o.file); err != nil {
		return nil, err
	}
	fmt.Fprintf(stdout, "%s flights between %d airports, there in %.1f s\n\n",
		chart.Thousands(float64(f.rows())), len(f.airports), time.Since(start).Seconds())

	r, err := train(ctx, f, o, stdout)
	if err != nil {
		return nil, err
	}
	r.print(stdout)
	report := filepath.Join(o.out, "report.html")
	if err := r.write(report); err != nil {
		return nil, err
	}
	fmt.Fprintf(stdout, "\nThe report is in %s\n", report)
	return r, nil
}
