//go:build peers && cgo && amd64

package peers

import (
	"errors"
	"fmt"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/espalier-ml/espalier/bench/infer"
)

// onnxRuntimeGo is the same library as onnxruntime behind the module that Go programs use: an AdvancedSession, whose tensors
// are bound when it is made.
type onnxRuntimeGo struct{}

func (onnxRuntimeGo) Name() string { return "onnxruntime_go" }

func (onnxRuntimeGo) Version() string { return moduleVersion("github.com/yalue/onnxruntime_go") }

var startRuntime = sync.OnceValue(func() error {
	ort.SetSharedLibraryPath("libonnxruntime.so.1") // the program has linked and loaded it
	return ort.InitializeEnvironment()
})

func (onnxRuntimeGo) Prepare(p *infer.Problem) ([]infer.Call, error) {
	if err := startRuntime(); err != nil {
		return nil, err
	}
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer func() { _ = options.Destroy() }()
	if err := errors.Join(
		options.SetIntraOpNumThreads(p.Threads),
		options.SetInterOpNumThreads(1),
		options.SetExecutionMode(ort.ExecutionModeSequential),
		options.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
	); err != nil {
		return nil, err
	}
	var destroy []func() error
	clean := func() {
		for _, d := range destroy {
			_ = d()
		}
	}
	tensors := func(prefix string, data [][]float32) (names []string, values []ort.Value, err error) {
		for i, d := range data {
			t, err := ort.NewTensor(ort.NewShape(int64(p.Batch), int64(len(d)/p.Batch)), d)
			if err != nil {
				return nil, nil, err
			}
			destroy = append(destroy, t.Destroy)
			names, values = append(names, fmt.Sprint(prefix, i)), append(values, t)
		}
		return names, values, nil
	}
	xNames, x, err := tensors("x", p.X)
	if err != nil {
		clean()
		return nil, err
	}
	yNames, y, err := tensors("y", p.Y)
	if err != nil {
		clean()
		return nil, err
	}
	session, err := ort.NewAdvancedSessionWithONNXData(p.ONNX(), xNames, yNames, x, y, options)
	if err != nil {
		clean()
		return nil, err
	}
	destroy = append(destroy, session.Destroy)
	call := infer.GoCall("AdvancedSession", session.Run)
	call.Close = clean
	return []infer.Call{call}, nil
}
