//go:build openblas && cgo

package blas

// #cgo LDFLAGS: -lopenblas
import "C"

import "gonum.org/v1/netlib/blas/netlib"

func init() { Libraries = append(Libraries, Library{"OpenBLAS", netlib.Implementation{}}) }
