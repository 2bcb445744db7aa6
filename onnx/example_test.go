package onnx_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/onnx"
)

func Example() {
	m, err := onnx.Load("testdata/real/onnx-one-layer/model.onnx")
	if err != nil {
		log.Fatal(err)
	}
	y, err := m.Predict(nn.Arrays{"input": nn.Floats{0, 0, 0, 1, -2, 3}}) // two rows
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4f\n", y["output"].Data)
	// Output: [0.5928 0.6980]
}

// A model trains further, as any other.
func ExampleLoad() {
	m, err := onnx.Load("testdata/real/onnx-pytorch13-mlp/model.onnx")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.InputNames(), m.OutputNames(), m.CountParams())
	if err := m.Compile(nn.Adam(0.01), nn.Losses{"output": nn.MSE()}); err != nil {
		log.Fatal(err)
	}
	x := make(nn.Floats, 8*10)
	for i := range x {
		x[i] = float32(i%7) / 7
	}
	d := nn.Data{Inputs: nn.Arrays{"input": x}, Targets: nn.Arrays{"output": make(nn.Floats, 8*2)}}
	h, err := m.Fit(context.Background(), d, nn.Epochs(20))
	if err != nil {
		log.Fatal(err)
	}
	loss := h.Logs["loss"]
	fmt.Println("better:", loss[19] < loss[0])
	// Output:
	// [input] [output] 67
	// better: true
}

func ExampleLoadFS() {
	m, err := onnx.LoadFS(os.DirFS("testdata/real"), "onnx-one-layer/model.onnx")
	if err != nil {
		log.Fatal(err)
	}
	plan, err := nn.NewPlan(m, 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan.InputNames(), plan.InputFeatures(0), plan.OutputNames(), plan.OutputFeatures(0))
	// Output: [input] 3 [output] 1
}

// What cannot be read is refused by name.
func ExampleRead() {
	_, err := onnx.Read(strings.NewReader("not a model"))
	fmt.Println(err != nil)
	// Output: true
}

// This file leaves all sizes open, so that the caller says how large a sample is.
func ExampleInputShape() {
	path := "testdata/real/onnx-probe-two-in-three-out/model.onnx"
	_, err := onnx.Load(path)
	fmt.Println(err)
	m, err := onnx.Load(path, onnx.InputShape("in1", 4), onnx.InputShape("in2", 4))
	if err != nil {
		log.Fatal(err)
	}
	y, err := m.Predict(nn.Arrays{"in1": nn.Floats{1, 2, 3, 4}, "in2": nn.Floats{5, 6, 7, 8}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y["out1"].Data, y["out2"].Data, y["out3"].Data)
	// Output:
	// onnx: Load "testdata/real/onnx-probe-two-in-three-out/model.onnx": input "in1" leaves the size of axis 1 open ("inner"): say it with InputShape
	// [6 8 10 12] [-4 -4 -4 -4] [5 12 21 32]
}

// The axes of this mean are an input of the graph; a model must know them.
func ExampleInputValue() {
	path := "testdata/node/test_reduce_mean_negative_axes_keepdims_example/model.onnx"
	_, err := onnx.Load(path)
	fmt.Println(err)
	m, err := onnx.Load(path, onnx.InputValue("axes", -2))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.InputNames(), m.Inputs()[0].Shape(), m.Outputs()[0].Shape())
	// Output:
	// onnx: Load "testdata/node/test_reduce_mean_negative_axes_keepdims_example/model.onnx": node "reduced" (ReduceMean): input 1 "axes" must be a constant
	// [data] (2, 2) (1, 2)
}
