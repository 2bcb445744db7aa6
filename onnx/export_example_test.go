package onnx_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/onnx"
)

func Example() {
	x := nn.Input("features", 4)
	trunk := nn.Dense(8, nn.ReLU, nn.Name("trunk")).On(x)
	price, kind := nn.Dense(1, nn.Linear, nn.Name("price")).On(trunk), nn.Dense(3, nn.Softmax, nn.Name("kind")).On(trunk)
	model, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{price, kind})
	if err != nil {
		fmt.Println(err)
		return
	}

	var file bytes.Buffer
	if err := onnx.Write(&file, model); err != nil { // or to a file
		fmt.Println(err)
	}
	folder, err := os.MkdirTemp("", "onnx")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "model.onnx")
	if err := onnx.Save(path, model); err != nil {
		fmt.Println(err)
	}
	saved, err := os.ReadFile(path)
	fmt.Println(bytes.Equal(saved, file.Bytes()), err)
	// Output: true <nil>
}
