package onnx

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each gradient beside central differences, in float64.
func TestGradients(t *testing.T) {
	ints := func(name string, v ...int64) *attributeProto {
		return &attributeProto{name: name, kind: kindInts, ints: v}
	}
	integer := func(name string, v int64) *attributeProto {
		return &attributeProto{name: name, kind: kindInt, i: v}
	}
	list := func(values ...float64) *tensor {
		return &tensor{elem: typeInt64, shape: []int{len(values)}, known: true, values: values}
	}
	// of returns a tensor of numbers that are not near any bend of a function.
	of := func(shape ...int) *tensor {
		x := &tensor{elem: typeDouble, shape: shape, known: true}
		for i := range product(shape) {
			x.values = append(x.values, math.Mod(0.37+0.618*float64(i)+0.31*float64(len(shape)), 1.6)-0.73)
		}
		return x
	}
	positive := func(shape ...int) *tensor {
		x := of(shape...)
		for i := range x.values {
			x.values[i] = math.Abs(x.values[i]) + 0.3
		}
		return x
	}
	type test struct {
		op   string
		in   []*tensor
		attr []*attributeProto
	}
	var tests []test
	for name := range unaries {
		if c := (&call{nodeProto: &nodeProto{}, version: 20}); unaries[name](c).derivative != nil {
			tests = append(tests, test{name, []*tensor{positive(5)}, nil}, test{name, []*tensor{of(7)}, nil})
		}
	}
	tests = slices.DeleteFunc(tests, func(x test) bool {
		return slices.Contains([]string{"Log", "Sqrt", "Reciprocal"}, x.op) && len(x.in[0].values) == 7
	})
	for name, b := range binaries {
		if b.a != nil {
			tests = append(tests, test{name, []*tensor{positive(2, 3), positive(3)}, nil}, test{name, []*tensor{positive(1, 2, 1), positive(2, 3)}, nil})
		}
	}
	tests = append(tests,
		test{"Sum", []*tensor{of(2, 3), of(3), of(1)}, nil}, test{"Mean", []*tensor{of(2, 3), of(3), of(1)}, nil},
		test{"Where", []*tensor{{elem: typeBool, shape: []int{3}, known: true, values: []float64{1, 0, 1}}, of(2, 3), of(2, 1)}, nil},
		test{"Transpose", []*tensor{of(2, 3, 2)}, []*attributeProto{ints("perm", 2, 0, 1)}},
		test{"Slice", []*tensor{of(4, 3), list(3), list(0), list(0), list(-2)}, nil},
		test{"Expand", []*tensor{of(2, 1), list(2, 3)}, nil}, test{"Tile", []*tensor{of(2, 2), list(2, 3)}, nil},
		test{"Concat", []*tensor{of(2, 2), of(2, 3)}, []*attributeProto{integer("axis", 1)}},
		test{"Gather", []*tensor{of(3, 2), list(2, 0, 2)}, nil},
		test{"Pad", []*tensor{of(2, 2), list(1, 0, 1, 2)}, nil}, test{"Pad", []*tensor{of(3), list(1, 2)}, []*attributeProto{{name: "mode", kind: kindString, s: []byte("reflect")}}},
		test{"ReduceSum", []*tensor{of(2, 3)}, []*attributeProto{integer("keepdims", 0)}},
		test{"ReduceMean", []*tensor{of(2, 3), list(0)}, nil},
		test{"Softmax", []*tensor{of(3, 2)}, []*attributeProto{integer("axis", 0)}},
		test{"MatMul", []*tensor{of(2, 3, 4), of(4, 2)}, nil}, test{"MatMul", []*tensor{of(3), of(2, 3, 2)}, nil},
	)
	for _, test := range tests {
		t.Run(fmt.Sprint(test.op, len(test.in), " of ", test.in[0].shape), func(t *testing.T) {
			n := &nodeProto{op: test.op, attributes: test.attr, outputs: []string{"y"}}
			evaluate := func() *call {
				c := &call{nodeProto: n, version: 20, in: test.in}
				require.NoError(t, c.evaluate())
				return c
			}
			c := evaluate()
			dy := make([]float64, c.out[0].len())
			for i := range dy {
				dy[i] = math.Sin(float64(3*i + 1))
			}
			loss := func() (sum float64) {
				for i, v := range evaluate().out[0].data() {
					sum += v * dy[i]
				}
				return sum
			}
			dx, err := c.gradient(0, dy)
			require.NoError(t, err)
			for k, x := range test.in {
				if x.elem != typeDouble {
					continue
				}
				for i, v := range x.values {
					const h = 1e-5
					x.values[i] = v + h
					above := loss()
					x.values[i] = v - h
					below := loss()
					x.values[i] = v
					require.InDelta(t, (above-below)/(2*h), dx[k][i], 1e-6, "input %d, element %d", k, i)
				}
			}
		})
	}
	c := &call{nodeProto: &nodeProto{op: "CumSum", outputs: []string{"y"}}, version: 20, in: []*tensor{of(2), list(0)}}
	require.NoError(t, c.evaluate())
	_, err := c.gradient(0, []float64{1, 1})
	require.ErrorContains(t, err, "the operator CumSum has no gradient")
}
