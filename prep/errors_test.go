package prep

import (
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What New refuses, and how it says so.
func TestNewErrors(t *testing.T) {
	one := &Normalization{}
	for name, c := range map[string]struct {
		column *Feature
		want   string
	}{
		"strategy":       {Column("a", &Imputer{Strategy: "average"}), `column "a": Imputer: strategy is "average", valid are ["mean" "median" "most_frequent" "constant"]`},
		"no fill":        {Column("a", &Imputer{Strategy: Constant}), "needs a fill_value"},
		"mean of texts":  {Column("a", &Imputer{Strategy: Mean}, &StringLookup{}), `strategy "mean" is for numbers, StringLookup reads a text`},
		"fill of kind":   {Column("a", &Imputer{Strategy: Constant, FillValue: "x"}, &Normalization{}), `Imputer: fill_value "x": is not a number`},
		"late imputer":   {Column("a", &Log{}, &Imputer{Strategy: Mean}), "an Imputer can only be the first step"},
		"optional":       {Column("a", &Log{}).Optional(), "is optional, so its first step must be an Imputer"},
		"two fits":       {Column("a", &RobustScaler{}, &Normalization{}), "one pass over the data cannot do that"},
		"after encoding": {Column("a", &StringLookup{OutputMode: OneHot}, &Log{}), "Log reads a number, StringLookup before it gives encoded"},
		"kinds":          {Column("a", &Log{}, &StringLookup{}), "StringLookup reads a text, Log before it gives a number"},
		"mode":           {Column("a", &CategoryEncoding{NumTokens: 3, OutputMode: "hot"}), `output_mode is "hot", valid are ["multi_hot" "one_hot" "count"]`},
		"one-hot list":   {Column("a", &StringLookup{OutputMode: OneHot}).List(), `is for one value, there are any number of values: use "multi_hot"`},
		"plain list":     {Column("a", &StringLookup{}).List(), "must encode them"},
		"bins":           {Column("a", &Hashing{}), "num_bins is 0, valid are 1 to 16777216"},
		"wide":           {Column("a", &Hashing{NumBins: 1 << 24, OutputMode: OneHot}), "at most 1048576 are possible"},
		"salt":           {Column("a", &Hashing{NumBins: 2, Salt: []uint64{1, 2, 3}}), "salt has 3 numbers"},
		"cross of one":   {Column("a", &HashedCrossing{NumBins: 3}), "needs two values or more"},
		"boundaries":     {Column("a", &Discretization{BinBoundaries: []float64{2, 1}}), "not in ascending order"},
		"no bins":        {Column("a", &Discretization{}), "num_bins is 0"},
		"vocabulary":     {Column("a", &StringLookup{Vocabulary: []string{"x", "x"}}), `the vocabulary has "x" twice`},
		"utf-8":          {Column("a", &StringLookup{Vocabulary: []string{"\xff"}}), "not valid UTF-8"},
		"max tokens":     {Column("a", &StringLookup{MaxTokens: 2, Vocabulary: []string{"x", "y"}}), "leaves room for 1"},
		"padding":        {Column("a", &StringLookup{PadToMaxTokens: true}), "needs max_tokens"},
		"oov":            {Column("a", &IntegerLookup{NumOOVIndices: -2}), "num_oov_indices is"},
		"idf":            {Column("a", &StringLookup{Vocabulary: []string{"x"}, OutputMode: TFIDF}), "there are 0 idf_weights for 1 tokens"},
		"standardize":    {Column("a", &TextVectorization{Standardize: "upper"}), `standardize is "upper", valid are`},
		"split":          {Column("a", &TextVectorization{Split: "words"}), `split is "words", valid are`},
		"length":         {Column("a", &TextVectorization{}), "output_sequence_length is 0"},
		"part":           {Column("a", &Calendar{Parts: []string{"week"}}), `unknown part "week": valid are ["year" "month"`},
		"half a mean":    {Column("a", &Normalization{Mean: new(float64)}), "both mean and variance"},
		"range":          {Column("a", &MinMaxScaler{Range: []float64{1, 0}}), "feature_range is [1 0]"},
		"nil step":       {Column("a", nil), "is not registered: see Register"},
		"nil":            {nil, "a column is nil"},
		"no columns":     {Cross(nil), "there are no columns"},
		"shared":         {Column("a", one, one), "one pass over the data"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Input("in", c.column))
			require.ErrorContains(t, err, c.want)
			require.True(t, strings.HasPrefix(err.Error(), "prep: New: input \"in\": "), err.Error())
		})
	}
	_, err := New(Input("in", Column("a", one)), Input("in", Column("b", one)), Target("out"))
	require.ErrorContains(t, err, `input "in" is there twice`)
	require.ErrorContains(t, err, `column "b": its Normalization is a step of another column too`)
	require.ErrorContains(t, err, `target "out" has no columns`)
	_, err = New()
	require.ErrorContains(t, err, "there are no inputs")
}

