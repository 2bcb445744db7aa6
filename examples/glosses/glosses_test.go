package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/espalier-ml/espalier/nn"
)

// check ends the test with an error.
func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The program on a sixth of the nouns: it is better than its baselines, the plan of what it has saved answers as the model
// predicts, and the same seed gives the same.
func TestRun(t *testing.T) {
	nouns, err := readNouns(strings.NewReader(glossesTSV))
	check(t, err)
	if len(nouns) != 12000 {
		t.Errorf("%d nouns", len(nouns))
	}
	nouns = nouns[:2000]
	var all []nn.Logs
	for range 2 {
		var out bytes.Buffer
		o := options{out: filepath.Join(t.TempDir(), "deep", "out"), epochs: 3, seed: 1}
		logs, err := run(context.Background(), o, nouns, &out)
		check(t, err)
		if logs["category_accuracy"] < 0.3 || logs["depth_mae"] > 1.7 {
			t.Errorf("logs %v", logs)
		}
		for _, want := range []string{"reader (GRU)", "Epoch 3/3", "val_depth_mae", "of 200 nouns", "always the most frequent one", questions[0].gloss} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the output lacks %q:\n%s", want, &out)
			}
		}
		all = append(all, logs)
		m, err := nn.Load(filepath.Join(o.out, "glosses.safetensors"))
		check(t, err)
		var answers bytes.Buffer
		check(t, ask(m, vocabulary{}, &answers)) // every word is unknown
		predicted, err := m.Predict(vocabulary{}.data(questions).Inputs)
		check(t, err)
		for i, line := range strings.Split(strings.TrimSpace(answers.String()), "\n") {
			row := predicted["category"].Row(i)
			likely := slices.Max(row)
			want := fmt.Sprintf("%s (%.0f %%), %.1f steps", categories[slices.Index(row, likely)], 100*likely, predicted["depth"].Row(i)[0])
			if !strings.HasPrefix(line, questions[i].gloss) || !strings.Contains(line, want) {
				t.Errorf("%q, must say %q", line, want)
			}
		}
	}
	for name, v := range all[0] {
		if all[1][name] != v {
			t.Errorf("%s is %v, then %v", name, v, all[1][name])
		}
	}
}

func TestTokens(t *testing.T) {
	v := newVocabulary([]noun{{gloss: "A cat, or a dog"}, {gloss: "the cat's dog"}})
	for text, want := range map[string][]float32{
		"a CAT":                        {2, 3},
		"dog; zebra":                   {4, unknown},
		"":                             {},
		strings.Repeat("cat dog ", 20): slices.Repeat([]float32{3, 4}, length/2),
	} {
		want = append(want, make([]float32, length-len(want))...)
		if have := v.tokens(text); !slices.Equal(have, want) {
			t.Errorf("%q: %v, must be %v", text, have, want)
		}
	}
}

func TestBaselines(t *testing.T) {
	nouns := func(categories ...int) (all []noun) {
		for _, c := range categories {
			all = append(all, noun{category: c, depth: float32(c)})
		}
		return all
	}
	accuracy, off := baselines(nouns(1, 1, 4), nouns(1, 0, 6, 1)) // the mean is 2
	if accuracy != 0.5 || off != 2 {
		t.Errorf("%v right, off by %v", accuracy, off)
	}
}

func TestErrors(t *testing.T) {
	const header = "gloss\tcategory\tdepth\twords\tsynonyms\tnarrower\tparts\tverbs\tnames\n"
	for table, want := range map[string]string{
		"":                           "it has no rows",
		header:                       "it has no rows",
		"gloss\tdepth\nx\t1\n":       `no column "category" among ["gloss" "depth"]`,
		header + "x\tact\t1\t1\t1\n": "wrong number of fields",
		header + "x\tact\t1\t1\t0\t0\t0\t0\t-1\n": "row 1: column names",
		header + "x\tverb\t1\t1\t0\t0\t0\t0\t0\n": `row 1: column category: "verb" is none of ["act"`,
	} {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := z.Write([]byte(table))
		check(t, err)
		check(t, z.Close())
		if _, err := readNouns(&b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, must say %s", table, err, want)
		}
	}
	if _, err := readNouns(strings.NewReader("no gzip")); err == nil {
		t.Error("no error of what is not compressed")
	}
	if _, err := run(context.Background(), options{}, nil, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "0 nouns are too few") {
		t.Errorf("error %v", err)
	}
}
