package nn_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/espalier-ml/espalier/nn"
)

// newLine returns a model of y = wx + b and data to train it.
func newLine() (*nn.Model, nn.Data) {
	x := nn.Input("x", 1)
	y := nn.Dense(1, nn.Linear, nn.Name("y")).On(x)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{y})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.Compile(nn.Adam(0.1), nn.Losses{"y": nn.MSE()}); err != nil {
		log.Fatal(err)
	}
	return m, nn.Data{
		Inputs:  nn.Arrays{"x": nn.Floats{0, 1, 2, 3}},
		Targets: nn.Arrays{"y": nn.Floats{1, 3, 5, 7}},
	}
}

// A loaded model goes on training where the saved one stopped.
func ExampleLoad() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "line.safetensors")

	m, data := newLine()
	if _, err := m.Fit(context.Background(), data, nn.Epochs(200)); err != nil {
		log.Fatal(err)
	}
	if err := m.Save(path); err != nil {
		log.Fatal(err)
	}

	loaded, err := nn.Load(path)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := loaded.Fit(context.Background(), data, nn.Epochs(400), nn.InitialEpoch(200)); err != nil {
		log.Fatal(err)
	}
	y, err := loaded.Predict(nn.Arrays{"x": nn.Floats{10}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.1f\n", y["y"].Data[0])
	// Output: 21.0
}

// A model can be part of the program: use an embed.FS in place of the map.
func ExampleLoadFS() {
	m, _ := newLine()
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		log.Fatal(err)
	}
	files := fstest.MapFS{"models/line.safetensors": {Data: b.Bytes()}}

	loaded, err := nn.LoadFS(files, "models/line.safetensors")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(loaded.InputNames(), loaded.OutputNames(), loaded.CountParams())

	_, err = nn.LoadFS(files, "models/curve.safetensors")
	fmt.Println(err)
	// Output:
	// [x] [y] 2
	// nn: Load "models/curve.safetensors": open models/curve.safetensors: file does not exist
}

// A file keeps what belongs to a model, and what the model computes for a few rows, which Load checks.
func ExampleMetadata() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "line.safetensors")
	m, _ := newLine()
	if err := m.Save(path, nn.Metadata(map[string]string{"unit": "m"})); err != nil {
		log.Fatal(err)
	}
	loaded, err := nn.Load(path) // with nn.SelfTest(false) it would not be checked
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(loaded.Metadata())
	// Output: map[unit:m]
}
