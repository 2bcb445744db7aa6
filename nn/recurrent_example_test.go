package nn_test

import (
	"fmt"

	"github.com/espalier-ml/espalier/nn"
)

// A classifier of sentences of up to 20 words, padded with 0.
func ExampleBidirectional() {
	words := nn.Input("words", 20)
	h := nn.Embedding(5000, 32, nn.MaskZero()).On(words)
	h = nn.Bidirectional(nn.LSTM(16, nn.InputDropout(0.2))).On(h)
	topic := nn.Dense(4, nn.Softmax, nn.Name("topic")).On(h)
	m, err := nn.NewModel([]*nn.Node{words}, []*nn.Node{topic})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, w := range m.Weights()[1:4] {
		fmt.Println(w.Name, w.Shape)
	}
	// Output:
	// bidirectional/forward/kernel (32, 64)
	// bidirectional/forward/recurrent_kernel (16, 64)
	// bidirectional/forward/bias (64)
}

// Layers of sequences can be stacked, and a layer can be called on each step.
func ExampleGRU() {
	x := nn.Input("x", 64, 32)
	h := nn.GRU(24, nn.ReturnSequences(), nn.GoBackwards(), nn.ZeroOutputForMask(), nn.ResetAfter(true)).On(x)
	h = nn.TimeDistributed(nn.Dense(8, nn.ReLU)).On(h)
	h = nn.LSTM(16, nn.ReturnSequences(), nn.UnitForgetBias(false), nn.RecurrentActivation(nn.Sigmoid)).On(h)
	y := nn.SimpleRNN(4, nn.CellActivation(nn.ReLU), nn.RecurrentDropout(0.1)).On(h)
	both := nn.Bidirectional(nn.GRU(3), nn.BackwardLayer(nn.GRU(3, nn.GoBackwards())), nn.MergeMode("sum")).On(h)
	fmt.Println(h.Shape(), y.Shape(), both.Shape())
	// Output: (64, 16) (4) (3)
}
