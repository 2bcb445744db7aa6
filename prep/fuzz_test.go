package prep

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// everything is a pipeline that has each transform.
func everything(t testing.TB) *Pipeline {
	p, err := New(
		Input("in",
			Column("a", &Imputer{Strategy: Mean}, &Normalization{}).Optional(), Column("a", &Imputer{Strategy: Median}, &MinMaxScaler{}),
			Column("a", &Imputer{Strategy: MostFrequent}, &StringLookup{OutputMode: OneHot, NumOOVIndices: 3}),
			Column("b", &Imputer{Strategy: Constant, FillValue: 0}, &RobustScaler{SmoothClip: 3}),
			Column("b", &Imputer{Strategy: Constant, FillValue: 0}, &QuantileTransformer{Normal: true}),
			Column("b", &Imputer{Strategy: Constant, FillValue: 0}, &Discretization{NumBins: 3}),
			Column("c", &Imputer{Strategy: Constant, FillValue: 1}, &IntegerLookup{NumOOVIndices: 4}),
			Column("c", &Imputer{Strategy: Constant, FillValue: 1}, &Hashing{NumBins: 5, Salt: []uint64{1, 2}}),
			Column("d", &Imputer{Strategy: Constant, FillValue: "x"}, &TextVectorization{OutputSequenceLength: 5, NGrams: []int{1, 3}}),
			Column("d", &Imputer{Strategy: Constant, FillValue: "x"}, &TextVectorization{OutputMode: TFIDF, Split: Character, MaxTokens: 9}),
			Column("e", &Imputer{Strategy: Constant, FillValue: "2000-01-01"}, &Calendar{Parts: []string{"year", "month", "day", "weekday", "yearday", "hour", "minute", "second", "unix"}, Cyclic: true}),
			Cross([]string{"c", "d"}, &Imputer{Strategy: Constant, FillValue: "x"}, &HashedCrossing{NumBins: 7}),
			Column("f", &StringLookup{OutputMode: Count}).List(), Column("g", &Imputer{Strategy: Mean}).Vector(2), Column("b", &Imputer{Strategy: Mean}, &Log{Symmetric: true})),
		Target("class", Column("h", &LabelEncoder{})))
	require.NoError(t, err)
	return p
}

func fittedEverything(t testing.TB) *Pipeline {
	p := everything(t)
	require.NoError(t, p.Fit(Records([]map[string]any{
		{"a": 1.5, "b": 2, "c": 3, "d": "a text", "e": "2026-01-01", "f": []string{"x"}, "g": []float64{1, 2}, "h": "yes"},
		{"a": -4, "b": "2.5", "c": 4, "d": "a longer text!", "e": time.Unix(0, 0), "f": []string{"x", "y"}, "g": []float64{1, 3}, "h": "no"},
		{"a": nil, "b": nil, "c": 4, "d": "", "e": 12345, "f": []string{}, "g": []float64{1, 3}, "h": "no"},
	})))
	return p
}

// checkFinite fails where the numbers of a pipeline are not finite.
func checkFinite(t *testing.T, numbers []float32) {
	for i, x := range numbers {
		if x-x != 0 {
			t.Fatalf("number %d is %v", i, x)
		}
	}
}

// Records of any type in any column are numbers or an error.
func FuzzRecords(f *testing.F) {
	f.Add(`{"a":1,"b":2,"c":3,"d":"t","e":"2026-01-01","f":["x"],"g":[1,2],"h":"yes"}`, 1.0, int64(2), "x", uint8(3))
	f.Add(`{"a":1e999,"b":"NaN","c":1e300,"d":"\u0000","e":1e18,"f":[null],"g":{},"h":"yes"}`, math.Inf(1), int64(math.MinInt64), "\xff", uint8(200))
	p := fittedEverything(f)
	f.Fuzz(func(t *testing.T, text string, x float64, i int64, s string, shape uint8) {
		var record map[string]any
		if json.Unmarshal([]byte(text), &record) != nil || record == nil {
			record = map[string]any{"f": []string{s}, "g": []float64{x, x}, "h": "no"}
		}
		values := []any{x, i, s, []byte(s), float32(x), uint64(i), time.Unix(i, 0), []any{s, x}, []float32{float32(x)}, json.Number(s), &x, map[string]any{}, nil, func() {}, true, [2]int{}}
		for k, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
			if shape>>k&1 == 1 {
				record[name] = values[(int(shape)+k)%len(values)]
			}
		}
		d, err := p.Data(Records([]map[string]any{record}))
		if err == nil {
			checkFinite(t, floats(d.Inputs["in"]))
		}
		if err := everything(t).Fit(Records([]map[string]any{record, record})); err != nil {
			require.LessOrEqual(t, len(err.Error()), 8<<10)
		}
	})
}

// CSV of any bytes is numbers or an error with the line.
func FuzzCSV(f *testing.F) {
	f.Add("a,b,c,d,e,f,g,h\n1,2,3,\"a \"\"text\"\"\",2026-01-01,x,1,yes\n")
	f.Add("\ufeffa,b\r\n1,\r\n")
	f.Add("a,a\n\"")
	p, err := New(Input("in", Column("a", &Imputer{Strategy: Mean}, &Normalization{}).Optional(), Column("b", &Imputer{Strategy: MostFrequent}, &StringLookup{}).Optional()))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		rows := ReadCSV(open(text), Gaps("NA"))
		text2, err := p.MarshalJSON()
		require.NoError(t, err)
		var fresh Pipeline
		require.NoError(t, fresh.UnmarshalJSON(text2))
		if fresh.Fit(rows) != nil {
			return
		}
		d, err := fresh.Data(rows.Shuffle(3, 1))
		require.NoError(t, err)
		checkFinite(t, floats(d.Inputs["in"]))
		state, err := fresh.MarshalJSON()
		require.NoError(t, err)
		var again Pipeline
		require.NoError(t, again.UnmarshalJSON(state))
		e, err := again.Data(rows.Shuffle(3, 1))
		require.NoError(t, err)
		require.Equal(t, d, e)
	})
}

// JSON lines of any bytes are tables or an error.
func FuzzJSONLines(f *testing.F) {
	f.Add("{\"a\":1}\n\n{\"b\":[1,\"x\"],\"a\":null}")
	f.Fuzz(func(t *testing.T, text string) {
		for table, err := range ReadJSONLines(open(text))() {
			if err == nil {
				_, err = table.Columns.rows()
				require.NoError(t, err)
			}
		}
	})
}

// A pipeline's JSON of any bytes is a pipeline that can be saved and used, or an error.
func FuzzPipeline(f *testing.F) {
	for _, p := range []*Pipeline{everything(f), fittedEverything(f)} {
		text, err := p.MarshalJSON()
		require.NoError(f, err)
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		var p Pipeline
		if p.UnmarshalJSON([]byte(text)) != nil {
			return
		}
		state, err := p.MarshalJSON()
		require.NoError(t, err)
		var again Pipeline
		require.NoError(t, again.UnmarshalJSON(state))
		if !p.Fitted() {
			return
		}
		record := map[string]any{}
		for _, name := range p.names {
			record[name] = 1.5
		}
		if d, err := p.Inputs(Records([]map[string]any{record})); err == nil {
			for _, a := range d {
				checkFinite(t, floats(a))
			}
		}
	})
}
