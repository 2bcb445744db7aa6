package main

import (
	"compress/gzip"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/espalier-ml/espalier/nn"
)

// 12,000 nouns of WordNet 3.0; README.md has the source and LICENSE.wordnet the licence.
//
//go:embed glosses.tsv.gz
var glossesTSV string

// categories are what the labels count through.
var categories = []string{"act", "animal", "artifact", "attribute", "cognition", "communication", "group", "location", "person", "plant", "state", "substance"}

// columns are those of the table input: words of the name, other names, kinds of it, parts of it, verbs that are akin to it, and
// whether it is the name of one thing.
var columns = []string{"words", "synonyms", "narrower", "parts", "verbs", "names"}

// A noun is one concept.
type noun struct {
	gloss    string
	table    []float32 // in the order of columns
	category int
	depth    float32 // steps up to "entity", of which everything is a kind
}

const most = 20 // what a column counts to: a few nouns have hundreds of kinds

// readNouns reads a compressed table with a line of names.
func readNouns(r io.Reader) ([]noun, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("table of nouns: %w", err)
	}
	lines := csv.NewReader(z)
	lines.Comma = '\t'
	table, err := lines.ReadAll()
	if err == nil && len(table) < 2 {
		err = errors.New("it has no rows")
	}
	if err != nil {
		return nil, fmt.Errorf("table of nouns: %w", err)
	}
	at := map[string]int{}
	for i, name := range table[0] {
		at[name] = i
	}
	for _, name := range append([]string{"gloss", "category", "depth"}, columns...) {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("table of nouns: no column %q among %q", name, table[0])
		}
	}
	nouns := make([]noun, len(table)-1)
	for i, record := range table[1:] {
		var errs []error
		count := func(name string) float32 {
			v, err := strconv.ParseUint(record[at[name]], 10, 16)
			if err != nil {
				errs = append(errs, fmt.Errorf("column %s: %w", name, err))
			}
			return float32(v)
		}
		n := noun{gloss: record[at["gloss"]], depth: count("depth"), category: slices.Index(categories, record[at["category"]])}
		for _, name := range columns {
			n.table = append(n.table, min(count(name), most))
		}
		if n.category < 0 {
			errs = append(errs, fmt.Errorf("column category: %q is none of %q", record[at["category"]], categories))
		}
		if len(errs) > 0 {
			return nil, fmt.Errorf("table of nouns, row %d: %w", i+1, errors.Join(errs...))
		}
		nouns[i] = n
	}
	return nouns, nil
}

// words splits a text at what is neither a letter nor a digit.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// A vocabulary numbers words.
type vocabulary map[string]int

const (
	padding = 0 // behind the last word
	unknown = 1 // a word that is not in the vocabulary
)

// newVocabulary numbers the words that occur at least twice, from 2 on in the order of their first occurrence.
func newVocabulary(nouns []noun) vocabulary {
	v, seen := vocabulary{}, map[string]bool{}
	for _, n := range nouns {
		for _, w := range words(n.gloss) {
			if _, ok := v[w]; !ok && seen[w] {
				v[w] = unknown + 1 + len(v)
			}
			seen[w] = true
		}
	}
	return v
}

const length = 24 // of a text, in words: what is behind them is left out

// tokens returns the numbers of a text's words.
func (v vocabulary) tokens(text string) []float32 {
	row := make([]float32, length) // of padding
	for i, w := range words(text) {
		if i == length {
			break
		}
		row[i] = unknown
		if n, ok := v[w]; ok {
			row[i] = float32(n)
		}
	}
	return row
}

// data returns what the network reads and learns.
func (v vocabulary) data(nouns []noun) nn.Data {
	var gloss, table, depth nn.Floats
	var category nn.Labels
	for _, n := range nouns {
		gloss, table = append(gloss, v.tokens(n.gloss)...), append(table, n.table...)
		category, depth = append(category, int32(n.category)), append(depth, n.depth)
	}
	return nn.Data{
		Inputs:  nn.Arrays{"gloss": gloss, "table": table},
		Targets: nn.Arrays{"category": category, "depth": depth},
	}
}
