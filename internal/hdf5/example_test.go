package hdf5_test

import (
	"bytes"
	"fmt"

	"github.com/espalier-ml/espalier/internal/hdf5"
)

func Example() {
	root := hdf5.NewFile()
	root.SetText("backend", "none")
	root.SetStringList("layer_names", []string{"dense"})
	root.Dataset("dense/kernel", []int{2, 2}, []float32{1, 2, 3, 4})
	var file bytes.Buffer
	if err := root.Write(&file); err != nil {
		fmt.Println(err)
		return
	}

	f, err := hdf5.Open(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		fmt.Println(err)
		return
	}
	backend, err := f.Root().Attr("backend").Text()
	fmt.Println(backend, err)
	names, found, err := f.Root().StringList("layer_names")
	fmt.Println(names, found, err)
	kernel, err := f.Root().Dataset("dense/kernel")
	if err != nil {
		fmt.Println(err)
		return
	}
	values, err := kernel.Float32s(nil)
	fmt.Println(kernel.Path(), kernel.Shape, kernel.Type, values, err)
	// Output:
	// none <nil>
	// [dense] true <nil>
	// /dense/kernel [2 2] float32 [1 2 3 4] <nil>
}
