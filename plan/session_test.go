package plan

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// lookup is a plan of one table of five rows.
func lookup(t *testing.T, c Config) *Plan {
	r := NewRecorder()
	r.Output("y", r.Embedding(r.Input("x", 1), r.Const(kernels.NewMatrix(5, 3))))
	p, err := r.Plan(c)
	require.NoError(t, err)
	return p
}

func TestSessionMemory(t *testing.T) {
	s := lookup(t, Config{MaxBatch: 2}).NewSession()
	for _, memory := range [][]float32{s.Input(0), s.Output(0)} {
		require.Equal(t, len(memory), cap(memory), "what lies behind is another's")
	}
}

// An error counts the rows of the whole call, and the next call counts its own.
func TestRowsOfErrors(t *testing.T) {
	p := lookup(t, Config{MaxBatch: 2})
	y := [][]float32{make([]float32, 15)}
	require.ErrorContains(t, p.Predict([][]float32{{0, 1, 2, 9, 4}}, y, 5), `input "x": layer "" (Embedding): row 3, column 0 is 9`)
	require.ErrorContains(t, p.Predict([][]float32{{9}}, y, 1), "row 0, column 0 is 9")
	require.NoError(t, p.Predict([][]float32{{0, 1, 2, 3, 4}}, y, 5))
}

func TestPorts(t *testing.T) {
	p := lookup(t, Config{MaxBatch: 2})
	x, y := make([]float32, 3), make([]float32, 9)
	require.EqualError(t, p.Predict([][]float32{x, x}, [][]float32{y}, 1), `plan: Predict: got 2 inputs, the model has 1: ["x"]`)
	require.EqualError(t, p.Predict([][]float32{x}, [][]float32{y, y}, 1), `plan: Predict: got 2 outputs, the model has 1: ["y"]`)
	require.EqualError(t, p.NewSession().RunOn([][]float32{x}, [][]float32{y}, 3), "plan: Session.RunOn: batch is 3, valid are 1 to 2")
}

// MaxBytes is the most that a plan may need, and not one byte less.
func TestMaxBytes(t *testing.T) {
	record := func(maxBytes int64) error {
		r := NewRecorder()
		r.Output("y", r.Embedding(r.Input("x", 1), r.Const(kernels.NewMatrix(5, 3))))
		_, err := r.Plan(Config{MaxBatch: 2, MaxBytes: maxBytes})
		return err
	}
	err := record(1)
	require.ErrorContains(t, err, "MaxBytes allows 1")
	need, err := strconv.ParseInt(regexp.MustCompile(`needs (\d+) bytes`).FindStringSubmatch(err.Error())[1], 10, 64)
	require.NoError(t, err)
	require.NoError(t, record(need))
	require.ErrorContains(t, record(need-1), "MaxBytes allows")
}

func TestEmptyPlans(t *testing.T) {
	const want = "the plan is empty: make it with nn.NewPlan or a Recorder"
	require.EqualError(t, new(Plan).Predict(nil, nil, 1), "plan: Predict: "+want)
	require.EqualError(t, (*Plan)(nil).Predict(nil, nil, 1), "plan: Predict: "+want)
	h := new(Handle)
	require.EqualError(t, h.Swap(new(Plan)), "plan: Handle.Swap: "+want)
	for _, batch := range []int{0, 1} {
		require.ErrorContains(t, h.Predict(nil, nil, batch), "the handle holds no plan")
	}
}

func TestWorkers(t *testing.T) {
	for workers, shared := range map[int]bool{0: false, 1: false, 2: true} {
		require.Equal(t, shared, lookup(t, Config{MaxBatch: 1, Workers: workers}).pool != nil, "%d workers", workers)
	}
}

func TestDescribeMemory(t *testing.T) {
	p := lookup(t, Config{MaxBatch: 3})
	var b bytes.Buffer
	require.NoError(t, p.Describe(&b))
	require.Contains(t, b.String(), fmt.Sprintf("a session for batches of up to 3 has %d bytes of memory", 4*3*p.arena))
}
