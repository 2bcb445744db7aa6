package safetensors_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/espalier-ml/espalier/safetensors"
)

func Example() {
	var file bytes.Buffer
	err := safetensors.Write(&file, []safetensors.Entry{{Key: "made_by", Value: "me"}}, []safetensors.Tensor{
		{Name: "dense/kernel", Shape: []int{2, 3}, Data: []float32{1, 2, 3, 4, 5, 6}},
		{Name: "dense/bias", Shape: []int{3}, Data: []float32{0.5, 0, -0.5}},
	})
	if err != nil {
		log.Fatal(err)
	}
	metadata, tensors, err := safetensors.Read(&file)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(metadata)
	for _, t := range tensors {
		fmt.Println(t.Name, t.Shape, t.Data)
	}
	// Output:
	// [{made_by me}]
	// dense/kernel [2 3] [1 2 3 4 5 6]
	// dense/bias [3] [0.5 0 -0.5]
}
