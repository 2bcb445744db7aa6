package nn

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
)

// A kerasAssert is an assertion of Keras' own tests: what a class should make of its arguments.
type kerasAssert struct {
	Test       string
	Class      string
	Config     json.RawMessage
	Want       result
	ATol, RTol float64

	kerasBatch              // of a loss, or of a metric that measures each row by itself
	Batches    []kerasBatch // of a metric

	X  [][]float64 // of an activation
	At []int       // the elements of the result that are wanted, all where there are none
}

type kerasBatch struct {
	True, Pred [][]float64
	Weights    []float64
}

// values returns the elements of rows, and how many columns they have.
func values(rows [][]float64) (all []float32, columns int) {
	for _, row := range rows {
		all, columns = append(all, floatsOf(row)...), len(row)
	}
	return all, columns
}

func (b kerasBatch) pred() kernels.Matrix {
	pred, columns := values(b.Pred)
	return kernels.MatrixOf(pred, len(b.Pred), columns)
}

func (b kerasBatch) target(kind TargetKind) Target {
	truth, columns := values(b.True)
	if kind != Classes {
		return Target{Values: kernels.MatrixOf(truth, len(b.True), columns)}
	}
	var y Target
	for _, v := range truth {
		y.Labels = append(y.Labels, int32(v))
	}
	return y
}

// weights returns nil where the test has none.
func (b kerasBatch) weights() []float32 {
	if b.Weights == nil {
		return nil
	}
	return floatsOf(b.Weights)
}

// TestKeras checks what Keras' own tests assert. The assertions are in testdata/keras, lifted by the script there, which also
// says what was left out and why.
func TestKeras(t *testing.T) {
	for kind, k := range map[string]struct {
		run func(*testing.T, kerasAssert) []float64
		is  func(class string) bool // whether we have it
	}{
		"activations": {runKerasActivation, isClass[ActivationFunction]},
		"losses":      {runKerasLoss, isClass[Loss]},
		"metrics":     {runKerasMetric, isClass[Metric]},
	} {
		t.Run(kind, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", "keras", kind+".json"))
			require.NoError(t, err)
			var file struct {
				Absent  []string
				Asserts []kerasAssert
				Missed  []struct{ Test, Why string }
			}
			require.NoError(t, json.Unmarshal(text, &file))
			for _, class := range file.Absent {
				require.False(t, k.is(class), "%s is said to be absent: take it from the list in extract.py", class)
			}
			counts := map[string]int{}
			for _, a := range file.Asserts {
				from, test, _ := strings.Cut(a.Test, " ")
				counts[from]++
				t.Run(test, func(t *testing.T) { a.check(t, k.run(t, a)) })
			}
			for _, m := range file.Missed {
				t.Log("missed:", m.Test, m.Why)
			}
			lifted, missed := len(file.Asserts), len(file.Missed)
			t.Logf("%d of %d assertions: %v", lifted, lifted+missed, counts)
			require.GreaterOrEqual(t, float64(lifted), 0.95*float64(lifted+missed))
		})
	}
}

func isClass[T any](class string) bool {
	_, err := newObject[T](class, nil)
	return err == nil
}

// check compares as Keras' test does. One number stands for several that are the same.
func (a kerasAssert) check(t *testing.T, have []float64) {
	for len(have) == 1 && len(a.Want) > 1 && len(have) < len(a.Want) {
		have = append(have, have[0])
	}
	for len(a.Want) == 1 && len(have) > 1 && len(a.Want) < len(have) {
		a.Want = append(a.Want, a.Want[0])
	}
	require.Len(t, have, len(a.Want))
	for i, want := range a.Want {
		if math.IsNaN(want) || math.IsInf(want, 0) {
			require.Equal(t, fmt.Sprint(want), fmt.Sprint(have[i]), i)
			continue
		}
		require.InDelta(t, want, have[i], a.ATol+a.RTol*math.Abs(want), i)
	}
}

func runKerasActivation(t *testing.T, a kerasAssert) (y []float64) {
	act, err := newObject[ActivationFunction](a.Class, a.Config)
	require.NoError(t, err)
	require.NoError(t, checkActivation(act))
	x, columns := values(a.X)
	tape := autograd.NewTape(kernels.Default())
	out := act.Apply(tape, tape.Const(kernels.MatrixOf(x, len(a.X), columns))).Data
	require.NoError(t, tape.Err())
	for _, v := range out {
		y = append(y, float64(v))
	}
	if a.At == nil {
		return y
	}
	var some []float64
	for _, i := range a.At {
		some = append(some, y[i])
	}
	return some
}

func runKerasLoss(t *testing.T, a kerasAssert) (all []float64) {
	loss, err := newObject[Loss](a.Class, a.Config)
	require.NoError(t, err)
	pred, y := a.pred(), a.target(loss.Targets())
	out := Output{Shape: Shape{pred.Cols}, Targets: loss.Targets()}
	h := &head{name: "y", loss: loss}
	each := h.reduction() == ReduceNone
	if !each {
		require.NoError(t, loss.Check(out))
	}
	if y.Labels != nil {
		_, err := checkLabels(y.Labels, pred.Cols, ignoredClass(loss))
		require.NoError(t, err)
	}
	b := &batch{chunk: chunk{rows: pred.Rows, targets: []Target{y}, weights: [][]float32{a.weights()}}}
	scale, err := h.scale(nil, b, 0, nil)
	require.NoError(t, err)
	run := func(scale []float32) {
		tape := autograd.NewTape(nil)
		v := loss.Loss(tape, tape.Param(pred), y, scale)
		require.NoError(t, tape.Err())
		all = append(all, float64(v.Data[0]))
	}
	if !each {
		run(scale)
		return all
	}
	for i := range scale {
		only := make([]float32, len(scale))
		only[i] = scale[i]
		run(only)
	}
	return all
}

func runKerasMetric(t *testing.T, a kerasAssert) (all []float64) {
	metric, err := newObject[Metric](a.Class, a.Config)
	require.NoError(t, err)
	if a.Pred != nil {
		for i, row := range a.Pred {
			all = append(all, afterBatches(t, metric, []kerasBatch{{True: a.True[i : i+1], Pred: [][]float64{row}}})...)
		}
		return all
	}
	return afterBatches(t, metric, a.Batches)
}

// afterBatches returns what a metric says after some batches.
func afterBatches(t *testing.T, metric Metric, batches []kerasBatch) []float64 {
	out := Output{Shape: Shape{1}}
	if len(batches) > 0 {
		out.Shape = Shape{batches[0].pred().Cols}
	}
	m, err := metric.Start(out)
	if err != nil {
		out.Targets = Classes
		m, err = metric.Start(out)
	}
	require.NoError(t, err)
	for _, b := range batches {
		m.Add(b.pred(), b.target(out.Targets), b.weights())
	}
	if v, ok := m.(Vector); ok {
		return v.Values()
	}
	return []float64{m.Value()}
}
