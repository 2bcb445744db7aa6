package bench

import (
	"fmt"
	"time"
)

// Library is Espalier or one of its peers.
type Library interface {
	Name() string
	Version() string
	// Prepare returns the library's calls for a problem: one for each way that may be its best, none if it has not the op.
	Prepare(p *Problem) ([]Call, error)
}

// Call is one way of a library to compute one problem, with everything done that may be done once.
type Call struct {
	Way   string                                      // what is called, e.g. sgemm
	Run   func(iterations int) (time.Duration, error) // computes the problem that often, and times itself
	Close func()                                      // must be called once, after the last Run
}

// Verify runs a call once, checks its results and returns the time it took.
func (p *Problem) Verify(library string, c Call) (time.Duration, error) {
	p.Spoil()
	d, err := c.Run(1)
	if err == nil {
		err = p.Check()
	}
	if err != nil {
		return 0, fmt.Errorf("%s %s, %v: %w", library, c.Way, p.Row, err)
	}
	return d, nil
}

// GoCall returns a call of Go code: loop computes the problem that often.
func GoCall(way string, loop func(iterations int) error) Call {
	return Call{
		Way: way,
		Run: func(iterations int) (time.Duration, error) {
			var took time.Duration
			err := Unlocked(func() error {
				start := time.Now()
				err := loop(iterations)
				took = time.Since(start)
				return err
			})
			return took, err
		},
		Close: func() {},
	}
}

// Unlocked runs f on a goroutine of its own, as services do: the caller's is locked to its thread, for the peers' sake, and
// the scheduler serves such goroutines late.
func Unlocked(f func() error) error {
	done := make(chan error)
	go func() { done <- f() }()
	return <-done
}
