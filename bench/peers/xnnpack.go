//go:build peers && cgo && amd64

package peers

// #cgo LDFLAGS: -lXNNPACK -lpthreadpool -lcpuinfo
// #include "xnnpack_peer.h"
import "C"

var xnnpack = native{
	name:    "xnnpack",
	version: func() string { return "as packaged (it has no version numbers)" },
	ways:    []string{"fully_connected packed", "softmax"},
	prepare: func(q *C.problem, way *C.char) *C.peer { return C.xnnpack_prepare(q, way) },
}
