//go:build peers && cgo && amd64

package peers

/*
#cgo CFLAGS: -O3 -fopenmp -Wall
#cgo CXXFLAGS: -O3 -fopenmp -std=c++17 -Wall -Wno-maybe-uninitialized -DNDEBUG
#cgo LDFLAGS: -fopenmp
#include <stdlib.h>
#include "peer.h"

static int64_t peer_run(peer *p, int64_t iterations) { return p->run(p, iterations); }
static void peer_release(peer *p) { p->release(p); }
*/
import "C"

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"github.com/espalier-ml/espalier/bench"
)

// Native reports whether this build has the native peers.
const Native = true

func natives() []bench.Library { return []bench.Library{openBLAS, oneDNN, libxsmm, xnnpack, eigen} }

// native is a library behind one C function that prepares a call in one of several ways, or returns NULL where the library
// cannot compute the problem in that way.
type native struct {
	name    string
	version func() string
	ways    []string
	prepare func(q *C.problem, way *C.char) *C.peer
}

func (l native) Name() string { return l.name }

func (l native) Version() string { return l.version() }

func (l native) Prepare(p *bench.Problem) ([]bench.Call, error) {
	var calls []bench.Call
	for _, way := range l.ways {
		if call, ok := l.call(p, way); ok {
			calls = append(calls, call)
		}
	}
	return calls, nil
}

var ops = map[bench.Op]C.enum_op{
	bench.Forward:      C.OP_FORWARD,
	bench.InputGrad:    C.OP_INPUT_GRAD,
	bench.WeightGrad:   C.OP_WEIGHT_GRAD,
	bench.Dense:        C.OP_DENSE,
	bench.Softmax:      C.OP_SOFTMAX,
	bench.CrossEntropy: C.OP_CROSS_ENTROPY,
}

// call prepares one way. The operands stay pinned until it is closed, because the library keeps their addresses.
func (l native) call(p *bench.Problem, way string) (bench.Call, bool) {
	var pins runtime.Pinner
	floats := func(s []float32) *C.float {
		if len(s) == 0 {
			return nil
		}
		pins.Pin(&s[0])
		return (*C.float)(unsafe.Pointer(&s[0]))
	}
	q := C.problem{
		op: ops[p.Op], m: C.int(p.M), k: C.int(p.K), n: C.int(p.N), threads: C.int(p.Threads),
		a: floats(p.A.Data), b: floats(p.B.Data), bias: floats(p.Bias), c: floats(p.C.Data), loss: floats(p.Loss),
	}
	if p.Packed {
		q.packed = 1
	}
	if bench.Level(p.ISA) == "avx512" {
		q.avx512 = 1
	}
	if len(p.Labels) > 0 {
		pins.Pin(&p.Labels[0])
		q.labels = (*C.int32_t)(unsafe.Pointer(&p.Labels[0]))
	}
	name := C.CString(way)
	defer C.free(unsafe.Pointer(name))
	handle := l.prepare(&q, name)
	if handle == nil {
		pins.Unpin()
		return bench.Call{}, false
	}
	return bench.Call{
		Way: way,
		Run: func(iterations int) (time.Duration, error) {
			ns := C.peer_run(handle, C.int64_t(iterations))
			if ns < 0 {
				return 0, fmt.Errorf("a call failed")
			}
			return time.Duration(ns), nil
		},
		Close: func() {
			C.peer_release(handle)
			pins.Unpin()
		},
	}, true
}
