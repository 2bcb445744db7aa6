package hdf5

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// example is a file with everything that can be written, and what it holds.
func example() (*Node, map[string][]float32, map[string][]string) {
	root := NewFile()
	data := map[string][]float32{}
	for path, shape := range map[string][]int{"a/b/c": {2, 3}, "a/scalar": {}, "a/none": {0, 3}, "a/vector": {7}, "é": {1, 1, 1, 2}} {
		n := 1
		for _, d := range shape {
			n *= d
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(i) / 3
		}
		data[path] = v
		root.Dataset(path, shape, v)
	}
	special := []float32{float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), float32(math.Copysign(0, -1)), math.MaxFloat32, 1e-45}
	data["special"] = special
	root.Dataset("special", []int{6}, special)
	var many []string
	for i := range 2000 {
		path := fmt.Sprintf("many/weight_%d", i)
		many = append(many, fmt.Sprintf("block_%d/a layer with a long name/kernel:0", i))
		data[path] = []float32{float32(i)}
		root.Dataset(path, []int{1}, data[path])
	}
	root.Dataset("int64", []int{2}, []int64{1 << 53, -2})
	root.Dataset("int32", []int{2}, []int32{math.MinInt32, 2})
	root.Dataset("uint32", []int{2}, []uint32{math.MaxUint32, 2})
	root.Group("empty")
	texts := map[string][]string{"text": {strings.Repeat(`{"é": 1}`, 10000)}, "no text": {""}, "list": {"dense", "dense_1", "été"}, "no list": {}}
	root.SetText("text", texts["text"][0])
	root.SetText("no text", "")
	root.SetStringList("list", texts["list"])
	root.SetStringList("no list", nil)
	root.Group("many").SetStringList("weight_names", many)
	root.Group("many").SetText("text", "é")
	texts["many: weight_names"] = many
	return root, data, texts
}

// TestWrite reads what was written. The hash is that of bytes that TestOthersRead has seen h5py, h5wasm and jsfive read.
func TestWrite(t *testing.T) {
	root, data, texts := example()
	var b, again bytes.Buffer
	require.NoError(t, root.Write(&b))
	require.NoError(t, root.Write(&again))
	require.True(t, bytes.Equal(b.Bytes(), again.Bytes()))
	require.Equal(t, exampleHash, fmt.Sprintf("%x", sha256.Sum256(b.Bytes())))
	f, err := openBytes(b.Bytes())
	require.NoError(t, err)
	for path, want := range data {
		d, err := f.Root().Dataset(path)
		require.NoError(t, err)
		got, err := d.Float32s(make([]float32, len(want)))
		require.NoError(t, err)
		require.Equal(t, bitsOf(want), bitsOf(got), path)
	}
	d, err := f.Root().Dataset("a/b/c")
	require.NoError(t, err)
	require.Equal(t, []int{2, 3}, d.Shape)
	require.Equal(t, "float32", d.Type.String())
	for path, want := range map[string][]int64{"int64": {1 << 53, -2}, "int32": {math.MinInt32, 2}, "uint32": {math.MaxUint32, 2}} {
		d, err := f.Root().Dataset(path)
		require.NoError(t, err)
		got, err := d.Int64s()
		require.NoError(t, err)
		require.Equal(t, want, got, path)
		require.Equal(t, path, d.Type.String())
	}
	many, err := f.Root().Group("many")
	require.NoError(t, err)
	require.Nil(t, many.Attr("weight_names"))
	require.NotNil(t, many.Attr("weight_names1"))
	for name, want := range texts {
		g := f.Root()
		if rest, ok := strings.CutPrefix(name, "many: "); ok {
			g, name = many, rest
		}
		got, ok, err := g.StringList(name)
		require.NoError(t, err)
		require.True(t, ok)
		require.True(t, slices.Equal(want, got), name)
	}
	_, ok, err := many.StringList("absent")
	require.NoError(t, err)
	require.False(t, ok)
}

const exampleHash = "1f86a680019056da0a3bb045382d7630629691e6b3ec5d8c48977f64cbb4211e"

func bitsOf(v []float32) []uint32 {
	bits := make([]uint32, len(v))
	for i, x := range v {
		bits[i] = math.Float32bits(x)
	}
	return bits
}

