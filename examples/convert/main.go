// Convert turns a model of one format into another, says what is in a file, and checks that both predict the same.
//
//	go build -C examples -o "$PWD/" ./convert
//	./convert -describe model.keras
//	./convert -check rows.csv model.keras model.onnx
//
// The formats are in format.go, -check is in check.go.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/espalier-ml/espalier/nn"
)

const usage = `Convert reads a model and writes it in another format:

  convert [flags] source [target]

The endings of the names say the formats:

`

func main() {
	err := run(os.Args[1:], os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "convert:", err)
		os.Exit(1)
	}
}

type options struct {
	source, target string // absolute paths, so that what is printed is found from every folder
	model, check   string
	describe       bool
	shapes         map[string][]int
}

func parse(args []string, help io.Writer) (options, error) {
	o := options{shapes: map[string][]int{}}
	f := flag.NewFlagSet("convert", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVar(&o.describe, "describe", false, "print inputs, outputs, layers and parameters")
	f.StringVar(&o.check, "check", "", "predict the rows of this `file` with the source and with the target, and print the largest difference;\n"+
		"a row has the numbers of all inputs and, if you know them, those of all outputs (-describe says in which columns)")
	f.StringVar(&o.model, "model", "", "the `file` of the model that the weights of the source are for")
	f.Func("shape", "the `input=sizes` of a sample, as image=28,28,1, where the source leaves them open; for each such input", func(s string) error {
		input, sizes, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("must be like image=28,28,1")
		}
		for _, size := range strings.Split(sizes, ",") {
			n, err := strconv.Atoi(size)
			if err != nil {
				return fmt.Errorf("%q is not a whole number", size)
			}
			o.shapes[input] = append(o.shapes[input], n)
		}
		return nil
	})
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(help, usage)
		for _, f := range formats {
			fmt.Fprintf(help, "  %-14s %s\n", strings.Join(f.endings, " "), f.about)
		}
		fmt.Fprint(help, "\nFlags:\n")
		f.SetOutput(help)
		f.PrintDefaults()
		return o, err
	case err != nil:
		return o, err
	case f.NArg() < 1 || f.NArg() > 2:
		return o, fmt.Errorf("%d files: needs a source, or a source and a target, behind the flags; see -h", f.NArg())
	case f.NArg() == 1 && !o.describe && o.check == "":
		return o, errors.New("a source alone needs -describe or -check; see -h")
	}
	o.source, o.target = f.Arg(0), f.Arg(1)
	for _, path := range []*string{&o.source, &o.target, &o.model, &o.check} {
		if *path != "" {
			if *path, err = filepath.Abs(*path); err != nil {
				return o, err
			}
		}
	}
	if o.source == o.target || o.model != "" && o.model == o.target {
		return o, fmt.Errorf("the target %s is a file that is read", o.target)
	}
	return o, nil
}

func run(args []string, stdout io.Writer) error {
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	m, err := o.load(stdout)
	if err != nil {
		return err
	}
	if o.describe {
		fmt.Fprintln(stdout, o.source)
		if err := describe(stdout, m); err != nil {
			return err
		}
	}
	if o.target != "" {
		if err := save(m, o.target); err != nil {
			return err
		}
		fmt.Fprintln(stdout, "wrote", o.target)
	}
	if o.check != "" {
		return o.checkRows(stdout, m)
	}
	return nil
}

// describe prints what a model takes, gives and consists of.
func describe(w io.Writer, m *nn.Model) error {
	column := 1
	for _, list := range []struct {
		word  string
		nodes []*nn.Node
		names []string
	}{{"input", m.Inputs(), m.InputNames()}, {"output", m.Outputs(), m.OutputNames()}} {
		for i, n := range list.nodes {
			last := column + n.Shape().Elements() - 1
			columns := fmt.Sprintf("columns %d to %d", column, last)
			if column == last {
				columns = fmt.Sprintf("column %d", column)
			}
			fmt.Fprintf(w, "%s %q: %v, %s of -check\n", list.word, list.names[i], []int(n.Shape()), columns)
			column = last + 1
		}
	}
	metadata := m.Metadata()
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		fmt.Fprintf(w, "%s: %.80q\n", key, metadata[key]) // a value can have a megabyte
	}
	return m.Summary(w, nn.SummaryNested(), nn.SummaryWidth(100))
}
