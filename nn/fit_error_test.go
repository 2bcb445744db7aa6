package nn

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFitErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, c := range []struct {
		name string
		data func(d Data) Dataset // nil: d itself
		opts func(d Data) []FitOption
		want []string
	}{
		{"batch size 0", nil, func(Data) []FitOption { return []FitOption{BatchSize(0)} }, []string{"batch size 0 is below 1"}},
		{"batch size -1", nil, func(Data) []FitOption { return []FitOption{BatchSize(-1)} }, []string{"batch size -1"}},
		{"epochs -1", nil, func(Data) []FitOption { return []FitOption{Epochs(-1)} }, []string{"epochs -1"}},
		{"initial -1", nil, func(Data) []FitOption { return []FitOption{InitialEpoch(-1)} }, []string{"initial epoch -1"}},
		{"split -0.1", nil, func(Data) []FitOption { return []FitOption{ValidationSplit(-0.1)} }, []string{"validation split -0.1 is not between 0 and 1"}},
		{"split 1", nil, func(Data) []FitOption { return []FitOption{ValidationSplit(1)} }, []string{"validation split 1 is not"}},
		{"split NaN", nil, func(Data) []FitOption { return []FitOption{ValidationSplit(math.NaN())} }, []string{"validation split NaN"}},
		{"split leaves nothing to train", nil, func(Data) []FitOption { return []FitOption{ValidationSplit(0.95)} }, []string{"validation split 0.95 leaves 0 rows to train and 10 to validate"}},
		{"split leaves nothing to validate", nil, func(Data) []FitOption { return []FitOption{ValidationSplit(1e-18)} }, []string{"leaves 10 rows to train and 0 to validate"}},
		{"split of a stream", func(d Data) Dataset { return streamOf(d) }, func(Data) []FitOption { return []FitOption{ValidationSplit(0.5)} }, []string{"needs Data, not a Stream"}},
		{"split and data", nil, func(d Data) []FitOption { return []FitOption{ValidationSplit(0.5), ValidationData(d)} }, []string{"exclude each other"}},
		{"class weight output", nil, func(Data) []FitOption { return []FitOption{ClassWeight("labels", nil)} }, []string{`unknown output in ClassWeight "labels": valid are ["label" "value"]`}},
		{"class weight class", nil, func(Data) []FitOption { return []FitOption{ClassWeight("label", map[int]float64{4: 1})} }, []string{`output "label"`, "class 4", "classes are 0 to 3"}},
		{"class weight class -1", nil, func(Data) []FitOption { return []FitOption{ClassWeight("label", map[int]float64{-1: 1})} }, []string{"class -1"}},
		{"class weight -1", nil, func(Data) []FitOption { return []FitOption{ClassWeight("label", map[int]float64{1: -1})} }, []string{"class 1 has weight -1"}},
		{"class weight NaN", nil, func(Data) []FitOption { return []FitOption{ClassWeight("label", map[int]float64{1: math.NaN()})} }, []string{"class 1 has weight NaN"}},
		{"class weight beyond float32", nil, func(Data) []FitOption { return []FitOption{ClassWeight("label", map[int]float64{1: 1e39})} }, []string{"class 1 has weight 1e+39", "in float32"}},
		{"class weight 0 in float32", nil, func(Data) []FitOption { return []FitOption{ClassWeight("label", map[int]float64{1: 1e-60})} }, []string{"class 1 has weight 1e-60", "in float32"}},
		{"class weights of one output", nil, func(Data) []FitOption {
			return []FitOption{ClassWeight("label", map[int]float64{1: 2}), ClassWeight("value", nil), ClassWeight("label", nil)}
		}, []string{`output "label" has two ClassWeights`}},
		{"nil option", nil, func(Data) []FitOption { return []FitOption{Epochs(1), nil} }, []string{"option 1 is nil"}},
		{"nil profile", nil, func(Data) []FitOption { return []FitOption{Profile(nil)} }, []string{"the writer of Profile is nil"}},
		{"log added twice", nil, func(Data) []FitOption {
			return []FitOption{Callbacks(Callback{Logs: []string{"lr"}}, Callback{Logs: []string{"lr"}})}
		}, []string{`callback 1 adds log "lr", which is there already: the logs are ["label_accuracy" "label_loss" "loss" "lr" "value_loss" "value_mae"]`}},
		{"log that is there", nil, func(d Data) []FitOption {
			return []FitOption{ValidationData(d), Callbacks(Callback{Logs: []string{"val_loss"}})}
		}, []string{`callback 0 adds log "val_loss", which is there already`}},
		{"nil data", func(Data) Dataset { return nil }, nil, []string{"the data is nil"}},
		{"nil stream", func(Data) Dataset { return Stream(nil) }, nil, []string{"the data is a nil Stream"}},
		{"pointer to data", func(d Data) Dataset { return &d }, nil, []string{"the data is *nn.Data, must be Data or a Stream"}},
		{"nil pointer to data", func(Data) Dataset { return (*Data)(nil) }, nil, []string{"the data is *nn.Data"}},
		{"stream of nothing", func(Data) Dataset { return Stream(func() iter.Seq2[Data, error] { return nil }) }, nil, []string{"the stream has no iterator"}},
		{"empty stream", func(Data) Dataset { return streamOf() }, nil, []string{"the data has no rows"}},
		{"failing stream", func(Data) Dataset {
			return Stream(func() iter.Seq2[Data, error] {
				return func(yield func(Data, error) bool) { yield(Data{}, broken) }
			})
		}, nil, []string{"epoch 0, batch 0: chunk 0 of the stream: disk on fire"}},
		{"nil validation stream", nil, func(Data) []FitOption { return []FitOption{ValidationData(Stream(nil))} }, []string{"the validation data is a nil Stream"}},
		{"pointer to validation", nil, func(d Data) []FitOption { return []FitOption{ValidationData(&d)} }, []string{"the validation data is *nn.Data"}},
		{"failing Begin", nil, func(Data) []FitOption {
			return []FitOption{Callbacks(Callback{Begin: func(Progress) error { return broken }})}
		}, []string{"nn: Fit: disk on fire"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, d, unchanged := trained(t)
			var data Dataset = d
			if c.data != nil {
				data = c.data(d)
			}
			var opts []FitOption
			if c.opts != nil {
				opts = c.opts(d)
			}
			history, err := m.Fit(context.Background(), data, opts...)
			requireError(t, err, append(c.want, "nn: Fit: ")...)
			require.NotNil(t, history)
			require.Empty(t, history.Epochs)
			unchanged(t)
			if c.data != nil && c.opts == nil {
				_, err := m.Evaluate(context.Background(), data)
				require.ErrorContains(t, err, "nn: Evaluate: ")
				unchanged(t)
			}
		})
	}
	t.Run("Evaluate nil option", func(t *testing.T) {
		m, d, unchanged := trained(t)
		_, err := m.Evaluate(context.Background(), d, nil)
		requireError(t, err, "nn: Evaluate: option 0 is nil")
		unchanged(t)
	})
	t.Run("nil context", func(t *testing.T) {
		m, d, unchanged := trained(t)
		var none context.Context
		_, err := m.Fit(none, d)
		requireError(t, err, "nn: Fit: the context is nil")
		_, err = m.Evaluate(none, d)
		requireError(t, err, "nn: Evaluate: the context is nil")
		unchanged(t)
	})
	t.Run("Evaluate batch size 0", func(t *testing.T) {
		m, d, unchanged := trained(t)
		_, err := m.Evaluate(context.Background(), d, BatchSize(0))
		requireError(t, err, "nn: Evaluate: batch size 0 is below 1")
		unchanged(t)
	})
	t.Run("validation stream", func(t *testing.T) {
		m, d, _ := trained(t)
		bad := copied(d)
		bad.Targets["label"].(Labels)[3] = 9
		history, err := m.Fit(context.Background(), d, ValidationData(streamOf(d, bad)))
		requireError(t, err, `epoch 0, validation: chunk 1 of the stream: target "label": row 3 has label 9`)
		require.Empty(t, history.Epochs)
	})
}

