package nn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// noisy is a model with dropout, of the inputs and outputs of a tandem.
func noisy(t testing.TB, opts ...ModelOption) *Model {
	x, c := Input("x", 3), Input("c", 2)
	drop := Dropout(0.4, Name("drop"))
	h := Dense(8, ReLU, Name("trunk")).On(drop.On(Concatenate(Name("join")).On(x, c)))
	h = Dropout(0.3, Name("drop_h")).On(h)
	label := Dense(4, Softmax, Name("label")).On(h)
	value := Dense(2, Linear, Name("value")).On(h)
	m, err := NewModel([]*Node{x, c}, []*Node{label, value}, opts...)
	require.NoError(t, err)
	require.NoError(t, m.Compile(Adam(0.01),
		Losses{"label": SparseCategoricalCrossentropy(), "value": MSE()},
		LossWeights{"value": 0.25},
		Metrics{"label": {Accuracy()}, "value": {MAE()}}))
	return m
}

func logBits(h *History) map[string][]uint64 {
	bits := map[string][]uint64{}
	for name, values := range h.Logs {
		for _, v := range values {
			bits[name] = append(bits[name], math.Float64bits(v))
		}
	}
	return bits
}

func TestSeeds(t *testing.T) {
	d := tandemData(50)
	type run struct {
		weights []uint32
		logs    map[string][]uint64
	}
	fit := func(model uint64, opts ...FitOption) run {
		m := noisy(t, Seed(model))
		h, err := m.Fit(context.Background(), d, append([]FitOption{Epochs(3), BatchSize(16), ValidationSplit(0.2)}, opts...)...)
		require.NoError(t, err)
		return run{weightBits(m), logBits(h)}
	}
	first := fit(1, Seed(2))
	require.Equal(t, first, fit(1, Seed(2)))
	require.Equal(t, fit(1), fit(1, Seed(1)), "Fit's seed is the model's unless it is given")
	require.NotEqual(t, fit(1, Seed(2), Shuffle(false)), first)
	require.Equal(t, fit(1, Seed(2), Shuffle(false)), fit(1, Seed(2), Shuffle(false)))
	for _, other := range []run{fit(1, Seed(3)), fit(2, Seed(2)), fit(1, Seed(3), Shuffle(false)), fit(1, Seed(2), Shuffle(false))} {
		require.NotEqual(t, first.weights, other.weights)
		require.NotEqual(t, first.logs["loss"], other.logs["loss"])
	}
	require.NotEqual(t, fit(1, Seed(2), Shuffle(false)).weights, fit(1, Seed(3), Shuffle(false)).weights, "dropout")
}

// Epochs differ in their order and their masks, and a second Fit goes on where one longer Fit would.
func TestFitContinues(t *testing.T) {
	d := tandemData(20)
	whole, parts := noisy(t), noisy(t)
	_, err := whole.Fit(context.Background(), d, Epochs(4), BatchSize(8))
	require.NoError(t, err)
	for epoch := range 4 {
		_, err := parts.Fit(context.Background(), d, Epochs(epoch+1), InitialEpoch(epoch), BatchSize(8))
		require.NoError(t, err)
	}
	require.Equal(t, weightBits(whole), weightBits(parts))
}

// part returns the rows from (included) to (excluded).
func part(d Data, from, to int) Data {
	p := Data{Inputs: Arrays{}, Targets: Arrays{}, SampleWeights: map[string][]float32{}}
	for name, width := range map[string]int{"x": 3, "c": 2} {
		p.Inputs[name] = d.Inputs[name].(Floats)[from*width : to*width]
	}
	p.Targets["label"] = d.Targets["label"].(Labels)[from:to]
	p.Targets["value"] = d.Targets["value"].(Floats)[from*2 : to*2]
	for name, w := range d.SampleWeights {
		p.SampleWeights[name] = w[from:to]
	}
	return p
}

func TestStreamEqualsData(t *testing.T) {
	d := tandemData(23)
	d.SampleWeights = map[string][]float32{"value": make([]float32, 23)}
	for i := range 23 {
		d.SampleWeights["value"][i] = float32(i%3) / 2
	}
	fit := func(data Dataset) ([]uint32, map[string][]uint64, Logs) {
		m := noisy(t)
		h, err := m.Fit(context.Background(), data, Epochs(2), BatchSize(5), Shuffle(false), ValidationData(data))
		require.NoError(t, err)
		logs, err := m.Evaluate(context.Background(), data, BatchSize(4))
		require.NoError(t, err)
		return weightBits(m), logBits(h), logs
	}
	weights, history, logs := fit(d)
	for _, sizes := range [][]int{{23}, {1, 22}, {5, 5, 5, 5, 3}, {7, 1, 1, 2, 12}, {22, 1}, slices.Repeat([]int{1}, 23)} {
		t.Run(fmt.Sprint(sizes), func(t *testing.T) {
			var chunks []Data
			at := 0
			for i, size := range sizes {
				c := part(d, at, at+size)
				if i%2 == 1 && slices.Equal(c.SampleWeights["value"], slices.Repeat([]float32{1}, size)) {
					c.SampleWeights = nil
				}
				chunks, at = append(chunks, c), at+size
			}
			for _, stream := range []Stream{streamOf(chunks...), streamOf(chunks...).Prefetch()} {
				w, h, l := fit(stream)
				require.Equal(t, weights, w)
				require.Equal(t, history, h)
				require.Equal(t, logs, l)
			}
		})
	}
}

