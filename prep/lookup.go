package prep

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/internal/portable"
)

// NoOOV as NumOOVIndices says that a value that is not in the vocabulary is an error.
const NoOOV = -1

const (
	unknownToken  = "[UNK]"
	maxVocabulary = 1 << 24 // float32 has every whole number up to this
	maxCandidates = 1 << 18 // tokens that are counted at once
)

// A vocabulary finds the indices of tokens, and counts tokens while it is fitted.
type vocabulary[T cmp.Ordered] struct {
	index  map[T]int32
	counts map[T]*tally
	docs   int64
	pruned int64 // tokens that did not come more often may have been dropped
}

// A tally is how often a token was seen, in how many rows, and in which one last.
type tally struct{ n, docs, last int64 }

// add counts a token of the present row. Where more than maxCandidates would be counted, the rarest are dropped, as in Manku and
// Motwani's lossy counting (2002): one that came more than pruned times is not lost, and a count is at most pruned too high.
func (v *vocabulary[T]) add(token T, own func(T) T) {
	t := v.counts[token]
	if t == nil {
		if v.counts == nil {
			v.counts = map[T]*tally{}
		}
		for len(v.counts) >= maxCandidates {
			v.pruned++
			for k, t := range v.counts {
				if t.n <= v.pruned {
					delete(v.counts, k)
				}
			}
		}
		t = &tally{n: v.pruned, docs: v.pruned}
		v.counts[own(token)] = t
	}
	v.see(t)
}

// see counts a token that has a tally.
func (v *vocabulary[T]) see(t *tally) {
	t.n++
	if t.last != v.docs {
		t.last = v.docs
		t.docs++
	}
}

// finish returns the tokens, at most limit where that is above 0, the most frequent first and of equally frequent ones the
// larger first, as Keras; and for each log(1 + rows / (1 + rows that have it)).
func (v *vocabulary[T]) finish(limit int, special func(T) bool) (tokens []T, idf []float64) {
	for token := range v.counts {
		if !special(token) && utf8.ValidString(text(token)) { // a file could not hold it
			tokens = append(tokens, token)
		}
	}
	slices.SortFunc(tokens, func(a, b T) int {
		return cmp.Or(cmp.Compare(v.counts[b].n, v.counts[a].n), cmp.Compare(b, a))
	})
	if limit > 0 && len(tokens) > limit {
		tokens = tokens[:limit]
	}
	for _, token := range tokens {
		idf = append(idf, portable.Log(1+float64(v.docs)/float64(1+v.counts[token].docs)))
	}
	v.counts, v.docs, v.pruned = nil, 0, 0
	return tokens, idf
}

// text returns a token as a text.
func text[T any](token T) string {
	if s, is := any(token).(string); is {
		return s
	}
	return fmt.Sprint(token)
}

// build indexes tokens from the index first on.
func (v *vocabulary[T]) build(tokens []T, first int) error {
	v.index = make(map[T]int32, len(tokens))
	for i, token := range tokens {
		if s, is := any(token).(string); is && !utf8.ValidString(s) {
			return fmt.Errorf("the vocabulary has %s, which is not valid UTF-8", brief.Quote(s))
		}
		if _, again := v.index[token]; again {
			return fmt.Errorf("the vocabulary has %s twice", brief.Quote(text(token)))
		}
		v.index[token] = int32(first + i)
	}
	return nil
}

// A lookup is what StringLookup, IntegerLookup and TextVectorization have in common.
type lookup struct {
	maxTokens, oov int
	mask           bool
	mode           OutputMode
	idf            []float64
	pad            bool
	salt           []uint64
	n              int // tokens of the vocabulary
}

// masked is the number of indices before those of unknown tokens.
func (l *lookup) masked() int {
	if l.mask && l.mode == Int {
		return 1
	}
	return 0
}

func (l *lookup) first() int { return l.masked() + l.oov }

func (l *lookup) depth() int {
	if l.pad {
		return l.maxTokens
	}
	if l.n == 0 {
		return 0
	}
	return l.first() + l.n
}

