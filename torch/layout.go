package torch

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/nn"
)

// A leaf is a tensor that a module of PyTorch has, and where its numbers are in the weights of a layer.
type leaf struct {
	layer  string // its name, with those of the models that it is in: "encoder/dense"
	class  string
	name   string // within the module: "weight"
	shape  []int
	pieces []piece
}

// A piece is a part of a leaf, from number begin on: an array of the given dimensions row by row. Its element is in the weight at
// offset and so many strides.
type piece struct {
	weight        *nn.Weight
	begin, offset int
	dims, strides []int
	added         bool // to what another leaf has put there: PyTorch has two biases where there is one here
}

// read puts the numbers of the leaf into the weights' values.
func (l *leaf) read(numbers []float32, values map[*nn.Weight][]float32) {
	for _, p := range l.pieces {
		from, to := numbers[p.begin:], values[p.weight]
		n := 0
		each(p.dims, p.strides, func(i int) {
			if p.added {
				to[p.offset+i] += from[n]
			} else {
				to[p.offset+i] = from[n]
			}
			n++
		})
	}
}

// write returns the numbers of the leaf. A bias that is added stays zero.
func (l *leaf) write() []float32 {
	numbers := make([]float32, elements(l.shape))
	for _, p := range l.pieces {
		if p.added {
			continue
		}
		to := numbers[p.begin:]
		n := 0
		each(p.dims, p.strides, func(i int) {
			to[n] = p.weight.Data[p.offset+i]
			n++
		})
	}
	return numbers
}

// whole is a leaf that is one weight with its axes in the order of axes; nil leaves them as they are.
func whole(name string, w *nn.Weight, axes ...int) leaf {
	if axes == nil {
		return leaf{name: name, shape: w.Shape, pieces: []piece{{weight: w, dims: w.Shape, strides: rowMajor(w.Shape)}}}
	}
	strides := rowMajor(w.Shape)
	p := piece{weight: w}
	for _, a := range axes {
		p.dims, p.strides = append(p.dims, w.Shape[a]), append(p.strides, strides[a])
	}
	return leaf{name: name, shape: p.dims, pieces: []piece{p}}
}

// swapped is a leaf that is one matrix, columns first.
func swapped(name string, w *nn.Weight, rows, cols int) leaf {
	return leaf{name: name, shape: []int{cols, rows}, pieces: []piece{{weight: w, dims: []int{cols, rows}, strides: []int{1, cols}}}}
}

// moduleNames are what PyTorch calls the weights of a layer that are as they are there.
var moduleNames = map[string]string{
	"embeddings": "weight", "gamma": "weight", "scale": "weight", "beta": "bias", "bias": "bias",
	"moving_mean": "running_mean", "moving_variance": "running_var",
}

// leaves returns what the modules of PyTorch that do what the model's layers do would hold, in the order of the layers. A layer
// that PyTorch does not have keeps the names and shapes of its weights.
func leaves(m *nn.Model) []*leaf {
	var all []*leaf
	for weights := m.Weights(); len(weights) > 0; {
		path, class := layerOf(m, weights[0])
		n := 1
		for n < len(weights) && strings.HasPrefix(weights[n].Name, path+"/") {
			n++
		}
		for _, l := range layout(path, class, weights[:n]) {
			l.layer, l.class, l.shape = path, class, slices.Clone(l.shape)
			all = append(all, &l)
		}
		weights = weights[n:]
	}
	return all
}

// layerOf returns the path and the class of the layer that has the weight, which may be in a model that is called as a layer.
func layerOf(m *nn.Model, w *nn.Weight) (path, class string) {
	for i, c := range w.Name {
		if c != '/' {
			continue
		}
		if l, err := m.Layer(w.Name[:i]); err == nil && l.Class() != "Functional" {
			return w.Name[:i], l.Class()
		}
	}
	return w.Name, ""
}

