package prep

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// visits writes a table with strings, gaps and dates, its columns in the given order.
func visits(n int, order ...string) string {
	random := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString("\ufeff" + strings.Join(order, ",") + "\n")
	for range n {
		age, city, day := random.NormFloat64()*10+40, []string{"Ulm", "Köln, am Rhein", `"Rom"`, ""}[random.IntN(4)], random.IntN(365)
		kind := "rare"
		if age > 38 && city != "Ulm" {
			kind = "common"
		}
		row := map[string]string{
			"age": fmt.Sprintf("%.2f", age), "city": `"` + strings.ReplaceAll(city, `"`, `""`) + `"`, "kind": kind,
			"day": time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, day).Format(time.DateOnly), "note": "a note, of " + city,
			"spent": fmt.Sprint(math.Round(age*3 + float64(day))),
		}
		row["note"] = `"` + strings.ReplaceAll(row["note"], `"`, `""`) + `"`
		if random.IntN(10) == 0 {
			row["age"] = "NA"
		}
		for i, name := range order {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(row[name])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func newVisits(t testing.TB) *Pipeline {
	p, err := New(
		Input("who",
			Column("age", &Imputer{Strategy: Mean, AddIndicator: true}, &Normalization{}).Optional(),
			Column("city", &Imputer{Strategy: Constant, FillValue: "unknown"}, &StringLookup{OutputMode: OneHot}),
			Cross([]string{"city", "day"}, &Imputer{Strategy: Constant, FillValue: "unknown"}, &HashedCrossing{NumBins: 8, OutputMode: OneHot})),
		Input("when", Column("day", &Calendar{Parts: []string{"month", "weekday"}, Cyclic: true})),
		Input("note", Column("note", &TextVectorization{OutputMode: MultiHot, MaxTokens: 20})),
		Target("kind", Column("kind", &LabelEncoder{})),
		Target("spent", Column("spent", &Log{}, &Normalization{})))
	require.NoError(t, err)
	return p
}

// train fits a pipeline and a model to a file and returns the path of the model's file.
func train(t testing.TB, csv, path string) {
	rows := CSV(csv, Gaps("NA"))
	p := newVisits(t)
	require.NoError(t, p.Fit(rows))
	metadata, err := p.Metadata()
	require.NoError(t, err)
	var inputs []*nn.Node
	for _, name := range []string{"who", "when", "note"} {
		width, err := p.Width(name)
		require.NoError(t, err)
		inputs = append(inputs, nn.Input(name, width))
	}
	trunk := nn.Dense(16, nn.ReLU).On(nn.Concatenate().On(inputs...))
	kind := nn.Dense(2, nn.Softmax, nn.Name("kind")).On(trunk)
	spent := nn.Dense(1, nn.Linear, nn.Name("spent")).On(trunk)
	m, err := nn.NewModel(inputs, []*nn.Node{kind, spent}, metadata, nn.Seed(3))
	require.NoError(t, err)
	require.NoError(t, m.Compile(nn.Adam(0.01), nn.Losses{"kind": nn.SparseCategoricalCrossentropy(), "spent": nn.MSE()}))
	_, err = m.Fit(context.Background(), p.Stream(rows.Shuffle(500, 1)).Prefetch(), nn.Epochs(4))
	require.NoError(t, err)
	require.NoError(t, m.Save(path))
}

// From a file with strings, gaps and dates to a model's file, and from that to answers: the order of the columns changes nothing,
// and what is served has the bits of what was trained.
func TestEndToEnd(t *testing.T) {
	dir := t.TempDir()
	orders := [][]string{{"age", "city", "kind", "day", "note", "spent"}, {"spent", "note", "day", "kind", "city", "age"}}
	var files [][]byte
	for i, order := range orders {
		csv, model := filepath.Join(dir, fmt.Sprint(i, ".csv")), filepath.Join(dir, fmt.Sprint(i, ".safetensors"))
		require.NoError(t, os.WriteFile(csv, []byte(visits(1200, order...)), 0o644))
		train(t, csv, model)
		content, err := os.ReadFile(model)
		require.NoError(t, err)
		files = append(files, content)
	}
	require.True(t, bytes.Equal(files[0], files[1]))

	s, err := Load(filepath.Join(dir, "1.safetensors"), 8)
	require.NoError(t, err)
	m, err := nn.Load(filepath.Join(dir, "0.safetensors"))
	require.NoError(t, err)
	p, err := Of(m)
	require.NoError(t, err)
	inputs, err := p.Inputs(CSV(filepath.Join(dir, "0.csv"), Gaps("NA")))
	require.NoError(t, err)
	want, err := m.Predict(inputs)
	require.NoError(t, err)

	var batch []any
	var right, n int
	for t1, err := range CSV(filepath.Join(dir, "0.csv"), Gaps("NA"))() {
		require.NoError(t, err)
		rows, _ := t1.Columns.rows()
		for i := range rows {
			record := map[string]any{"other": func() {}}
			for name, column := range t1.Columns {
				if v := column.([]Value)[i]; v.kind != Missing {
					record[name] = v.text
				} else {
					record[name] = nil
				}
			}
			if batch = append(batch, record); len(batch) < 30 {
				continue
			}
			var one, all Answer
			require.NoError(t, s.Predict(&all, batch...))
			for k, record := range batch {
				require.NoError(t, s.Predict(&one, record))
				require.Equal(t, 1, one.Rows)
				for o := range one.Outputs {
					require.Equal(t, one.Outputs[o].Row(0), all.Outputs[o].Row(k))
				}
				kind, err := all.Output("kind")
				require.NoError(t, err)
				require.Equal(t, []string{"common", "rare"}, kind.Classes)
				require.Equal(t, want["kind"].Data[2*n:2*n+2], kind.Row(k))
				name, probability := kind.Class(k)
				require.Equal(t, slices.Max(kind.Row(k)), probability)
				if name == record.(map[string]any)["kind"] {
					right++
				}
				spent, err := all.Output("spent")
				require.NoError(t, err)
				f := p.ports[4].features[0].steps
				y := f[0].(Inverter).Invert(float64(float32(f[1].(Inverter).Invert(float64(want["spent"].Data[n])))))
				require.Equal(t, float32(y), spent.Row(k)[0])
				n++
			}
			batch = nil
		}
	}
	require.Equal(t, 1200, n)
	require.Greater(t, right, 1000)

	var a Answer
	base := map[string]any{"age": 40, "city": "Ulm", "day": "2026-03-01", "note": "x"}
	require.NoError(t, s.Predict(&a, base))
	typed := Answer{}
	require.NoError(t, s.Predict(&typed, &struct {
		Age  float64   `prep:"age"`
		City string    `prep:"city"`
		Day  time.Time `prep:"day"`
		Note string    `prep:"note"`
		Else func()
	}{40, "Ulm", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), "x", nil}))
	require.Equal(t, a, typed)

	// A missing optional column is a gap; another one is an error that names it.
	absent, gap := Answer{}, Answer{}
	without := map[string]any{"city": "Ulm", "day": "2026-03-01", "note": "x"}
	require.NoError(t, s.Predict(&absent, without))
	without["age"] = nil
	require.NoError(t, s.Predict(&gap, without))
	require.Equal(t, gap, absent)
	delete(without, "day")
	require.EqualError(t, s.Predict(&gap, without), `prep: Predict: column "day" is missing; it is not optional`)
	require.Equal(t, absent, gap)
	require.EqualError(t, s.Predict(&gap, base, map[string]any{"age": "old", "city": "Ulm", "day": "2026-03-01", "note": "x"}),
		`prep: Predict: record 1: column "age": "old": is not a number`)

	j, err := a.MarshalJSON()
	require.NoError(t, err)
	require.Contains(t, string(j), `"kind":{"class":"`)
	_, err = a.Output("sort")
	require.EqualError(t, err, `prep: unknown output "sort": valid are ["kind" "spent"]`)
}

// No result depends on the number of processors, and a fit does not change what it is not asked to.
func TestProcessors(t *testing.T) {
	text := visits(5000, "age", "city", "kind", "day", "note", "spent")
	rows := ReadCSV(open(text), Gaps("NA"))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var states, numbers [][]byte
	for _, n := range []int{1, 3} {
		runtime.GOMAXPROCS(n)
		p := newVisits(t)
		require.NoError(t, p.Fit(rows))
		state, err := p.MarshalJSON()
		require.NoError(t, err)
		require.NoError(t, p.Fit(rows)) // nothing is left to fit
		again, err := p.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, state, again)
		data, err := p.Data(rows)
		require.NoError(t, err)
		states, numbers = append(states, state), append(numbers, fmt.Append(nil, data.Inputs, data.Targets))
	}
	require.Equal(t, states[0], states[1])
	require.Equal(t, numbers[0], numbers[1])
}

func TestNoAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector a pool forgets at random")
	}
	s, record := predictor20(t)
	var a Answer
	require.NoError(t, s.Predict(&a, record, record))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if err := s.Predict(&a, record, record); err != nil {
			t.Error(err)
		}
	}))
}

// A class is the most probable one; one column is the probability of the second of two.
func TestClass(t *testing.T) {
	for _, c := range []struct {
		classes     []string
		row         []float32
		name        string
		probability float32
	}{
		{[]string{"a", "b"}, []float32{0.5}, "a", 0.5},
		{[]string{"a", "b"}, []float32{0.25}, "a", 0.75},
		{[]string{"a", "b"}, []float32{0.75}, "b", 0.75},
		{[]string{"a", "b", "c"}, []float32{0.25, 0.375, 0.375}, "b", 0.375},
		{nil, []float32{3, 4}, "", 4},
	} {
		o := Output{Classes: c.classes, Width: len(c.row), Values: append([]float32{9, 9, 9}[:len(c.row)], c.row...)}
		name, probability := o.Class(1)
		require.Equal(t, c.name, name)
		require.Equal(t, c.probability, probability)
	}
}

func TestDescribe(t *testing.T) {
	p := newVisits(t)
	var before, after bytes.Buffer
	require.NoError(t, p.Describe(&before))
	require.Contains(t, before.String(), "not fitted")
	require.NoError(t, p.Fit(ReadCSV(open(visits(300, "age", "city", "kind", "day", "note", "spent")), Gaps("NA"))))
	require.NoError(t, p.Describe(&after))
	for _, part := range []string{`input "who"`, "age (optional)", "Imputer(strategy:mean", "city × day", `target "kind"`, "LabelEncoder(classes:[common,rare])"} {
		require.Contains(t, after.String(), part)
	}
}
