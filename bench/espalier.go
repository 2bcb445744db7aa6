package bench

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
)

// Espalier is this library, called through the public methods of a [kernels.Table].
type Espalier struct{}

func (Espalier) Name() string { return "espalier" }

func (Espalier) Version() string { return "of this tree" }

// Prepare returns one call. With more than one thread a pool shares its products.
func (Espalier) Prepare(p *Problem) ([]Call, error) {
	t, err := tableFor(p.ISA)
	if err != nil {
		return nil, err
	}
	s := new(kernels.Scratch)
	call := plain(t, s, p)
	if p.Packed {
		if call, err = packed(t, s, p); err != nil {
			return nil, err
		}
	}
	if p.Threads > 1 {
		s.Pool = kernels.NewPool(p.Threads)
		call.Close = s.Pool.Close
	}
	return []Call{call}, nil
}

func tableFor(isa string) (*kernels.Table, error) {
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
				if err := t.Softmax(c, a); err != nil {
					return err
				}
			}
			return nil
		})
	case CrossEntropy:
		loss, labels := p.Loss, p.Labels
		return GoCall("SoftmaxCrossEntropy", func(iterations int) error {
			for range iterations {
				if err := t.SoftmaxCrossEntropy(loss, kernels.Matrix{}, c, a, labels, nil); err != nil {
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
