//go:build peers && cgo && amd64

package peers

// #include "eigen.h"
import "C"

var eigen = native{
	name:    "eigen",
	version: func() string { return C.GoString(C.eigen_version()) },
	ways:    []string{"product"},
	prepare: func(q *C.problem, _ *C.char) *C.peer {
		if q.avx512 != 0 {
			return C.eigen_prepare_avx512(q)
		}
		return C.eigen_prepare_avx2(q)
	},
}
