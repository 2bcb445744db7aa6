package onnx

import (
	"math"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/internal/portable"
)

// A recurrence is what an RNN, GRU or LSTM does: x is [steps, batch, features], or with layout 1 [batch, steps, features].
type recurrence struct {
	steps, batch, features, units, gates int
	directions                           []bool // whether each goes backwards
	functions                            []func(float64) float64
	usual                                bool // the functions are tanh and sigmoid, and nothing is clipped
}

var cellGates = map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4}

func (c *call) recurrence() recurrence {
	x, w, r := c.argOf(0, 3), c.argOf(1, 3), c.argOf(2, 3)
	k := recurrence{steps: x.shape[0], batch: x.shape[1], features: x.shape[2], gates: cellGates[c.op], usual: true}
	if c.flag("layout") {
		k.steps, k.batch = k.batch, k.steps
	}
	switch d := c.text("direction", "forward"); d {
	case "forward":
		k.directions = []bool{false}
	case "reverse":
		k.directions = []bool{true}
	case "bidirectional":
		k.directions = []bool{false, true}
	default:
		c.fail("direction %q is unknown: valid are forward, reverse and bidirectional", d)
	}
	k.units = r.shape[2]
	n := len(k.directions)
	if h := c.integer("hidden_size", k.units); h != k.units || !slices.Equal(w.shape, []int{n, k.gates * k.units, k.features}) || !slices.Equal(r.shape, []int{n, k.gates * k.units, k.units}) {
		c.fail("has weights %v and %v for an input of %v, %d directions and %d units", w.shape, r.shape, x.shape, n, h)
	}
	optional := [][]int{3: {n, 2 * k.gates * k.units}, 4: {k.batch}, 5: {n, k.batch, k.units}, 6: {n, k.batch, k.units}, 7: {n, 3 * k.units}}
	if c.flag("layout") {
		optional[5], optional[6] = []int{k.batch, n, k.units}, []int{k.batch, n, k.units}
	}
	for i := 3; i < len(c.in); i++ {
		if c.has(i) && (i >= len(optional) || !slices.Equal(c.in[i].shape, optional[i])) {
			c.fail("input %d has shape %v, must be %v", i, c.in[i].shape, optional[min(i, 7)])
		}
	}
	names := []string{}
	if a := c.attribute("activations", kindStrings); a != nil {
		for _, s := range a.strings {
			names = append(names, string(s))
		}
	}
	usual := map[string][]string{"RNN": {"Tanh"}, "GRU": {"Sigmoid", "Tanh"}, "LSTM": {"Sigmoid", "Tanh", "Tanh"}}[c.op]
	if len(names) == 0 {
		names = slices.Repeat(usual, n)
	}
	if len(names) != n*len(usual) {
		c.fail("has activations %q, must be %d", names, n*len(usual))
	}
	for i, name := range names {
		f, ok := map[string]func(float64) float64{"tanh": tanh, "sigmoid": portable.Sigmoid, "relu": func(x float64) float64 { return max(x, 0) },
			"hardsigmoid": func(x float64) float64 { return min(max(float64(0.2*x)+0.5, 0), 1) }, "softsign": func(x float64) float64 { return x / (1 + math.Abs(x)) }, "softplus": softplus}[strings.ToLower(name)]
		if !ok {
			c.fail("has the activation %q, valid are Tanh, Sigmoid, Relu, HardSigmoid, Softsign and Softplus", name)
		}
		k.functions = append(k.functions, f)
		k.usual = k.usual && name == usual[i%len(usual)]
	}
	if len(c.floats("activation_alpha"))+len(c.floats("activation_beta")) > 0 && !k.usual {
		c.fail("has activations with parameters")
	}
	k.usual = k.usual && c.float("clip", 0) == 0 && !c.flag("input_forget")
	if c.flag("input_forget") {
		c.fail("couples the input and forget gates")
	}
	return k
}

