package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// atOnce is how many mutations are tried at a time: each is compiled, linked and tested by several goroutines.
const atOnce = 2

// runAll tries the mutations on copies of the module.
func (r *report) runAll(root string, mutations []*mutation) error {
	temporary, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stopped
		os.RemoveAll(temporary)
		os.Exit(1)
	}()
	var workers []*worker
	for i := range atOnce {
		w := &worker{root: filepath.Join(temporary, fmt.Sprint(i))}
		if err := copyModule(w.root, root); err != nil {
			return err
		}
		workers = append(workers, w)
	}
	limits, err := workers[0].limits(mutations)
	if err != nil {
		return err
	}
	next := make(chan *mutation)
	var running sync.WaitGroup
	for _, w := range workers {
		w.limit = limits
		running.Go(func() {
			for m := range next {
				r.add(w.try(m))
			}
		})
	}
	for _, m := range mutations {
		next <- m
	}
	close(next)
	running.Wait()
	return nil
}

// copyModule copies the files of a module and of those within it, which tests read, but not bench: it can hold large peers.
func copyModule(to, from string) error {
	return filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(name, from))
		if entry.IsDir() {
			if name != from && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "bench") {
				return fs.SkipDir
			}
			return os.MkdirAll(target, 0o777)
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o666)
	})
}

// A worker tries mutations in a copy of the module of its own.
type worker struct {
	root  string
	limit map[string]time.Duration // of the tests of a package
}

// limits returns how long the tests of each package may take: longer than they do without a mutation, which they must pass.
func (w *worker) limits(mutations []*mutation) (map[string]time.Duration, error) {
	limits := map[string]time.Duration{}
	for _, m := range mutations {
		for _, t := range m.tests {
			if limits[t.pkg] > 0 {
				continue
			}
			if err := w.build(t.pkg); err != nil {
				return nil, err
			}
			begin := time.Now()
			if failure := w.test(test{pkg: t.pkg}, time.Hour); failure != "" {
				return nil, fmt.Errorf("%s fails without a mutation: %s", t.pkg, failure)
			}
			limits[t.pkg] = 4*time.Since(begin) + 30*time.Second
		}
	}
	return limits, nil
}

// A result is what became of a mutation.
type result struct {
	*mutation
	at       int    // the line of the file
	failure  string // what noticed it, "" if nothing did
	err      error  // why it could not be made
	duration time.Duration
}

// try makes a mutation and runs its tests until one fails.
func (w *worker) try(m *mutation) (res result) {
	res.mutation = m
	defer func(begin time.Time) { res.duration = time.Since(begin) }(time.Now())
	name := filepath.Join(w.root, filepath.FromSlash(m.file))
	original, err := os.ReadFile(name)
	if err != nil {
		res.err = err
		return res
	}
	mutated, line, err := m.apply(string(original))
	if res.at, res.err = line, err; err != nil {
		return res
	}
	if res.err = os.WriteFile(name, []byte(mutated), 0o666); res.err != nil {
		return res
	}
	defer func() { res.err = errors.Join(res.err, os.WriteFile(name, original, 0o666)) }()
	built := map[string]bool{}
	for _, t := range m.tests {
		if !built[t.pkg] {
			if res.err = w.build(t.pkg); res.err != nil {
				return res
			}
			built[t.pkg] = true
		}
		if res.failure = w.test(t, w.limit[t.pkg]); res.failure != "" {
			return res
		}
	}
	return res
}

// binary returns the name of a package's test program.
func (w *worker) binary(pkg string) string {
	return w.root + "." + strings.ReplaceAll(pkg, "/", ".") + ".test"
}

// build compiles the tests of a package.
func (w *worker) build(pkg string) error {
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-w", "-o", w.binary(pkg), "./"+pkg)
	cmd.Dir = w.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// test runs tests, and returns what failed. What takes longer than the limit fails: a mutation may have made a loop endless.
func (w *worker) test(t test, limit time.Duration) (failure string) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.binary(t.pkg), "-test.failfast", "-test.paniconexit0", "-test.run="+t.name)
	cmd.Dir = filepath.Join(w.root, filepath.FromSlash(t.pkg))
	cmd.WaitDelay = 5 * time.Second // for processes that it started
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	switch {
	case err == nil:
		return ""
	case ctx.Err() != nil:
		return fmt.Sprintf("%s: no end after %v", t.pkg, limit.Round(time.Second))
	}
	return t.pkg + ": " + firstFailure(out.String(), err)
}

var (
	failed  = regexp.MustCompile(`--- FAIL: (\S+)`)
	crashed = regexp.MustCompile(`(?m)^(?:panic|fatal error|SIG\w+): .*|^unexpected fault.*`)
)

// firstFailure returns the name of the innermost test that failed first, or how the program ended.
func firstFailure(out string, err error) string {
	if crash := crashed.FindString(out); crash != "" {
		return crash
	}
	if m := failed.FindAllStringSubmatch(out, -1); m != nil {
		name := m[0][1]
		for _, inner := range m[1:] {
			if strings.HasPrefix(inner[1], name+"/") {
				name = inner[1]
			}
		}
		return name
	}
	return err.Error()
}
