// Package blas has what Gorgonia's tensors may be multiplied by: gonum, unless a program says otherwise, and OpenBLAS.
package blas

import (
	"gonum.org/v1/gonum/blas/gonum"
	"gorgonia.org/tensor"
)

// A Library is a BLAS.
type Library struct {
	Name string
	tensor.BLAS
}

// Libraries are those of this build: OpenBLAS needs the tag openblas and cgo.
var Libraries = []Library{{"gonum", gonum.Implementation{}}}

// Use makes it the BLAS of all tensors.
func (l Library) Use() { tensor.Use(l.BLAS) }
