package nn

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// bitsFile is what every SIMD level computes: a hash of each model's weights after training, and the predictions, as bits,
// of the last of them, which lies beside the file as a saved model.
type bitsFile struct {
	Training    map[string]string
	Predictions map[string][]uint32
}

const bitsRows = 100

// bitsModels are three small models like those of examples/penguins: two outputs, two inputs, and two of each, where
// branches share a layer.
func bitsModels(t *testing.T) (names []string, cases []*savedCase) {
	r := rand.New(rand.NewPCG(5, 6))
	floats := func(width int) Floats {
		v := make(Floats, bitsRows*width)
		for i := range v {
			v[i] = float32(r.Float64() - 0.5)
		}
		return v
	}
	labels := func(classes int) Labels {
		v := make(Labels, bitsRows)
		for i := range v {
			v[i] = int32(r.IntN(classes))
		}
		return v
	}
	add := func(name string, inputs, outputs []*Node, losses Losses, data Data) {
		m, err := NewModel(inputs, outputs, Name(name), Seed(3))
		require.NoError(t, err)
		require.NoError(t, m.Compile(Adam(3e-3), losses))
		names, cases = append(names, name), append(cases, &savedCase{m, data})
	}

	bird := Input("bird", 7)
	trunk := Dense(64, ReLU, Name("trunk_2")).On(Dense(128, ReLU, Name("trunk_1")).On(bird))
	mass, species := Dense(1, Linear, Name("body_mass")).On(trunk), Dense(3, Softmax, Name("species")).On(trunk)
	add("multi_task", []*Node{bird}, []*Node{mass, species}, Losses{"body_mass": MSE(), "species": SparseCategoricalCrossentropy()},
		Data{Inputs: Arrays{"bird": floats(7)}, Targets: Arrays{"body_mass": floats(1), "species": labels(3)}})

	bill, body := Input("bill", 2), Input("body", 2)
	shared := Dense(32, Tanh, Name("shared"))
	both := Concatenate().On(shared.On(Dense(5, ReLU).On(bill)), shared.On(Dense(5, Sigmoid).On(body)))
	sexes := make(Floats, bitsRows)
	for i, sex := range labels(2) {
		sexes[i] = float32(sex)
	}
	add("multi_modal", []*Node{bill, body}, []*Node{Dense(1, Sigmoid, Name("sex")).On(Dropout(0.25).On(both))}, Losses{"sex": BinaryCrossentropy()},
		Data{Inputs: Arrays{"bill": floats(2), "body": floats(2)}, Targets: Arrays{"sex": sexes}})

	bill, profile := Input("bill", 3), Input("profile", 5)
	shared = Dense(32, ReLU, Name("shared"))
	fromBill := Dense(10, ReLU, Name("bill_branch")).On(shared.On(Dense(5, ReLU, Name("bill_encoder")).On(bill)))
	fromProfile := Dense(10, ReLU, Name("profile_branch")).On(shared.On(Dense(5, ReLU, Name("profile_encoder")).On(profile)))
	mass, species = Dense(1, Linear, Name("body_mass")).On(fromProfile), Dense(3, Softmax, Name("species")).On(fromBill)
	add("multi_modal_multi_task", []*Node{bill, profile}, []*Node{mass, species}, Losses{"body_mass": MSE(), "species": SparseCategoricalCrossentropy()},
		Data{Inputs: Arrays{"bill": floats(3), "profile": floats(5)}, Targets: Arrays{"body_mass": floats(1), "species": labels(3)}})
	return names, cases
}

// A seeded training gives the weights, and a saved model the predictions, of testdata/bits.json on every SIMD level and
// architecture. ESPALIER_BITS names another file, one that ESPALIER_BITS_OUT wrote elsewhere, with the model beside it.
func TestBits(t *testing.T) {
	if kernels.Default().ISA == kernels.Generic {
		t.Skip("Generic rounds products")
	}
	names, cases := bitsModels(t)
	have := bitsFile{Training: map[string]string{}}
	var last *Model
	for i, c := range cases {
		_, err := c.model.Fit(context.Background(), c.data, Epochs(20), BatchSize(16), Seed(9))
		require.NoError(t, err)
		hash := fnv.New64a()
		for _, w := range c.model.Weights() {
			for _, v := range w.Data {
				fmt.Fprintf(hash, "%08x", valueBits(v))
			}
		}
		have.Training[names[i]] = fmt.Sprintf("%016x", hash.Sum64())
		last = c.model
	}
	inputs := cases[len(cases)-1].data.Inputs
	modelFile := func(name string) string { return strings.TrimSuffix(name, ".json") + ".safetensors" }
	if name := os.Getenv("ESPALIER_BITS_OUT"); name != "" {
		require.NoError(t, last.Save(modelFile(name)))
		have.Predictions = predictedBits(t, last, inputs)
		text, err := json.Marshal(have)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(name, append(text, '\n'), 0o644))
	}
	name := cmp.Or(os.Getenv("ESPALIER_BITS"), "testdata/bits.json")
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	var want bitsFile
	require.NoError(t, json.Unmarshal(text, &want))
	require.Equal(t, want.Training, have.Training)
	loaded, err := Load(modelFile(name))
	require.NoError(t, err)
	require.Equal(t, want.Predictions, predictedBits(t, loaded, inputs))
}

func predictedBits(t *testing.T, m *Model, inputs Arrays) map[string][]uint32 {
	requireServed(t, m, inputs)
	predictions, err := m.Predict(inputs)
	require.NoError(t, err)
	bits := map[string][]uint32{}
	for name, y := range predictions {
		for _, v := range y.Data {
			bits[name] = append(bits[name], valueBits(v))
		}
	}
	return bits
}

// valueBits returns the bits of v; the sign of a zero is not specified.
func valueBits(v float32) uint32 {
	if v == 0 {
		return 0
	}
	return math.Float32bits(v)
}
