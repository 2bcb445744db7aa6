//go:build peers && cgo && amd64

package peers

/*
#cgo CXXFLAGS: -O3 -march=native -fopenmp -std=c++17 -Wall -Wno-maybe-uninitialized -Wno-aggressive-loop-optimizations -DNDEBUG -I/usr/include/torch/csrc/api/include
#cgo LDFLAGS: -fopenmp -ltorch -ltorch_cpu -lc10
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
	"github.com/espalier-ml/espalier/bench/train"
)

// native is a library behind one C function that prepares a call in one of several ways, or returns NULL where the library
// takes no part.
type native struct {
	name    string
	version func() string
	ways    []string
	prepare func(q *C.problem, way *C.char) *C.call
}

var natives = []native{
	{
		name:    "libtorch",
		version: func() string { return C.GoString(C.train_libtorch_version()) },
		ways:    []string{"Adam", "Adam on one tensor"},
		prepare: func(q *C.problem, way *C.char) *C.call { return C.train_libtorch_prepare(q, way) },
	},
	{
		name:    "eigen",
		version: func() string { return C.GoString(C.train_eigen_version()) },
		ways:    []string{"product"},
		prepare: func(q *C.problem, way *C.char) *C.call { return C.train_eigen_prepare(q, way) },
	},
}

func (l native) Name() string { return l.name }

func (l native) Version() string { return l.version() }

func (l native) Prepare(p *train.Problem) ([]infer.Call, error) {
	var calls []infer.Call
	for _, way := range l.ways {
		if call, ok := l.call(p, way); ok {
			calls = append(calls, call)
		}
	}
	return calls, nil
}

var activations = map[infer.Activation]C.enum_act{
	infer.Linear: C.ACT_LINEAR, infer.ReLU: C.ACT_RELU, infer.Sigmoid: C.ACT_SIGMOID, infer.Softmax: C.ACT_SOFTMAX,
}

// call prepares one way. The operands stay pinned until it is closed, because the library keeps their addresses.
func (l native) call(p *train.Problem, way string) (infer.Call, bool) {
	var pins runtime.Pinner
	floats := func(s []float32) *C.float {
		pins.Pin(&s[0])
		return (*C.float)(unsafe.Pointer(&s[0]))
	}
	model, name := C.CString(p.Name), C.CString(way)
	defer C.free(unsafe.Pointer(name))
	pins.Pin(&p.Losses[0])
	q := C.problem{
		model: model, threads: C.int(p.Threads), batch: C.int(p.Batch),
		layers: C.int(len(p.Layers)), steps: C.int(len(p.Steps)),
		inputs: C.int(len(p.X)), outputs: C.int(len(p.Outputs)), losses: C.int(len(p.Losses)),
		loss: (*C.double)(unsafe.Pointer(&p.Losses[0])),
	}
	for i, layer := range p.Layers {
		q.layer[i] = C.layer{
			act: activations[layer.Act], in: C.int(layer.In), out: C.int(layer.Out),
			w: floats(p.Weights[i]), b: floats(p.Biases[i]),
		}
	}
	for i, s := range p.Steps {
		q.step[i].layer, q.step[i].ends = C.int(s.Layer), C.int(len(s.On))
		for j, v := range s.On {
			q.step[i].on[j] = C.int(v)
		}
	}
	for i, x := range p.X {
		q.x[i], q.input[i] = floats(x), C.int(p.Inputs[i])
	}
	for o, v := range p.Outputs {
		q.output[o] = C.int(v)
		for b := range p.Targets {
			q.target[b][o] = floats(p.Targets[b][o])
		}
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
				return fmt.Errorf("a step failed")
			}
			return nil
		},
		Close: func() {
			C.call_release(handle)
			release()
		},
	}, true
}
