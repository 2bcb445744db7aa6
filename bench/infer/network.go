package infer

import (
	"fmt"
	"slices"
)

// Activation is what a layer applies to its sums.
type Activation string

const (
	Linear  Activation = "linear"
	ReLU    Activation = "relu"
	Sigmoid Activation = "sigmoid"
	Softmax Activation = "softmax"
)

// A Layer is a dense layer: act(x·W + b), with W of In rows and Out columns.
type Layer struct {
	In  int        `json:"in"`
	Out int        `json:"out"`
	Act Activation `json:"act"`
}

// Concat as the layer of a [Step] joins its values side by side.
const Concat = -1

// A Step makes one value from others: of one by a layer, or of several by Concat. Steps of the same layer share weights.
type Step struct {
	Layer int   `json:"layer"`
	On    []int `json:"on"`
}

// A Network is a list of steps. Its values are numbered: first the inputs, then the results of the steps.
type Network struct {
	Name    string  `json:"name"`
	Inputs  []int   `json:"inputs"` // features of each
	Layers  []Layer `json:"layers"`
	Steps   []Step  `json:"steps"`
	Outputs []int   `json:"outputs"` // values
}

// Networks are what is compared in inference and training.
var Networks = []Network{
	{
		// Two tasks on one trunk: 11,659 parameters.
		Name:    "mt",
		Inputs:  []int{20},
		Layers:  []Layer{{20, 128, ReLU}, {128, 64, ReLU}, {64, 1, Linear}, {64, 10, Softmax}},
		Steps:   []Step{{0, []int{0}}, {1, []int{1}}, {2, []int{2}}, {3, []int{2}}},
		Outputs: []int{3, 4},
	},
	{
		// Two inputs that share a layer and meet: 1,391 parameters.
		Name:   "mm",
		Inputs: []int{10, 10},
		Layers: []Layer{{10, 5, ReLU}, {10, 5, ReLU}, {5, 32, ReLU}, {32, 16, ReLU}, {32, 16, ReLU}, {32, 1, Sigmoid}},
		Steps: []Step{{0, []int{0}}, {1, []int{1}}, {2, []int{2}}, {2, []int{3}}, {3, []int{4}}, {4, []int{5}},
			{Concat, []int{6, 7}}, {5, []int{8}}},
		Outputs: []int{9},
	},
	{
		// Two inputs that share a layer, and a task for each: 995 parameters.
		Name:   "mmmt",
		Inputs: []int{10, 10},
		Layers: []Layer{{10, 5, ReLU}, {10, 5, ReLU}, {5, 32, ReLU}, {32, 10, ReLU}, {32, 10, ReLU},
			{10, 1, Linear}, {10, 2, Softmax}},
		Steps: []Step{{0, []int{0}}, {1, []int{1}}, {2, []int{2}}, {2, []int{3}}, {3, []int{4}}, {4, []int{5}},
			{5, []int{6}}, {6, []int{7}}},
		Outputs: []int{8, 9},
	},
	{
		// More weights than the second cache holds: 1,889,381 parameters.
		Name:   "large",
		Inputs: []int{256, 256},
		Layers: []Layer{{256, 512, ReLU}, {256, 512, ReLU}, {1024, 1024, ReLU}, {1024, 512, ReLU},
			{512, 1, Linear}, {512, 100, Softmax}},
		Steps: []Step{{0, []int{0}}, {1, []int{1}}, {Concat, []int{2, 3}}, {2, []int{4}}, {3, []int{5}},
			{4, []int{6}}, {5, []int{6}}},
		Outputs: []int{7, 8},
	},
}

// Towers are what is compared in inference only: the dense layers of models that recommend, in sizes that others publish.
var Towers = []Network{
	tower("dlrm-bottom", ReLU, 13, 512, 256, 128),
	tower("dlrm-top", Sigmoid, 479, 1024, 1024, 512, 256, 1),
	tower("wide-deep", Sigmoid, 845, 1024, 512, 256, 1),
	tower("ncf", Sigmoid, 256, 256, 128, 64, 1),
}

// tower is one layer after the other, all with ReLU but the last.
func tower(name string, last Activation, widths ...int) Network {
	n := Network{Name: name, Inputs: widths[:1]}
	for i, out := range widths[1:] {
		n.Layers = append(n.Layers, Layer{widths[i], out, ReLU})
		n.Steps = append(n.Steps, Step{i, []int{i}})
	}
	n.Layers[len(n.Layers)-1].Act = last
	n.Outputs = []int{len(n.Layers)}
	return n
}

// NetworkOf returns the network of a name.
func NetworkOf(name string) (Network, error) {
	for _, n := range slices.Concat(Networks, Towers) {
		if n.Name == name {
			return n, nil
		}
	}
	return Network{}, fmt.Errorf("no network is named %q", name)
}

// Parameters counts weights and biases.
func (n Network) Parameters() int {
	sum := 0
	for _, l := range n.Layers {
		sum += l.In*l.Out + l.Out
	}
	return sum
}

// FLOPs counts the multiplications and additions of the products that the network computes for a batch.
func (n Network) FLOPs(batch int) float64 {
	products := 0
	for _, s := range n.Steps {
		if s.Layer != Concat {
			products += n.Layers[s.Layer].In * n.Layers[s.Layer].Out
		}
	}
	return 2 * float64(batch) * float64(products)
}

// Widths returns the columns of each value.
func (n Network) Widths() []int {
	widths := append([]int(nil), n.Inputs...)
	for _, s := range n.Steps {
		width := 0
		if s.Layer == Concat {
			for _, v := range s.On {
				width += widths[v]
			}
		} else {
			width = n.Layers[s.Layer].Out
		}
		widths = append(widths, width)
	}
	return widths
}