// A stream that is prefetched ends with Fit, however that ends, and fails as it does otherwise.
func TestPrefetchEnds(t *testing.T) {
	d := tandemData(12)
	broken := errors.New("bad sector")
	for _, c := range []struct {
		name   string
		stream Stream
		option FitOption
		want   string
	}{
		{"callback stops", streamOf(d, d, d, d), stopAt(0, 1, ErrStop), ""},
		{"error", func() iter.Seq2[Data, error] {
			return func(yield func(Data, error) bool) { _ = yield(d, nil) && yield(Data{}, broken) }
		}, Epochs(1), "nn: Fit: epoch 0, batch 3: chunk 1 of the stream: bad sector"},
		{"panic", func() iter.Seq2[Data, error] {
			return func(yield func(Data, error) bool) { yield(d, nil); panic("no more") }
		}, Epochs(1), "nn: Fit: epoch 0, batch 3: chunk 1 of the stream: the stream panicked: no more\ngoroutine "},
		{"no iterator", func() iter.Seq2[Data, error] { return nil }, Epochs(1), "nn: Fit: epoch 0, batch 0: chunk 0 of the stream: the stream has no iterator"},
		{"nil", nil, Epochs(1), "nn: Fit: the data is a nil Stream"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ended := true
			stream := c.stream
			if stream != nil {
				stream = func() iter.Seq2[Data, error] {
					pass := c.stream()
					if pass == nil {
						return nil
					}
					return func(yield func(Data, error) bool) {
						ended = false
						defer func() { ended = true }()
						pass(yield)
					}
				}
			}
			_, err := tandem(t, Adam(0.01)).Fit(context.Background(), stream.Prefetch(), BatchSize(4), c.option)
			require.True(t, ended)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			requireError(t, err, c.want)
		})
	}
}

// linear is y = a·x + b with one output of the given loss.
func linear(t testing.TB, a, b float32, loss Loss, metrics ...Metric) *Model {
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("y")).On(x)})
	require.NoError(t, err)
	require.NoError(t, m.SetWeights(map[string][]float32{"y/kernel": {a}, "y/bias": {b}}))
	require.NoError(t, m.Compile(SGD(0), Losses{"y": loss}, Metrics{"y": metrics}))
	return m
}

// Five rows in batches of two: the last batch has one row and counts half as much. Errors are 1, 2, 3, 4, 5.
func TestEpochLogs(t *testing.T) {
	d := Data{Inputs: Arrays{"x": Floats{1, 2, 3, 4, 5}}, Targets: Arrays{"y": Floats{0, 0, 0, 0, 0}}}
	m := linear(t, 1, 0, MSE(), MAE())
	var rows []float64
	history, err := m.Fit(context.Background(), d, BatchSize(2), Shuffle(false), ValidationData(firstRows(d, 3)),
		Callbacks(Callback{BatchEnd: func(p Progress) error { rows = append(rows, p.Logs["loss"]); return nil }}))
	require.NoError(t, err)
	require.Equal(t, []string{"loss", "mae", "val_loss", "val_mae"}, history.Names())
	require.Equal(t, []float64{5.0 / 2, 30.0 / 4, 55.0 / 5}, rows)
	require.Equal(t, map[string][]float64{"loss": {11}, "mae": {3}, "val_loss": {14.0 / 3}, "val_mae": {2}}, history.Logs)

	weighted := d
	weighted.SampleWeights = map[string][]float32{"y": {1, 0, 2, 1, 0.5}}
	logs, err := m.Evaluate(context.Background(), weighted, BatchSize(2))
	require.NoError(t, err) // the mean divides by the rows, not by the weights; metrics do not see weights
	require.InDelta(t, (1+0+18+16+12.5)/5, logs["loss"], 1e-6)
	require.Equal(t, 3.0, logs["mae"])

	logs, err = m.TrainOnBatch(weighted)
	require.NoError(t, err)
	require.InDelta(t, (1+0+18+16+12.5)/5, logs["loss"], 1e-6)
}

// firstRows returns the first rows of data with one column each.
func firstRows(d Data, rows int) Data {
	return Data{Inputs: Arrays{"x": d.Inputs["x"].(Floats)[:rows]}, Targets: Arrays{"y": d.Targets["y"].(Floats)[:rows]}}
}