// What data are refused: the message has the row or line, the column and the value.
func TestDataErrors(t *testing.T) {
	p, err := New(Input("in", Column("n", &Normalization{}), Column("s", &StringLookup{NumOOVIndices: NoOOV}), Column("i", &IntegerLookup{})),
		Target("y", Column("class", &LabelEncoder{})))
	require.NoError(t, err)
	_, err = p.Data(Columns{}.Rows())
	require.NoError(t, err) // there are no rows to make numbers of
	_, err = p.Width("in")
	require.ErrorContains(t, err, "the pipeline is not fitted")
	const header = "n,s,i,class\n"
	fit := func(text string) error { return p.Fit(ReadCSV(open(text))) }
	require.EqualError(t, fit(header+"1,x,2,c\none,x,2,c\n"), `prep: Fit: line 3: input "in": column "n": "one": is not a number`)
	require.EqualError(t, fit(header+"1,x,2,c\n1,,2,c\n"), `prep: Fit: line 3: input "in": column "s": a missing value: give the column an Imputer to allow gaps`)
	require.EqualError(t, fit(header+"1e999,x,2,c\n"), `prep: Fit: line 2: input "in": column "n": "1e999": is not a number`)
	require.EqualError(t, fit(header+"1,x,2.5,c\n"), `prep: Fit: line 2: input "in": column "i": "2.5": is not a whole number`)
	require.EqualError(t, fit("n,i,class\n1,2,c\n"), `prep: Fit: line 2: input "in": column "s" is missing, there are ["class" "i" "n"]`)
	require.ErrorContains(t, fit(header), `input "in": column "n": Normalization: there were no values to fit`)
	require.ErrorContains(t, fit(header+"1,x,2\n"), "line 2 has 3 fields, there are 4 columns")
	require.ErrorContains(t, fit(header+"1,\"x,2,c\n"), "line 2")
	require.ErrorContains(t, fit("a,a\n"), `has two columns "a"`)
	require.ErrorContains(t, fit(""), "has no line of names")
	require.ErrorContains(t, fit("\xff\xfea\x00"), "is UTF-16")
	require.ErrorContains(t, p.Fit(CSV("testdata/none.csv")), "testdata/none.csv")
	require.ErrorContains(t, p.Fit(nil), "no iterator")
	require.ErrorContains(t, p.Fit(func() iter.Seq2[Table, error] { return nil }), "no iterator")
	require.False(t, p.Fitted())
	require.NoError(t, fit("\ufeff"+header+"1,\"x\n\"\"y\"\"\",2,c\n3,z,2,d\n"))
	require.True(t, p.Fitted())
	_, err = p.Data(ReadCSV(open(header + "1,q,2,c\n")))
	require.EqualError(t, err, `prep: Data: line 2: input "in": column "s": "q": "q" is not in the vocabulary, which is ["z" "x\n\"y\""]`)
	_, err = p.Data(ReadCSV(open(header + "1,z,7,e\n")))
	require.EqualError(t, err, `prep: Data: line 2: target "y": column "class": "e": "e" is no class, valid are ["c" "d"]`)
	_, err = p.Data(Records([]map[string]any{{"n": 1, "s": "z", "i": 2, "class": "c"}, {"n": func() {}, "s": "z", "i": 2, "class": "c"}}))
	require.ErrorContains(t, err, `row 1: input "in": column "n": is func(); valid are`)
	_, err = p.Data(Columns{"n": []float64{1}, "s": []string{"z", "z"}}.Rows())
	require.ErrorContains(t, err, `column "s" has 2 rows, column "n" has 1`)
	_, err = p.Data(Columns{"n": 1}.Rows())
	require.ErrorContains(t, err, `column "n" is int, must be a slice`)
	_, err = p.Data(Columns{"n": []complex64{1}, "s": []string{"z"}, "i": []int{1}, "class": []string{"c"}}.Rows())
	require.ErrorContains(t, err, "is []complex64")
	_, err = p.Width("out")
	require.EqualError(t, err, `prep: Width: unknown input or target "out": valid are ["in" "y"]`)
	_, err = p.Data(ReadJSONLines(open("{\"n\":1,\"s\":\"z\",\"i\":2,\"class\":\"c\"}\n\n[]")))
	require.ErrorContains(t, err, "line 3: ")
	broken := errors.New("broken")
	_, err = p.Inputs(func() iter.Seq2[Table, error] {
		return func(yield func(Table, error) bool) { yield(Table{}, broken) }
	})
	require.ErrorIs(t, err, broken)
	_, err = NewPredictor(p, nil)
	require.ErrorContains(t, err, "is nil")
}

func TestJSONErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{`:             "unexpected",
		`{"version":2}`: "has version 2, this program reads 1",
		`{"version":1,"inputs":[{"name":"in","columns":[{"names":["a"],"width":1,"steps":[{"class_name":"Scaler"}]}]}]}`:                              `unknown class "Scaler": valid are ["Calendar" "CategoryEncoding"`,
		`{"version":1,"inputs":[{"name":"in","columns":[{"names":["a"],"width":1,"steps":[{"class_name":"Log","config":{"base":2}}]}]}]}`:             `Log: json: unknown field "base"`,
		`{"version":1,"inputs":[{"name":"in","columns":[{"names":["a"],"width":2147483647}]}]}`:                                                       "a row has 2147483647 values",
		`{"version":1,"inputs":[{"name":"in","columns":[{"names":["a"],"width":1,"steps":[{"class_name":"Hashing","config":{"num_bins":-1}}]}]}]}`:    "num_bins is -1",
		`{"version":1,"inputs":[{"name":"in","columns":[{"names":["a"],"width":1,"steps":[{"class_name":"Log","config":null}]}]}], "targets":[null]}`: `target "" has no columns`,
	} {
		var p Pipeline
		require.ErrorContains(t, p.UnmarshalJSON([]byte(text)), want)
	}
}
