//go:build peers && cgo && amd64

package peers

/*
#cgo CFLAGS: -O3 -march=native -Wall -I${SRCDIR}/../../.peers/onnxruntime
#cgo CXXFLAGS: -O3 -march=native -fopenmp -std=c++17 -Wall -Wno-maybe-uninitialized -Wno-aggressive-loop-optimizations -DNDEBUG
#cgo LDFLAGS: -fopenmp -lXNNPACK -lpthreadpool -lcpuinfo
#cgo LDFLAGS: -L${SRCDIR}/../../.peers/onnxruntime -l:libonnxruntime.so.1 -Wl,-rpath,${SRCDIR}/../../.peers/onnxruntime
#include <stdlib.h>
#include "call.h"

static int call_run(call *c, uint32_t *ns, int64_t n) { return c->run(c, ns, n); }
static void call_release(call *c) { c->release(c); }
*/
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/espalier-ml/espalier/bench/infer"
)

// native is a library behind one C function that prepares a call in one of several ways, or returns NULL where the library
// cannot compute the problem in that way.
type native struct {
	name    string
	version func() string
	ways    []string
	prepare func(q *C.problem, way *C.char) *C.call
}

var natives = []native{
	{
		name:    "onnxruntime",
		version: func() string { return C.GoString(C.infer_onnxruntime_version()) },
		ways:    []string{"Run", "IoBinding"},
		prepare: func(q *C.problem, way *C.char) *C.call { return C.infer_onnxruntime_prepare(q, way) },
	},
	{
		name:    "xnnpack",
		version: func() string { return "as packaged (it has no version numbers)" },
		ways:    []string{"operators"},
		prepare: func(q *C.problem, way *C.char) *C.call { return C.infer_xnnpack_prepare(q, way) },
	},
	{
		name:    "eigen",
		version: func() string { return C.GoString(C.infer_eigen_version()) },
		ways:    []string{"product"},
		prepare: func(q *C.problem, way *C.char) *C.call { return C.infer_eigen_prepare(q, way) },
	},
}

// Mallocs returns how often the calling thread has asked the C library for memory.
func Mallocs() int64 { return int64(C.mallocs()) }

func (l native) Name() string { return l.name }

func (l native) Version() string { return l.version() }

func (l native) Prepare(p *infer.Problem) ([]infer.Call, error) {
	var calls []infer.Call
	for _, way := range l.ways {
		if call, ok := l.call(p, way); ok {
			calls = append(calls, call)
		}
	}
	if len(calls) == 0 {
		return nil, fmt.Errorf("%s cannot compute %v", l.name, p.Row)
	}
	return calls, nil
}

var activations = map[infer.Activation]C.enum_act{
	infer.Linear: C.ACT_LINEAR, infer.ReLU: C.ACT_RELU, infer.Sigmoid: C.ACT_SIGMOID, infer.Softmax: C.ACT_SOFTMAX,
}

// call prepares one way. The operands stay pinned until it is closed, because the library keeps their addresses.
func (l native) call(p *infer.Problem, way string) (infer.Call, bool) {
	var pins runtime.Pinner
	floats := func(s []float32) *C.float {
		pins.Pin(&s[0])
		return (*C.float)(unsafe.Pointer(&s[0]))
	}
	model, name := C.CString(p.Name), C.CString(way)
	defer C.free(unsafe.Pointer(name))
	onnx := p.ONNX()
	pins.Pin(&onnx[0])
	q := C.problem{
		model: model, threads: C.int(p.Threads), batch: C.int(p.Batch),
		inputs: C.int(len(p.X)), outputs: C.int(len(p.Y)),
		onnx: unsafe.Pointer(&onnx[0]), onnx_size: C.size_t(len(onnx)),
	}
	for i := range p.Layers {
		q.w[i], q.b[i] = floats(p.Weights[i]), floats(p.Biases[i])
	}
	for i, x := range p.X {
		q.x[i], q.x_width[i] = floats(x), C.int(p.Inputs[i])
	}
	widths := p.Widths()
	for i, y := range p.Y {
		q.y[i], q.y_width[i] = floats(y), C.int(widths[p.Outputs[i]])
	}
	values := p.Values(p.Y)
	for i, s := range p.Steps {
		if s.Layer == infer.Concat {
			continue
		}
		layer, from, to := p.Layers[s.Layer], values[s.On[0]], values[len(p.X)+i]
		q.step[q.steps] = C.step{
			act: activations[layer.Act], in: C.int(layer.In), out: C.int(layer.Out),
			from: floats(from.Data), from_stride: C.int(from.Stride),
			to: floats(to.Data), to_stride: C.int(to.Stride),
			w: q.w[s.Layer], b: q.b[s.Layer],
		}
		q.steps++
	}
	release := func() {
		C.free(unsafe.Pointer(model))
		pins.Unpin()
	}
	handle := l.prepare(&q, name)
	if handle == nil {
		release()
		return infer.Call{}, false
	}
	return infer.Call{
		Way: way,
		Run: func(ns []uint32) error {
			if C.call_run(handle, (*C.uint32_t)(unsafe.Pointer(&ns[0])), C.int64_t(len(ns))) != 0 {
				return fmt.Errorf("a call failed")
			}
			return nil
		},
		Close: func() {
			C.call_release(handle)
			release()
		},
	}, true
}
