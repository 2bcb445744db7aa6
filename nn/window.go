package nn

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
)

// Layers whose window moves over a sample have their data channels last: steps of features, [steps, features], or images,
// [height, width, channels].

// spatial are the axes over which a window moves: one of steps, or two of an image.
type spatial interface{ [1]int | [2]int }

// perAxis is a number for each axis. In a file it may be one number for all of them.
type perAxis[A spatial] struct{ of A }

// all returns n for each axis.
func all[A spatial](n int) (p perAxis[A]) {
	for i := range len(p.of) {
		p.of[i] = n
	}
	return p
}

// pair returns the numbers for the rows and the columns of an image: steps are an image of one row.
func (p perAxis[A]) pair(row int) [2]int {
	n := [2]int{row, p.of[0]}
	for i := range len(p.of) {
		n[i+2-len(p.of)] = p.of[i]
	}
	return n
}

// MarshalJSON writes a list.
func (p perAxis[A]) MarshalJSON() ([]byte, error) { return json.Marshal(p.of) }

// UnmarshalJSON reads a list, or one number.
func (p *perAxis[A]) UnmarshalJSON(text []byte) error {
	var n int
	if json.Unmarshal(text, &n) == nil {
		*p = all[A](n)
		return nil
	}
	var list []int
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	if len(list) != len(p.of) {
		return fmt.Errorf("%s has %d numbers, must be one or a list of %d", text, len(list), len(p.of))
	}
	for i, v := range list {
		p.of[i] = v
	}
	return nil
}

// A PaddingOption says where a window goes at the edges.
type PaddingOption string

const (
	Valid  PaddingOption = "valid"  // nowhere beyond them: the result is smaller than the input
	Same   PaddingOption = "same"   // as far on both sides as makes the result, with strides of 1, as large as the input
	Causal PaddingOption = "causal" // as far, but before the first step alone, so that no step depends on later ones; of Conv1D
)

func (o PaddingOption) applyLayer(l *Layer) {
	configure(l, string(o)+": only convolutions and pooling layers have a padding", func(k interface{ setPadding(PaddingOption) }) { k.setPadding(o) })
}

// A StridesOption is how far a window moves from place to place.
type StridesOption []int

// Strides sets how far the window of a convolution or a pooling layer moves from place to place: one number for all axes, or
// one for each. The default is 1 for convolutions and the size of the window for pooling.
func Strides(strides ...int) StridesOption { return strides }

func (o StridesOption) applyLayer(l *Layer) {
	applyPerAxis(l, "Strides", o, func(k any, text []byte) (bool, error) {
		s, ok := k.(interface{ setStrides([]byte) error })
		if !ok {
			return false, nil
		}
		return true, s.setStrides(text)
	})
}

// A DilationOption is how far the elements of a window are apart.
type DilationOption []int

// DilationRate sets how far the elements of the window of a convolution are apart: one number for all axes, or one for each.
// The default is 1.
func DilationRate(rate ...int) DilationOption { return rate }

func (o DilationOption) applyLayer(l *Layer) {
	applyPerAxis(l, "DilationRate", o, func(k any, text []byte) (bool, error) {
		s, ok := k.(interface{ setDilation([]byte) error })
		if !ok {
			return false, nil
		}
		return true, s.setDilation(text)
	})
}

// applyPerAxis hands numbers on as a file has them.
func applyPerAxis(l *Layer, name string, list []int, set func(kind any, text []byte) (bool, error)) {
	text, err := json.Marshal(list)
	if len(list) == 1 {
		text, err = json.Marshal(list[0])
	}
	ok := true
	if err == nil {
		ok, err = set(l.kind, text)
	}
	switch {
	case !ok:
		l.err = errors.Join(l.err, fmt.Errorf("does not take %s: its window does not have them", name))
	case err != nil:
		l.err = errors.Join(l.err, fmt.Errorf("%s: %w", name, err))
	}
}

// A dataFormat is where the channels are.
type dataFormat string

func (f dataFormat) check() error {
	switch f {
	case "", "channels_last":
		return nil
	case "channels_first":
		return errors.New(`data_format "channels_first" is not supported: channels are the last axis here, "channels_last"`)
	}
	return fmt.Errorf(`unknown data_format %q: valid is "channels_last"`, string(f))
}

// newWindow returns the window of a layer over inputs of the given shape. The numbers are those of rows and columns.
func newWindow(rank int, x Shape, size, strides, dilation [2]int, padding PaddingOption) (w kernels.Window, err error) {
	if w, err = imageWindow(rank, x); err != nil {
		return w, err
	}
	w.Size, w.Stride, w.Dilation = size, strides, dilation
	for i := range 2 {
		if min(size[i], strides[i], dilation[i]) < 1 || max(size[i], strides[i], dilation[i]) > math.MaxInt16 {
			return w, fmt.Errorf("a window of size %d, strides of %d and a dilation rate of %d: valid are 1 to %d", size[i], strides[i], dilation[i], math.MaxInt16)
		}
		reach := (size[i]-1)*dilation[i] + 1
		w.Out[i] = (w.In[i]-1)/strides[i] + 1
		switch {
		case padding == Valid:
			if reach > w.In[i] {
				return w, fmt.Errorf("the window reaches over %d positions, the input of shape %s has %d", reach, x, w.In[i])
			}
			w.Out[i] = (w.In[i]-reach)/strides[i] + 1
		case padding == Same:
			w.Before[i] = max((w.Out[i]-1)*strides[i]+reach-w.In[i], 0) / 2
		case padding == Causal && rank == 1:
			w.Before[i] = reach - 1
		default:
			return w, fmt.Errorf("padding %q is not valid: use %q or %q, or %q for Conv1D", string(padding), Valid, Same, Causal)
		}
	}
	return w, w.Check()
}

// imageWindow returns the window that covers an input of the given shape.
func imageWindow(rank int, x Shape) (w kernels.Window, err error) {
	if len(x) != rank+1 {
		return w, fmt.Errorf("called on shape %s, takes %s", x, map[int]string{1: "(steps, features)", 2: "(height, width, channels)"}[rank])
	}
	w.In, w.Channels = [2]int{1, x[0]}, x.Last()
	if rank == 2 {
		w.In = [2]int{x[0], x[1]}
	}
	one := [2]int{1, 1}
	w.Size, w.Stride, w.Dilation, w.Out = w.In, one, one, one
	return w, nil
}

// placesShape is the shape of a result with so many channels for each place of the window.
func placesShape(rank int, w kernels.Window, channels int) Shape {
	return append(Shape(w.Out[2-rank:]), channels)
}
