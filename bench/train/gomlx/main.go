// Command gomlx is the process of GoMLX that ../peers/child.go asks: a line of JSON for each of its lines. It has a module
// of its own, because GoMLX brings many.
//
// A step is one graph on GoMLX's backend in Go, simplego, compiled by context.NewExec: the network with variables, the losses
// on logits, and GoMLX's Adam, whose update is part of the graph. Only the loss leaves it. Operations run one after the other,
// on one thread or, with more, as the backend likes.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/gomlx/gomlx/backends/simplego"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
	"github.com/gomlx/gomlx/pkg/ml/context"
	"github.com/gomlx/gomlx/pkg/ml/train/losses"
	"github.com/gomlx/gomlx/pkg/ml/train/optimizers"
)

type question struct {
	Prepare *problem
	Run     int
	Fetch   bool
}

type problem struct {
	Threads int
	Batch   int
	Batches int
	Losses  int
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
	Error   string    `json:"error,omitempty"`
	Version string    `json:"version,omitempty"`
	Ways    []string  `json:"ways,omitempty"`
	NS      []uint32  `json:"ns,omitempty"`
	Losses  []float32 `json:"losses,omitempty"`
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
	exec    *context.Exec
	batches [][]any // inputs and targets
	losses  []float32
	done    int
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
		a.Losses = l.losses
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
	values := func(n int) []float32 {
		values := make([]float32, n)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		data = data[4*n:]
		return values
	}
	tensor := func(rows, cols int) *tensors.Tensor {
		return tensors.FromFlatDataAndDimensions(values(rows*cols), rows, cols)
	}
	ctx := context.New()
	var weights, biases []*context.Variable
	for i, layer := range p.Layers {
		weights = append(weights, ctx.VariableWithValue(fmt.Sprintf("w%d", i), tensor(layer.In, layer.Out)))
		biases = append(biases, ctx.VariableWithValue(fmt.Sprintf("b%d", i), tensor(1, layer.Out)))
	}
	var inputs []any
	for _, features := range p.Inputs {
		inputs = append(inputs, tensor(p.Batch, features))
	}
	act := func(output int) string { return p.Layers[p.Steps[p.Outputs[output]-len(p.Inputs)].Layer].Act }
	*l = library{losses: make([]float32, p.Losses)}
	for range p.Batches {
		batch := slices.Clone(inputs)
		for o := range p.Outputs {
			target := values(p.Batch)
			if act(o) != "softmax" {
				batch = append(batch, tensors.FromFlatDataAndDimensions(target, p.Batch, 1))
				continue
			}
			labels := make([]int32, p.Batch)
			for i, v := range target {
				labels[i] = int32(v)
			}
			batch = append(batch, tensors.FromFlatDataAndDimensions(labels, p.Batch, 1))
		}
		l.batches = append(l.batches, batch)
	}
	adam := optimizers.Adam().LearningRate(1e-3).Betas(0.9, 0.999).Epsilon(1e-7).Done()
	step := func(ctx *context.Context, operands []*graph.Node) *graph.Node {
		g := operands[0].Graph()
		ctx.SetTraining(g, true)
		values, targets := slices.Clone(operands[:len(p.Inputs)]), operands[len(p.Inputs):]
		for _, s := range p.Steps {
			if s.Layer < 0 {
				var on []*graph.Node
				for _, v := range s.On {
					on = append(on, values[v])
				}
				values = append(values, graph.Concatenate(on, 1))
				continue
			}
			y := graph.Dot(values[s.On[0]], weights[s.Layer].ValueGraph(g))
			y = graph.Add(y, biases[s.Layer].ValueGraph(g))
			if p.Layers[s.Layer].Act == "relu" {
				y = graph.Max(y, graph.ScalarZero(g, y.DType()))
			}
			values = append(values, y)
		}
		var loss *graph.Node
		for o, v := range p.Outputs {
			of := losses.MeanSquaredError
			switch act(o) {
			case "sigmoid":
				of = losses.BinaryCrossentropyLogits
			case "softmax":
				of = losses.SparseCategoricalCrossEntropyLogits
			}
			part := of(targets[o:o+1], values[v:v+1])
			if loss == nil {
				loss = part
			} else {
				loss = graph.Add(loss, part)
			}
		}
		adam.UpdateGraph(ctx, g, loss)
		return loss
	}
	config := "ops_sequential"
	if p.Threads > 1 {
		config = ""
	}
	backend, err := simplego.New(config)
	if err != nil {
		return err
	}
	l.exec, err = context.NewExec(backend, ctx, step)
	return err
}

func (l *library) run(ns []uint32) error {
	start := time.Now()
	last := time.Since(start)
	for i := range ns {
		loss, err := l.exec.Exec1(l.batches[l.done%len(l.batches)]...)
		if err != nil {
			return err
		}
		l.losses[l.done%len(l.losses)] = tensors.ToScalar[float32](loss)
		l.done++
		if err := loss.FinalizeAll(); err != nil { // gives the memory back to the backend
			return err
		}
		now := time.Since(start)
		ns[i] = uint32(min(now-last, math.MaxUint32))
		last = now
	}
	return nil
}
