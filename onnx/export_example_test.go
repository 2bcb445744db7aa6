package onnx_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/onnx"
)

// A model with two outputs goes to whoever runs ONNX, here to this package.
func ExampleWrite() {
	model, err := twoHeads()
	if err != nil {
		fmt.Println(err)
		return
	}
	var file bytes.Buffer
	if err := onnx.Write(&file, model); err != nil {
		fmt.Println(err)
		return
	}
	again, err := onnx.Read(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(again.InputNames(), again.OutputNames())
	// Output: [features] [price kind]
}

func ExampleSave() {
	model, err := twoHeads()
	if err != nil {
		fmt.Println(err)
		return
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
		return
	}
	again, err := onnx.Load(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	x := nn.Arrays{"features": nn.Floats{1, 2, 3, 4}}
	before, _ := model.Predict(x)
	after, err := again.Predict(x)
	fmt.Println(before["price"].Data[0] == after["price"].Data[0], err)
	// Output: true <nil>
}

func twoHeads() (*nn.Model, error) {
	x := nn.Input("features", 4)
	trunk := nn.Dense(8, nn.ReLU, nn.Name("trunk")).On(x)
	price, kind := nn.Dense(1, nn.Linear, nn.Name("price")).On(trunk), nn.Dense(3, nn.Softmax, nn.Name("kind")).On(trunk)
	return nn.NewModel([]*nn.Node{x}, []*nn.Node{price, kind})
}
