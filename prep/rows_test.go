package prep

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// fakeDB is a database of one answer.
type fakeDB struct{ rows [][]driver.Value }

func (d fakeDB) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (d fakeDB) Driver() driver.Driver                        { return nil }
func (d fakeDB) Prepare(string) (driver.Stmt, error)          { return d, nil }
func (fakeDB) Begin() (driver.Tx, error)                      { return nil, driver.ErrSkip }
func (fakeDB) Close() error                                   { return nil }
func (fakeDB) NumInput() int                                  { return 0 }
func (fakeDB) Exec([]driver.Value) (driver.Result, error)     { return nil, driver.ErrSkip }
func (d fakeDB) Query([]driver.Value) (driver.Rows, error)    { return &fakeRows{rows: d.rows}, nil }

type fakeRows struct{ rows [][]driver.Value }

func (*fakeRows) Columns() []string { return []string{"x", "city", "day"} }
func (*fakeRows) Close() error      { return nil }
func (r *fakeRows) Next(to []driver.Value) error {
	if len(r.rows) == 0 {
		return io.EOF
	}
	copy(to, r.rows[0])
	r.rows = r.rows[1:]
	return nil
}

// All sources of the same rows give the same pipeline and the same numbers.
func TestSources(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2026, 2, d, 0, 0, 0, 0, time.UTC) }
	x := 1.5
	type record struct {
		X    *float64  `prep:"x"`
		City string    `prep:"city"`
		Day  time.Time `prep:"day"`
		Skip int       `prep:"-"`
	}
	db := sql.OpenDB(fakeDB{[][]driver.Value{{1.5, "Ulm", day(1)}, {nil, []byte("Rom"), day(2)}, {int64(4), "Ulm", day(3)}}})
	defer db.Close()
	four := 4.0
	const csvText = "day;x;city\n2026-02-01;1.5;Ulm\n2026-02-02;;Rom\n2026-02-03;4;Ulm\n"
	const jsonText = "\ufeff{\"x\":1.5,\"city\":\"Ulm\",\"day\":\"2026-02-01\"}\n \n{\"city\":\"Rom\",\"day\":\"2026-02-02T00:00:00Z\"}\n{\"x\":4,\"city\":\"Ulm\",\"day\":\"2026-02-03 00:00\"}"
	files := fstest.MapFS{"a.csv": {Data: []byte(csvText)}, "a.jsonl": {Data: []byte(jsonText)}}
	sources := map[string]Rows{
		"CSV":        CSVFS(files, "a.csv", Comma(';')),
		"no header":  ReadCSV(open("1.5,Ulm,2026-02-01\nNA,Rom,2026-02-02\n4,Ulm,2026-02-03"), Header("x", "city", "day"), Gaps("NA")),
		"JSON lines": JSONLinesFS(files, "a.jsonl"),
		"records": Records([]map[string]any{{"x": 1.5, "city": "Ulm", "day": day(1)}, {"x": (*float64)(nil), "city": "Rom", "day": day(2)},
			{"x": float32(4), "city": "Ulm", "day": "2026/02/03"}}),
		"structs": Structs([]record{{&x, "Ulm", day(1), 0}, {nil, "Rom", day(2), 0}, {&four, "Ulm", day(3), 0}}),
		"columns": Columns{"x": []Value{NumberOf(1.5), {}, IntegerOf(4)}, "city": []string{"Ulm", "Rom", "Ulm"}, "day": []time.Time{day(1), day(2), day(3)}}.Rows(),
		"query":   Query(func() (*sql.Rows, error) { return db.Query("select") }),
	}
	var want nn.Data
	var wantState []byte
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		t.Run(name, func(t *testing.T) {
			p, err := New(
				Input("in", Column("x", &Imputer{Strategy: Mean}, &Normalization{}), Column("city", &StringLookup{OutputMode: OneHot})),
				Input("when", Column("day", &Calendar{Parts: []string{"day", "weekday"}})), Target("x", Column("x").Optional()))
			require.NoError(t, err)
			require.NoError(t, p.Fit(sources[name]))
			state, err := p.MarshalJSON()
			require.NoError(t, err)
			d, err := p.Data(sources[name])
			require.NoError(t, err)
			if want.Inputs == nil {
				want, wantState = d, state
				y := d.Targets["x"].(nn.Floats)
				require.Equal(t, "[1.5 NaN 4]", fmt.Sprint(y))
				y[1] = 0 // NaN is not equal to itself
				require.Equal(t, nn.Floats{1, 6, 2, 0, 3, 1}, d.Inputs["when"])
			}
			d.Targets["x"].(nn.Floats)[1] = 0
			require.Equal(t, want, d)
			require.Equal(t, string(wantState), string(state))
		})
	}
}

