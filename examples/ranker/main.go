// Ranker serves a model over HTTP: how likely is this user to click each of these items, and how long would they watch?
//
//	go run -C examples ./ranker          # serve the embedded model
//	go run -C examples ./ranker -demo    # serve, load, swap models and measure, in 10 s
//	go run -C examples ./ranker -train   # make the embedded model
//
// The service is in service.go, the model and its training in train.go, the data in data.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

type options struct {
	train, demo bool
	load        string
	addr, model string
	connections int
	duration    time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "ranker:", err)
		os.Exit(1)
	}
}

func parse(args []string, usage io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("ranker", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVar(&o.train, "train", false, "train the model and write it to -model (default: the file that is embedded)")
	f.BoolVar(&o.demo, "demo", false, "start a service, put load on it, swap its model and print what was measured")
	f.StringVar(&o.load, "load", "", "put load on the service at this `url` and print what was measured")
	f.StringVar(&o.addr, "addr", "localhost:8080", "serve at this `address`")
	f.StringVar(&o.model, "model", "", "serve this `file`, and read it again on SIGHUP (default: the embedded model)")
	f.IntVar(&o.connections, "connections", 4, "-load and -demo: send from this `many` connections")
	f.DurationVar(&o.duration, "for", 10*time.Second, "-load and -demo: send for this `long`")
	modes := 0
	err := f.Parse(args)
	for _, on := range []bool{o.train, o.demo, o.load != ""} {
		if on {
			modes++
		}
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(usage, "Ranker serves click probabilities and watch times over HTTP.\n\nFlags:\n")
		f.SetOutput(usage)
		f.PrintDefaults()
		return o, err
	case err != nil:
		return o, err
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q: there are only flags, see -h", f.Arg(0))
	case modes > 1:
		return o, errors.New("only one of -train, -demo and -load is possible")
	case o.connections < 1:
		return o, fmt.Errorf("-connections %d: needs at least 1", o.connections)
	case o.duration <= 0:
		return o, fmt.Errorf("-for %s: must be positive", o.duration)
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stdout)
	switch {
	case err != nil:
		return err
	case o.train:
		if o.model == "" {
			o.model = filepath.Join("ranker", modelFile)
		}
		return train(ctx, o.model, 60_000, 15, stdout)
	case o.demo:
		return demo(ctx, o, stdout, stderr)
	case o.load != "":
		return loadOnly(ctx, o, stdout)
	}
	return serve(ctx, o, stdout, log.New(stderr, "ranker: ", log.LstdFlags))
}

// serve answers requests until ctx is done, and then those that have begun.
func serve(ctx context.Context, o options, stdout io.Writer, logger *log.Logger) error {
	hangup := make(chan os.Signal, 1) // from now on a SIGHUP does not end the program
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)

	s, err := newService(o.model)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: &s.mux, ErrorLog: logger,
		ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	fmt.Fprintf(stdout, "%shttp://%s\n", servingPrefix, listener.Addr())

	for {
		select {
		case <-hangup:
			if err := s.reload(); err != nil {
				logger.Printf("the present model stays: %v", err)
			} else {
				logger.Printf("now serving %s", s.path)
			}
		case err := <-ended:
			return err
		case <-ctx.Done():
			logger.Print("shutting down")
			patience, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			return server.Shutdown(patience)
		}
	}
}

const servingPrefix = "serving on "
