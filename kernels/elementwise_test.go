package kernels_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

func TestElementwise(t *testing.T) {
	const alpha = float32(1.7)
	cases := []struct {
		name string
		run  func(t *kernels.Table, y, a, b kernels.Matrix) error
		want func(isa kernels.ISA, y, a, b float32) float32
	}{
		{"Fill", func(t *kernels.Table, y, _, _ kernels.Matrix) error { return t.Fill(y, alpha) },
			func(_ kernels.ISA, _, _, _ float32) float32 { return alpha }},
		{"Copy", func(t *kernels.Table, y, a, _ kernels.Matrix) error { return t.Copy(y, a) },
			func(_ kernels.ISA, _, a, _ float32) float32 { return a }},
		{"Scale", func(t *kernels.Table, y, a, _ kernels.Matrix) error { return t.Scale(y, a, alpha) },
			func(_ kernels.ISA, _, a, _ float32) float32 { return alpha * a }},
		{"Axpy", func(t *kernels.Table, y, a, _ kernels.Matrix) error { return t.Axpy(y, alpha, a) },
			func(isa kernels.ISA, y, a, _ float32) float32 { return mulAdd(isa, alpha, a, y) }},
		{"Add", (*kernels.Table).Add,
			func(_ kernels.ISA, _, a, b float32) float32 { return a + b }},
		{"Mul", (*kernels.Table).Mul,
			func(_ kernels.ISA, _, a, b float32) float32 { return a * b }},
		{"Maximum", (*kernels.Table).Maximum, func(_ kernels.ISA, _, a, b float32) float32 {
			if a > b {
				return a
			}
			return b
		}},
		{"Minimum", (*kernels.Table).Minimum, func(_ kernels.ISA, _, a, b float32) float32 {
			if a < b {
				return a
			}
			return b
		}},
		{"MulAdd", (*kernels.Table).MulAdd,
			func(isa kernels.ISA, y, a, b float32) float32 { return mulAdd(isa, a, b, y) }},
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, c := range cases {
			for _, cols := range []int{1, 5, 8, 16, 31, 67} {
				t.Run(c.name+"/"+shapeName(3, cols), func(t *testing.T) {
					r := newRand(uint64(cols))
					y, a, b := r.matrix(3, cols, 1), r.matrix(3, cols, 2), r.matrix(3, cols, 0)
					before := copyOf(y, 0)
					require.NoError(t, c.run(table, y, a, b))
					requireCanaries(t, y)
					for i := range 3 {
						for j, got := range y.Row(i) {
							want := c.want(table.ISA, before.Row(i)[j], a.Row(i)[j], b.Row(i)[j])
							require.Equal(t, want, got)
						}
					}
				})
			}
		}
	})
}