// stopAt returns a callback that fails with err after the batch.
func stopAt(epoch, batch int, err error) FitOption {
	return Callbacks(Callback{BatchEnd: func(p Progress) error {
		if p.Epoch == epoch && p.Batch == batch {
			return err
		}
		return nil
	}})
}

func TestFailingCallback(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, c := range []struct {
		name string
		fail error
		want error
	}{
		{"error", broken, broken},
		{"ErrStop", ErrStop, nil},
		{"wrapped ErrStop", fmt.Errorf("enough: %w", ErrStop), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, d := tandem(t, SGD(0.1)), tandemData(10)
			history, err := m.Fit(context.Background(), d, Epochs(5), BatchSize(4), stopAt(2, 1, c.fail))
			require.ErrorIs(t, err, c.want)
			require.Equal(t, []int{0, 1}, history.Epochs)
			require.Len(t, history.Logs["loss"], 2)
			require.Equal(t, int64(8), m.trainer.iterations)

			m = tandem(t, SGD(0.1))
			history, err = m.Fit(context.Background(), d, Epochs(5), Callbacks(Callback{EpochEnd: func(p Progress) error {
				if p.Epoch == 3 {
					return c.fail
				}
				return nil
			}}))
			require.ErrorIs(t, err, c.want)
			require.Equal(t, []int{0, 1, 2, 3}, history.Epochs)
		})
	}
}

