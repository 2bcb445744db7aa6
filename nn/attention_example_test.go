package nn_test

import (
	"fmt"
	"log"

	"github.com/espalier-ml/espalier/nn"
)

// An encoder of sequences: every step looks at those before it, in four ways at once.
func ExampleMultiHeadAttention() {
	x := nn.Input("steps", 64, 32)
	attended := nn.MultiHeadAttention(4, 8, nn.CausalMask(), nn.AttentionDropout(0.1), nn.Name("attention")).On(x, x)
	h := nn.LayerNormalization().On(nn.Add().On(x, attended))
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Sigmoid, nn.Name("churn")).On(nn.Flatten().On(h))})
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range m.Weights()[:8] {
		fmt.Println(w.Name, w.Shape)
	}
	// Output:
	// attention/query/kernel (32, 4, 8)
	// attention/query/bias (4, 8)
	// attention/key/kernel (32, 4, 8)
	// attention/key/bias (4, 8)
	// attention/value/kernel (32, 4, 8)
	// attention/value/bias (4, 8)
	// attention/attention_output/kernel (4, 8, 32)
	// attention/attention_output/bias (32)
}

// Its options say what the scores are, how large the heads and what a query sees.
func ExampleGroupedQueryAttention() {
	query, value := nn.Input("query", 5, 16), nn.Input("value", 7, 12)
	for _, l := range []*nn.Layer{
		nn.GroupedQueryAttention(4, 8, 2, nn.SlidingWindow(3)),
		nn.MultiHeadAttention(2, 8, nn.ValueDim(4), nn.OutputShape(3, 2), nn.NoBias()),
	} {
		fmt.Println(l.Class(), l.On(query, value).Shape())
	}
	key := nn.Input("key", 7, 16)
	for _, l := range []*nn.Layer{
		nn.Attention(nn.UseScale(true)),
		nn.Attention(nn.ConcatScores()),
		nn.AdditiveAttention(nn.UseScale(false)),
	} {
		fmt.Println(l.Class(), l.On(query, value, key).Shape())
	}
	// Output:
	// GroupedQueryAttention (5, 16)
	// MultiHeadAttention (5, 3, 2)
	// Attention (5, 12)
	// Attention (5, 12)
	// AdditiveAttention (5, 12)
}

// The attention of one query without a weight, as it is computed.
func ExampleAttention() {
	query, value := nn.Input("query", 1, 2), nn.Input("value", 3, 2)
	m, err := nn.NewModel([]*nn.Node{query, value}, []*nn.Node{nn.Attention(nn.Name("y")).On(query, value)})
	if err != nil {
		log.Fatal(err)
	}
	y, err := m.Predict(nn.Arrays{"query": nn.Floats{0, 9}, "value": nn.Floats{1, 0, 0, 0, 4, 9}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y["y"].Row(0))
	// Output: [4 9]
}

// Its scores have a weight for each feature.
func ExampleAdditiveAttention() {
	query, value := nn.Input("query", 4, 8), nn.Input("value", 6, 8)
	m, err := nn.NewModel([]*nn.Node{query, value}, []*nn.Node{nn.AdditiveAttention().On(query, value)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Weights()[0].Name, m.Weights()[0].Shape)
	// Output: additive_attention/scale (8)
}

func ExampleDot() {
	a, b := nn.Input("a", 3), nn.Input("b", 3)
	m, err := nn.NewModel([]*nn.Node{a, b}, []*nn.Node{
		nn.Dot(-1, -1, nn.Name("product")).On(a, b),
		nn.Dot(-1, -1, nn.Normalize(), nn.Name("cosine")).On(a, b),
	})
	if err != nil {
		log.Fatal(err)
	}
	y, err := m.Predict(nn.Arrays{"a": nn.Floats{1, 2, 2}, "b": nn.Floats{4, 0, 0}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f %.3f\n", y["product"].Data, y["cosine"].Data)
	// Output: [4.000] [0.333]
}

func ExampleEinsumDense() {
	x := nn.Input("x", 10, 32)
	heads := nn.EinsumDense("abc,cde->abde", []int{0, 4, 8}, nn.Linear, nn.BiasAxes("de")).On(x)
	back := nn.EinsumDense("abde,dec->abc", []int{0, 32}, nn.ReLU).On(heads)
	fmt.Println(heads.Shape(), back.Shape())
	// Output: (10, 4, 8) (10, 32)
}

func ExamplePermute() {
	x := nn.Input("x", 2, 3)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Permute([]int{2, 1}, nn.Name("transposed")).On(x)})
	if err != nil {
		log.Fatal(err)
	}
	y, err := m.Predict(nn.Arrays{"x": nn.Floats{1, 2, 3, 4, 5, 6}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y["transposed"].Data)
	// Output: [1 4 2 5 3 6]
}
