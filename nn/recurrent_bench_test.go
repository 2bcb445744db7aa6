package nn

import (
	"fmt"
	"testing"
)

// BenchmarkRecurrent serves 1 and 32 sequences of 64 steps with 32 features, by 32 units.
func BenchmarkRecurrent(b *testing.B) {
	for _, make := range []func(...LayerOption) *Layer{
		func(o ...LayerOption) *Layer { return GRU(32, o...) }, func(o ...LayerOption) *Layer { return LSTM(32, o...) },
	} {
		x := Input("x", 64, 32)
		y := make(Name("y")).On(x)
		m, err := NewModel([]*Node{x}, []*Node{y}, Seed(1))
		if err != nil {
			b.Fatal(err)
		}
		p, err := NewPlan(m, 32)
		if err != nil {
			b.Fatal(err)
		}
		s := p.NewSession()
		for i := range s.Input(0) {
			s.Input(0)[i] = float32(i%17)/8 - 1
		}
		for _, batch := range []int{1, 32} {
			b.Run(fmt.Sprintf("lib=espalier/layer=%s/batch=%d/steps=64/features=32/units=32", y.layer.Class(), batch), func(b *testing.B) {
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
