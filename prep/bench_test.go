package prep

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// open returns what ReadCSV and ReadJSONLines open.
func open(text string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
}

// columns20 are 20 columns: eight of numbers, two of them with gaps; six of strings, of 3 to 1,000 kinds; three of whole numbers;
// two dates; one of short texts.
func columns20(n int) Columns {
	random := rand.New(rand.NewPCG(1, 1))
	c := Columns{}
	for k := range 8 {
		x := make([]float64, n)
		for i := range x {
			x[i] = random.NormFloat64()*float64(k+1) + 10
		}
		c[fmt.Sprint("number", k)] = x
	}
	for k := range 2 {
		x := make([]Value, n)
		for i := range x {
			if random.IntN(10) > 0 {
				x[i] = NumberOf(random.NormFloat64())
			}
		}
		c[fmt.Sprint("number", k)] = x
	}
	for k := range 6 {
		kinds := []int{3, 10, 30, 100, 300, 1000}[k]
		x := make([]string, n)
		for i := range x {
			x[i] = fmt.Sprint("kind ", random.IntN(kinds))
		}
		c[fmt.Sprint("string", k)] = x
	}
	for k := range 3 {
		x := make([]int, n)
		for i := range x {
			x[i] = random.IntN(50 * (k + 1))
		}
		c[fmt.Sprint("integer", k)] = x
	}
	for k := range 2 {
		x := make([]time.Time, n)
		for i := range x {
			x[i] = time.Date(2020+k, 1, 1, 0, 0, random.IntN(1<<25), 0, time.UTC)
		}
		c[fmt.Sprint("date", k)] = x
	}
	x := make([]string, n)
	for i := range x {
		x[i] = fmt.Sprintf("Word%d, word%d and word%d!", random.IntN(50), random.IntN(50), random.IntN(50))
	}
	c["text0"] = x
	return c
}

func pipeline20(t testing.TB) *Pipeline {
	p, err := New(
		Input("numbers",
			Column("number0", &Imputer{Strategy: Mean}, &Normalization{}),
			Column("number1", &Imputer{Strategy: Median, AddIndicator: true}, &RobustScaler{SmoothClip: 3}),
			Column("number2", &Normalization{}), Column("number3", &MinMaxScaler{}), Column("number4", &RobustScaler{}),
			Column("number5", &QuantileTransformer{}), Column("number6", &Log{Symmetric: true}, &Normalization{}),
			Column("number7", &Discretization{NumBins: 10, OutputMode: OneHot}),
			Column("string0", &StringLookup{OutputMode: OneHot}), Column("string1", &StringLookup{OutputMode: OneHot}),
			Column("integer0", &Normalization{}), Column("date0", &Calendar{Parts: []string{"month", "weekday"}, Cyclic: true}),
			Column("date1", &Calendar{Parts: []string{"year", "hour"}}),
			Column("text0", &TextVectorization{OutputMode: Count, MaxTokens: 32})),
		Input("indices", Column("string2", &StringLookup{}), Column("string3", &StringLookup{}), Column("string4", &StringLookup{MaxTokens: 100}),
			Column("string5", &Hashing{NumBins: 100}), Column("integer1", &IntegerLookup{}), Column("integer2", &IntegerLookup{MaxTokens: 50})))
	require.NoError(t, err)
	return p
}

// predictor20 returns a small model behind the pipeline of 20 columns, and a record.
func predictor20(t testing.TB) (*Predictor, map[string]any) {
	columns := columns20(3000)
	p := pipeline20(t)
	require.NoError(t, p.Fit(columns.Rows()))
	var inputs []*nn.Node
	for _, name := range []string{"numbers", "indices"} {
		width, err := p.Width(name)
		require.NoError(t, err)
		inputs = append(inputs, nn.Input(name, width))
	}
	m, err := nn.NewModel(inputs, []*nn.Node{nn.Dense(1, nn.Sigmoid).On(nn.Concatenate().On(inputs...))})
	require.NoError(t, err)
	plan, err := nn.NewPlan(m, 64)
	require.NoError(t, err)
	s, err := NewPredictor(p, plan)
	require.NoError(t, err)
	record := map[string]any{}
	for name, column := range columns {
		values, err := appendRow(nil, column, 7)
		require.NoError(t, err)
		switch v := values[0]; v.kind {
		case Number:
			record[name] = v.Float()
		case Integer:
			record[name] = int(v.Int())
		case Text:
			record[name] = v.text
		case Time:
			record[name] = time.Unix(v.Int(), 0).UTC()
		}
	}
	return s, record
}

// A single record of 20 columns through pipeline and plan.
func BenchmarkPredict(b *testing.B) {
	s, record := predictor20(b)
	var a Answer
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Predict(&a, record); err != nil {
			b.Fatal(err)
		}
	}
}

// A record of 20 columns through the pipeline alone.
func BenchmarkRecord(b *testing.B) {
	s, record := predictor20(b)
	w := &work{values: make([]any, len(s.pipeline.names)), there: make([]bool, len(s.pipeline.names)), inputs: make([][]float32, len(s.ports))}
	for i, port := range s.ports {
		w.inputs[i] = make([]float32, port.width)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.open(w, record); err != nil {
			b.Fatal(err)
		}
		if err := s.row(w, 0); err != nil {
			b.Fatal(err)
		}
	}
}

const benchRows = 1_000_000

// Fit and transform of 1,000,000 rows of 20 columns in memory.
func BenchmarkFit(b *testing.B) {
	rows := columns20(benchRows).Rows()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	for b.Loop() {
		if err := pipeline20(b).Fit(rows); err != nil {
			b.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.Sys-before.Sys)/(1<<20), "MB-more")
	b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkTransform(b *testing.B) {
	rows := columns20(benchRows).Rows()
	p := pipeline20(b)
	require.NoError(b, p.Fit(columns20(10_000).Rows()))
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range p.Stream(rows)() {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds(), "rows/s")
}
