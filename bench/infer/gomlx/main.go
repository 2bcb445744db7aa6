// Command gomlx is the process of GoMLX that ../peers/child.go asks: a line of JSON for each of its lines. It has a module
// of its own, because GoMLX brings many.
//
// The network is a graph on GoMLX's backend in Go, simplego, compiled by NewExec, with the weights as constants and tensors
// that exist before the call. Operations run one after the other, on one thread or, with more, as the backend likes.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"time"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/simplego"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

type question struct {
	Prepare *problem
	Run     int
	Fetch   bool
}

type problem struct {
	Threads int
	Batch   int
	Inputs  []int
	Layers  []struct {
		In, Out int
		Act     string
	}
	Steps []struct {
		Layer int
		On    []int
	}
	Outputs []int
	File    string
}

type answer struct {
	Error   string      `json:"error,omitempty"`
	Version string      `json:"version,omitempty"`
	Ways    []string    `json:"ways,omitempty"`
	NS      []uint32    `json:"ns,omitempty"`
	Outputs [][]float32 `json:"outputs,omitempty"`
}

func main() {
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	var l library
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return // no more questions
		}
		var q question
		a := answer{}
		if err = json.Unmarshal(line, &q); err == nil {
			a, err = l.answer(q)
		}
		if err != nil {
			a = answer{Error: err.Error()}
		}
		if err := out.Encode(a); err != nil {
			fmt.Fprintln(os.Stderr, "gomlx:", err)
			os.Exit(1)
		}
	}
}

// library has the last problem that was prepared.
type library struct {
	exec   *graph.Exec
	inputs []any
}

func (l *library) answer(q question) (a answer, err error) {
	switch {
	case q.Prepare != nil:
		a.Ways = []string{"simplego"}
		err = l.prepare(q.Prepare)
	case q.Run > 0:
		a.NS = make([]uint32, q.Run)
		err = l.run(a.NS)
	case q.Fetch:
		var outputs []*tensors.Tensor
		if outputs, err = l.exec.Exec(l.inputs...); err != nil {
			return a, err
		}
		for _, t := range outputs {
			values, err := tensors.CopyFlatData[float32](t)
			if err != nil {
				return a, err
			}
			a.Outputs = append(a.Outputs, values)
		}
	default:
		a.Version = version()
	}
	return a, err
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "github.com/gomlx/gomlx" {
				return m.Version
			}
		}
	}
	return "unknown"
}

func (l *library) prepare(p *problem) error {
	data, err := os.ReadFile(p.File)
	if err != nil {
		return err
	}
	next := func(shape ...int) *tensors.Tensor {
		n := 1
		for _, d := range shape {
			n *= d
		}
		values := make([]float32, n)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		data = data[4*n:]
		return tensors.FromFlatDataAndDimensions(values, shape...)
	}
	var weights, biases []*tensors.Tensor
	for _, layer := range p.Layers {
		weights, biases = append(weights, next(layer.In, layer.Out)), append(biases, next(1, layer.Out))
	}
	l.inputs = nil
	for _, features := range p.Inputs {
		l.inputs = append(l.inputs, next(p.Batch, features))
	}
	network := func(values []*graph.Node) []*graph.Node {
		g := values[0].Graph()
		values = values[:len(values):len(values)]
		for _, s := range p.Steps {
			if s.Layer < 0 {
				var on []*graph.Node
				for _, v := range s.On {
					on = append(on, values[v])
				}
				values = append(values, graph.Concatenate(on, 1))
				continue
			}
			y := graph.Dot(values[s.On[0]], graph.ConstCachedTensor(g, weights[s.Layer]))
			y = graph.Add(y, graph.ConstCachedTensor(g, biases[s.Layer]))
			switch p.Layers[s.Layer].Act {
			case "relu":
				y = graph.Max(y, graph.ScalarZero(g, y.DType()))
			case "sigmoid":
				y = graph.Sigmoid(y)
			case "softmax":
				y = graph.Softmax(y)
			}
			values = append(values, y)
		}
		var outputs []*graph.Node
		for _, v := range p.Outputs {
			outputs = append(outputs, values[v])
		}
		return outputs
	}
	config := "ops_sequential"
	if p.Threads > 1 {
		config = ""
	}
	var backend backends.Backend
	if backend, err = simplego.New(config); err != nil {
		return err
	}
	l.exec, err = graph.NewExec(backend, network)
	return err
}

func (l *library) run(ns []uint32) error {
	start := time.Now()
	last := time.Since(start)
	for i := range ns {
		outputs, err := l.exec.Exec(l.inputs...)
		if err != nil {
			return err
		}
		for _, t := range outputs {
			if err := t.FinalizeAll(); err != nil { // gives the memory back to the backend
				return err
			}
		}
		now := time.Since(start)
		ns[i] = uint32(min(now-last, math.MaxUint32))
		last = now
	}
	return nil
}
