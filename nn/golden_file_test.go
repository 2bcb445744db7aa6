package nn

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func float64s(v []float32) []float64 {
	f := make([]float64, len(v))
	for i, x := range v {
		f[i] = float64(x)
	}
	return f
}

// A goldenTensor is an array of a safetensors file. float64 holds every value of F32 and I32.
type goldenTensor struct {
	dtype  string
	shape  []int
	values []float64
}

// A goldenHeader describes one tensor of a safetensors file.
type goldenHeader struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// readGolden reads a safetensors file. The test has a reader of its own so as not to judge the package by itself.
func readGolden(t testing.TB, path string) map[string]goldenTensor {
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	start := 8 + binary.LittleEndian.Uint64(file)
	header, data := file[8:start], file[start:]
	var raw map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(header, &raw))
	delete(raw, "__metadata__")
	tensors := map[string]goldenTensor{}
	for name, text := range raw {
		var h goldenHeader
		require.NoError(t, json.Unmarshal(text, &h), name)
		x := goldenTensor{dtype: h.DType, shape: h.Shape}
		switch bytes := data[h.Offsets[0]:h.Offsets[1]]; h.DType {
		case "F32":
			x.values = decodeGolden[float32](t, bytes)
		case "F64":
			x.values = decodeGolden[float64](t, bytes)
		case "I32":
			x.values = decodeGolden[int32](t, bytes)
		default:
			require.Fail(t, "unknown dtype", "%s has %s", name, h.DType)
		}
		require.Len(t, x.values, Shape(h.Shape).Elements(), name)
		tensors[name] = x
	}
	return tensors
}

func decodeGolden[T float32 | float64 | int32](t testing.TB, data []byte) []float64 {
	raw := make([]T, len(data)/binary.Size(T(0)))
	_, err := binary.Decode(data, binary.LittleEndian, raw)
	require.NoError(t, err)
	values := make([]float64, len(raw))
	for i, v := range raw {
		values[i] = float64(v)
	}
	return values
}

// writeGolden writes tensors as F64.
func writeGolden(t testing.TB, path string, tensors map[string]goldenTensor) {
	header := map[string]goldenHeader{}
	var data []byte
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		x := tensors[name]
		start := len(data)
		data, _ = binary.Append(data, binary.LittleEndian, x.values)
		header[name] = goldenHeader{"F64", x.shape, [2]int{start, len(data)}}
	}
	text, err := json.Marshal(header)
	require.NoError(t, err)
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	require.NoError(t, os.WriteFile(path, slices.Concat(file, text, data), 0o644))
}

// maybeNaN is a number that JSON may have as "nan".
type maybeNaN float64

// rows returns rows from (included) to (excluded).
func (x goldenTensor) rows(from, to int) goldenTensor {
	columns := len(x.values) / x.shape[0]
	return goldenTensor{x.dtype, append([]int{to - from}, x.shape[1:]...), x.values[from*columns : to*columns]}
}

func (x goldenTensor) float32s() []float32 {
	f := make([]float32, len(x.values))
	for i, v := range x.values {
		f[i] = float32(v)
	}
	return f
}

func (f *maybeNaN) UnmarshalJSON(b []byte) error {
	if string(b) == `"nan"` {
		*f = maybeNaN(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(f))
}

// A goldenRun is what case.json says of one way to train. Where it is silent, README.md beside the data says: the middle
// batch size, adam, but sgd for weighted samples.
type goldenRun struct {
	Optimizer   string
	Batch       int
	LossWeights LossWeights     `json:"loss_weights"`
	ClassWeight map[int]float64 `json:"class_weight"`
}

// byOutput is a value for each output by name, or one value for the only output, whose name is then "".
type byOutput[T any] map[string]T

func (b *byOutput[T]) UnmarshalJSON(data []byte) error {
	var all map[string]T
	if json.Unmarshal(data, &all) == nil {
		*b = all
		return nil
	}
	var one T
	err := json.Unmarshal(data, &one)
	*b = byOutput[T]{"": one}
	return err
}

func (b byOutput[T]) of(output string) T {
	if v, ok := b[output]; ok {
		return v
	}
	return b[""]
}

// numbers are a list, or a single number.
type numbers []float64

func (n *numbers) UnmarshalJSON(data []byte) error {
	if data[0] == '[' {
		return json.Unmarshal(data, (*[]float64)(n))
	}
	*n = make(numbers, 1)
	return json.Unmarshal(data, &(*n)[0])
}

var lossesByName = map[string]Loss{
	"mse": MSE(), "mean_squared_error": MSE(),
	"mae": MAE(), "mean_absolute_error": MAE(),
	"binary_crossentropy":             BinaryCrossentropy(),
	"categorical_crossentropy":        CategoricalCrossentropy(),
	"sparse_categorical_crossentropy": SparseCategoricalCrossentropy(),
}

var metricsByName = map[string]Metric{"mse": MSE(), "mae": MAE(), "accuracy": Accuracy()}
