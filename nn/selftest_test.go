package nn

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// tested has an embedding, so that one input must be indices.
func tested(t testing.TB, opts ...ModelOption) *Model {
	who, x := Input("who", 1), Input("x", 3)
	both := Concatenate().On(Dense(4, ReLU, Name("first")).On(x), Flatten().On(Embedding(5, 2, Name("table")).On(who)))
	m, err := NewModel([]*Node{who, x}, []*Node{Dense(2, Softmax, Name("second")).On(both)}, opts...)
	require.NoError(t, err)
	return m
}

// A file whose weights are others than those of the self-test, with a right checksum, says which layer it is.
func TestSelfTestNamesTheLayer(t *testing.T) {
	for _, name := range []string{"first/kernel", "first/bias", "table/embeddings", "second/kernel", "second/bias"} {
		t.Run(name, func(t *testing.T) {
			m := tested(t)
			test := m.newSelfTest()
			require.Equal(t, selfTestRows, test.Rows)
			require.Equal(t, kernels.Default().ISA != kernels.Generic, test.Exact)
			for _, w := range m.weights {
				if w.Name == name {
					for i := range w.Data {
						w.Data[i] += 0.25 * float32(i+1)
					}
				}
			}
			layer, _, _ := strings.Cut(name, "/")
			header, err := m.header(test, nil)
			require.NoError(t, err)
			var b bytes.Buffer
			for _, w := range m.weights {
				for _, v := range w.Data {
					b.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
				}
			}
			file := sign(append(header, b.Bytes()...))
			_, err = parse(file)
			require.ErrorContains(t, err, fmt.Sprintf("nn: Read: self-test: layer %q (", layer))
			_, err = parse(file, ForServing())
			require.ErrorContains(t, err, "self-test")
			_, err = parse(file, SelfTest(false))
			require.NoError(t, err)
		})
	}
}

func TestSelfTestOptions(t *testing.T) {
	m := tested(t, Metadata(map[string]string{"classes": `["a","b"]`, "b": "é"}))
	path := filepath.Join(t.TempDir(), "m.safetensors")
	require.NoError(t, m.Save(path, SelfTest(false)))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(b), "self_test")
	loaded, err := Load(path)
	require.NoError(t, err)
	require.Equal(t, m.Metadata(), loaded.Metadata())

	require.NoError(t, loaded.Save(path, Metadata(map[string]string{"threshold": "0.5"})))
	b, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(b), "self_test")
	again, err := Load(path)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"threshold": "0.5"}, again.Metadata())
	require.Equal(t, m.Metadata(), loaded.Metadata())
	require.Equal(t, b, savedBytes(t, again))

	require.ErrorContains(t, m.Save(path, nil), "option 0 is nil")
	require.ErrorContains(t, m.Save(path, Metadata(map[string]string{"a": "\xff"})), `the key "a" or its value is not valid UTF-8`)
	require.ErrorContains(t, m.Save(path, Metadata(map[string]string{"a": strings.Repeat("x", maxMetadata)})), "at most 1048576 are possible")
	require.NoError(t, m.Save(path, Metadata(map[string]string{"a": strings.Repeat("\x01", maxMetadata-1)})))
	_, err = Load(path)
	require.NoError(t, err)
}

// What a file says must be what Save could have said.
func TestSelfTestOfWrongFiles(t *testing.T) {
	m := tested(t)
	good := m.newSelfTest()
	for want, test := range map[string]selfTest{
		"self-test: 0 rows and 80 bytes of checks, must be 1 to 3 and 80": {0, true, good.Checks},
		"self-test: 4 rows":              {4, true, good.Checks},
		"self-test: 3 rows and 79 bytes": {3, true, good.Checks[1:]},
		"self-test: 3 rows and 0 bytes":  {3, true, nil},
	} {
		require.ErrorContains(t, test.run(m), want)
	}
	header, err := m.header(good, nil)
	require.NoError(t, err)
	for _, other := range []string{`\"rows\":3.5`, `\"rows\": 3`, `\"rows\":03`, `\"more\":3`} {
		_, _, err := parseHeader(bytes.Replace(header, []byte(`\"rows\":3`), []byte(other), 1)[8:])
		if err == nil {
			_, want, _ := parseHeader(header[8:])
			require.Error(t, compareHeaders(bytes.Replace(header, []byte(`\"rows\":3`), []byte(other), 1), want))
		}
	}
}

// On other kernels values may differ by the bound, and on none by more.
func TestSelfTestBound(t *testing.T) {
	x := kernels.NewMatrix(3, 100)
	for i := range x.Data {
		x.Data[i] = float32(i%7) - 3
	}
	b := checkOf(x).append(nil)
	require.True(t, checkOf(x).fits(b, true))
	x.Data[5] = math.Nextafter32(x.Data[5], 9)
	require.False(t, checkOf(x).fits(b, true))
	require.True(t, checkOf(x).fits(b, false))
	x.Data[5]++
	require.False(t, checkOf(x).fits(b, false))

	x.Data[5], x.Data[6] = 0, float32(math.NaN())
	b = checkOf(x).append(nil)
	x.Data[5], x.Data[6] = float32(math.Copysign(0, -1)), math.Float32frombits(0xffc00001)
	require.True(t, checkOf(x).fits(b, true))
}

// A small file that asks for large values is not run.
func TestSelfTestOfLargeValues(t *testing.T) {
	x := Input("x", 1)
	y := RepeatVector(1 << 12).On(x)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1<<10, ReLU).On(y)})
	require.NoError(t, err)
	require.Zero(t, m.testRows())
	require.NotContains(t, string(savedBytes(t, m)), "self_test")
	_, err = parse(savedBytes(t, m))
	require.NoError(t, err)
}

// A model with a function of its user is compared within the bound: other machines may round in it otherwise.
func TestSelfTestOfCustom(t *testing.T) {
	m, _ := newGiven(t, SGD(0.1), [][]float32{{1}}, []Shape{{1}})
	require.False(t, m.newSelfTest().Exact)
	_, err := parse(savedBytes(t, m))
	require.NoError(t, err)
}
