package tensorboard_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// schema has the messages of TensorFlow, as far as they are written: number, name and type of each field; * is a list.
var schema = map[string]string{
	"Event":           "1 wall_time double, 2 step int64, 3 file_version string, 4 graph_def bytes, 5 summary Summary",
	"Summary":         "1 value *Value",
	"Value":           "1 tag string, 8 tensor TensorProto, 9 metadata SummaryMetadata",
	"SummaryMetadata": "1 plugin_data PluginData",
	"PluginData":      "1 plugin_name string, 2 content bytes",
	"TensorProto":     "1 dtype int32, 2 tensor_shape TensorShape, 4 tensor_content bytes",
	"TensorShape":     "2 dim *Dim",
	"Dim":             "1 size int64",
	"GraphDef":        "1 node *NodeDef",
	"NodeDef":         "1 name string, 2 op string, 3 input *string, 5 attr *Attribute",
	"Attribute":       "1 key string, 2 value AttrValue",
	"AttrValue":       "1 list ListValue",
	"ListValue":       "7 shape *TensorShape",
}

// messages are the descriptors of the schema, made by the protobuf module.
var messages = func() protoreflect.MessageDescriptors {
	types := map[string]descriptorpb.FieldDescriptorProto_Type{
		"double": descriptorpb.FieldDescriptorProto_TYPE_DOUBLE, "int64": descriptorpb.FieldDescriptorProto_TYPE_INT64,
		"int32": descriptorpb.FieldDescriptorProto_TYPE_INT32, "string": descriptorpb.FieldDescriptorProto_TYPE_STRING,
		"bytes": descriptorpb.FieldDescriptorProto_TYPE_BYTES,
	}
	file := &descriptorpb.FileDescriptorProto{Name: proto.String("event.proto"), Syntax: proto.String("proto3")}
	for name, fields := range schema {
		m := &descriptorpb.DescriptorProto{Name: proto.String(name)}
		for _, field := range strings.Split(fields, ", ") {
			var number int32
			var name, of string
			if _, err := fmt.Sscan(field, &number, &name, &of); err != nil {
				panic(err)
			}
			f := &descriptorpb.FieldDescriptorProto{Name: proto.String(name), Number: proto.Int32(number), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
			if of[0] == '*' {
				of, f.Label = of[1:], descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
			}
			if kind, ok := types[of]; ok {
				f.Type = kind.Enum()
			} else {
				f.Type, f.TypeName = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), proto.String("."+of)
			}
			m.Field = append(m.Field, f)
		}
		file.MessageType = append(file.MessageType, m)
	}
	d, err := protodesc.NewFile(file, nil)
	if err != nil {
		panic(err)
	}
	return d.Messages()
}()

// A message is one whose fields are found by name.
type message struct{ protoreflect.Message }

func decode(t *testing.T, name string, b []byte) message {
	m := dynamicpb.NewMessage(messages.ByName(protoreflect.Name(name)))
	require.NoError(t, proto.Unmarshal(b, m))
	return message{m}
}

func (m message) get(path string) protoreflect.Value {
	v := protoreflect.ValueOfMessage(m.Message)
	for _, name := range strings.Split(path, ".") {
		v = v.Message().Get(v.Message().Descriptor().Fields().ByName(protoreflect.Name(name)))
	}
	return v
}

func (m message) list(path string) (all []protoreflect.Value) {
	l := m.get(path).List()
	for i := range l.Len() {
		all = append(all, l.Get(i))
	}
	return all
}

// checkKnown fails where a message has a field that the schema has not.
func checkKnown(t *testing.T, m protoreflect.Message) {
	require.Empty(t, m.GetUnknown(), m.Descriptor().Name())
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				checkKnown(t, v.List().Get(i).Message())
			}
		default:
			checkKnown(t, v.Message())
		}
		return true
	})
}

// records returns the data of a file's records.
func records(t *testing.T, path string) (all [][]byte) {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for len(b) > 0 {
		require.GreaterOrEqual(t, len(b), 16)
		n := int(binary.LittleEndian.Uint64(b))
		require.GreaterOrEqual(t, len(b)-16, n)
		require.Equal(t, masked(b[:8]), binary.LittleEndian.Uint32(b[8:]))
		require.Equal(t, masked(b[12:12+n]), binary.LittleEndian.Uint32(b[12+n:]))
		all = append(all, b[12:12+n])
		b = b[16+n:]
	}
	return all
}