func TestLogsOfTwoOutputs(t *testing.T) {
	d := tandemData(12)
	m := tandem(t, SGD(0))
	full, err := m.Evaluate(context.Background(), d, BatchSize(5))
	require.NoError(t, err)
	require.Len(t, full, 5)
	require.InDelta(t, full["label_loss"]+full["value_loss"], full["loss"], 1e-12)

	losses := Losses{"label": SparseCategoricalCrossentropy(), "value": MSE()}
	require.NoError(t, m.Compile(SGD(0), losses, LossWeights{"label": 3, "value": 0.5}))
	weighted, err := m.Evaluate(context.Background(), d, BatchSize(5))
	require.NoError(t, err)
	require.Equal(t, Logs{
		"label_loss": full["label_loss"], "value_loss": full["value_loss"],
		"loss": float64(3*full["label_loss"]) + float64(0.5*full["value_loss"]), // some targets fuse products that are not converted
	}, weighted)

	require.NoError(t, m.Compile(SGD(0.1), Losses{"label": nil, "value": MSE()}))
	one := d
	one.Targets = Arrays{"value": d.Targets["value"]}
	logs, err := m.Evaluate(context.Background(), one, BatchSize(5))
	require.NoError(t, err)
	require.Equal(t, Logs{"value_loss": full["value_loss"], "loss": full["value_loss"]}, logs)
	label, err := m.Layer("label")
	require.NoError(t, err)
	before := slices.Clone(label.params[0].value.Data)
	_, err = m.Fit(context.Background(), one)
	require.NoError(t, err)
	require.Equal(t, before, label.params[0].value.Data, "an output without a loss does not learn")
	all, err := m.Evaluate(context.Background(), d, BatchSize(5))
	require.NoError(t, err)
	logs, err = m.Evaluate(context.Background(), one, BatchSize(5))
	require.NoError(t, err)
	require.Equal(t, logs, all, "a target that no loss needs is not used")
}

func TestClassWeights(t *testing.T) {
	d := tandemData(21)
	classes := map[int]float64{0: 0.25, 2: 3}
	weighted := d
	weighted.SampleWeights = map[string][]float32{"label": nil}
	for _, l := range d.Targets["label"].(Labels) {
		w, ok := classes[int(l)]
		if !ok {
			w = 1
		}
		weighted.SampleWeights["label"] = append(weighted.SampleWeights["label"], float32(w))
	}
	a, b := noisy(t), noisy(t)
	ha, err := a.Fit(context.Background(), d, Epochs(2), BatchSize(8), ClassWeight("label", classes), ValidationData(d))
	require.NoError(t, err)
	hb, err := b.Fit(context.Background(), weighted, Epochs(2), BatchSize(8), ValidationData(d))
	require.NoError(t, err)
	require.Equal(t, weightBits(a), weightBits(b))
	require.Equal(t, logBits(ha), logBits(hb))

	for _, target := range []Array{Labels{0, 1, 1}, Floats{0, 1, 1}} { // one column: its integer part
		p, q := linear(t, 1, 0, MSE()), linear(t, 1, 0, MSE())
		d := Data{Inputs: Arrays{"x": Floats{3, 2, 1}}, Targets: Arrays{"y": target}}
		hp, err := p.Fit(context.Background(), d, ClassWeight("y", map[int]float64{1: 4}))
		require.NoError(t, err)
		d.SampleWeights = map[string][]float32{"y": {1, 4, 4}}
		hq, err := q.Fit(context.Background(), d)
		require.NoError(t, err)
		require.Equal(t, logBits(hp), logBits(hq))
	}
}

func TestFrozenLayers(t *testing.T) {
	for _, c := range []struct {
		name      string
		optimizer Optimizer
	}{{"sgd", SGD(0.1)}, {"momentum", momentum(0.1)}, {"adam", Adam(0.01)}, {"rmsprop", RMSprop(0.01)}} {
		t.Run(c.name, func(t *testing.T) {
			ctx, d := context.Background(), tandemData(12)
			m := tandem(t, c.optimizer)
			trunk, err := m.Layer("trunk")
			require.NoError(t, err)
			_, err = m.Fit(ctx, d, BatchSize(6))
			require.NoError(t, err)
			state := func() string {
				s := ""
				for i, w := range m.weights {
					if w.layer == trunk {
						s += fmt.Sprint(w.Data, m.trainer.slots[i])
					}
				}
				return s
			}
			before, heads := state(), weightBits(m)
			trunk.SetTrainable(false)
			require.False(t, trunk.Trainable())
			_, err = m.Fit(ctx, d, BatchSize(6), Epochs(2))
			require.NoError(t, err)
			require.Equal(t, before, state(), "frozen weights and their optimizer state")
			require.NotEqual(t, heads, weightBits(m), "the others learn")
			trunk.SetTrainable(true)
			_, err = m.Fit(ctx, d, BatchSize(6))
			require.NoError(t, err)
			require.NotEqual(t, before, state())
			require.Equal(t, int64(8), m.trainer.iterations)
			for _, w := range m.Weights() {
				require.Equal(t, -1, nonFinite(w.Data))
			}
		})
	}
	t.Run("all", func(t *testing.T) {
		m, d := tandem(t, Adam(0.1)), tandemData(5)
		for _, l := range m.Layers() {
			l.SetTrainable(false)
		}
		before := weightBits(m)
		history, err := m.Fit(context.Background(), d)
		require.NoError(t, err)
		require.NotZero(t, history.Logs["loss"][0])
		require.Equal(t, before, weightBits(m))
	})
}

