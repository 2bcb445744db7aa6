package nn

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// edges is how many positions lie before and behind those of each axis. In a file it may be one number for all, for an image
// also one for each axis.
type edges[A spatial] struct{ of [2][2]int }

func (e *edges[A]) rank() int {
	var a A
	return len(a)
}

// MarshalJSON writes a pair, or a list of two.
func (e edges[A]) MarshalJSON() ([]byte, error) {
	if e.rank() == 1 {
		return json.Marshal(e.of[1])
	}
	return json.Marshal(e.of)
}

// UnmarshalJSON reads what Keras takes.
func (e *edges[A]) UnmarshalJSON(text []byte) error {
	var n int
	if json.Unmarshal(text, &n) == nil {
		e.of = [2][2]int{{n, n}, {n, n}}
		if e.rank() == 1 {
			e.of[0] = [2]int{}
		}
		return nil
	}
	var pair []int
	if json.Unmarshal(text, &pair) == nil && len(pair) == 2 {
		e.of = [2][2]int{{pair[0], pair[0]}, {pair[1], pair[1]}}
		if e.rank() == 1 {
			e.of = [2][2]int{{}, {pair[0], pair[1]}}
		}
		return nil
	}
	var pairs [][]int
	if e.rank() == 1 || json.Unmarshal(text, &pairs) != nil || len(pairs) != 2 || len(pairs[0]) != 2 || len(pairs[1]) != 2 {
		return fmt.Errorf("%s is no number, pair or, for an image, pair of pairs", text)
	}
	e.of = [2][2]int{{pairs[0][0], pairs[0][1]}, {pairs[1][0], pairs[1][1]}}
	return nil
}

// window returns one of a single element that goes beyond the edges, or leaves them out if sign is -1.
func (e *edges[A]) window(x Shape, sign int) (kernels.Window, error) {
	w, err := imageWindow(e.rank(), x)
	if err != nil {
		return w, err
	}
	w.Size = [2]int{1, 1}
	for i, n := range e.of {
		if min(n[0], n[1]) < 0 || max(n[0], n[1]) > math.MaxInt32/4 {
			return w, fmt.Errorf("%d and %d positions at the edges: valid are 0 to %d", n[0], n[1], math.MaxInt32/4)
		}
		w.Before[i] = sign * n[0]
		if w.Out[i] = w.In[i] + sign*(n[0]+n[1]); w.Out[i] < 1 {
			return w, fmt.Errorf("%d and %d positions of %d are cut off: nothing is left", n[0], n[1], w.In[i])
		}
	}
	return w, w.Check()
}

type zeroPadding[A spatial] struct {
	Padding    edges[A]   `json:"padding"`
	DataFormat dataFormat `json:"data_format"`
}

type cropping[A spatial] struct {
	Cropping   edges[A]   `json:"cropping"`
	DataFormat dataFormat `json:"data_format"`
}

func init() {
	Register("ZeroPadding1D", zeroPadding[[1]int]{Padding: edges[[1]int]{[2][2]int{{}, {1, 1}}}})
	Register("ZeroPadding2D", zeroPadding[[2]int]{Padding: edges[[2]int]{[2][2]int{{1, 1}, {1, 1}}}})
	Register("Cropping1D", cropping[[1]int]{Cropping: edges[[1]int]{[2][2]int{{}, {1, 1}}}})
	Register("Cropping2D", cropping[[2]int]{})
}

// ZeroPadding1D puts so many steps of zeros before and behind those of its input.
func ZeroPadding1D(before, behind int, opts ...LayerOption) *Layer {
	return New(&zeroPadding[[1]int]{Padding: edges[[1]int]{[2][2]int{{}, {before, behind}}}}, opts...)
}

// ZeroPadding2D puts so many rows of zeros above and below an image, padding[0], and columns left and right of it, padding[1].
func ZeroPadding2D(padding [2][2]int, opts ...LayerOption) *Layer {
	return New(&zeroPadding[[2]int]{Padding: edges[[2]int]{padding}}, opts...)
}

// Cropping1D leaves out so many of the first and of the last steps.
func Cropping1D(first, last int, opts ...LayerOption) *Layer {
	return New(&cropping[[1]int]{Cropping: edges[[1]int]{[2][2]int{{}, {first, last}}}}, opts...)
}

// Cropping2D leaves out so many rows of an image above and below, crop[0], and columns left and right, crop[1].
func Cropping2D(crop [2][2]int, opts ...LayerOption) *Layer {
	return New(&cropping[[2]int]{Cropping: edges[[2]int]{crop}}, opts...)
}

func (p *zeroPadding[A]) Build(b *Builder, in []Shape) Shape {
	return buildEdges(b, in, &p.Padding, 1, p.DataFormat)
}

func (p *cropping[A]) Build(b *Builder, in []Shape) Shape {
	return buildEdges(b, in, &p.Cropping, -1, p.DataFormat)
}

func buildEdges[A spatial](b *Builder, in []Shape, e *edges[A], sign int, format dataFormat) Shape {
	w, err := e.window(b.One(in), sign)
	if err == nil {
		err = format.check()
	}
	if err != nil {
		b.Errorf("%w", err)
		return nil
	}
	return placesShape(e.rank(), w, w.Channels)
}

func (p *zeroPadding[A]) Forward(c *Call) *ops.Tensor {
	w, _ := p.Padding.window(c.InShape(0), 1)
	return c.Samples(c.Patches(c.In(0), w))
}

func (p *cropping[A]) Forward(c *Call) *ops.Tensor {
	w, _ := p.Cropping.window(c.InShape(0), -1)
	return c.Samples(c.Patches(c.In(0), w))
}