func runRecurrent(c *call) {
	k := c.recurrence()
	x := c.in[0]
	n, batchFirst := len(k.directions), c.flag("layout")
	y, last, cells := []int{k.steps, n, k.batch, k.units}, []int{n, k.batch, k.units}, []int{n, k.batch, k.units}
	if batchFirst {
		y, last = []int{k.batch, k.steps, n, k.units}, []int{k.batch, n, k.units}
		cells = last
	}
	all, h, s := c.result(0, x.elem, y), c.result(1, x.elem, last), c.result(2, x.elem, cells)
	work := k.gates * (k.features + k.units)
	if !c.compute(all, work, c.in...) || !c.compute(h, 1, c.in...) || !c.compute(s, 1, c.in...) {
		return
	}
	for d, backwards := range k.directions {
		for b := range k.batch {
			k.run(c, d, b, backwards, func(t int, state []float64) {
				at := (t*n+d)*k.batch + b
				if batchFirst {
					at = (b*k.steps+t)*n + d
				}
				copy(all.values[at*k.units:], state)
			}, k.part(h, batchFirst, d, b), k.part(s, batchFirst, d, b))
		}
	}
}

// part returns the state of a direction and a sample.
func (k *recurrence) part(t *tensor, batchFirst bool, d, b int) []float64 {
	at := d*k.batch + b
	if batchFirst {
		at = b*len(k.directions) + d
	}
	return t.data()[at*k.units:][:k.units]
}

// run reads one sequence in one direction and leaves the last state in h and s.
func (k *recurrence) run(c *call, d, b int, backwards bool, each func(t int, state []float64), h, s []float64) {
	u, g := k.units, k.gates
	x, w, r := c.in[0].data(), c.in[1].data()[d*g*u*k.features:], c.in[2].data()[d*g*u*u:]
	bias := make([]float64, 2*g*u)
	if c.has(3) {
		copy(bias, c.in[3].data()[d*2*g*u:])
	}
	steps := k.steps
	if c.has(4) {
		steps = min(max(whole(c.in[4].data()[b]), 0), k.steps)
	}
	for i, to := range [][]float64{h, s} {
		if c.has(5 + i) {
			copy(to, k.part(c.in[5+i], c.flag("layout"), d, b))
		}
	}
	var peep []float64
	if c.has(7) {
		peep = c.in[7].data()[d*3*u:]
	}
	per := len(k.functions) / len(k.directions)
	f := k.functions[d*per:]
	limit := c.float("clip", 0)
	clip := func(v float64) float64 {
		if limit > 0 {
			return min(max(v, -limit), limit)
		}
		return v
	}
	in, rec := make([]float64, g*u), make([]float64, g*u)
	for i := range steps {
		t := i
		if backwards {
			t = steps - 1 - i
		}
		at := t*k.batch + b
		if c.flag("layout") {
			at = b*k.steps + t
		}
		copy(in, bias[:g*u])
		copy(rec, bias[g*u:])
		multiply(in, w, x[at*k.features:], g*u, k.features, 1, k.features, 1, 1, 1)
		multiply(rec, r, h, g*u, u, 1, u, 1, 1, 1)
		switch c.op {
		case "RNN":
			for j := range h {
				h[j] = f[0](clip(in[j] + rec[j]))
			}
		case "GRU": // z, r, h
			if c.flag("linear_before_reset") {
				for j := range h {
					z, reset := f[0](clip(in[j]+rec[j])), f[0](clip(in[u+j]+rec[u+j]))
					n := f[1](clip(in[2*u+j] + float64(reset*rec[2*u+j])))
					h[j] = float64((1-z)*n) + float64(z*h[j])
				}
				break
			}
			gated := make([]float64, u)
			for j := range h {
				gated[j] = f[0](clip(in[u+j]+rec[u+j])) * h[j]
			}
			candidate := slices.Clone(bias[(g+2)*u : (g+3)*u])
			multiply(candidate, r[2*u*u:], gated, u, u, 1, u, 1, 1, 1)
			for j := range h {
				z, n := f[0](clip(in[j]+rec[j])), f[1](clip(in[2*u+j]+candidate[j]))
				h[j] = float64((1-z)*n) + float64(z*h[j])
			}
		case "LSTM": // i, o, f, c
			for j := range h {
				gate := func(q int) float64 { return in[q*u+j] + rec[q*u+j] }
				look := func(q int, cell float64) float64 {
					if peep == nil {
						return 0
					}
					return peep[q*u+j] * cell
				}
				i, forget := f[0](clip(gate(0)+look(0, s[j]))), f[0](clip(gate(2)+look(2, s[j])))
				s[j] = float64(forget*s[j]) + float64(i*f[1](clip(gate(3))))
				h[j] = f[0](clip(gate(1)+look(1, s[j]))) * f[2](s[j])
			}
		}
		each(t, h)
	}
}
