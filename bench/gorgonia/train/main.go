// Command train is the process of Gorgonia that ../../train/peers/child.go asks: network, losses and gradients are one graph,
// compiled for a TapeMachine, and AdamSolver updates the weights. A bias meets the rows by BroadcastAdd or by a product of a
// column of ones and the bias.
package main

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/espalier-ml/espalier/bench/gorgonia/ask"
	"github.com/espalier-ml/espalier/bench/gorgonia/blas"
)

func main() { ask.Serve("gorgonia.org/gorgonia", prepare) }

// operands are what all ways compute from.
type operands struct {
	*ask.Problem
	params  []*tensor.Dense // weights and bias of each layer in turn, which each way copies
	inputs  []*tensor.Dense
	targets [][]*tensor.Dense // of each batch
}

func prepare(p *ask.Problem) ([]ask.Call, error) {
	o := operands{Problem: p}
	for _, l := range p.Layers {
		o.params = append(o.params, matrix(p.Next(l.In*l.Out), l.Out), matrix(p.Next(l.Out), l.Out))
	}
	for _, features := range p.Inputs {
		o.inputs = append(o.inputs, matrix(p.Next(p.Batch*features), features))
	}
	for range p.Batches {
		var targets []*tensor.Dense
		for i := range p.Outputs {
			values, head := p.Next(p.Batch), p.Layers[p.Head(i)]
			if head.Act == "softmax" {
				values = oneHot(values, head.Out)
			}
			targets = append(targets, matrix(values, head.Out))
		}
		o.targets = append(o.targets, targets)
	}
	var calls []ask.Call
	for _, b := range blas.Libraries {
		for _, way := range []string{"BroadcastAdd", "ones"} {
			run, losses, err := o.training(way == "ones")
			if err != nil {
				return nil, err
			}
			calls = append(calls, ask.Call{
				Way: way + " " + b.Name,
				Run: func() error {
					b.Use()
					return run()
				},
				Fetch: func(to *ask.Answer) error {
					to.Losses = losses
					return nil
				},
			})
		}
	}
	return calls, nil
}

func matrix(values []float32, cols int) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(values)/cols, cols), tensor.WithBacking(values))
}

// oneHot has a row for each label: Gorgonia has no loss of labels.
func oneHot(labels []float32, classes int) []float32 {
	rows := make([]float32, len(labels)*classes)
	for i, class := range labels {
		rows[i*classes+int(class)] = 1
	}
	return rows
}

// training returns a step, and where it leaves its losses.
func (o *operands) training(byOnes bool) (step func() error, losses []float32, err error) {
	g := gorgonia.NewGraph()
	node := func(kind string, i int, value *tensor.Dense) *gorgonia.Node {
		return gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithName(fmt.Sprint(kind, i)),
			gorgonia.WithShape(value.Shape()...), gorgonia.WithValue(value))
	}
	var params, values, targets gorgonia.Nodes
	for i, p := range o.params {
		params = append(params, node("param", i, p.Clone().(*tensor.Dense)))
	}
	for i, x := range o.inputs {
		values = append(values, node("x", i, x))
	}
	for i, t := range o.targets[0] {
		targets = append(targets, node("target", i, t))
	}
	var ones *gorgonia.Node
	if byOnes {
		ones = node("ones", 0, matrix(oneHot(make([]float32, o.Batch), 1), 1))
	}
	for _, s := range o.Steps {
		var on gorgonia.Nodes
		for _, v := range s.On {
			on = append(on, values[v])
		}
		var y *gorgonia.Node
		if s.Layer < 0 {
			y, err = gorgonia.Concat(1, on...)
		} else {
			y, err = dense(on[0], params[2*s.Layer], params[2*s.Layer+1], ones, o.Layers[s.Layer].Act)
		}
		if err != nil {
			return nil, nil, err
		}
		values = append(values, y)
	}
	loss := gorgonia.NewConstant(float32(0))
	for i, v := range o.Outputs {
		part, err := lossOf(values[v], targets[i], o.Layers[o.Head(i)].Act)
		if err != nil {
			return nil, nil, err
		}
		if loss, err = gorgonia.Add(loss, part); err != nil {
			return nil, nil, err
		}
	}
	if _, err := gorgonia.Grad(loss, params...); err != nil {
		return nil, nil, err
	}
	var number gorgonia.Value
	gorgonia.Read(loss, &number)
	vm := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(params...))
	adam := gorgonia.NewAdamSolver(gorgonia.WithLearnRate(1e-3), gorgonia.WithBeta1(0.9), gorgonia.WithBeta2(0.999), gorgonia.WithEps(1e-7))
	model := gorgonia.NodesToValueGrads(params)
	losses = make([]float32, o.Losses)
	done := 0
	return func() error {
		for i, t := range o.targets[done%len(o.targets)] {
			if err := gorgonia.Let(targets[i], t); err != nil {
				return err
			}
		}
		vm.Reset()
		if err := vm.RunAll(); err != nil {
			return err
		}
		losses[done%len(losses)] = number.Data().(float32)
		done++
		return adam.Step(model)
	}, losses, nil
}

func dense(x, w, b, ones *gorgonia.Node, act string) (*gorgonia.Node, error) {
	y, err := gorgonia.Mul(x, w)
	if err != nil {
		return nil, err
	}
	if ones == nil {
		y, err = gorgonia.BroadcastAdd(y, b, nil, []byte{0})
	} else if b, err = gorgonia.Mul(ones, b); err == nil {
		y, err = gorgonia.Add(y, b)
	}
	if err == nil && act == "relu" {
		y, err = gorgonia.Rectify(y)
	}
	return y, err
}

// lossOf returns the loss of an output before its activation: the mean of squares, or of cross-entropies from logits.
func lossOf(z, target *gorgonia.Node, act string) (*gorgonia.Node, error) {
	switch act {
	case "softmax":
		logs, err := gorgonia.LogSoftMax(z, 1)
		if err != nil {
			return nil, err
		}
		picked, err := gorgonia.HadamardProd(logs, target)
		if err != nil {
			return nil, err
		}
		if picked, err = gorgonia.Sum(picked, 1); err != nil {
			return nil, err
		}
		if picked, err = gorgonia.Neg(picked); err != nil {
			return nil, err
		}
		return gorgonia.Mean(picked)
	case "sigmoid":
		above, err := gorgonia.Softplus(z)
		if err != nil {
			return nil, err
		}
		picked, err := gorgonia.HadamardProd(z, target)
		if err != nil {
			return nil, err
		}
		if picked, err = gorgonia.Sub(above, picked); err != nil {
			return nil, err
		}
		return gorgonia.Mean(picked)
	}
	d, err := gorgonia.Sub(z, target)
	if err != nil {
		return nil, err
	}
	if d, err = gorgonia.Square(d); err != nil {
		return nil, err
	}
	return gorgonia.Mean(d)
}
