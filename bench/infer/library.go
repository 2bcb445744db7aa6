package infer

import (
	"fmt"
	"time"
)

// Library is Espalier or one of its peers.
type Library interface {
	Name() string
	Version() string
	// Prepare returns the library's calls for a problem: one for each way that may be its best, none if it takes
	// no part.
	Prepare(p *Problem) ([]Call, error)
}

// Call is one way of a library to compute one problem, with everything done that may be done once.
type Call struct {
	Way string // what is called
	// Run computes the problem once for each element of ns, and writes there how many nanoseconds that took.
	Run func(ns []uint32) error
	// Fetch, unless nil, copies the outputs to the problem's: the library has left them elsewhere.
	Fetch func() error
	// Apart says that another process computes, whose allocations cannot be counted here.
	Apart bool
	Close func() // must be called once, after the last Run
}

// Verify runs a call once and checks its results.
func (p *Problem) Verify(library string, c Call) error {
	p.Spoil()
	var ns [1]uint32
	err := c.Run(ns[:])
	if err == nil && c.Fetch != nil {
		err = c.Fetch()
	}
	if err == nil {
		err = p.Check()
	}
	if err != nil {
		return fmt.Errorf("%s %s, %v: %w", library, c.Way, p.Row, err)
	}
	return nil
}

// GoCall returns a call of Go code.
func GoCall(way string, run func() error) Call {
	return Call{
		Way: way,
		Run: func(ns []uint32) error {
			// One reading of the clock for each call, as in the loops in C: Since reads only the monotonic one.
			start := time.Now()
			last := time.Since(start)
			for i := range ns {
				if err := run(); err != nil {
					return err
				}
				now := time.Since(start)
				ns[i] = uint32(min(now-last, 1<<32-1))
				last = now
			}
			return nil
		},
		Close: func() {},
	}
}