// A row that lacks the label of an optional target has the label -1.
func TestOptionalLabel(t *testing.T) {
	rows := Records([]map[string]any{{"x": 1.0, "kind": "b"}, {"x": 2.0}, {"x": 3.0, "kind": "a"}})
	p, err := New(Input("x", Column("x")), Target("kind", Column("kind", &LabelEncoder{}).Optional()))
	require.NoError(t, err)
	require.NoError(t, p.Fit(rows))
	d, err := p.Data(rows)
	require.NoError(t, err)
	require.Equal(t, nn.Labels{1, -1, 0}, d.Targets["kind"])
}

// Shuffle gives each row once in each pass, in another order, the same ones for the same seed, and keeps rows in their windows.
func TestShuffle(t *testing.T) {
	x := make([]int, 5000)
	for i := range x {
		x[i] = i
	}
	p, err := New(Input("in", Column("x")))
	require.NoError(t, err)
	pass := func(rows Rows) (order []float32) {
		d, err := p.Inputs(rows)
		require.NoError(t, err)
		return floats(d["in"])
	}
	rows := Columns{"x": x}.Rows()
	shuffled, again := rows.Shuffle(1000, 7), rows.Shuffle(1000, 7)
	first, second := pass(shuffled), pass(shuffled)
	require.NotEqual(t, first, second)
	require.Equal(t, first, pass(again))
	require.Equal(t, second, pass(again))
	for from := 0; from < 5000; from += 1000 {
		window := slices.Clone(first[from : from+1000])
		require.False(t, slices.IsSorted(window))
		slices.Sort(window)
		for i, v := range window {
			require.Equal(t, float32(from+i), v)
		}
	}
	_, err = p.Inputs(rows.Shuffle(0, 1))
	require.ErrorContains(t, err, "must be at least 1")
	_, err = p.Inputs(Columns{"x": []any{1, "one"}}.Rows().Shuffle(9, 1))
	require.ErrorContains(t, err, `column "x": "one": is not a number`)
}

// Goroutines share a predictor.
func TestGoroutines(t *testing.T) {
	s, record := predictor20(t)
	var want Answer
	require.NoError(t, s.Predict(&want, record))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			var a Answer
			for i := range 200 {
				if i%7 == 0 {
					if s.Predict(&a, map[string]any{}) == nil {
						t.Error("a record without columns was answered")
					}
				}
				if err := s.Predict(&a, record); err != nil || a.Outputs[0].Values[0] != want.Outputs[0].Values[0] {
					t.Error(err, a, want)
				}
			}
		})
	}
	group.Wait()
}

// A column that a file's first tables have is a gap where later ones, and later windows, lack it, or earlier rows of a window do.
func TestLaterColumns(t *testing.T) {
	var lines strings.Builder
	for i := range 3000 {
		if i < 10 {
			fmt.Fprintf(&lines, "{\"x\":%d,\"y\":1}\n", i)
		} else {
			fmt.Fprintf(&lines, "{\"x\":%d}\n", i)
		}
	}
	p, err := New(Input("in", Column("x"), Column("y", &Imputer{Strategy: Constant, FillValue: 7})))
	require.NoError(t, err)
	rows := ReadJSONLines(open(lines.String()))
	for _, rows := range []Rows{rows, rows.Shuffle(2900, 1)} {
		d, err := p.Inputs(rows)
		require.NoError(t, err)
		sum := float32(0)
		for i, v := range floats(d["in"]) {
			if i%2 == 1 {
				sum += v
			}
		}
		require.Equal(t, float32(10+7*2990), sum)
	}
	first := func() iter.Seq2[Table, error] {
		return func(yield func(Table, error) bool) {
			_ = yield(Table{Columns: Columns{"x": []int{1}}}, nil) && yield(Table{Columns: Columns{"x": []int{2}, "y": []int{3}}, First: 1}, nil)
		}
	}
	d, err := p.Inputs(Rows(first).Shuffle(5, 1))
	require.NoError(t, err)
	require.ElementsMatch(t, []float32{1, 7, 2, 3}, floats(d["in"]))
	_, err = p.Inputs(first)
	require.ErrorContains(t, err, `column "y" is missing, there are ["x"]`)
	_, err = p.Inputs(ReadCSV(open("x,y\n1,2\n"), nil))
	require.ErrorContains(t, err, "option 0 is nil")
	require.ErrorContains(t, new(Predictor).Predict(&Answer{}, map[string]any{}), "the predictor is empty")
}

// A row of a list without elements counts among the rows of tf-idf: log(1 + 4/(1+1)) for what one of four has.
func TestEmptyLists(t *testing.T) {
	p, err := New(Input("in", Column("tags", &StringLookup{OutputMode: TFIDF}).List()))
	require.NoError(t, err)
	rows := Columns{"tags": [][]string{{"a"}, {}, {}, {}}}.Rows()
	require.NoError(t, p.Fit(rows))
	d, err := p.Inputs(rows)
	require.NoError(t, err)
	require.InDeltaSlice(t, []float32{0, 1.0986123, 0, 0, 0, 0, 0, 0}, floats(d["in"]), 1e-6)
}