// 600 rows are more than Predict takes at a time.
func TestPredictRows(t *testing.T) {
	d := tandemData(600)
	m := noisy(t)
	whole, err := m.Predict(d.Inputs)
	require.NoError(t, err)
	for _, r := range [][2]int{{0, 1}, {599, 600}, {255, 257}, {3, 20}, {100, 600}} {
		some, err := m.Predict(part(d, r[0], r[1]).Inputs)
		require.NoError(t, err)
		for name, y := range some {
			require.Equal(t, r[1]-r[0], y.Rows)
			for i := range y.Rows {
				require.Equal(t, whole[name].Row(r[0]+i), y.Row(i), "rows %v of %s", r, name)
			}
		}
	}
	again, err := m.Predict(d.Inputs)
	require.NoError(t, err)
	require.Equal(t, whole, again, "dropout does not act")

	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			y, err := m.Predict(d.Inputs)
			if err != nil || !slices.Equal(y["label"].Data, whole["label"].Data) || !slices.Equal(y["value"].Data, whole["value"].Data) {
				t.Error("differs in another goroutine", err)
			}
		})
	}
	wait.Wait()
}

// Predict writes the rows that it is asked for and nothing behind them, whatever is left of earlier calls.
func TestPredictStaysInItsRows(t *testing.T) {
	m, d := noisy(t), tandemData(12)
	whole, err := m.Predict(d.Inputs)
	require.NoError(t, err)
	p, err := NewPlan(m, 4)
	require.NoError(t, err)
	inputs := [][]float32{d.Inputs["x"].(Floats), d.Inputs["c"].(Floats)}
	for _, rows := range []int{12, 0, 1, 3, 4, 5, 7, 9, 11} {
		outputs := make([][]float32, 2)
		for i, name := range m.OutputNames() {
			y := whole[name]
			outputs[i] = slices.Repeat([]float32{-7}, 12*y.Cols+5)
		}
		require.NoError(t, p.Predict(inputs, outputs, rows))
		some := part(d, 0, rows)
		for i, name := range m.OutputNames() {
			y := whole[name]
			require.Equal(t, y.Data[:rows*y.Cols], outputs[i][:rows*y.Cols])
			require.Equal(t, slices.Repeat([]float32{-7}, (12-rows)*y.Cols+5), outputs[i][rows*y.Cols:], "%d rows", rows)
		}
		if rows > 0 {
			y, err := m.Predict(some.Inputs)
			require.NoError(t, err)
			for name, y := range y {
				require.Equal(t, whole[name].Data[:rows*y.Cols], y.Data)
			}
		}
	}
}

// An output may be an input, a reshaped one, and a node that another output uses.
func TestPredictInner(t *testing.T) {
	x := Input("x", 2, 2)
	f := Flatten(Name("f")).On(x)
	y := Dense(1, Linear, Name("y")).On(f)
	m, err := NewModel([]*Node{x}, []*Node{x, f, y})
	require.NoError(t, err)
	got, err := m.Predict(Arrays{"x": Floats{1, 2, 3, 4, 5, 6, 7, 8}})
	require.NoError(t, err)
	for _, name := range []string{"x", "f"} {
		require.Equal(t, []float32{1, 2, 3, 4, 5, 6, 7, 8}, got[name].Data)
		require.Equal(t, 2, got[name].Rows)
	}
	require.Equal(t, 1, got["y"].Cols)
}

// Evaluate in a callback sees the weights of that moment and changes nothing, whatever workers there are.
func TestEvaluateInCallback(t *testing.T) {
	ctx, d := context.Background(), tandemData(40)
	fit := func(workers int, callbacks ...Callback) ([]uint32, map[string][]uint64, int64) {
		m := noisy(t)
		h, err := m.Fit(ctx, d, Epochs(3), BatchSize(16), ValidationData(d), Workers(workers), Callbacks(callbacks...))
		require.NoError(t, err)
		require.Nil(t, m.trainer.pool)
		return weightBits(m), logBits(h), m.trainer.iterations
	}
	weights, history, iterations := fit(1)
	before := runtime.NumGoroutine()
	for _, workers := range []int{1, 2} {
		for _, inner := range []int{1, 3} {
			calls := 0
			evaluate := func(p Progress) error {
				calls++
				trainer, pool := p.Model.trainer, p.Model.trainer.pool
				logs, err := p.Model.Evaluate(ctx, d, Workers(inner), BatchSize(16))
				require.NoError(t, err)
				require.Same(t, trainer, p.Model.trainer)
				require.Same(t, pool, p.Model.trainer.pool)
				if want, ok := p.Logs["val_loss"]; ok {
					require.Equal(t, want, logs["loss"])
				}
				return nil
			}
			w, h, i := fit(workers, Callback{Begin: evaluate, BatchEnd: evaluate, EpochEnd: evaluate, End: evaluate})
			require.Equal(t, 1+9+3+1, calls)
			require.Equal(t, weights, w)
			require.Equal(t, history, h)
			require.Equal(t, iterations, i)
		}
	}
	for range 100 { // closed pools end by and by
		if runtime.NumGoroutine() <= before {
			break
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
}

// Evaluate in many goroutines gives each the same.
func TestConcurrentEvaluate(t *testing.T) {
	m, d := noisy(t), tandemData(300)
	want, err := m.Evaluate(context.Background(), d)
	require.NoError(t, err)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for range 5 {
				if got, err := m.Evaluate(context.Background(), d, Workers(1+i%2)); err != nil || !maps.Equal(got, want) {
					t.Error("differs in another goroutine", got, err)
				}
			}
		})
	}
	wait.Wait()
}

