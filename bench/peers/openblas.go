//go:build peers && cgo && amd64

package peers

// #cgo LDFLAGS: -lopenblas
// #include "openblas.h"
import "C"

var openBLAS = native{
	name:    "openblas",
	version: func() string { return C.GoString(C.openblas_version()) },
	ways:    []string{"sgemm", "sgemv"},
	prepare: func(q *C.problem, way *C.char) *C.peer { return C.openblas_prepare(q, way) },
}
