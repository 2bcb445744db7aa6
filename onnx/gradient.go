package onnx

import (
	"fmt"
	"math"
	"slices"
)

// moving are the operators that only move elements, and which inputs these come from; nil stands for all.
var moving = map[string][]int{
	"Identity": {0}, "Reshape": {0}, "Flatten": {0}, "Squeeze": {0}, "Unsqueeze": {0}, "Transpose": {0}, "Expand": {0}, "Tile": {0}, "Concat": nil, "Split": {0}, "Slice": {0},
	"Gather": {0}, "GatherElements": {0}, "GatherND": {0}, "Pad": {0}, "Trilu": {0}, "Where": {1, 2}, "Dropout": {0},
}

// gradient returns the gradients by the inputs of a call that has been evaluated, given that by an output; nil for an input
// that has none.
func (c *call) gradient(output int, dy []float64) ([][]float64, error) {
	dx := make([][]float64, len(c.in))
	from, moves := moving[c.op]
	for i, x := range c.in {
		if x != nil && (!moves || from == nil || slices.Contains(from, i)) {
			dx[i] = make([]float64, x.len())
		}
	}
	y := c.out[output]
	u, isUnary := unaries[c.op]
	b, isBinary := binaries[c.op]
	switch {
	case c.domain != "" && c.domain != "ai.onnx":
	case moves:
		return dx, c.moved(dx, output, dy)
	case isUnary:
		f := u(c)
		if f.derivative == nil {
			break
		}
		for i, v := range c.in[0].data() {
			dx[0][i] = dy[i] * f.derivative(v, y.values[i])
		}
		return dx, nil
	case isBinary && b.a != nil && (len(c.in) == 2 || c.op == "Sum" || c.op == "Mean"):
		x := c.operands()
		at := make([][]int, len(x))
		for k, x := range x {
			walk(y.shape, spread(x.shape, y.shape), func(_, j int) { at[k] = append(at[k], j) })
		}
		for i, d := range dy {
			switch c.op {
			case "Sum", "Mean":
				if c.op == "Mean" {
					d /= float64(len(x))
				}
				for k := range x {
					dx[k][at[k][i]] += d
				}
			default:
				p, q := x[0].data()[at[0][i]], x[1].data()[at[1][i]]
				dx[0][at[0][i]] += d * b.a(p, q, y.values[i])
				dx[1][at[1][i]] += d * b.b(p, q, y.values[i])
			}
		}
		return dx, nil
	case c.op == "ReduceSum" || c.op == "ReduceMean":
		x := c.in[0]
		ones, _ := reduced(x.shape, c.reduceAxes(), true)
		count := 1.0
		if c.op == "ReduceMean" {
			count = float64(x.len() / max(1, y.len()))
		}
		walk(x.shape, spread(ones, x.shape), func(i, at int) { dx[0][i] = dy[at] / count })
		return dx, nil
	case c.op == "Softmax":
		shape, axis := c.softmaxShape()
		lanes(shape, axis, func(l lane) {
			sum := 0.0
			for i := range l.n {
				sum += float64(dy[l.at(i)] * y.values[l.at(i)])
			}
			for i := range l.n {
				dx[0][l.at(i)] = y.values[l.at(i)] * (dy[l.at(i)] - sum)
			}
		})
		return dx, nil
	case c.op == "MatMul":
		p, q, z := c.matmulShapes(c.in[0].shape, c.in[1].shape)
		m, k, n := z[len(z)-2], p[len(p)-1], z[len(z)-1]
		lead := z[:len(z)-2]
		var first []int
		walk(lead, spread(p[:len(p)-2], lead), func(_, at int) { first = append(first, at) })
		walk(lead, spread(q[:len(q)-2], lead), func(i, at int) {
			d := dy[i*m*n:]
			multiply(dx[0][first[i]*m*k:][:m*k], d, c.in[1].data()[at*k*n:], m, n, k, n, 1, 1, n)
			multiply(dx[1][at*k*n:][:k*n], c.in[0].data()[first[i]*m*k:], d, k, m, n, 1, k, n, 1)
		})
		return dx, nil
	}
	return nil, fmt.Errorf("the operator %s has no gradient: the model serves, and trains only where what is behind it needs none", c.op)
}

// moved gives each element the gradients of the places that it goes to, which are found by moving numbers that say where each
// came from.
func (c *call) moved(dx [][]float64, output int, dy []float64) error {
	probe := *c
	probe.in = slices.Clone(c.in)
	next := 1
	starts := make([]int, len(dx))
	for i := range dx {
		if dx[i] == nil {
			continue
		}
		x := &tensor{elem: typeDouble, shape: c.in[i].shape, known: true, values: make([]float64, len(dx[i]))}
		starts[i] = next
		for j := range x.values {
			x.values[j] = float64(next)
			next++
		}
		probe.in[i] = x
	}
	if c.op == "Pad" { // with zeros, which come from nowhere
		if len(probe.in) > 2 {
			probe.in[2] = nil
		}
		node := *c.nodeProto
		node.attributes = slices.DeleteFunc(slices.Clone(node.attributes), func(a *attributeProto) bool { return a.name == "value" })
		probe.nodeProto = &node
	}
	if err := probe.evaluate(); err != nil {
		return err
	}
	for i, id := range probe.out[output].data() {
		if id == 0 || math.IsNaN(id) {
			continue
		}
		for k := len(dx) - 1; k >= 0; k-- {
			if at := int(id) - starts[k]; dx[k] != nil && at >= 0 {
				dx[k][at] += dy[i]
				break
			}
		}
	}
	return nil
}
