package prep

import (
	"fmt"
	"unicode/utf8"
)

// The values of TextVectorization's Standardize and Split, as in Keras; "none" is Keras' None.
const (
	LowerAndStripPunctuation = "lower_and_strip_punctuation"
	Lower                    = "lower"
	StripPunctuation         = "strip_punctuation"
	Whitespace               = "whitespace"
	Character                = "character"
	None                     = "none"
)

// TextVectorization makes tokens of a text and looks them up, as Keras' layer of that name: it standardizes, splits, joins
// neighbours to n-grams, and gives tokens indices as [StringLookup] does, with 0 for padding and 1 for unknown tokens where
// OutputMode is Int, and else with 0 for unknown tokens. As in Keras, lower-casing and punctuation are those of ASCII; other
// letters stay as they are. Without a Vocabulary it is fitted.
type TextVectorization struct {
	MaxTokens            int        `json:"max_tokens,omitempty"`
	Standardize          string     `json:"standardize,omitempty"` // "" is LowerAndStripPunctuation
	Split                string     `json:"split,omitempty"`       // "" is Whitespace
	NGrams               []int      `json:"ngrams,omitempty"`      // the lengths of n-grams; none is 1. Keras' ngrams=2 is 1, 2
	OutputMode           OutputMode `json:"output_mode,omitempty"` // Int, if "", MultiHot, Count or TFIDF
	OutputSequenceLength int        `json:"output_sequence_length,omitempty"`
	PadToMaxTokens       bool       `json:"pad_to_max_tokens,omitempty"`
	Vocabulary           []string   `json:"vocabulary,omitempty"`
	IDFWeights           []float64  `json:"idf_weights,omitempty"`

	lookup lookup
	words  vocabulary[string]
	idf    []float64
	cell   Cell // of Fit
}

// Reads implements [Transform].
func (*TextVectorization) Reads() Kind { return Text }

// Build implements [Transform].
func (t *TextVectorization) Build(width int) (Kind, int, error) {
	switch t.Standardize {
	case "", LowerAndStripPunctuation, Lower, StripPunctuation, None:
	default:
		return 0, 0, fmt.Errorf("standardize is %q, valid are %q", t.Standardize, []string{LowerAndStripPunctuation, Lower, StripPunctuation, None})
	}
	switch t.Split {
	case "", Whitespace, Character, None:
	default:
		return 0, 0, fmt.Errorf("split is %q, valid are %q", t.Split, []string{Whitespace, Character, None})
	}
	if width != 1 {
		return 0, 0, fmt.Errorf("reads one text, there are %s", widthOf(width))
	}
	for _, n := range t.NGrams {
		if n < 1 || n > 100 {
			return 0, 0, fmt.Errorf("ngrams has %d, valid are 1 to 100", n)
		}
	}
	mode := modeOf(t.OutputMode)
	t.lookup = lookup{t.MaxTokens, 1, true, mode, t.IDFWeights, t.PadToMaxTokens, nil, len(t.Vocabulary)}
	if mode == OneHot {
		return 0, 0, fmt.Errorf("output_mode is %q, valid are %q", mode, []OutputMode{Int, MultiHot, Count, TFIDF})
	}
	kind, out, err := t.lookup.build(-1)
	if err != nil {
		return 0, 0, err
	}
	if mode == Int {
		if kind, out = Encoded, t.OutputSequenceLength; out < 1 || out > maxWidth {
			return 0, 0, fmt.Errorf("output_sequence_length is %d, valid are 1 to %d: every row has as many indices", out, maxWidth)
		}
	}
	t.idf = t.lookup.weights()
	return kind, out, t.words.build(t.Vocabulary, t.lookup.first())
}

// Fitted implements [Fitter].
func (t *TextVectorization) Fitted() bool { return len(t.Vocabulary) > 0 }

// Fit implements [Fitter].
func (t *TextVectorization) Fit(values []Value) error {
	t.words.docs++
	t.cell.bytes = t.cell.bytes[:0]
	t.tokens(&t.cell, values[0].text, func(token []byte) bool {
		if tally := t.words.counts[string(token)]; tally != nil {
			t.words.see(tally)
		} else {
			t.words.add(string(token), func(s string) string { return s })
		}
		return true
	})
	return nil
}

// Finish implements [Fitter].
func (t *TextVectorization) Finish() error {
	t.Vocabulary, t.IDFWeights = t.words.finish(t.lookup.room(), func(s string) bool { return s == unknownToken || s == "" })
	if len(t.Vocabulary) == 0 {
		return errNoValues
	}
	if t.lookup.mode != TFIDF {
		t.IDFWeights = nil
	}
	t.cell = Cell{}
	return nil
}

// Apply implements [Transform].
func (t *TextVectorization) Apply(c *Cell) error {
	clear(c.Out)
	n, mode := 0, t.lookup.mode
	t.tokens(c, c.Values[0].text, func(token []byte) bool {
		index, ok := t.words.index[string(token)]
		if !ok {
			index = int32(t.lookup.masked())
			if len(token) == 0 { // the mask
				if mode != Int {
					return true
				}
				index = 0
			}
		}
		switch mode {
		case Int:
			c.Out[n] = float32(index)
			n++
			return n < len(c.Out)
		case MultiHot:
			c.Out[index] = 1
		default:
			c.Out[index]++
		}
		return true
	})
	if mode == TFIDF {
		for i, w := range t.idf {
			c.Out[i] *= float32(w)
		}
	}
	return nil
}

// tokens calls f with the tokens of a text until it returns false. The tokens lie in c's memory, one blank between two.
func (t *TextVectorization) tokens(c *Cell, text string, f func(token []byte) bool) {
	lower := t.Standardize == "" || t.Standardize == LowerAndStripPunctuation || t.Standardize == Lower
	strip := t.Standardize == "" || t.Standardize == LowerAndStripPunctuation || t.Standardize == StripPunctuation
	from := len(c.bytes)
	b, ends := c.bytes, c.ends[:0] // of tokens in b
	begin := from
	end := func() {
		ends = append(ends, len(b))
		b = append(b, ' ')
		begin = len(b)
	}
	for i := 0; i < len(text); {
		ch, size := text[i], 1
		if lower && 'A' <= ch && ch <= 'Z' {
			ch += 'a' - 'A'
		}
		switch {
		case strip && characters[ch] == punctuation:
		case t.Split == Character:
			r, n := utf8.DecodeRuneInString(text[i:])
			if size = n; n == 1 && r != utf8.RuneError {
				b = append(b, ch)
			} else {
				b = utf8.AppendRune(b, r)
			}
			end()
		case t.Split != None && characters[ch] == space:
			if len(b) > begin {
				end()
			}
		default:
			b = append(b, ch)
		}
		i += size
	}
	if len(b) > begin || t.Split == None {
		end()
	}
	c.bytes, c.ends = b, ends
	grams := t.NGrams
	if len(grams) == 0 {
		grams = unigrams
	}
	for _, n := range grams {
		begin := from
		for i := n - 1; i < len(ends); i++ {
			if !f(b[begin:ends[i]]) {
				return
			}
			begin = ends[i-n+1] + 1
		}
	}
}

var unigrams = []int{1}

const (
	space = iota + 1
	punctuation
)

// characters are the kinds of ASCII's characters.
var characters = func() (kinds [256]uint8) {
	for _, c := range " \t\n\v\f\r" {
		kinds[c] = space
	}
	for _, c := range "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" {
		kinds[c] = punctuation
	}
	return kinds
}()
