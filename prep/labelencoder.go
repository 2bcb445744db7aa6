package prep

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/espalier-ml/espalier/internal/brief"
)

// LabelEncoder gives the names of classes the labels 0, 1, ... in ascending order of the names, as scikit-learn's class of that
// name, for the target of a cross-entropy. An unknown name is an error.
type LabelEncoder struct {
	Classes []string `json:"classes,omitempty"`

	words vocabulary[string]
}

// Reads implements [Transform].
func (*LabelEncoder) Reads() Kind { return Text }

// Build implements [Transform].
func (t *LabelEncoder) Build(width int) (Kind, int, error) {
	if width != 1 {
		return 0, 0, fmt.Errorf("reads one value, there are %s", widthOf(width))
	}
	if len(t.Classes) > maxWidth {
		return 0, 0, fmt.Errorf("there are %d classes, at most %d are possible", len(t.Classes), maxWidth)
	}
	return Integer, 1, t.words.build(t.Classes, 0)
}

// Fitted implements [Fitter].
func (t *LabelEncoder) Fitted() bool { return len(t.Classes) > 0 }

// Fit implements [Fitter].
func (t *LabelEncoder) Fit(values []Value) error {
	for _, v := range values {
		t.words.add(v.text, strings.Clone)
	}
	return nil
}

// Finish implements [Fitter].
func (t *LabelEncoder) Finish() error {
	if t.words.pruned > 0 {
		return fmt.Errorf("there are more than %d classes", maxCandidates)
	}
	for class := range t.words.counts {
		if !utf8.ValidString(class) {
			return fmt.Errorf("the class %s is not valid UTF-8", brief.Quote(class))
		}
	}
	t.Classes, _ = t.words.finish(0, func(string) bool { return false })
	slices.Sort(t.Classes)
	if len(t.Classes) == 0 {
		return errNoValues
	}
	return nil
}

// Apply implements [Transform].
func (t *LabelEncoder) Apply(c *Cell) error {
	v := c.Values[0]
	label, ok := t.words.index[v.text]
	if !ok {
		return fmt.Errorf("%v is no class, valid are %s", v, keysOf(t.Classes))
	}
	c.Values[0] = IntegerOf(int64(label))
	return nil
}