// Whatever fails in the middle, Fit says what, and the model is what it was after the last complete step.
func TestFailuresInTheMiddle(t *testing.T) {
	d := tandemData(12)
	full := func(p Progress) error {
		f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = p.Model.WriteTo(f)
		return err
	}
	spoilt := part(d, 4, 8)
	x := slices.Clone(spoilt.Inputs["x"].(Floats))
	x[4] = float32(math.NaN())
	spoilt.Inputs["x"] = x
	for _, c := range []struct {
		name     string
		data     Dataset
		callback Callback
		want     string
	}{
		{"panic", d, Callback{BatchEnd: func(p Progress) error {
			if p.Batch == 1 {
				panic("out of coffee")
			}
			return nil
		}}, "nn: Fit: epoch 0, batch 1: callback 0 panicked: out of coffee\ngoroutine "},
		{"full disk", d, Callback{BatchEnd: func(p Progress) error {
			if p.Batch == 1 {
				return full(p)
			}
			return nil
		}}, "nn: Fit: nn: WriteTo: write /dev/full: no space left on device"},
		{"NaN", streamOf(part(d, 0, 4), part(d, 4, 8), spoilt), Callback{}, `nn: Fit: epoch 0, batch 2: chunk 2 of the stream: input "x": row 1, column 1 is NaN`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "full disk" {
				if _, err := os.Stat("/dev/full"); err != nil {
					t.Skip(err)
				}
			}
			m, other := tandem(t, Adam(0.01)), tandem(t, Adam(0.01))
			history, err := m.Fit(context.Background(), c.data, Shuffle(false), BatchSize(4), Callbacks(c.callback))
			requireError(t, err, c.want)
			require.Empty(t, history.Epochs)
			_, err = other.Fit(context.Background(), part(d, 0, 8), Shuffle(false), BatchSize(4))
			require.NoError(t, err)
			require.Equal(t, weightBits(other), weightBits(m))
			require.Equal(t, other.trainer.slots, m.trainer.slots)

			// Training goes on from there.
			for _, m := range []*Model{m, other} {
				_, err = m.Fit(context.Background(), d, BatchSize(4))
				require.NoError(t, err)
			}
			require.Equal(t, weightBits(other), weightBits(m))
		})
	}
}

// A loss that is not finite ends Fit with the weights of the last complete step.
func TestDivergence(t *testing.T) {
	for _, c := range []struct {
		name      string
		optimizer Optimizer
	}{{"sgd", SGD(1e25)}, {"adam", Adam(1e25)}, {"rmsprop", RMSprop(1e25)}} {
		t.Run(c.name, func(t *testing.T) {
			m, d := tandem(t, c.optimizer), tandemData(10)
			history, err := m.Fit(context.Background(), d, Epochs(3), BatchSize(4))
			requireError(t, err, "nn: Fit: epoch 0, batch 1: the loss of output \"value\" is +Inf")
			require.Empty(t, history.Epochs)

			other := tandem(t, c.optimizer)
			_, err = other.Fit(context.Background(), d, BatchSize(4), stopAt(0, 0, ErrStop))
			require.NoError(t, err)
			require.Equal(t, weightBits(other), weightBits(m))
			for _, w := range m.Weights() {
				require.Equal(t, -1, nonFinite(w.Data), w.Name)
			}
			before := weightBits(m)
			_, err = m.TrainOnBatch(d)
			requireError(t, err, `nn: TrainOnBatch: the loss of output "value" is +Inf`)
			_, err = m.Evaluate(context.Background(), d)
			requireError(t, err, `nn: Evaluate: the loss of output "value" is +Inf`)
			require.Equal(t, before, weightBits(m))
		})
	}
}

func TestCancel(t *testing.T) {
	d := tandemData(10)
	t.Run("before", func(t *testing.T) {
		m, d, unchanged := trained(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		history, err := m.Fit(ctx, d)
		require.ErrorIs(t, err, context.Canceled)
		requireError(t, err, "nn: Fit: epoch 0, batch 0: context canceled")
		require.Empty(t, history.Epochs)
		_, err = m.Evaluate(ctx, d)
		require.ErrorIs(t, err, context.Canceled)
		unchanged(t)
	})
	t.Run("in the middle", func(t *testing.T) {
		m := tandem(t, Adam(0.01))
		ctx, cancel := context.WithCancel(context.Background())
		history, err := m.Fit(ctx, d, Epochs(4), BatchSize(4), Callbacks(Callback{BatchEnd: func(p Progress) error {
			if p.Epoch == 2 && p.Batch == 0 {
				cancel()
			}
			return nil
		}}))
		require.ErrorIs(t, err, context.Canceled)
		requireError(t, err, "epoch 2, batch 1")
		require.Equal(t, []int{0, 1}, history.Epochs)
		require.Len(t, history.Logs["label_accuracy"], 2)
		require.Equal(t, int64(7), m.trainer.iterations)

		history, err = m.Fit(context.Background(), d, Epochs(4), InitialEpoch(2), BatchSize(4))
		require.NoError(t, err)
		require.Equal(t, []int{2, 3}, history.Epochs)
		require.Equal(t, int64(13), m.trainer.iterations)
	})
	t.Run("in validation", func(t *testing.T) {
		m := tandem(t, Adam(0.01))
		ctx, cancel := context.WithCancel(context.Background())
		_, err := m.Fit(ctx, d, ValidationData(Stream(func() iter.Seq2[Data, error] {
			cancel()
			return streamOf(d)()
		})))
		require.ErrorIs(t, err, context.Canceled)
		requireError(t, err, "epoch 0, validation")
	})
}