// What would train the model while it is trained is ErrBusy, and the one that came first goes on as if alone.
func TestBusy(t *testing.T) {
	ctx, d := context.Background(), tandemData(20)
	var errs []error
	intrude := func(m *Model) {
		history, err := m.Fit(ctx, d)
		errs = append(errs, err)
		require.Empty(t, history.Epochs)
		_, err = m.TrainOnBatch(d)
		errs = append(errs, err)
		errs = append(errs, m.Compile(SGD(0), Losses{"label": SparseCategoricalCrossentropy(), "value": MSE()}))
	}
	requireBusy := func(t *testing.T, calls int) {
		t.Helper()
		require.Len(t, errs, 3*calls)
		for i, err := range errs {
			require.ErrorIs(t, err, ErrBusy)
			requireError(t, err, []string{"nn: Fit: ", "nn: TrainOnBatch: ", "nn: Compile: "}[i%3])
		}
		errs = nil
	}
	stream := func(m *Model, intrude func(*Model)) Stream {
		return func() iter.Seq2[Data, error] {
			return func(yield func(Data, error) bool) {
				intrude(m)
				yield(d, nil)
			}
		}
	}
	alone := noisy(t)
	_, err := alone.Fit(ctx, d, Epochs(2), BatchSize(16))
	require.NoError(t, err)
	t.Run("callbacks", func(t *testing.T) {
		m := noisy(t)
		call := func(p Progress) error { intrude(p.Model); return nil }
		_, err := m.Fit(ctx, d, Epochs(2), BatchSize(16), Callbacks(Callback{Begin: call, BatchEnd: call, EpochEnd: call, End: call}))
		require.NoError(t, err)
		requireBusy(t, 1+4+2+1)
		require.Equal(t, weightBits(alone), weightBits(m))
	})
	t.Run("stream", func(t *testing.T) {
		m := noisy(t)
		_, err := m.Fit(ctx, stream(m, intrude), Epochs(2), BatchSize(16), ValidationData(stream(m, intrude)))
		require.NoError(t, err)
		requireBusy(t, 4)
		require.Equal(t, weightBits(alone), weightBits(m))
	})
	t.Run("callback that passes it on", func(t *testing.T) {
		_, err := noisy(t).Fit(ctx, d, Callbacks(Callback{EpochEnd: func(p Progress) error { _, err := p.Model.Fit(ctx, d); return err }}))
		require.ErrorIs(t, err, ErrBusy)
	})
	t.Run("another model", func(t *testing.T) {
		m, other := noisy(t), noisy(t)
		_, err := m.Fit(ctx, d, Epochs(2), BatchSize(16), Callbacks(Callback{EpochEnd: func(p Progress) error {
			_, err := other.Fit(ctx, d, Epochs(p.Epoch+1), InitialEpoch(p.Epoch), BatchSize(16))
			return err
		}}))
		require.NoError(t, err)
		require.Equal(t, weightBits(alone), weightBits(m))
		require.Equal(t, weightBits(alone), weightBits(other))
	})
	// However a call ends, the next one works.
	for name, end := range map[string]func(m *Model) error{
		"error": func(m *Model) error { _, err := m.Fit(ctx, d, BatchSize(0)); return err },
		"callback": func(m *Model) error {
			_, err := m.Fit(ctx, d, Epochs(0), Callbacks(Callback{Begin: func(Progress) error { panic(1) }}))
			return err
		},
		"stream": func(m *Model) (err error) {
			defer func() { err = recover().(error) }()
			_, err = m.Fit(ctx, stream(m, func(*Model) { panic(errors.New("no more")) }), Workers(2), Profile(io.Discard))
			return err
		},
		"TrainOnBatch": func(m *Model) error { _, err := m.TrainOnBatch(Data{}); return err },
		"Compile":      func(m *Model) error { return m.Compile(nil) },
	} {
		t.Run("after "+name, func(t *testing.T) {
			m := noisy(t)
			require.Error(t, end(m))
			require.Nil(t, m.trainer.pool)
			require.Nil(t, m.trainer.profile)
			_, err := m.Fit(ctx, d, Epochs(2), BatchSize(16))
			require.NoError(t, err)
			require.Equal(t, weightBits(alone), weightBits(m))
		})
	}
	t.Run("goroutines", func(t *testing.T) {
		m := noisy(t)
		started, resume := make(chan bool), make(chan bool)
		var wait sync.WaitGroup
		wait.Go(func() {
			_, err := m.Fit(ctx, stream(m, func(*Model) { started <- true; <-resume }), BatchSize(16))
			if err != nil {
				t.Error(err)
			}
		})
		<-started
		intrude(m)
		resume <- true
		wait.Wait()
		requireBusy(t, 1)
	})
}

