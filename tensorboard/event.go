package tensorboard

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/espalier-ml/espalier/nn"
	"google.golang.org/protobuf/encoding/protowire"
)

// The functions of this file return messages of TensorFlow, whose fields are numbered in event.proto, summary.proto,
// tensor.proto, tensor_shape.proto, graph.proto, node_def.proto and attr_value.proto.

// The fields of an Event of which one is set.
const (
	fileVersionField protowire.Number = 3
	graphDefField    protowire.Number = 4
	summaryField     protowire.Number = 5
)

// event returns an Event of now.
func event(step int64, field protowire.Number, content []byte) []byte {
	b := protowire.AppendTag(nil, 1, protowire.Fixed64Type) // wall_time, in seconds
	b = protowire.AppendFixed64(b, math.Float64bits(float64(time.Now().UnixNano())/1e9))
	b = appendInt(b, 2, step)
	return appendBytes(b, field, content)
}

// scalar returns a Value of a Summary for TensorBoard's plugin of curves.
func scalar(tag string, value float64) []byte {
	return pluginValue(tag, "scalars", floatType, nil, binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(value))))
}

const buckets = 30 // of TensorBoard's own summaries

// histogram returns a Value of a Summary for TensorBoard's plugin of histograms: for each bucket its two edges and how many values
// it has. Buckets are equally wide; if all values are the same, they are in the last one. What is not finite is left out.
func histogram(tag string, values []float32) []byte {
	low, high, n := math.Inf(1), math.Inf(-1), 0
	for _, v := range values {
		if x := float64(v); x-x == 0 {
			low, high, n = min(low, x), max(high, x), n+1
		}
	}
	if n == 0 {
		low, high = 0, 0
	}
	width := (high - low) / buckets
	var counts [buckets]int
	for _, v := range values {
		if x := float64(v); x-x == 0 {
			i := buckets - 1
			if x < high {
				i = min(i, int((x-low)/width))
			}
			counts[i]++
		}
	}
	var content []byte
	for i, count := range counts {
		left, right := low+float64(float64(i)*width), low+float64(float64(i+1)*width)
		if i == buckets-1 {
			right = high
		}
		for _, x := range []float64{left, right, float64(count)} {
			content = binary.LittleEndian.AppendUint64(content, math.Float64bits(x))
		}
	}
	return pluginValue(tag, "histograms", doubleType, []int{buckets, 3}, content)
}

// Of the enumeration DataType.
const (
	floatType  = 1
	doubleType = 2
)

// pluginValue returns a Value that has a tensor and the name of the plugin that shows it, as TensorFlow 2 writes it.
func pluginValue(tag, plugin string, dataType int64, shape []int, content []byte) []byte {
	tensor := appendInt(nil, 1, dataType)
	tensor = appendBytes(tensor, 2, tensorShape(shape))
	tensor = appendBytes(tensor, 4, content)

	b := appendText(nil, 1, tag)
	b = appendBytes(b, 9, appendBytes(nil, 1, appendText(nil, 1, plugin))) // metadata, plugin_data, plugin_name
	return appendBytes(b, 8, tensor)
}

// summary returns a Summary of Values.
func summary(values ...[]byte) []byte {
	var b []byte
	for _, v := range values {
		b = appendBytes(b, 1, v)
	}
	return b
}

// graph returns a GraphDef: a node for each call of a layer, whose op is the layer's class.
func graph(m *nn.Model) []byte {
	total, made := map[*nn.Layer]int{}, map[*nn.Layer]int{}
	for _, n := range m.Nodes() {
		total[n.Layer()]++
	}
	var b []byte
	names := map[*nn.Node]string{}
	for _, n := range m.Nodes() {
		l := n.Layer()
		name := m.Path(l)
		if total[l] > 1 { // TensorBoard shows what is before a slash as a group, models that are called, too
			name = fmt.Sprintf("%s/%d", name, made[l])
			made[l]++
		}
		names[n] = name
		node := appendText(nil, 1, name)
		node = appendText(node, 2, l.Class())
		for _, in := range n.Inputs() {
			node = appendText(node, 3, names[in])
		}
		shapes := appendBytes(nil, 7, tensorShape(append([]int{-1}, n.Shape()...)))                    // of a ListValue
		attribute := appendBytes(appendText(nil, 1, "_output_shapes"), 2, appendBytes(nil, 1, shapes)) // an entry of a map
		b = appendBytes(b, 1, appendBytes(node, 5, attribute))
	}
	return b
}

// tensorShape returns a TensorShapeProto. An axis of -1 is of any size.
func tensorShape(shape []int) []byte {
	var b []byte
	for _, n := range shape {
		b = appendBytes(b, 2, appendInt(nil, 1, int64(n)))
	}
	return b
}

func appendInt(b []byte, field protowire.Number, v int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(v))
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

// appendText appends a string. A reader refuses a message with one that is not UTF-8.
func appendText(b []byte, field protowire.Number, v string) []byte {
	return appendBytes(b, field, []byte(strings.ToValidUTF8(v, "\uFFFD")))
}
