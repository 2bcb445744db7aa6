//go:build peers && cgo && amd64

package peers

/*
#cgo CXXFLAGS: -O3 -march=native -std=c++17 -Wall -DNDEBUG
#cgo LDFLAGS: -ldnnl
#include "onednn.h"

static int call_run(call *c, uint32_t *ns, int64_t n) { return c->run(c, ns, n); }
static void call_release(call *c) { c->release(c); }
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/espalier-ml/espalier/bench/infer"
	"github.com/espalier-ml/espalier/bench/layer"
)

// oneDNN computes convolutions.
type oneDNN struct{}

func (oneDNN) Name() string { return "onednn" }

func (oneDNN) Version() string { return C.GoString(C.layer_onednn_version()) }

func (oneDNN) Prepare(p *layer.Problem) ([]infer.Call, error) {
	if p.Row.Model != "conv2d" {
		return nil, nil
	}
	weights := p.Model.Weights()
	kernel := weights[0]
	var pins runtime.Pinner
	floats := func(s []float32) *C.float {
		pins.Pin(&s[0])
		return (*C.float)(unsafe.Pointer(&s[0]))
	}
	c := C.convolution{
		batch: C.int(p.Batch), size: C.int(p.Model.Inputs()[0].Shape()[0]), window: C.int(kernel.Shape[0]),
		channels: C.int(kernel.Shape[2]), filters: C.int(kernel.Shape[3]),
		x: floats(p.X), y: floats(p.Y), w: floats(kernel.Data), b: floats(weights[1].Data),
	}
	call := C.layer_onednn_prepare(&c)
	if call == nil {
		pins.Unpin()
		return nil, errors.New("oneDNN has made no convolution")
	}
	return []infer.Call{{
		Way: "convolution",
		Run: func(ns []uint32) error {
			if C.call_run(call, (*C.uint32_t)(unsafe.Pointer(&ns[0])), C.int64_t(len(ns))) != 0 {
				return fmt.Errorf("a call failed")
			}
			return nil
		},
		Close: func() {
			C.call_release(call)
			pins.Unpin()
		},
	}}, nil
}
