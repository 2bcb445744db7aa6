package autograd_test

import (
	"fmt"
	"log"
	"math"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
)

// A training loop of one's own: a network 2-4-1 learns XOR with Adam.
func Example() {
	x := kernels.MatrixOf([]float32{0, 0, 0, 1, 1, 0, 1, 1}, 4, 2)
	y := kernels.MatrixOf([]float32{0, 1, 1, 0}, 4, 1)

	weights := []kernels.Matrix{ // any small numbers that differ
		kernels.MatrixOf([]float32{0.5, -0.4, 0.3, -0.2, -0.5, 0.6, 0.4, -0.3}, 2, 4),
		kernels.NewMatrix(1, 4),
		kernels.MatrixOf([]float32{0.3, 0.5, -0.4, -0.6}, 4, 1),
		kernels.NewMatrix(1, 1),
	}
	var m, v [4][]float32 // Adam's moments
	for i, w := range weights {
		m[i], v[i] = make([]float32, len(w.Data)), make([]float32, len(w.Data))
	}

	table := kernels.Default()
	tape := autograd.NewTape(table)
	forward := func() (pred *autograd.Tensor, params [4]*autograd.Tensor) {
		tape.Reset()
		for i, w := range weights {
			params[i] = tape.Param(w)
		}
		hidden := tape.Dense(tape.Const(x), params[0], params[1], kernels.Tanh)
		return tape.Dense(hidden, params[2], params[3], kernels.Sigmoid), params
	}
	const lr, beta1, beta2, epsilon = 0.05, 0.9, 0.999, 1e-7
	for step := 1.0; step <= 500; step++ {
		pred, params := forward()
		if err := tape.Backward(tape.MeanSquaredError(pred, y, nil)); err != nil {
			log.Fatal(err)
		}
		alpha := lr * math.Sqrt(1-math.Pow(beta2, step)) / (1 - math.Pow(beta1, step))
		for i, p := range params {
			if err := table.Adam(weights[i].Data, m[i], v[i], tape.Grad(p).Data, float32(alpha), beta1, beta2, epsilon); err != nil {
				log.Fatal(err)
			}
		}
	}

	pred, _ := forward()
	for i := range x.Rows {
		fmt.Printf("%v xor %v = %.0f\n", x.Row(i)[0], x.Row(i)[1], pred.Row(i)[0])
	}
	fmt.Println("loss below 0.01:", tape.MeanSquaredError(pred, y, nil).Data[0] < 0.01)
	// Output:
	// 0 xor 0 = 0
	// 0 xor 1 = 1
	// 1 xor 0 = 1
	// 1 xor 1 = 0
	// loss below 0.01: true
}

// The gradient of (a·b + a) by a is b + 1, and by b it is a. Constants get none.
func ExampleTape_Backward() {
	scalar := func(v float32) kernels.Matrix { return kernels.MatrixOf([]float32{v}, 1, 1) }
	tape := autograd.NewTape(nil)
	a, b := tape.Param(scalar(3)), tape.Param(scalar(5))
	ten := tape.Const(scalar(10))

	loss := tape.Add(tape.Add(tape.Multiply(a, b), a), ten)
	if err := tape.Backward(loss); err != nil {
		log.Fatal(err)
	}
	fmt.Println("loss", loss.Data)
	fmt.Println("by a", tape.Grad(a).Data)
	fmt.Println("by b", tape.Grad(b).Data)
	fmt.Println("by ten", tape.Grad(ten).Data)
	// Output:
	// loss [28]
	// by a [6]
	// by b [3]
	// by ten []
}

// The gradient by the logits is the softmax minus one at the label, over the number of rows.
func ExampleTape_SoftmaxCrossEntropy() {
	tape := autograd.NewTape(nil)
	logits := tape.Param(kernels.MatrixOf([]float32{
		0, 0,
		0, float32(math.Log(3)),
	}, 2, 2))
	loss, probs := tape.SoftmaxCrossEntropy(logits, []int32{0, 1}, nil)
	if err := tape.Backward(loss); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("loss %.3f\n", loss.Data[0]) // the mean of log 2 and log 4/3
	for i := range probs.Rows {
		fmt.Printf("probabilities %.3f, gradient %.3f\n", probs.Row(i), tape.Grad(logits).Row(i))
	}
	// Output:
	// loss 0.490
	// probabilities [0.500 0.500], gradient [-0.250 0.250]
	// probabilities [0.250 0.750], gradient [0.125 -0.125]
}

// Two inputs meet: their columns stand beside each other.
func ExampleTape_Concatenate() {
	tape := autograd.NewTape(nil)
	a := tape.Const(kernels.MatrixOf([]float32{1, 2, 3, 4}, 2, 2))
	b := tape.Const(kernels.MatrixOf([]float32{5, 6}, 2, 1))
	y := tape.Concatenate(a, b)
	fmt.Println(y.Row(0), y.Row(1))
	// Output: [1 2 5] [3 4 6]
}

// The gradients of several parameters can lie where one loop updates them all.
func ExampleTape_ParamInto() {
	weights, gradients := []float32{3, 5}, make([]float32, 2)
	tape := autograd.NewTape(nil)
	a := tape.ParamInto(kernels.MatrixOf(weights[:1], 1, 1), gradients[:1])
	b := tape.ParamInto(kernels.MatrixOf(weights[1:], 1, 1), gradients[1:])
	if err := tape.Backward(tape.Sum(tape.Multiply(a, b))); err != nil {
		log.Fatal(err)
	}
	fmt.Println(gradients)
	// Output: [5 3]
}

// The columns that were not taken get a gradient of zero.
func ExampleTape_Slice() {
	tape := autograd.NewTape(nil)
	x := tape.Param(kernels.MatrixOf([]float32{1, 2, 3, 4, 5, 6}, 2, 3))
	y := tape.Slice(x, 1, 3)
	fmt.Println(y.Row(0), y.Row(1))
	if err := tape.Backward(tape.Sum(y)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(tape.Grad(x).Row(0), tape.Grad(x).Row(1))
	// Output:
	// [2 3] [5 6]
	// [0 1 1] [0 1 1]
}

// The first error sticks to the tape, so a step needs one check, at Backward.
func ExampleTape_Err() {
	tape := autograd.NewTape(nil)
	x, w := tape.Const(kernels.NewMatrix(4, 3)), tape.Param(kernels.NewMatrix(2, 1))
	loss := tape.Mean(tape.Dense(x, w, nil, kernels.Linear))
	fmt.Println(tape.Backward(loss))
	tape.Reset()
	fmt.Println(tape.Err())
	// Output:
	// kernels: Gemm: b is 2x1, a has 3 columns: shape mismatch
	// <nil>
}