func (l *lookup) build(width int) (Kind, int, error) {
	switch {
	case l.maxTokens < 0 || l.maxTokens == 1 || l.maxTokens > maxVocabulary:
		return 0, 0, fmt.Errorf("max_tokens is %d, valid are 2 to %d", l.maxTokens, maxVocabulary)
	case l.oov < 0 || l.oov > maxVocabulary:
		return 0, 0, fmt.Errorf("num_oov_indices is %d, valid are 1 to %d, and NoOOV", l.oov, maxVocabulary)
	case l.n > maxVocabulary-l.first():
		return 0, 0, fmt.Errorf("the vocabulary has %d tokens, at most %d are possible", l.n, maxVocabulary-l.first())
	case l.maxTokens > 0 && l.maxTokens <= l.first():
		return 0, 0, fmt.Errorf("max_tokens is %d, of which %d are for masks and unknown tokens", l.maxTokens, l.first())
	case l.maxTokens > 0 && l.first()+l.n > l.maxTokens:
		return 0, 0, fmt.Errorf("the vocabulary has %d tokens, max_tokens %d leaves room for %d", l.n, l.maxTokens, l.maxTokens-l.first())
	case l.pad && l.maxTokens == 0:
		return 0, 0, errors.New("pad_to_max_tokens needs max_tokens")
	case l.mode == TFIDF && len(l.idf) != l.n:
		return 0, 0, fmt.Errorf("there are %d idf_weights for %d tokens", len(l.idf), l.n)
	}
	for i, w := range l.idf {
		if w-w != 0 || math.Abs(w) > math.MaxFloat32 {
			return 0, 0, fmt.Errorf("idf weight %d is %v", i, w)
		}
	}
	if err := checkSalt(l.salt); err != nil {
		return 0, 0, err
	}
	return l.mode.build(width, l.depth(), Int, OneHot, MultiHot, Count, TFIDF)
}

// room is how many tokens a fit may choose, 0 for all.
func (l *lookup) room() int {
	if l.maxTokens == 0 {
		return 0
	}
	return l.maxTokens - l.first()
}

// weights returns the weight of each index: unknown tokens have the mean of all.
func (l *lookup) weights() []float64 {
	if l.mode != TFIDF {
		return nil
	}
	sum := 0.0
	for _, w := range l.idf {
		sum += w
	}
	all := make([]float64, l.first(), l.first()+len(l.idf))
	for i := range all {
		all[i] = sum / float64(len(l.idf))
	}
	return append(all, l.idf...)
}

// maskIndex is the index of a mask; encodings leave a negative one out.
func (l *lookup) maskIndex() int64 {
	if l.mode == Int {
		return 0
	}
	return -1
}

// keysOf has the words of a vocabulary for errors.
func keysOf[T any](tokens []T) string {
	var names []string
	for _, t := range tokens[:min(len(tokens), brief.MaxListed+1)] {
		names = append(names, fmt.Sprint(t))
	}
	text := brief.QuoteAll(names)
	if rest := len(tokens) - len(names); rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return text
}

func oovOf(n int) int {
	switch n {
	case 0:
		return 1
	case NoOOV:
		return 0
	case 1:
		return 1
	}
	if n < 0 {
		return math.MaxInt32 // build refuses it
	}
	return n
}

func modeOf(m OutputMode) OutputMode {
	if m == "" {
		return Int
	}
	return m
}

// StringLookup gives texts the indices of a vocabulary, as Keras' layer of that name: first the mask, if there is one and
// OutputMode is Int, then the indices of unknown texts, then the vocabulary. Without a Vocabulary it is fitted: to the most
// frequent texts. Fields have Keras' meaning and, where nothing else is said, its defaults.
type StringLookup struct {
	MaxTokens      int        `json:"max_tokens,omitempty"`      // of all indices; 0: no limit
	NumOOVIndices  int        `json:"num_oov_indices,omitempty"` // 0 is 1; unknown texts are hashed to more; NoOOV: they are errors
	Mask           bool       `json:"mask,omitempty"`            // whether there is a MaskToken
	MaskToken      string     `json:"mask_token,omitempty"`      // becomes 0; encodings leave it out
	Vocabulary     []string   `json:"vocabulary,omitempty"`
	IDFWeights     []float64  `json:"idf_weights,omitempty"` // of the vocabulary, for TFIDF
	OutputMode     OutputMode `json:"output_mode,omitempty"` // "" is Int
	PadToMaxTokens bool       `json:"pad_to_max_tokens,omitempty"`
	Salt           []uint64   `json:"salt,omitempty"` // as in [Hashing]

	lookup lookup
	words  vocabulary[string]
	idf    []float64
}

// Reads implements [Transform].
func (*StringLookup) Reads() Kind { return Text }

// Build implements [Transform].
func (t *StringLookup) Build(width int) (Kind, int, error) {
	t.lookup = lookup{t.MaxTokens, oovOf(t.NumOOVIndices), t.Mask, modeOf(t.OutputMode), t.IDFWeights, t.PadToMaxTokens, t.Salt, len(t.Vocabulary)}
	kind, out, err := t.lookup.build(width)
	if err == nil {
		err = t.words.build(t.Vocabulary, t.lookup.first())
	}
	t.idf = t.lookup.weights()
	return kind, out, err
}

