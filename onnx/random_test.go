package onnx

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// attributeNames are all that an operator asks for.
var attributeNames = map[int64][]string{
	kindInt: {"axis", "keepdims", "noop_with_empty_axes", "allowzero", "transA", "transB", "group", "ceil_mode", "count_include_pad", "storage_order", "layout", "hidden_size",
		"linear_before_reset", "p", "reverse", "exclusive", "k", "largest", "start", "end", "to", "upper", "batch_dims", "num_groups", "ignore_index", "select_last_index", "q_num_heads",
		"kv_num_heads", "is_causal", "qk_matmul_output_mode", "targets", "n_targets", "fmod"},
	kindInts: {"axes", "perm", "shape", "split", "starts", "ends", "pads", "kernel_shape", "strides", "dilations", "output_padding", "output_shape", "classlabels_ints", "classlabels_int64s",
		"nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids", "class_ids", "class_nodeids", "class_treeids", "target_ids", "target_nodeids", "target_treeids"},
	kindFloat:  {"epsilon", "alpha", "beta", "value", "min", "max", "clip", "scale", "softcap"},
	kindFloats: {"offset", "scale", "coefficients", "intercepts", "nodes_values", "class_weights", "target_weights", "base_values"},
	kindString: {"mode", "auto_pad", "direction", "reduction", "norm", "post_transform"},
}

var attributeTexts = []string{"constant", "reflect", "edge", "wrap", "SAME_UPPER", "SAME_LOWER", "VALID", "forward", "reverse", "bidirectional", "none", "sum", "mean", "add", "L1", "MAX", "SOFTMAX", "LOGISTIC"}

// No node panics, whatever its inputs and attributes are, and none gives values of another shape than it says without them.
func TestRandomNodes(t *testing.T) {
	n := 100
	if testing.Short() {
		n = 20
	}
	names := make([]string, 0, len(operators))
	for name := range operators {
		names = append(names, name)
	}
	slices.Sort(names)
	right, by := 0, map[string]int{}
	for _, name := range names {
		random := rand.New(rand.NewPCG(1, uint64(len(name))))
		for range n {
			c := randomCall(random, name)
			err := func() (err error) {
				defer func() {
					if r := recover(); r != nil {
						t.Errorf("%s: %v: %s", name, r, describeCall(c))
						err = fmt.Errorf("panic")
					}
				}()
				return c.evaluate()
			}()
			if err != nil {
				continue
			}
			right, by[name] = right+1, by[name]+1
			for i, y := range c.out {
				if y != nil && y.known && len(y.data()) != y.len() {
					t.Errorf("%s: output %d of shape %v has %d values: %s", name, i, y.shape, len(y.data()), describeCall(c))
				}
			}
		}
	}
	t.Log(by)
	t.Log(right, "of", n*len(names), "are right")
}

func describeCall(c *call) (s string) {
	s = fmt.Sprintf("version %d", c.version)
	for _, x := range c.in {
		if x == nil {
			s += " nil"
		} else {
			s += fmt.Sprintf(" %v=%v", x.shape, x.values)
		}
	}
	for _, a := range c.attributes {
		s += fmt.Sprintf(" %s: %v %v %v %v %s", a.name, a.i, a.ints, a.f, a.floats, a.s)
	}
	return s
}

func randomCall(random *rand.Rand, name string) *call {
	budget := 1 << 20
	c := &call{nodeProto: &nodeProto{op: name[max(0, len(name)-len(trimDomain(name))):], inputs: slices.Repeat([]string{"x"}, 8)}, version: int64(1 + random.IntN(24)), budget: &budget}
	if c.op != name {
		c.domain = "ai.onnx.ml"
	}
	var shapes [][]int
	for range 1 + random.IntN(6) {
		var shape []int
		switch {
		case len(shapes) > 0 && random.IntN(2) == 0:
			shape = slices.Clone(shapes[random.IntN(len(shapes))])
		default:
			for range random.IntN(5) {
				shape = append(shape, random.IntN(4)+min(1, random.IntN(8)))
			}
		}
		shapes = append(shapes, shape)
		x := &tensor{elem: []int64{typeFloat, typeFloat, typeInt64, typeBool}[random.IntN(4)], shape: shape}
		if x.known = random.IntN(6) > 0; x.known {
			x.values = make([]float64, x.len())
			for i := range x.values {
				x.values[i] = float64(random.IntN(6) - 2)
				if random.IntN(50) == 0 {
					x.values[i] = []float64{1 << 40, -1 << 40, 1 << 31, 0.5}[random.IntN(4)]
				}
			}
		}
		if random.IntN(10) == 0 {
			x = nil
		}
		c.in = append(c.in, x)
	}
	integer := func() int64 {
		if random.IntN(30) == 0 {
			return []int64{1 << 40, -1 << 40, 1 << 31, 1 << 62}[random.IntN(4)]
		}
		return int64(random.IntN(7) - 2)
	}
	for kind, all := range map[int64][]string{kindInt: attributeNames[kindInt], kindInts: attributeNames[kindInts], kindFloat: attributeNames[kindFloat], kindFloats: attributeNames[kindFloats], kindString: attributeNames[kindString]} {
		for _, name := range all {
			if random.IntN(4) > 0 && kind != kindFloats && name != "kernel_shape" {
				continue
			}
			a := &attributeProto{name: name, kind: kind, i: integer(), f: float32(integer()), s: []byte(attributeTexts[random.IntN(len(attributeTexts))])}
			for range random.IntN(5) {
				a.ints, a.floats = append(a.ints, integer()), append(a.floats, float32(integer()))
			}
			c.attributes = append(c.attributes, a)
		}
	}
	c.attributes = append(c.attributes, &attributeProto{name: "nodes_modes", kind: kindStrings, strings: slices.Repeat([][]byte{[]byte("LEAF")}, random.IntN(4))})
	for range 1 + random.IntN(3) {
		c.outputs = append(c.outputs, "y")
	}
	return c
}

func trimDomain(name string) string {
	const domain = "ai.onnx.ml."
	if len(name) > len(domain) && name[:len(domain)] == domain {
		return name[len(domain):]
	}
	return name
}
