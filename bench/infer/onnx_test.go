package infer

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// fields are the values of a message by number: uint64 or []byte.
type fields map[int][]any

func parse(t *testing.T, b []byte) fields {
	f := fields{}
	uvarint := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			t.Fatalf("no varint in % x", b)
		}
		b = b[n:]
		return v
	}
	for len(b) > 0 {
		key := uvarint()
		field, value := int(key>>3), uvarint()
		switch key & 7 {
		case 0:
			f[field] = append(f[field], value)
		case 2:
			if value > uint64(len(b)) {
				t.Fatalf("field %d has %d bytes of %d", field, value, len(b))
			}
			f[field] = append(f[field], b[:value])
			b = b[value:]
		default:
			t.Fatalf("field %d has wire type %d", field, key&7)
		}
	}
	return f
}

func (f fields) string(field int) string { return strings.Join(f.strings(field), " ") }

func (f fields) strings(field int) (texts []string) {
	for _, v := range f[field] {
		texts = append(texts, string(v.([]byte)))
	}
	return texts
}

func (f fields) messages(t *testing.T, field int) (messages []fields) {
	for _, v := range f[field] {
		messages = append(messages, parse(t, v.([]byte)))
	}
	return messages
}

// TestONNX reads back what was written.
func TestONNX(t *testing.T) {
	p, err := NewProblem(Row{"mm", 1, 1})
	if err != nil {
		t.Fatal(err)
	}
	model := parse(t, p.ONNX())
	if got := fmt.Sprint(model[1], model.messages(t, 8)[0][2]); got != "[8] [13]" {
		t.Errorf("version and opset are %s", got)
	}
	graph := model.messages(t, 7)[0]
	var nodes []string
	for _, n := range graph.messages(t, 1) {
		nodes = append(nodes, fmt.Sprintf("%s = %s %s", n.string(2), n.string(4), n.string(1)))
	}
	want := []string{
		"v2_sums = Gemm x0 w0 b0", "v2 = Relu v2_sums",
		"v3_sums = Gemm x1 w1 b1", "v3 = Relu v3_sums",
		"v4_sums = Gemm v2 w2 b2", "v4 = Relu v4_sums",
		"v5_sums = Gemm v3 w2 b2", "v5 = Relu v5_sums",
		"v6_sums = Gemm v4 w3 b3", "v6 = Relu v6_sums",
		"v7_sums = Gemm v5 w4 b4", "v7 = Relu v7_sums",
		"v8 = Concat v6 v7",
		"y0_sums = Gemm v8 w5 b5", "y0 = Sigmoid y0_sums",
	}
	if !slices.Equal(nodes, want) {
		t.Errorf("nodes are\n%s", strings.Join(nodes, "\n"))
	}
	for i, w := range graph.messages(t, 5) {
		values, name := p.Weights[i/2], "w"
		shape := []any{uint64(p.Layers[i/2].In), uint64(p.Layers[i/2].Out)}
		if i%2 == 1 {
			values, name, shape = p.Biases[i/2], "b", shape[1:]
		}
		if got, want := w.string(8), fmt.Sprint(name, i/2); got != want || !slices.Equal(w[1], shape) {
			t.Errorf("tensor %s has shape %v, want %s of %v", got, w[1], want, shape)
		}
		raw := w[9][0].([]byte)
		if len(raw) != 4*len(values) {
			t.Fatalf("tensor %s has %d bytes", w.string(8), len(raw))
		}
		for j, v := range values {
			if math.Float32frombits(binary.LittleEndian.Uint32(raw[4*j:])) != v {
				t.Errorf("tensor %s: value %d differs", w.string(8), j)
			}
		}
	}
	for field, want := range map[int]string{11: "x0 batch×10, x1 batch×10", 12: "y0 batch×1"} {
		var values []string
		for _, v := range graph.messages(t, field) {
			tensor := v.messages(t, 2)[0].messages(t, 1)[0]
			dims := tensor.messages(t, 2)[0].messages(t, 1)
			values = append(values, fmt.Sprintf("%s %s×%d", v.string(1), dims[0].string(2), dims[1][1][0]))
		}
		if got := strings.Join(values, ", "); got != want {
			t.Errorf("field %d is %s, want %s", field, got, want)
		}
	}
}