// Fitted implements [Fitter].
func (t *StringLookup) Fitted() bool { return len(t.Vocabulary) > 0 }

// Fit implements [Fitter].
func (t *StringLookup) Fit(values []Value) error {
	t.words.docs++
	for _, v := range values {
		t.words.add(v.text, strings.Clone)
	}
	return nil
}

// Finish implements [Fitter].
func (t *StringLookup) Finish() error {
	t.Vocabulary, t.IDFWeights = t.words.finish(t.lookup.room(), func(s string) bool { return s == unknownToken || t.Mask && s == t.MaskToken })
	if len(t.Vocabulary) == 0 {
		return errNoValues
	}
	if t.lookup.mode != TFIDF {
		t.IDFWeights = nil
	}
	return nil
}

// Apply implements [Transform].
func (t *StringLookup) Apply(c *Cell) error {
	for i, v := range c.Values {
		index, ok := t.words.index[v.text]
		at := int64(index)
		switch {
		case t.Mask && v.text == t.MaskToken:
			at = t.lookup.maskIndex()
		case ok:
		case t.lookup.oov == 0:
			return fmt.Errorf("%v is not in the vocabulary, which is %s", v, keysOf(t.Vocabulary))
		default:
			at = int64(t.lookup.masked())
			if t.lookup.oov > 1 {
				at += int64(hashString(v.text, t.Salt) % uint64(t.lookup.oov))
			}
		}
		c.Values[i] = IntegerOf(at)
	}
	t.lookup.mode.write(c, t.idf)
	return nil
}

// IntegerLookup is [StringLookup] for whole numbers, as Keras' layer of that name. Unknown numbers share NumOOVIndices by their
// remainder.
type IntegerLookup struct {
	MaxTokens      int        `json:"max_tokens,omitempty"`
	NumOOVIndices  int        `json:"num_oov_indices,omitempty"`
	Mask           bool       `json:"mask,omitempty"`
	MaskToken      int64      `json:"mask_token,omitempty"`
	Vocabulary     []int64    `json:"vocabulary,omitempty"`
	IDFWeights     []float64  `json:"idf_weights,omitempty"`
	OutputMode     OutputMode `json:"output_mode,omitempty"`
	PadToMaxTokens bool       `json:"pad_to_max_tokens,omitempty"`

	lookup  lookup
	numbers vocabulary[int64]
	idf     []float64
}

// Reads implements [Transform].
func (*IntegerLookup) Reads() Kind { return Integer }

// Build implements [Transform].
func (t *IntegerLookup) Build(width int) (Kind, int, error) {
	t.lookup = lookup{t.MaxTokens, oovOf(t.NumOOVIndices), t.Mask, modeOf(t.OutputMode), t.IDFWeights, t.PadToMaxTokens, nil, len(t.Vocabulary)}
	kind, out, err := t.lookup.build(width)
	if err == nil {
		err = t.numbers.build(t.Vocabulary, t.lookup.first())
	}
	t.idf = t.lookup.weights()
	return kind, out, err
}

// Fitted implements [Fitter].
func (t *IntegerLookup) Fitted() bool { return len(t.Vocabulary) > 0 }

// Fit implements [Fitter].
func (t *IntegerLookup) Fit(values []Value) error {
	t.numbers.docs++
	for _, v := range values {
		t.numbers.add(v.Int(), func(i int64) int64 { return i })
	}
	return nil
}

// Finish implements [Fitter].
func (t *IntegerLookup) Finish() error {
	t.Vocabulary, t.IDFWeights = t.numbers.finish(t.lookup.room(), func(i int64) bool { return i == -1 || t.Mask && i == t.MaskToken })
	if len(t.Vocabulary) == 0 {
		return errNoValues
	}
	if t.lookup.mode != TFIDF {
		t.IDFWeights = nil
	}
	return nil
}

// Apply implements [Transform].
func (t *IntegerLookup) Apply(c *Cell) error {
	for i, v := range c.Values {
		x := v.Int()
		index, ok := t.numbers.index[x]
		at := int64(index)
		switch {
		case t.Mask && x == t.MaskToken:
			at = t.lookup.maskIndex()
		case ok:
		case t.lookup.oov == 0:
			return fmt.Errorf("%d is not in the vocabulary, which is %s", x, keysOf(t.Vocabulary))
		default:
			n := int64(t.lookup.oov)
			at = int64(t.lookup.masked()) + (x%n+n)%n
		}
		c.Values[i] = IntegerOf(at)
	}
	t.lookup.mode.write(c, t.idf)
	return nil
}
