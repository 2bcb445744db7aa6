package nn

import (
	"fmt"
	"testing"

	"github.com/espalier-ml/espalier/kernels"
)

// Self-attention of 64 vectors of 32 numbers, in serving.
func BenchmarkAttention(b *testing.B) {
	for name, l := range map[string]func() *Layer{
		"attention":  func() *Layer { return Attention() },
		"multi-head": func() *Layer { return MultiHeadAttention(4, 8) },
		"one-head":   func() *Layer { return MultiHeadAttention(1, 32) },
	} {
		x := Input("x", 64, 32)
		m, err := NewModel([]*Node{x}, []*Node{l().On(x, x)})
		if err != nil {
			b.Fatal(err)
		}
		for _, batch := range []int{1, 32} {
			p, err := NewPlan(m, batch)
			if err != nil {
				b.Fatal(err)
			}
			s := p.NewSession()
			for i := range s.Input(0) {
				s.Input(0)[i] = float32(i%17) / 17
			}
			b.Run(fmt.Sprintf("lib=espalier/model=%s/isa=%s/batch=%d", name, kernels.Default().ISA, batch), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := s.Run(batch); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
