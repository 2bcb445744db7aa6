package keras_test

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/espalier-ml/espalier/keras"
	"github.com/espalier-ml/espalier/nn"
)

// A model that Keras saved predicts in Go.
func Example() {
	m, err := keras.Load("testdata/real/keras-churn/model.keras")
	if err != nil {
		log.Fatal(err)
	}
	customer := make(nn.Floats, 11)
	y, err := m.Predict(nn.Arrays{m.InputNames()[0]: customer})
	if err != nil {
		log.Fatal(err)
	}
	churn := y[m.OutputNames()[0]].Data[0]
	fmt.Println(m.CountParams(), "parameters, a probability:", churn > 0 && churn < 1)
	// Output: 1057 parameters, a probability: true
}

// An axis of any size gets one.
func ExampleInputShape() {
	_, err := keras.Load("testdata/real/h5-cascade-two-outputs/model.h5")
	fmt.Println(err)
	m, err := keras.Load("testdata/real/h5-cascade-two-outputs/model.h5", keras.InputShape("input_2", 12, 12, 3))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.OutputNames())
	// Output:
	// keras: Load "testdata/real/h5-cascade-two-outputs/model.h5": input "input_2": has shape (None, None, 3), and an axis of any size needs one here: give it with keras.InputShape("input_2", ...)
	// [conv4-1 conv4-2]
}

// A program can hold the file, as an embed.FS does.
func ExampleLoadFS() {
	m, err := keras.LoadFS(os.DirFS("testdata/real"), "keras-iris-tf213/model.keras")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.InputNames(), m.OutputNames())
	// Output: [input_1] [dense_1]
}

// What Write writes, Read reads, from memory too.
func ExampleRead() {
	x := nn.Input("x", 3)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Sigmoid, nn.Name("churn")).On(x)})
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if err := keras.Write(&file, m); err != nil {
		log.Fatal(err)
	}
	again, err := keras.Read(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.OutputNames())
	// Output: [churn]
}

// A model of which there are the architecture, as model.to_json() returns it, and a file with weights.
func ExampleFromJSON() {
	m, err := keras.FromJSON([]byte(`{"class_name": "Sequential", "config": {"name": "s", "layers": [
		{"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [null, 3]}},
		{"class_name": "Dense", "config": {"name": "label", "units": 2, "activation": "softmax"}}]}}`))
	if err != nil {
		log.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "model.weights.h5")
	if err := keras.Save(m, path); err != nil {
		log.Fatal(err)
	}
	fmt.Println(keras.LoadWeights(m, path), keras.LoadWeights(m, path, keras.ByName()))
	// Output: <nil> <nil>
}
