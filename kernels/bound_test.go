package kernels_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	. "github.com/espalier-ml/espalier/kernels"
)

// A bound layer has the bits of Dense for any number of its rows, and touches no other.
func TestBoundDense(t *testing.T) {
	for _, table := range Tables() {
		for _, shape := range [][3]int{{40, 10, 5}, {9, 0, 4}, {7, 3, 0}, {33, 128, 64}, {20, 700, 33}, {5, 900, 300}} {
			m, k, n := shape[0], shape[1], shape[2]
			for _, act := range []Activation{Linear, ReLU, Sigmoid, Tanh} {
				t.Run(fmt.Sprintf("isa=%s/m=%d/k=%d/n=%d/act=%d", table.ISA, m, k, n, act), func(t *testing.T) {
					r := rand.New(rand.NewPCG(1, uint64(k)))
					matrix := func(rows, cols int) Matrix {
						x := Matrix{Data: make([]float32, rows*(cols+3)), Rows: rows, Cols: cols, Stride: cols + 3}
						for i := range x.Data {
							x.Data[i] = float32(r.NormFloat64())
						}
						return x
					}
					x, w, y, want := matrix(m, k), matrix(k, n), matrix(m, n), NewMatrix(m, n)
					var packed PackedB
					require.NoError(t, table.Pack(&packed, w, matrix(1, n).Row(0)))
					require.NoError(t, table.Dense(nil, want, x, &packed, act))
					var bound BoundDense
					require.NoError(t, table.Bind(&bound, y, x, &packed, act))
					for rows := range m + 1 {
						require.NoError(t, table.Fill(y, 7))
						require.NoError(t, bound.Run(nil, rows))
						for i := range m {
							for j, v := range y.Row(i) {
								if i < rows && v != want.Row(i)[j] || i >= rows && v != 7 {
									t.Fatalf("rows=%d: y[%d,%d] is %v", rows, i, j, v)
								}
							}
						}
					}
					require.ErrorIs(t, bound.Run(nil, m+1), ErrShape)
					require.ErrorIs(t, bound.Run(nil, -1), ErrShape)
					require.ErrorIs(t, table.Bind(&bound, y, matrix(m, k+1), &packed, act), ErrShape)
				})
			}
		}
	}
}

func ExampleTable_Bind() {
	table := Default()
	var w PackedB
	if err := table.Pack(&w, MatrixOf([]float32{1, 2, 3, 4, 5, 6}, 2, 3), []float32{0, 0, -100}); err != nil {
		panic(err)
	}
	x, y := NewMatrix(8, 2), NewMatrix(8, 3)
	var layer BoundDense
	if err := table.Bind(&layer, y, x, &w, ReLU); err != nil {
		panic(err)
	}
	copy(x.Row(0), []float32{1, 10})
	if err := layer.Run(nil, 1); err != nil { // only the first row
		panic(err)
	}
	fmt.Println(y.Row(0))
	// Output: [41 52 0]
}