// TestOthersRead has other programs read the file of TestWrite.
func TestOthersRead(t *testing.T) {
	python, modules := os.Getenv("ESPALIER_H5PY"), os.Getenv("ESPALIER_NODE_MODULES")
	if python == "" && modules == "" {
		t.Skip("ESPALIER_H5PY, a Python that has h5py, and ESPALIER_NODE_MODULES, a folder that has h5wasm and jsfive, are not set")
	}
	root, data, texts := example()
	var b bytes.Buffer
	require.NoError(t, root.Write(&b))
	path := filepath.Join(t.TempDir(), "file.h5")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o666))
	if python != "" {
		out, err := exec.Command(python, "testdata/make.py", "describe", path).Output()
		require.NoError(t, err)
		var want map[string]expected
		decode(t, out, &want)
		require.Equal(t, 1+4+3+len(data), len(want)) // the root, four groups, three datasets of integers, and those of data
		checkFile(t, b.Bytes(), want)
	}
	if modules == "" {
		return
	}
	out, err := exec.Command("node", "testdata/read.mjs", modules, path).Output()
	require.NoError(t, err)
	var readers map[string]map[string]struct {
		Shape  []int
		Values []string
		Attrs  map[string][]string
	}
	require.NoError(t, json.Unmarshal(out, &readers))
	require.Len(t, readers, 2)
	for reader, objects := range readers {
		require.Equal(t, 4+3+len(data), len(objects), reader)
		for path, want := range data {
			got := make([]float32, 0, len(want))
			for _, s := range objects[path].Values {
				x, err := strconv.ParseFloat(s, 64)
				require.NoError(t, err)
				got = append(got, float32(x))
			}
			require.True(t, slices.EqualFunc(want, got, func(a, b float32) bool {
				return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
			}), "%s: %s: %v", reader, path, got)
		}
		require.Equal(t, []int{2, 3}, objects["a/b/c"].Shape)
		require.Equal(t, []string{"9007199254740992", "-2"}, objects["int64"].Values, reader)
		require.Equal(t, []string{"4294967295", "2"}, objects["uint32"].Values, reader)
		attrs := objects["many"].Attrs
		require.True(t, slices.Equal(texts["many: weight_names"], slices.Concat(attrs["weight_names0"], attrs["weight_names1"])), reader)
		require.Equal(t, []string{"é"}, attrs["text"], reader)
	}
}

func TestWriteErrors(t *testing.T) {
	for _, test := range []struct {
		error string
		do    func(n *Node)
	}{
		{`"/a": there are two of this name`, func(n *Node) { n.Dataset("a", nil, []float32{1}); n.Dataset("a", nil, []float32{1}) }},
		{`"/a": there are two of this name`, func(n *Node) { n.Group("a"); n.Dataset("a", nil, []float32{1}) }},
		{`"/a": it is a dataset, not a group`, func(n *Node) { n.Dataset("a", nil, []float32{1}); n.Dataset("a/b", nil, []float32{1}) }},
		{`"/a": 2 values in shape [3]`, func(n *Node) { n.Dataset("a", []int{3}, []float32{1, 2}) }},
		{`"/a": 2 values in shape [-1 -2]`, func(n *Node) { n.Dataset("a", []int{-1, -2}, []float32{1, 2}) }},
		{`"/a": values of type []string`, func(n *Node) { n.Dataset("a", []int{1}, []string{"b"}) }},
		{`"/a/": a name must have 1 to 4096 bytes`, func(n *Node) { n.Group("a/") }},
		{`"/a": two attributes "b"`, func(n *Node) { n.Group("a").SetText("b", ""); n.Group("a").SetText("b", "") }},
		{`"/": attribute "": a name must have`, func(n *Node) { n.SetText("", "") }},
		{`"/": attribute "a": a string holds a zero`, func(n *Node) { n.SetText("a", "\x00") }},
		{`"/": attribute "a": a string holds a zero`, func(n *Node) { n.SetStringList("a", []string{"", "\x00"}) }},
		{`"/": attribute "a": a string of 64513 bytes`, func(n *Node) { n.SetStringList("a", []string{strings.Repeat("x", maxAttr+1)}) }},
		{`"/a": it is within more than 64 groups`, func(n *Node) { n.Group(strings.Repeat("g/", 64) + "a") }},
	} {
		t.Run(test.error, func(t *testing.T) {
			n := NewFile()
			test.do(n)
			var b bytes.Buffer
			require.ErrorContains(t, n.Write(&b), strings.Replace(test.error, `"/a": it is within`, `it is within`, 1))
			require.Zero(t, b.Len())
		})
	}
	n := NewFile()
	require.ErrorContains(t, n.Group("a").Write(nil), "only a root")
	n.Dataset("b", []int{1 << 16}, make([]float32, 1<<16))
	failed := errors.New("no space")
	require.ErrorIs(t, n.Write(writerFunc(func([]byte) (int, error) { return 0, failed })), failed)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
