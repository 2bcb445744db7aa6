package kernels_test

import (
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
)

// A dense layer: two rows of three features become two outputs each.
func ExampleTable_Gemm() {
	x := kernels.MatrixOf([]float32{
		1, 2, 3,
		-1, -2, -3,
	}, 2, 3)
	w := kernels.MatrixOf([]float32{
		1, 0,
		0, 1,
		1, 1,
	}, 3, 2)
	y := kernels.NewMatrix(2, 2)
	var s kernels.Scratch
	err := kernels.Default().Gemm(&s, y, x, w, kernels.Epilogue{Bias: []float32{0.5, 0}, Act: kernels.ReLU})
	fmt.Println(y.Row(0), y.Row(1), err)

	err = kernels.Default().Gemm(&s, y, w, x, kernels.Epilogue{})
	fmt.Println(err)
	// Output:
	// [4.5 5] [0 0] <nil>
	// kernels: Gemm: c is 2x2, a·b is 3x3: shape mismatch
}

func ExampleTable_Softmax() {
	x := kernels.MatrixOf([]float32{0, 0, float32(math.Inf(-1))}, 1, 3)
	err := kernels.Default().Softmax(x, x) // in place
	fmt.Println(x.Row(0), err)
	// Output: [0.5 0.5 0] <nil>
}

// The slope of a function comes from its operand and its result.
func ExampleTable_Unary() {
	x, y, slope := kernels.MatrixOf([]float32{-2, 0, 2}, 1, 3), kernels.NewMatrix(1, 3), kernels.NewMatrix(1, 3)
	ones := kernels.MatrixOf([]float32{1, 1, 1}, 1, 3)
	for _, f := range []kernels.Unary{{Kind: kernels.SiLU}, {Kind: kernels.ELU, A: 1, B: 1, C: 1}} {
		err := kernels.Default().Unary(y, x, f)
		if err == nil {
			err = kernels.Default().UnaryGrad(slope, ones, x, y, f, false)
		}
		fmt.Printf("%v %.3f %.3f %v\n", f, y.Data, slope.Data, err)
	}
	// Output:
	// silu [-0.238 0.000 1.762] [-0.091 0.500 1.091] <nil>
	// elu(1, 1, 1) [-0.865 0.000 2.000] [0.135 1.000 1.000] <nil>
}

func ExampleTable_Sparsemax() {
	x, y := kernels.MatrixOf([]float32{1, 3, 0.5, 0.25, 0.5, -1}, 2, 3), kernels.NewMatrix(2, 3)
	err := kernels.Default().Sparsemax(y, x)
	fmt.Printf("%.3f %.3f %v\n", y.Row(0), y.Row(1), err)
	// Output: [0.000 1.000 0.000] [0.125 0.375 0.000] <nil>
}

func ExampleTable_SoftmaxCrossEntropy() {
	logits := kernels.MatrixOf([]float32{
		2, 2,
		0, 100,
	}, 2, 2)
	loss, grad := make([]float32, 2), kernels.NewMatrix(2, 2)
	skip := kernels.Matrix{}
	err := kernels.Default().SoftmaxCrossEntropy(loss, skip, grad, logits, []int32{0, 1}, nil)
	fmt.Printf("%.3f %v %v\n", loss, grad.Row(0), err)

	err = kernels.Default().SoftmaxCrossEntropy(loss, skip, grad, logits, []int32{0, 2}, nil)
	fmt.Println(err)
	// Output:
	// [0.693 0.000] [-0.5 0.5] <nil>
	// kernels: SoftmaxCrossEntropy: row 1 has label 2, outside of [0, 2)
}

// The caller folds the bias correction into the step size.
func ExampleTable_Adam() {
	const lr, beta1, beta2 = 0.1, 0.9, 0.999
	w, m, v := []float32{1}, []float32{0}, []float32{0}
	for t := 1.0; t <= 3; t++ {
		alpha := lr * math.Sqrt(1-math.Pow(beta2, t)) / (1 - math.Pow(beta1, t))
		gradient := []float32{2 * w[0]} // of w²
		if err := kernels.Default().Adam(w, m, v, gradient, float32(alpha), beta1, beta2, 1e-7); err != nil {
			fmt.Println(err)
		}
		fmt.Printf("%.3f\n", w[0])
	}
	// Output:
	// 0.900
	// 0.800
	// 0.702
}

func ExampleTables() {
	fmt.Println(kernels.Tables()[0].ISA)
	// Output: generic
}

func ExampleTable_Describe() {
	fmt.Println(kernels.Tables()[0].Describe())
	// Output: generic: loops of Go
}

// What has grown much learns less.
func ExampleTable_Adagrad() {
	w, v := []float32{1, 1}, []float32{0, 0}
	err := kernels.Default().Adagrad(w, v, []float32{3, 0.1}, 0.5, 1e-7)
	fmt.Printf("%.3f %.2f %v\n", w, v, err)
	// Output: [0.500 0.500] [9.00 0.01] <nil>
}
