//go:build peers && cgo && amd64

package peers

// #cgo LDFLAGS: -lxsmm -lpthread -lrt -ldl -lm
// #include "libxsmm_peer.h"
import "C"

var libxsmm = native{
	name:    "libxsmm",
	version: func() string { return C.GoString(C.libxsmm_version()) },
	ways:    []string{"whole", "blocked", "blocked packed"},
	prepare: func(q *C.problem, way *C.char) *C.peer { return C.libxsmm_prepare(q, way) },
}
