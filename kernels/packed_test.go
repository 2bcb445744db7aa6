package kernels_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// Dense gives the bits of Gemm, whatever was packed before in the same memory.
func TestDense(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		var w kernels.PackedB
		var s kernels.Scratch
		for _, m := range []int{0, 1, 2, 6, 7, 15, 40} {
			for _, size := range [][2]int{{0, 3}, {1, 1}, {10, 5}, {3, 16}, {5, 32}, {20, 129}, {33, 40}, {7, 0}, {300, 70}} {
				k, n := size[0], size[1]
				t.Run(fmt.Sprintf("m=%d/k=%d/n=%d", m, k, n), func(t *testing.T) {
					r := newRand(uint64(m*1000 + n))
					x, b, bias := r.matrix(m, k, 3), r.matrix(k, n, 2), r.floats(n)
					for act := kernels.Linear; act <= kernels.Tanh; act++ {
						for _, bias := range [][]float32{nil, bias} {
							want, got := kernels.NewMatrix(m, n), guarded(m, n, 2)
							require.NoError(t, table.Gemm(&s, want, x, b, kernels.Epilogue{Bias: bias, Act: act}))
							require.NoError(t, table.Pack(&w, b, bias))
							require.NoError(t, table.Dense(&s, got, x, &w, act))
							requireSameMatrix(t, want, got)
							requireCanaries(t, got)
						}
					}
				})
			}
		}
		x, y := kernels.NewMatrix(4, 20), kernels.NewMatrix(4, 9)
		require.NoError(t, table.Pack(&w, kernels.NewMatrix(20, 9), make([]float32, 9)))
		require.Zero(t, testing.AllocsPerRun(10, func() { require.NoError(t, table.Dense(&s, y, x, &w, kernels.ReLU)) }))
	})
}

func TestDenseErrors(t *testing.T) {
	table := kernels.Default()
	var w, unpacked kernels.PackedB
	x, y := kernels.NewMatrix(4, 20), kernels.NewMatrix(4, 9)
	require.ErrorContains(t, table.Pack(&w, kernels.NewMatrix(20, 9), make([]float32, 8)), "kernels: Pack: bias has 8 elements, w has 9 columns")
	require.ErrorContains(t, table.Pack(&w, kernels.MatrixOf(nil, 20, 9), nil), "kernels: Pack: w is 20x9 with stride 9 but holds 0 elements")
	require.NoError(t, table.Pack(&w, kernels.NewMatrix(20, 9), nil))
	for _, c := range []struct {
		err  error
		want string
	}{
		{table.Dense(nil, y, kernels.NewMatrix(4, 19), &w, kernels.Linear), "Dense: w is 20x9, x has 19 columns"},
		{table.Dense(nil, kernels.NewMatrix(3, 9), x, &w, kernels.Linear), "Dense: y is 3x9, x·w is 4x9"},
		{table.Dense(nil, kernels.MatrixOf(nil, 4, 9), x, &w, kernels.Linear), "Dense: y is 4x9 with stride 9 but holds 0 elements"},
		{table.Dense(nil, y, x, &w, 9), "Dense: unknown activation 9"},
		{kernels.Tables()[0].Dense(nil, y, x, &unpacked, kernels.Linear), "Dense: w is 0x0, x has 20 columns"},
	} {
		require.ErrorContains(t, c.err, c.want)
	}
	for _, other := range kernels.Tables() {
		if other.ISA != table.ISA {
			require.ErrorContains(t, other.Dense(nil, y, x, &w, kernels.Linear), fmt.Sprintf("w is packed for %s, the table is %s", table.ISA, other.ISA))
		}
	}
}

func ExampleTable_Dense() {
	table := kernels.Default()
	w := kernels.MatrixOf([]float32{1, 2, 3, 4}, 2, 2)
	var packed kernels.PackedB
	var scratch kernels.Scratch
	if err := table.Pack(&packed, w, []float32{-5, 1}); err != nil {
		fmt.Println(err)
	}
	x, y := kernels.MatrixOf([]float32{1, 1}, 1, 2), kernels.NewMatrix(1, 2)
	if err := table.Dense(&scratch, y, x, &packed, kernels.ReLU); err != nil {
		fmt.Println(err)
	}
	fmt.Println(y.Data)
	// Output: [0 7]
}