func layout(path, class string, weights []*nn.Weight) (all []leaf) {
	byName := map[string]*nn.Weight{}
	for _, w := range weights {
		byName[strings.TrimPrefix(w.Name, path+"/")] = w
	}
	switch class {
	case "LSTM", "GRU", "SimpleRNN":
		if isTorchs(byName, "") {
			return recurrent(byName, "", "")
		}
	case "Bidirectional":
		if isTorchs(byName, "forward/") && isTorchs(byName, "backward/") {
			return append(recurrent(byName, "forward/", ""), recurrent(byName, "backward/", "_reverse")...)
		}
	case "MultiHeadAttention":
		return attention(byName)
	}
	for _, w := range weights {
		name := strings.TrimPrefix(w.Name, path+"/")
		known := moduleNames[name]
		rank := len(w.Shape)
		switch class {
		case "Dense", "Conv1D", "Conv2D":
			if name == "kernel" { // [k..., in, out] is [out, in, k...] there
				all = append(all, whole("weight", w, append([]int{rank - 1, rank - 2}, upTo(rank-2)...)...))
				continue
			}
		case "DepthwiseConv1D", "DepthwiseConv2D":
			if name == "kernel" { // [k..., in, multiplier] is [in*multiplier, 1, k...] there
				l := whole("weight", w, append([]int{rank - 2, rank - 1}, upTo(rank-2)...)...)
				l.shape = append([]int{w.Shape[rank-2] * w.Shape[rank-1], 1}, w.Shape[:rank-2]...)
				all = append(all, l)
				continue
			}
		case "PReLU":
			all = append(all, leaf{name: "weight", shape: []int{w.Shape.Elements()}, pieces: whole("", w).pieces})
			continue
		case "Embedding", "BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization":
		default:
			known = ""
		}
		if known == "" {
			known = name
		}
		all = append(all, whole(known, w))
	}
	return all
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// isTorchs reports whether PyTorch has the recurrent layer: it has no GRU without nn.ResetAfter, whose three gates have one bias.
func isTorchs(weights map[string]*nn.Weight, prefix string) bool {
	own, bias := weights[prefix+"recurrent_kernel"], weights[prefix+"bias"]
	return own.Shape[1] != 3*own.Shape[0] || bias == nil || len(bias.Shape) == 2
}

// recurrent is the layout of nn.RNN, nn.LSTM and nn.GRU: a row for each unit of a gate, and two biases. Which of the three it is
// follows from the number of gates. nn.GRU has the gates r, z, n; here they are z, r, h.
func recurrent(weights map[string]*nn.Weight, prefix, suffix string) []leaf {
	kernel, own, bias := weights[prefix+"kernel"], weights[prefix+"recurrent_kernel"], weights[prefix+"bias"]
	in, units := kernel.Shape[0], own.Shape[0]
	width := own.Shape[1]
	order := upTo(width / units)
	if len(order) == 3 {
		order = []int{1, 0, 2}
	}
	matrix := func(name string, w *nn.Weight, in int) leaf {
		l := leaf{name: name + "_l0" + suffix, shape: []int{width, in}}
		for i, gate := range order {
			l.pieces = append(l.pieces, piece{weight: w, begin: i * units * in, offset: gate * units, dims: []int{units, in}, strides: []int{1, width}})
		}
		return l
	}
	vector := func(name string, offset int, added bool) leaf {
		l := leaf{name: name + "_l0" + suffix, shape: []int{width}}
		for i, gate := range order {
			l.pieces = append(l.pieces, piece{weight: bias, begin: i * units, offset: offset + gate*units, dims: []int{units}, strides: []int{1}, added: added})
		}
		return l
	}
	all := []leaf{matrix("weight_ih", kernel, in), matrix("weight_hh", own, units)}
	if bias == nil {
		return all
	}
	if len(bias.Shape) == 2 { // a GRU with a bias for each of the two products
		return append(all, vector("bias_ih", 0, false), vector("bias_hh", width, false))
	}
	return append(all, vector("bias_ih", 0, false), vector("bias_hh", 0, true))
}

// attention is the layout of nn.MultiheadAttention, which has query, key and value in one matrix.
func attention(weights map[string]*nn.Weight) []leaf {
	var kernels, biases leaf
	for i, part := range []string{"query", "key", "value"} {
		w := weights[part+"/kernel"]
		in, out := w.Shape[0], w.Shape.Elements()/w.Shape[0]
		kernels.pieces = append(kernels.pieces, piece{weight: w, begin: i * in * out, dims: []int{out, in}, strides: []int{1, out}})
		kernels.name, kernels.shape = "in_proj_weight", []int{3 * out, in}
		if b := weights[part+"/bias"]; b != nil {
			biases.pieces = append(biases.pieces, piece{weight: b, begin: i * out, dims: []int{out}, strides: []int{1}})
			biases.name, biases.shape = "in_proj_bias", []int{3 * out}
		}
	}
	w := weights["attention_output/kernel"]
	out := w.Shape.Last()
	all := []leaf{kernels, swapped("out_proj.weight", w, w.Shape.Elements()/out, out)}
	if biases.name != "" {
		all = append(all, biases, whole("out_proj.bias", weights["attention_output/bias"]))
	}
	return all
}

var recurrentName = regexp.MustCompile(`^((?:weight|bias)_[ih]h_l)([0-9]+)(_reverse)?$`)

// split returns the module that has the tensor of a name, and what it calls it. Layer k > 0 of a recurrent module counts as a
// module of its own, "rnn[k]", whose tensors are called as those of the first layer; the projection of an nn.MultiheadAttention,
// which in_proj_weight tells from other modules of that name, is not one.
func split(name string, exists func(name string) bool) (module, leaf string) {
	i := strings.LastIndexByte(name, '.')
	module, leaf = name[:max(0, i)], name[i+1:]
	if m := recurrentName.FindStringSubmatch(leaf); m != nil && m[2] != "0" {
		return fmt.Sprintf("%s[%s]", module, m[2]), m[1] + "0" + m[3]
	}
	if outer, ok := strings.CutSuffix("."+module, ".out_proj"); ok && exists(join(strings.TrimPrefix(outer, "."), "in_proj_weight")) {
		return strings.TrimPrefix(outer, "."), "out_proj." + leaf
	}
	return module, leaf
}

// join is the inverse of split.
func join(module, leaf string) string {
	if m := recurrentName.FindStringSubmatch(leaf); m != nil && strings.HasSuffix(module, "]") {
		if outer, k, ok := strings.Cut(strings.TrimSuffix(module, "]"), "["); ok {
			module, leaf = outer, m[1]+k+m[3]
		}
	}
	if module == "" {
		return leaf
	}
	return module + "." + leaf
}
