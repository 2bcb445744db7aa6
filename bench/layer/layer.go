package layer

import (
	"fmt"

	"github.com/espalier-ml/espalier/nn"
)

// A Layer is what a model of one layer computes from an input x.
type Layer struct {
	Name  string
	Input nn.Shape
	On    func(x *nn.Node) *nn.Node
}

// sequence is 64 vectors of 32 numbers, image 28 by 28 pixels of 16 channels.
var (
	sequence = nn.Shape{64, 32}
	image    = nn.Shape{28, 28, 16}
)

// Layers are what is compared.
var Layers = []Layer{
	{"layer-normalization", sequence, func(x *nn.Node) *nn.Node { return nn.LayerNormalization(nn.Name("y")).On(x) }},
	{"attention", sequence, func(x *nn.Node) *nn.Node { return nn.Attention(nn.Name("y")).On(x, x) }},
	{"multi-head-attention", sequence, func(x *nn.Node) *nn.Node { return nn.MultiHeadAttention(4, 8, nn.Name("y")).On(x, x) }},
	{"gru", sequence, func(x *nn.Node) *nn.Node { return nn.GRU(32, nn.Name("y")).On(x) }},
	{"lstm", sequence, func(x *nn.Node) *nn.Node { return nn.LSTM(32, nn.Name("y")).On(x) }},
	{"conv2d", image, func(x *nn.Node) *nn.Node { return nn.Conv2D(32, [2]int{3, 3}, nn.Linear, nn.Same, nn.Name("y")).On(x) }},
}

// model makes a model of the layer, with random weights.
func (l Layer) model() (*nn.Model, error) {
	x := nn.Input("x", l.Input...)
	return nn.NewModel([]*nn.Node{x}, []*nn.Node{l.On(x)}, nn.Seed(1))
}

// layerOf returns the layer of a name.
func layerOf(name string) (Layer, error) {
	for _, l := range Layers {
		if l.Name == name {
			return l, nil
		}
	}
	return Layer{}, fmt.Errorf("no layer is named %q", name)
}
