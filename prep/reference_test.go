package prep

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A reference is a column, what it is fitted to, and the numbers that another program made of it.
type reference struct {
	Name    string
	Columns int  // 0 is 1
	List    bool // of each row
	Steps   []step
	Fit     any // values, or the name of a column of the file
	Rows    []any
	Want    [][]float64
}

func references(t testing.TB, path string) []reference {
	var file struct {
		By      string
		Columns map[string][]any
		Cases   []reference
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &file))
	require.NotEmpty(t, file.Cases)
	for i, r := range file.Cases {
		if name, is := r.Fit.(string); is {
			file.Cases[i].Fit = file.Columns[name]
		}
	}
	return file.Cases
}

func (r *reference) pipeline(t testing.TB) *Pipeline {
	f := Column("x")
	if r.Columns > 1 {
		f = Cross([]string{"x", "y"})
	}
	if r.List {
		f.List()
	}
	for _, s := range r.Steps {
		step, err := s.decode()
		require.NoError(t, err)
		f.steps = append(f.steps, step)
	}
	p, err := New(Input("in", f))
	require.NoError(t, err)
	if !p.Fitted() {
		require.NoError(t, p.Fit(Columns{"x": r.Fit}.Rows()))
	}
	return p
}

// columns splits rows into columns.
func (r *reference) columns() Columns {
	if r.Columns < 2 {
		return Columns{"x": r.Rows}
	}
	var x, y []any
	for _, row := range r.Rows {
		x, y = append(x, row.([]any)[0]), append(y, row.([]any)[1])
	}
	return Columns{"x": x, "y": y}
}

// Each transform gives the numbers that scikit-learn, pandas or Keras gives, within 1e-6 of their magnitude; and again after it
// was saved and read.
func TestReferences(t *testing.T) {
	for _, path := range []string{"testdata/reference.json", "testdata/keras.json"} {
		for _, r := range references(t, path) {
			t.Run(r.Name, func(t *testing.T) {
				p := r.pipeline(t)
				check := func(p *Pipeline) {
					have, err := p.Inputs(r.columns().Rows())
					require.NoError(t, err)
					width, err := p.Width("in")
					require.NoError(t, err)
					numbers := floats(have["in"])
					require.Len(t, numbers, width*len(r.Want))
					for i, row := range r.Want {
						require.Len(t, row, width)
						for k, want := range row {
							if x := float64(numbers[i*width+k]); !(math.Abs(x-want) <= 1e-6*max(1, math.Abs(want))) {
								t.Fatalf("row %d (%v), number %d: have %v, want %v", i, r.Rows[i], k, x, want)
							}
						}
					}
				}
				check(p)
				text, err := p.MarshalJSON()
				require.NoError(t, err)
				var again Pipeline
				require.NoError(t, again.UnmarshalJSON(text))
				check(&again)
				second, err := again.MarshalJSON()
				require.NoError(t, err)
				require.Equal(t, string(text), string(second))
			})
		}
	}
}
