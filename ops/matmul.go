package ops

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
)

// A Product is a product of two matrices: [kernels.Table.Gemm] and its kin.
type Product func(t *kernels.Table, s *kernels.Scratch, c, a, b kernels.Matrix, e kernels.Epilogue) error

// ComputeMatMul is what every recorder computes for a MatMul of [Ops] and, with the product that it takes, for its
// gradients: C of each of the groups, which lie below each other, and of each head, which lie side by side in a group.
func ComputeMatMul(t *kernels.Table, s *kernels.Scratch, product Product, c, a, b kernels.Matrix, groups, heads int, e kernels.Epilogue) error {
	m := [...]kernels.Matrix{c, a, b}
	var rows, cols [len(m)]int
	for i := range m {
		rows[i], cols[i] = m[i].Rows/groups, m[i].Cols/heads
	}
	for g := range groups {
		for h := range heads {
			part := m
			for i := range part {
				p := &part[i]
				p.Rows, p.Cols = rows[i], cols[i]
				p.Data = p.Data[g*rows[i]*p.Stride+h*cols[i]:]
			}
			if err := product(t, s, part[0], part[1], part[2], e); err != nil {
				return err
			}
		}
	}
	return nil
}

// MatMulCols returns the columns of the result of a MatMul of [Ops], or what does not fit.
func MatMulCols(a, b *Tensor, groups, heads int, transposed bool) (int, error) {
	if groups > 0 && heads > 0 && min(a.Rows, a.Cols, b.Rows, b.Cols) > 0 && a.Rows%groups+b.Rows%groups == 0 && a.Cols%heads+b.Cols%heads == 0 {
		depth, cols := b.Rows/groups, b.Cols
		if transposed {
			depth, cols = b.Cols/heads, b.Rows/groups*heads
		}
		if depth == a.Cols/heads {
			return cols, nil
		}
	}
	return 0, fmt.Errorf("a is %dx%d, b is %dx%d, in %d groups of %d heads, b transposed: %v: %w",
		a.Rows, a.Cols, b.Rows, b.Cols, groups, heads, transposed, kernels.ErrShape)
}
