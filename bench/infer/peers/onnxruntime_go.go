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

func (onnxRuntimeGo) Prepare(p *infer.Problem) ([]infer.Call, error) {
	values := func(prefix string, data [][]float32) (list []Value) {
		for i, d := range data {
			list = append(list, Value{fmt.Sprint(prefix, i), []int64{int64(p.Batch), int64(len(d) / p.Batch)}, d})
		}
		return list
	}
	call, err := ONNX(p.ONNX(), p.Threads, values("x", p.X), values("y", p.Y))
	if err != nil {
		return nil, err
	}
	return []infer.Call{call}, nil
}

var startRuntime = sync.OnceValue(func() error {
	ort.SetSharedLibraryPath("libonnxruntime.so.1") // the program has linked and loaded it
	return ort.InitializeEnvironment()
})

// RuntimeVersion returns the version of ONNX Runtime.
func RuntimeVersion() string {
	if err := startRuntime(); err != nil {
		return err.Error()
	}
	return ort.GetVersion()
}

// A Value is an input or an output of an ONNX model, in memory that calls read or write.
type Value struct {
	Name  string
	Shape []int64
	Data  []float32
}

// ONNX returns a call that runs an ONNX model: all optimisations, sequential execution, tensors bound once.
func ONNX(model []byte, threads int, x, y []Value) (call infer.Call, err error) {
	if err := startRuntime(); err != nil {
		return infer.Call{}, err
	}
	options, err := ort.NewSessionOptions()
	if err != nil {
		return infer.Call{}, err
	}
	defer func() { _ = options.Destroy() }()
	if err := errors.Join(
		options.SetIntraOpNumThreads(threads),
		options.SetInterOpNumThreads(1),
		options.SetExecutionMode(ort.ExecutionModeSequential),
		options.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
	); err != nil {
		return infer.Call{}, err
	}
	var destroy []func() error
	clean := func() {
		for _, d := range destroy {
			_ = d()
		}
	}
	defer func() {
		if err != nil {
			clean()
		}
	}()
	tensors := func(list []Value) (names []string, tensors []ort.Value, err error) {
		for _, v := range list {
			t, err := ort.NewTensor(ort.NewShape(v.Shape...), v.Data)
			if err != nil {
				return nil, nil, err
			}
			destroy = append(destroy, t.Destroy)
			names, tensors = append(names, v.Name), append(tensors, t)
		}
		return names, tensors, nil
	}
	xNames, xs, err := tensors(x)
	if err != nil {
		return infer.Call{}, err
	}
	yNames, ys, err := tensors(y)
	if err != nil {
		return infer.Call{}, err
	}
	session, err := ort.NewAdvancedSessionWithONNXData(model, xNames, yNames, xs, ys, options)
	if err != nil {
		return infer.Call{}, err
	}
	destroy = append(destroy, session.Destroy)
	call = infer.GoCall("AdvancedSession", session.Run)
	call.Close = clean
	return call, nil
}
