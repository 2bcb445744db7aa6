package bench

import (
	"errors"
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
)

// Espalier is this library, called through the public methods of a [kernels.Table].
type Espalier struct{}

func (Espalier) Name() string { return "espalier" }

func (Espalier) Version() string { return "of this tree" }

// Prepare returns one call, and in rows of [Auto], where that is by the tiles which Espalier chooses, one more for each level
// that it can be held to.
func (Espalier) Prepare(p *Problem) ([]Call, error) {
	call, err := callFor(p, p.ISA)
	if err != nil {
		return nil, err
	}
	calls := []Call{call}
	if p.ISA != Auto {
		return calls, nil
	}
	for _, level := range Levels() {
		if call, err = callFor(p, level); err != nil {
			return nil, err
		}
		call.Way += " " + level
		calls = append(calls, call)
	}
	return calls, nil
}

func callFor(p *Problem, isa string) (Call, error) {
	t, err := tableFor(isa)
	if err != nil {
		return Call{}, err
	}
	s := &kernels.Scratch{Pool: poolOf(p.Threads)}
	if p.Packed {
		return packed(t, s, p)
	}
	return plain(t, s, p), nil
}

// Levels returns the instruction sets that Espalier has kernels for and this machine has, the best one first.
func Levels() []string {
	var names []string
	for _, t := range kernels.Tables() {
		if name := t.ISA.String(); t.ISA != kernels.Generic && name != Auto {
			names = append([]string{name}, names...)
		}
	}
	return names
}

// Level returns the ISA, or the best of this machine for [Auto].
func Level(isa string) string {
	if levels := Levels(); isa == Auto && len(levels) > 0 {
		return levels[0]
	}
	return isa
}

// poolOf returns the workers of a process, which measures rows of one number of threads only.
func poolOf(threads int) *kernels.Pool {
	if threads > 1 && pool == nil {
		pool = kernels.NewPool(threads)
	}
	return pool
}

var pool *kernels.Pool

// shared calls f for the rows of a problem in parts, which the workers share.
func shared(rows int, f func(from, to int) error) error {
	parts := min(4*pool.Workers(), rows)
	errs := make([]error, parts)
	pool.Do(parts, func(i int) { errs[i] = f(i*rows/parts, (i+1)*rows/parts) })
	return errors.Join(errs...)
}

func tableFor(isa string) (*kernels.Table, error) {
	if isa == Auto {
		return kernels.Default(), nil
	}
	for _, t := range kernels.Tables() {
		if t.ISA.String() == isa {
			return t, nil
		}
	}
	return nil, fmt.Errorf("espalier has no kernels for %s on this machine", isa)
}

// plain is a problem whose operands are read as they are. Each loop names its kernel: a closure in between would cost a
// good part of what a small product costs.
func plain(t *kernels.Table, s *kernels.Scratch, p *Problem) Call {
	c, a, b := p.C, p.A, p.B
	switch p.Op {
	case InputGrad:
		return GoCall("GemmNT", func(iterations int) error {
			for range iterations {
				if err := t.GemmNT(s, c, a, b, kernels.Epilogue{}); err != nil {
					return err
				}
			}
			return nil
		})
	case WeightGrad:
		return GoCall("GemmTN", func(iterations int) error {
			for range iterations {
				if err := t.GemmTN(s, c, a, b, kernels.Epilogue{}); err != nil {
					return err
				}
			}
			return nil
		})
	case Softmax:
		return GoCall("Softmax", func(iterations int) error {
			for range iterations {
				if pool == nil || p.M*p.N < 1<<13 { // too small to share
					if err := t.Softmax(c, a); err != nil {
						return err
					}
				} else if err := shared(c.Rows, func(from, to int) error {
					return t.Softmax(c.RowRange(from, to), a.RowRange(from, to))
				}); err != nil {
					return err
				}
			}
			return nil
		})
	case CrossEntropy:
		loss, labels := p.Loss, p.Labels
		return GoCall("SoftmaxCrossEntropy", func(iterations int) error {
			for range iterations {
				if pool == nil || p.M*p.N < 1<<13 {
					if err := t.SoftmaxCrossEntropy(loss, kernels.Matrix{}, c, a, labels, nil); err != nil {
						return err
					}
				} else if err := shared(c.Rows, func(from, to int) error {
					return t.SoftmaxCrossEntropy(loss[from:to], kernels.Matrix{}, c.RowRange(from, to), a.RowRange(from, to), labels[from:to], nil)
				}); err != nil {
					return err
				}
			}
			return nil
		})
	default:
		var e kernels.Epilogue
		if p.Op == Dense {
			e = kernels.Epilogue{Bias: p.Bias, Act: kernels.ReLU}
		}
		return GoCall("Gemm", func(iterations int) error {
			for range iterations {
				if err := t.Gemm(s, c, a, b, e); err != nil {
					return err
				}
			}
			return nil
		})
	}
}
