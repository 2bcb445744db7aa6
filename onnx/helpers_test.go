package onnx

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/nn"
)

// A batch is the inputs and outputs of a reference, by name.
type batch struct{ inputs, outputs map[string]*tensor }

// readTensors reads a safetensors file of any types of elements.
func readTensors(t *testing.T, path string) map[string]*tensor {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	n := binary.LittleEndian.Uint64(b)
	var header map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(b[8:8+n], &header))
	types := map[string]int64{"F32": typeFloat, "F64": typeDouble, "I64": typeInt64, "I32": typeInt32, "BOOL": typeBool, "U8": typeUint8}
	all := map[string]*tensor{}
	for name, text := range header {
		var h struct {
			Type    string  `json:"dtype"`
			Shape   []int64 `json:"shape"`
			Offsets [2]int  `json:"data_offsets"`
		}
		if name == "__metadata__" {
			continue
		}
		require.NoError(t, json.Unmarshal(text, &h))
		require.Contains(t, types, h.Type)
		x, err := newConstant(&tensorProto{dims: h.Shape, dataType: types[h.Type], hasRaw: true, raw: b[int(n)+8:][h.Offsets[0]:h.Offsets[1]]})
		require.NoError(t, err)
		all[name] = x
	}
	return all
}

// rows returns a tensor as rows of samples of the given shape: without an axis of so many rows, or all of it where there is
// one. axis says where the batch is if it is known, else it is the first that fits.
func rows(x *tensor, sample nn.Shape, rows, axis int) (nn.Floats, bool) {
	if x.len() == sample.Elements() && rows == 1 {
		return x.floats(), true
	}
	squeeze := func(s []int) []int { return slices.DeleteFunc(slices.Clone(s), func(d int) bool { return d == 1 }) }
	for i, d := range x.shape {
		without := slices.Clone(x.shape)
		if d%rows == 0 {
			without[i] = d / rows
		}
		if d%rows != 0 || axis >= 0 && axis != i || !slices.Equal(squeeze(without), squeeze(sample)) {
			continue
		}
		inner := product(without[i:])
		y := make(nn.Floats, 0, x.len())
		for r := range rows {
			for o := range product(x.shape[:i]) {
				y = append(y, x.floats()[(o*rows+r)*inner:][:inner]...)
			}
		}
		return y, true
	}
	return nil, false
}

// count returns how many rows a batch is for a model.
func (b batch) count(m *nn.Model) int {
	for _, n := range m.Inputs() {
		for name, x := range b.inputs {
			if name == m.InputNames()[slices.Index(m.Inputs(), n)] {
				if k := x.len() / n.Shape().Elements(); k > 1 {
					return k
				}
			}
		}
	}
	return 1
}

// check predicts a batch and compares it; axes are those of the batch by name, where they are known.
func (b batch) check(m *nn.Model, axes map[string]int, tolerance func(name string, exact bool, largest, want float64) float64) error {
	n := b.count(m)
	axis := func(name string) int {
		if a, ok := axes[name]; ok {
			return a
		}
		return -1
	}
	in := nn.Arrays{}
	for i, name := range m.InputNames() {
		x := b.inputs[name]
		if x == nil {
			return fmt.Errorf("no input %q", name)
		}
		data, ok := rows(x, m.Inputs()[i].Shape(), n, axis(name))
		if !ok {
			if x.len() != m.Inputs()[i].Shape().Elements() {
				return fmt.Errorf("input %q of shape %v is not %d rows of %v", name, x.shape, n, m.Inputs()[i].Shape())
			}
			data = slices.Repeat(x.floats(), n) // the same for all rows
		}
		in[name] = data
	}
	finite := true
	for _, x := range b.inputs {
		finite = finite && !slices.ContainsFunc(x.data(), func(v float64) bool { return v-v != 0 })
	}
	var out map[string]kernels.Matrix
	var err error
	if finite { // Predict wants that
		if out, err = m.Predict(in); err != nil {
			return err
		}
	}
	p, err := nn.NewPlan(m, n)
	if err != nil {
		return err
	}
	s := p.NewSession()
	for i, name := range m.InputNames() {
		copy(s.Input(i), in[name].(nn.Floats))
	}
	if err := s.Run(n); err != nil {
		return err
	}
	for i, name := range m.OutputNames() {
		x := b.outputs[name]
		if x == nil {
			continue
		}
		want, ok := rows(x, m.Outputs()[i].Shape(), n, axis(name))
		if !ok {
			if x.len() != m.Outputs()[i].Shape().Elements() {
				return fmt.Errorf("output %q of shape %v is not %d rows of %v", name, x.shape, n, m.Outputs()[i].Shape())
			}
			want = slices.Repeat(x.floats(), n)
		}
		largest := 0.0
		for _, v := range want {
			largest = max(largest, math.Abs(float64(v)))
		}
		results := [][]float32{s.Output(i)}
		if finite {
			results = append(results, out[name].Data)
		}
		for _, have := range results {
			for j, v := range want {
				d := math.Abs(float64(v) - float64(have[j]))
				if have[j] == v || v != v && have[j] != have[j] {
					continue
				}
				if !(d <= tolerance(name, !isFloat(x.elem), largest, float64(v))) {
					return fmt.Errorf("output %q, element %d: %v, must be %v", name, j, have[j], v)
				}
			}
		}
	}
	return nil
}
