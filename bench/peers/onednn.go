//go:build peers && cgo && amd64

package peers

// #cgo LDFLAGS: -ldnnl
// #include "onednn.h"
import "C"

var oneDNN = native{
	name:    "onednn",
	version: func() string { return C.GoString(C.onednn_version()) },
	ways: []string{
		"sgemm", "matmul", "inner_product", "matmul packed", "inner_product packed", "softmax", "logsoftmax",
		"logsoftmax + exp",
	},
	prepare: func(q *C.problem, way *C.char) *C.peer { return C.onednn_prepare(q, way) },
}
