package kernels_test

import (
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// placed returns random values in rows with gaps of canaries, at any place relative to a cache line.
func (r random) placed(rows, cols int) kernels.Matrix {
	const line = 64 / 4
	stride := cols + r.IntN(20)
	data := fill(make([]float32, rows*stride+2*line), canary)
	from := line - int(uintptr(unsafe.Pointer(&data[0]))/4%line) + r.IntN(line)
	m := kernels.Matrix{Data: data[from : from+rows*stride], Rows: rows, Cols: cols, Stride: stride}
	for i := range rows {
		copy(m.Row(i), r.floats(cols))
	}
	return m
}

// The products of random shapes, strides, places and epilogues have the bits of the exact oracle: 1,000 of them on each
// level, 10,000 with ESPALIER_LONG set, 300 in short runs.
func TestGemmRandom(t *testing.T) {
	shapes := 1000
	switch {
	case os.Getenv("ESPALIER_LONG") != "":
		shapes = 10000
	case testing.Short():
		shapes = 300
	}
	for _, table := range kernels.Tables()[1:] {
		t.Run("isa="+table.ISA.String(), func(t *testing.T) {
			var s kernels.Scratch
			var w kernels.PackedB
			r := newRand(11)
			for shape := range shapes {
				m, n, k := r.IntN(41), r.IntN(151), r.IntN(81)
				switch { // beyond what is read in place, and computed in one call or one block
				case shape%100 == 0:
					m, n, k = 30+r.IntN(40), 100+r.IntN(100), 250+r.IntN(300)
				case shape%100 == 50:
					m, n, k = 1+r.IntN(8), 200+r.IntN(100), 500+r.IntN(600)
				}
				p := r.IntN(len(products) + 1) // the last one is Dense
				var transA, transB bool
				if p < len(products) {
					transA, transB = products[p].transA, products[p].transB
				}
				operand := func(rows, cols int, transposed bool) kernels.Matrix {
					if transposed {
						rows, cols = cols, rows
					}
					return r.placed(rows, cols)
				}
				a, b, c := operand(m, k, transA), operand(k, n, transB), r.placed(m, n)
				e := kernels.Epilogue{Act: kernels.Activation(r.IntN(4))}
				switch r.IntN(3) {
				case 0:
					e.Bias = r.placed(1, n).Row(0)
				case 1:
					if p < len(products) {
						e = kernels.Epilogue{Accumulate: true}
					}
				}
				want := exactProduct(c, a, b, transA, transB, e)
				require.NoError(t, table.Activate(want, want, nil, e.Act))
				if p < len(products) {
					require.NoError(t, products[p].run(table, &s, c, a, b, e))
				} else {
					require.NoError(t, table.Pack(&w, b, e.Bias))
					require.NoError(t, table.Dense(&s, c, a, &w, e.Act))
				}
				requireCanaries(t, c)
				for i := range m {
					for j, v := range c.Row(i) {
						if v != want.Row(i)[j] {
							require.Failf(t, "not the contract's bits", "product %d, m=%d k=%d n=%d, strides %d %d %d, %+v: c[%d,%d]: want %v, got %v",
								p, m, k, n, a.Stride, b.Stride, c.Stride, e, i, j, want.Row(i)[j], v)
						}
					}
				}
			}
		})
	}
}

// exactProduct returns what the contract demands of a product before its activation.
func exactProduct(c, a, b kernels.Matrix, transA, transB bool, e kernels.Epilogue) kernels.Matrix {
	y := kernels.NewMatrix(c.Rows, c.Cols)
	k := a.Cols
	if transA {
		k = a.Rows
	}
	for i := range y.Rows {
		for j := range c.Cols {
			start := float32(0)
			if e.Accumulate {
				start = c.Row(i)[j]
			} else if e.Bias != nil {
				start = e.Bias[j]
			}
			a, b := func(p int) float32 { return at(a, transA, i, p) }, func(p int) float32 { return at(b, transB, p, j) }
			y.Row(i)[j] = kernels.ExactSum(transB, start, c.Cols, k, a, b)
		}
	}
	return y
}
