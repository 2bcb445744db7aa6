package prep

import (
	"fmt"
	"slices"
)

// An OutputMode is what becomes of the indices of categories, as in Keras.
type OutputMode string

const (
	Int      OutputMode = "int"       // the indices, as for an Embedding
	OneHot   OutputMode = "one_hot"   // of one value: a column for each index, 1 where the value is
	MultiHot OutputMode = "multi_hot" // of any number of values: 1 for each index that is there
	Count    OutputMode = "count"     // of any number of values: how often each index is there
	TFIDF    OutputMode = "tf_idf"    // the count times the logarithm of how rare the index is
)

const maxWidth = 1 << 20 // columns that one transform can make

// build returns what becomes of a cell of indices from 0 to depth-1; depth is 0 while it is not known.
func (m OutputMode) build(width, depth int, valid ...OutputMode) (Kind, int, error) {
	if !slices.Contains(valid, m) {
		return 0, 0, fmt.Errorf("output_mode is %q, valid are %q", m, valid)
	}
	if m == Int {
		return Integer, width, nil
	}
	if m == OneHot && width != 1 {
		return 0, 0, fmt.Errorf("output_mode %q is for one value, there are %s: use %q", m, widthOf(width), MultiHot)
	}
	if depth > maxWidth {
		return 0, 0, fmt.Errorf("output_mode %q makes %d columns, at most %d are possible: use %q and an Embedding", m, depth, maxWidth, Int)
	}
	return Encoded, depth, nil
}

// write replaces the values of c, which are indices, by what becomes of them. Negative ones are left out of encodings.
func (m OutputMode) write(c *Cell, idf []float64) {
	if m == Int {
		return
	}
	clear(c.Out)
	for _, v := range c.Values {
		i := v.Int()
		switch {
		case i < 0:
		case m == Count || m == TFIDF:
			c.Out[i]++
		default:
			c.Out[i] = 1
		}
	}
	if m == TFIDF {
		for i, w := range idf {
			c.Out[i] *= float32(w)
		}
	}
}

// CategoryEncoding encodes whole numbers from 0 to NumTokens-1, as Keras' layer of that name. The default of OutputMode is
// MultiHot.
type CategoryEncoding struct {
	NumTokens  int        `json:"num_tokens"`
	OutputMode OutputMode `json:"output_mode,omitempty"` // MultiHot, OneHot or Count
}

// Reads implements [Transform].
func (*CategoryEncoding) Reads() Kind { return Integer }

func (t *CategoryEncoding) mode() OutputMode {
	if t.OutputMode == "" {
		return MultiHot
	}
	return t.OutputMode
}

// Build implements [Transform].
func (t *CategoryEncoding) Build(width int) (Kind, int, error) {
	if t.NumTokens < 1 {
		return 0, 0, fmt.Errorf("num_tokens is %d, must be at least 1", t.NumTokens)
	}
	return t.mode().build(width, t.NumTokens, MultiHot, OneHot, Count)
}

// Apply implements [Transform].
func (t *CategoryEncoding) Apply(c *Cell) error {
	for _, v := range c.Values {
		if i := v.Int(); i < 0 || i >= int64(t.NumTokens) {
			return fmt.Errorf("%d is no category, valid are 0 to %d", i, t.NumTokens-1)
		}
	}
	t.mode().write(c, nil)
	return nil
}