// masked is the checksum of a record, bit by bit from the polynomial of CRC32C.
func masked(data []byte) uint32 {
	crc := ^uint32(0)
	for _, b := range data {
		for i := range 8 {
			bit := (crc ^ uint32(b>>i)) & 1
			crc = crc>>1 ^ bit*0x82f63b78
		}
	}
	crc = ^crc
	return (crc>>15 | crc<<17) + 0xa282ead8
}

func onlyFile(t *testing.T, folder string) string {
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, files, 1)
	require.Regexp(t, `^events\.out\.tfevents\.[0-9]{10}\..+\.[0-9]+\.[0-9]+\.v2$`, files[0].Name())
	return filepath.Join(folder, files[0].Name())
}

// read returns what is in the file of each run.
func read(t *testing.T, folder string) board {
	all := board{map[string]map[string][]point[float64]{}, map[string]map[string][]point[[][]float64]{}, map[string][][]string{}}
	for _, run := range []string{"train", "validation"} {
		if _, err := os.Stat(filepath.Join(folder, run)); err != nil {
			continue
		}
		for i, r := range records(t, onlyFile(t, filepath.Join(folder, run))) {
			e := decode(t, "Event", r)
			checkKnown(t, e)
			require.InDelta(t, 2e9, e.get("wall_time").Float(), 1e9)
			if i == 0 {
				require.Equal(t, "brain.Event:2", e.get("file_version").String())
				continue
			}
			if graph := e.get("graph_def").Bytes(); len(graph) > 0 {
				all.Graphs[run] = append(all.Graphs[run], nodes(t, graph)...)
			}
			for _, v := range e.list("summary.value") {
				all.add(t, run, e.get("step").Int(), message{v.Message()})
			}
		}
	}
	return all
}

func (all board) add(t *testing.T, run string, step int64, v message) {
	tag, content := v.get("tag").String(), v.get("tensor.tensor_content").Bytes()
	var shape []int64
	for _, d := range v.list("tensor.tensor_shape.dim") {
		shape = append(shape, message{d.Message()}.get("size").Int())
	}
	switch plugin := v.get("metadata.plugin_data.plugin_name").String(); plugin {
	case "scalars":
		require.Equal(t, int64(1), v.get("tensor.dtype").Int()) // DT_FLOAT
		require.Empty(t, shape)
		require.Len(t, content, 4)
		addTo(all.Scalars, run, tag, step, float64(math.Float32frombits(binary.LittleEndian.Uint32(content))))
	case "histograms":
		require.Equal(t, int64(2), v.get("tensor.dtype").Int()) // DT_DOUBLE
		require.Equal(t, []int64{30, 3}, shape)
		require.Len(t, content, 30*3*8)
		var buckets [][]float64
		for b := content; len(b) > 0; b = b[24:] {
			var bucket []float64
			for i := range 3 {
				bucket = append(bucket, math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
			}
			buckets = append(buckets, bucket)
		}
		addTo(all.Histograms, run, tag, step, buckets)
	default:
		t.Errorf("%s is of plugin %q", tag, plugin)
	}
}

func addTo[T any](runs map[string]map[string][]point[T], run, tag string, step int64, v T) {
	if runs[run] == nil {
		runs[run] = map[string][]point[T]{}
	}
	runs[run][tag] = append(runs[run][tag], point[T]{step, v})
}

// nodes returns name, op and inputs of the nodes of a graph, and demands that each has its shape.
func nodes(t *testing.T, graph []byte) (all [][]string) {
	g := decode(t, "GraphDef", graph)
	checkKnown(t, g)
	for _, v := range g.list("node") {
		n := message{v.Message()}
		node := []string{n.get("name").String(), n.get("op").String()}
		for _, in := range n.list("input") {
			node = append(node, in.String())
		}
		all = append(all, node)
		attributes := n.list("attr")
		require.Len(t, attributes, 1)
		a := message{attributes[0].Message()}
		require.Equal(t, "_output_shapes", a.get("key").String())
		shapes := a.list("value.list.shape")
		require.Len(t, shapes, 1)
		dims := message{shapes[0].Message()}.list("dim")
		require.Len(t, dims, 2)
		require.Equal(t, int64(-1), message{dims[0].Message()}.get("size").Int())
		require.Positive(t, message{dims[1].Message()}.get("size").Int())
	}
	return all
}