// What callbacks do to a model between two steps counts from the next one on.
func TestCallbackActs(t *testing.T) {
	ctx, d := context.Background(), tandemData(24)
	atEpoch := func(epoch int, act func(m *Model) error) FitOption {
		return Callbacks(Callback{EpochEnd: func(p Progress) error {
			if p.Epoch != epoch {
				return nil
			}
			return act(p.Model)
		}})
	}
	whole := noisy(t)
	_, err := whole.Fit(ctx, d, Epochs(4), BatchSize(8))
	require.NoError(t, err)
	t.Run("Save", func(t *testing.T) { // training goes on from the file as it does in the model
		m, path := noisy(t), filepath.Join(t.TempDir(), "m")
		_, err := m.Fit(ctx, d, Epochs(4), BatchSize(8), atEpoch(1, func(m *Model) error { return m.Save(path) }))
		require.NoError(t, err)
		require.Equal(t, weightBits(whole), weightBits(m))
		loaded, err := Load(path)
		require.NoError(t, err)
		_, err = loaded.Fit(ctx, d, Epochs(4), InitialEpoch(2), BatchSize(8))
		require.NoError(t, err)
		require.Equal(t, weightBits(whole), weightBits(loaded))
	})
	t.Run("weights of classes", func(t *testing.T) { // are those that Fit was given
		a, b, classes := noisy(t), noisy(t), map[int]float64{1: 3}
		_, err := a.Fit(ctx, d, Epochs(2), ClassWeight("label", map[int]float64{1: 3}))
		require.NoError(t, err)
		_, err = b.Fit(ctx, d, Epochs(2), ClassWeight("label", classes), atEpoch(0, func(*Model) error { classes[1] = 0; return nil }))
		require.NoError(t, err)
		require.Equal(t, weightBits(a), weightBits(b))
	})
	for name, act := range map[string]func(m *Model) error{
		"SetLearningRate": func(m *Model) error { return m.SetLearningRate(0) },
		"SetTrainable": func(m *Model) error {
			for _, l := range m.Layers() {
				l.SetTrainable(false)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := noisy(t)
			var then []uint32
			_, err := m.Fit(ctx, d, Epochs(4), BatchSize(8), atEpoch(1, func(m *Model) error {
				then = weightBits(m)
				_, err := m.Predict(d.Inputs)
				return errors.Join(err, act(m))
			}))
			require.NoError(t, err)
			require.Equal(t, then, weightBits(m))
		})
	}
}

func TestProgress(t *testing.T) {
	d := tandemData(10)
	record := func(data Dataset, opts ...FitOption) (calls []string) {
		m := tandem(t, SGD(0.1))
		note := func(what string) func(Progress) error {
			return func(p Progress) error {
				require.Same(t, m, p.Model)
				calls = append(calls, fmt.Sprintf("%s %d/%d %d/%d %d", what, p.Epoch, p.Epochs, p.Batch, p.Batches, len(p.Logs)))
				return nil
			}
		}
		opts = append([]FitOption{BatchSize(4), Callbacks(Callback{}, Callback{Begin: note("begin"), BatchEnd: note("batch"), EpochEnd: note("epoch"), End: note("end")})}, opts...)
		_, err := m.Fit(context.Background(), data, opts...)
		require.NoError(t, err)
		return calls
	}
	require.Equal(t, []string{
		"begin 0/2 0/3 0",
		"batch 0/2 0/3 5", "batch 0/2 1/3 5", "batch 0/2 2/3 5", "epoch 0/2 2/3 10",
		"batch 1/2 0/3 5", "batch 1/2 1/3 5", "batch 1/2 2/3 5", "epoch 1/2 2/3 10",
		"end 1/2 2/3 10",
	}, record(d, Epochs(2), ValidationData(d)))
	require.Equal(t, []string{
		"begin 1/3 0/0 0",
		"batch 1/3 0/0 5", "batch 1/3 1/0 5", "batch 1/3 2/0 5", "epoch 1/3 2/3 5",
		"batch 2/3 0/3 5", "batch 2/3 1/3 5", "batch 2/3 2/3 5", "epoch 2/3 2/3 5",
		"end 2/3 2/3 5",
	}, record(streamOf(part(d, 0, 7), part(d, 7, 10)), Epochs(3), InitialEpoch(1)))
	require.Equal(t, []string{
		"begin 0/1 0/2 0", "batch 0/1 0/2 5", "batch 0/1 1/2 5", "epoch 0/1 1/2 10", "end 0/1 1/2 10",
	}, record(d, ValidationSplit(0.3)))
	require.Equal(t, []string{"begin 0/0 0/3 0", "end 0/0 0/3 0"}, record(d, Epochs(0)))
	require.Equal(t, "begin 0/1 0/1 0", record(d, BatchSize(math.MaxInt))[0])
}

// A training step on a batch of a size that has been seen allocates nothing.
func TestStepAllocations(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	momentum := SGD(0.001)
	momentum.Momentum = 0.9
	optimizers := map[string]Optimizer{"sgd": SGD(0.001), "momentum": momentum, "adam": Adam(0.001), "rmsprop": RMSprop(0.001)}
	zero := func(t *testing.T, m *Model, d Data) {
		step := func() {
			_, err := m.TrainOnBatch(d)
			require.NoError(t, err)
		}
		step()
		step() // the first one has told the tape how much memory it needs
		require.Zero(t, testing.AllocsPerRun(20, step))
	}
	for _, served := range servedModels[:4] {
		for name, optimizer := range optimizers {
			if served.name == "large" && name != "adam" {
				continue // they differ in nothing but time
			}
			t.Run(served.name+"/"+name, func(t *testing.T) {
				m, err := served.build()
				require.NoError(t, err)
				d := trainingData(t, m, optimizer, 9)
				zero(t, m, d)
			})
		}
	}
	x, c := Input("x", 3), Input("c", 2)
	wide := Concatenate().On(Reshape([]int{1, 3}).On(x), Reshape([]int{1, 2}).On(c))
	rank2, err := NewModel([]*Node{x, c}, []*Node{
		Dense(4, Softmax, Name("label")).On(Flatten().On(wide)),
		Dense(2, Tanh, Name("value")).On(Multiply().On(x, x)),
	})
	require.NoError(t, err)
	require.NoError(t, rank2.Compile(RMSprop(0.01), Losses{"label": SparseCategoricalCrossentropy(), "value": MAE()}))
	t.Run("rank 2", func(t *testing.T) { zero(t, rank2, tandemData(16)) })
	t.Run("dropout", func(t *testing.T) { zero(t, noisy(t), tandemData(16)) })
	t.Run("embedding", func(t *testing.T) {
		id := Input("id", 2)
		m, err := NewModel([]*Node{id}, []*Node{Dense(1, Sigmoid, Name("y")).On(Flatten().On(Embedding(5, 3).On(id)))})
		require.NoError(t, err)
		require.NoError(t, m.Compile(Adam(0.01), Losses{"y": BinaryCrossentropy()}, Metrics{"y": {Accuracy()}}))
		zero(t, m, Data{Inputs: Arrays{"id": Labels{0, 1, 4, 3}}, Targets: Arrays{"y": Labels{0, 1}}})
	})
}

// Neither weights nor logs depend on the number of workers, nor on how many of them run at a time.
func TestFitWorkers(t *testing.T) {
	momentum := SGD(0.001)
	momentum.Momentum = 0.9
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for name, optimizer := range map[string]Optimizer{"sgd": SGD(0.001), "momentum": momentum, "adam": Adam(0.001), "rmsprop": RMSprop(0.001)} {
		t.Run(name, func(t *testing.T) {
			fit := func(procs, workers int) ([]uint32, map[string][]uint64, Logs) {
				runtime.GOMAXPROCS(procs)
				x := Input("x", 128)
				h := Dense(64, ReLU).On(Dense(256, ReLU).On(x)) // 40 x 128 x 256 is large enough to be shared
				m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name("value")).On(h), Dense(10, Softmax, Name("label")).On(h)})
				require.NoError(t, err)
				d := trainingData(t, m, optimizer, 96)
				history, err := m.Fit(context.Background(), d, Epochs(2), BatchSize(40), Workers(workers))
				require.NoError(t, err)
				logs, err := m.Evaluate(context.Background(), d, BatchSize(96), Workers(workers))
				require.NoError(t, err)
				require.Nil(t, m.trainer.pool)
				return weightBits(m), logBits(history), logs
			}
			weights, history, logs := fit(1, 1)
			for _, procs := range []int{1, 2, 4, 8} {
				for _, workers := range []int{1, 2, 4} {
					w, h, l := fit(procs, workers)
					require.True(t, slices.Equal(weights, w), "%d workers, GOMAXPROCS %d", workers, procs)
					require.Equal(t, history, h)
					require.Equal(t, logs, l)
				}
			}
		})
	}
}

func TestProfile(t *testing.T) {
	m, d := noisy(t), tandemData(20)
	var b strings.Builder
	_, err := m.Fit(context.Background(), d, Epochs(2), BatchSize(8), ValidationData(d), Profile(&b))
	require.NoError(t, err)
	require.Regexp(t, `^Profile: 6 training steps of [0-9.e+]+ us, [0-9.e+]+ rows/s`, b.String())
	total := 0.0
	for _, l := range m.Layers() {
		if l.paramCount() > 0 {
			require.Contains(t, b.String(), l.describe())
		}
	}
	for _, share := range regexp.MustCompile(`([0-9.]+) %`).FindAllStringSubmatch(b.String(), -1) {
		value, err := strconv.ParseFloat(share[1], 64)
		require.NoError(t, err)
		total += value
	}
	require.InDelta(t, 100, total, 10) // the sum of Backward's parts lies a little below the whole, and shares are rounded
	require.Nil(t, m.trainer.profile)

	full := errors.New("disk full")
	_, err = m.Fit(context.Background(), d, Profile(failing{full}))
	require.ErrorIs(t, err, full)
	require.ErrorContains(t, err, "nn: Fit: profile: ")
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestSharedLayerOfTwoModels(t *testing.T) {
	shared := Dense(3, Tanh)
	model := func(name string) *Model {
		x := Input("x", 2)
		m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, Name(name)).On(shared.On(x))})
		require.NoError(t, err)
		require.NoError(t, m.Compile(SGD(0.1), Losses{name: MSE()}))
		return m
	}
	a, b := model("a"), model("b")
	require.Equal(t, "dense", shared.Name())
	d := Data{Inputs: Arrays{"x": Floats{1, 2, 3, 4}}, Targets: Arrays{"a": Floats{1, 0}}}
	before := weightBits(b)
	_, err := a.TrainOnBatch(d)
	require.NoError(t, err)
	require.NotEqual(t, before, weightBits(b), "what one model learns, the other knows")
	kernel := func(m *Model) []float32 { return m.Weights()[0].Data }
	require.Equal(t, "dense/kernel", a.Weights()[0].Name)
	require.Equal(t, kernel(a), kernel(b))
	kernel(a)[0] = 42
	require.Equal(t, float32(42), kernel(b)[0])
}

func TestNames(t *testing.T) {
	build := func() *Model {
		second := Dense(2, ReLU) // created first, called last
		x, y := Input("", 2), Input("", 2)
		named := Dense(2, ReLU, Name("dense_1")).On(x)
		h := Add().On(named, Dense(2, ReLU).On(y), second.On(x))
		out := Dense(1, Linear).On(Dropout(0).On(Concatenate().On(h, second.On(y), Flatten().On(x))))
		m, err := NewModel([]*Node{x, y}, []*Node{out, Activation(Sigmoid).On(out), Reshape([]int{1, 1}).On(out), Multiply().On(out, out)})
		require.NoError(t, err)
		return m
	}
	for range 2 { // the second model starts over
		m := build()
		require.Equal(t, "functional", m.Name())
		require.Equal(t, []string{"input_layer", "input_layer_1"}, m.InputNames())
		require.Equal(t, []string{"dense_3", "activation", "reshape", "multiply"}, m.OutputNames())
		var names []string
		for _, l := range m.Layers() {
			names = append(names, l.Name())
		}
		slices.Sort(names)
		require.Equal(t, []string{"activation", "add", "concatenate", "dense", "dense_1", "dense_2", "dense_3", "dropout",
			"flatten", "input_layer", "input_layer_1", "multiply", "reshape"}, names)
		shared, err := m.Layer("dense")
		require.NoError(t, err)
		require.Len(t, shared.nodes, 2, "the shared layer was created first")
		require.Equal(t, 2*2+2, shared.paramCount())
	}
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{x}, Name("net"))
	require.NoError(t, err)
	require.Equal(t, "net", m.Name())
}

// Models that are joined in a third one can have named their layers alike; a NewModel that fails names none.
func TestAutomaticNamesMeet(t *testing.T) {
	x := Input("x", 2)
	model := func(y *Node) *Model {
		m, err := NewModel([]*Node{x}, []*Node{y})
		require.NoError(t, err)
		return m
	}
	join := func(a, b *Node) error {
		_, err := NewModel([]*Node{x}, []*Node{Add(Name("sum")).On(a, b)})
		return err
	}
	a, b := Dense(2, ReLU).On(x), Dense(2, ReLU).On(x)
	model(a)
	require.NoError(t, join(a, b), "the second is dense_1")
	a, b = Dense(2, ReLU).On(x), Dense(2, ReLU).On(x)
	model(a)
	model(b)
	require.EqualError(t, join(a, b), `nn: model "functional": layer "dense" (Dense) and layer "dense" (Dense) have the same name, `+
		`which two other models have given them: give one a Name when you make it`)
	a, b = Dense(2, ReLU).On(x), Dense(2, ReLU, Name("mine")).On(x)
	model(a)
	model(b)
	require.NoError(t, join(a, b))

	a, b = Dense(2, ReLU).On(x), Dense(2, ReLU).On(x)
	_, err := NewModel([]*Node{x}, []*Node{a, b, Dense(0, ReLU).On(x)})
	requireError(t, err, `layer "dense_2" (Dense): has 0 units`)
	require.Equal(t, []string{"dense"}, model(b).OutputNames())
	require.Empty(t, a.layer.Name())
}

// Of most options that are given twice the last one counts.
func TestOptionsTwice(t *testing.T) {
	x := Input("x", 3)
	y := Dense(2, ReLU, Name("a"), Name("b")).On(x)
	m, err := NewModel([]*Node{x}, []*Node{y}, Name("c"), Seed(1), Name("d"), Seed(2))
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, m.OutputNames())
	require.Equal(t, "d", m.Name())
	require.EqualValues(t, 2, m.seed)
	_, err = NewModel([]*Node{x}, []*Node{y}, Name("c"), nil)
	require.EqualError(t, err, "nn: NewModel: option 1 is nil")

	d, calls := tandemData(9), 0
	call := Callbacks(Callback{BatchEnd: func(Progress) error { calls++; return nil }})
	history, err := tandem(t, SGD(0)).Fit(context.Background(), d, Epochs(7), BatchSize(1), ValidationData(d), ValidationSplit(0.3),
		call, Epochs(2), BatchSize(3), ValidationData(nil), ValidationSplit(0), call)
	require.NoError(t, err)
	require.Equal(t, []int{0, 1}, history.Epochs)
	require.NotContains(t, history.Logs, "val_loss")
	require.Equal(t, 2*2*3, calls, "callbacks add up")
}

// What a caller does to a slice later does not reach the graph.
func TestSlicesAreCopied(t *testing.T) {
	in, target := []int{4}, []int{2, 2}
	x := Input("x", in...)
	y := Reshape(target).On(x)
	operands := []*Node{x, x}
	sum := Add().On(operands...)
	in[0], target[0], operands[1] = 100, 100, y
	require.Equal(t, Shape{4}, x.Shape())
	require.Equal(t, Shape{2, 2}, y.Shape())
	require.Equal(t, []*Node{x, x}, sum.in)
}
