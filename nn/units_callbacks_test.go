package nn

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// unitCallbacks make the callback of a class from Keras' configuration, and say what it took for the best value, NaN if that is
// none of its business.
var unitCallbacks = map[string]func(t *testing.T, config []byte) (callback Callback, best func() float64){
	"EarlyStopping": func(t *testing.T, config []byte) (Callback, func() float64) {
		s := &earlyStopping{}
		decodeCallback(t, config, &s.EarlyStopping)
		return s.callback(), func() float64 { return s.best }
	},
	"ReduceLROnPlateau": func(t *testing.T, config []byte) (Callback, func() float64) {
		s := &reduceLR{ReduceLROnPlateau: ReduceLROnPlateau{Factor: 0.1, MinDelta: 1e-4, Patience: 10}}
		decodeCallback(t, config, &s.ReduceLROnPlateau)
		s.Patience = max(s.Patience, 1) // 0 acts as 1 in Keras; here it is the default
		if s.MinDelta == 0 {
			s.MinDelta = math.SmallestNonzeroFloat64
		}
		return s.callback(), func() float64 { return s.best }
	},
	"ModelCheckpoint": func(t *testing.T, config []byte) (Callback, func() float64) {
		var c ModelCheckpoint
		decodeCallback(t, config, &c)
		c.Path = filepath.Join(t.TempDir(), filepath.Base(c.Path))
		s := &modelCheckpoint{ModelCheckpoint: c}
		return s.callback(), func() float64 { return s.best }
	},
	"TerminateOnNaN": func(t *testing.T, config []byte) (Callback, func() float64) {
		var c TerminateOnNaN
		decodeCallback(t, config, &c)
		return c.Callback(), math.NaN
	},
}

// decodeCallback reads Keras' configuration, of which what is printed is no part.
func decodeCallback(t *testing.T, config []byte, v any) {
	t.Helper()
	var fields map[string]any
	require.NoError(t, json.Unmarshal(config, &fields))
	delete(fields, "verbose")
	if fields["save_freq"] == "epoch" {
		delete(fields, "save_freq")
	}
	text, err := json.Marshal(fields)
	require.NoError(t, err)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(v))
}

// testCallbackUnit looks at the decisions that a callback of Keras took on given values of val_loss. A loss that is not finite
// is an error of Fit, which asks the callback what to make of it.
func testCallbackUnit(t *testing.T, u unit) {
	var g struct {
		Callback    string
		Kwargs      json.RawMessage
		ValLoss     []maybeNaN `json:"val_loss"`
		LR          []float64  `json:"lr_after_epoch"`
		StoppedAt   *int       `json:"stopped_at_epoch"`
		WeightsFrom float64    `json:"weights_are_from_epoch"`
		Best        *maybeNaN
	}
	u.decode(t, &g)
	require.NotEmpty(t, g.ValLoss)
	make, ok := unitCallbacks[g.Callback]
	require.True(t, ok, "no callback %q", g.Callback)
	callback, best := make(t, g.Kwargs)

	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, NoBias()).On(x)})
	require.NoError(t, err)
	require.NoError(t, m.Compile(SGD(0.01), Losses{m.OutputNames()[0]: MSE()}))
	for range 2 { // the second run starts afresh
		require.NoError(t, m.SetLearningRate(0.01))
		p := Progress{Model: m, Epochs: len(g.ValLoss)}
		call := func(f func(Progress) error) error {
			if f == nil {
				return nil
			}
			return f(p)
		}
		require.NoError(t, call(callback.Begin))
		var rates []float64
		var stoppedAt *int
		for epoch, loss := range g.ValLoss {
			p.Epoch, p.Logs = epoch, Logs{"loss": float64(loss), "val_loss": float64(loss)}
			require.NoError(t, call(callback.EpochBegin))
			m.Weights()[0].Data[0] = float32(epoch)
			var err error
			if math.IsNaN(float64(loss)) && callback.Failed != nil {
				err = callback.Failed(p, ErrNonFinite)
			} else {
				require.NoError(t, call(callback.BatchEnd))
				err = call(callback.EpochEnd)
			}
			rates = append(rates, m.LearningRate())
			if errors.Is(err, ErrStop) {
				stoppedAt = &epoch
				break
			}
			require.NoError(t, err)
		}
		require.NoError(t, call(callback.End))
		require.Equal(t, g.StoppedAt, stoppedAt)
		require.InDeltaSlice(t, g.LR, rates, 1e-18)
		if b := best(); g.Best != nil && !math.IsNaN(b) {
			require.Equal(t, float64(*g.Best), b)
		}
		require.EqualValues(t, g.WeightsFrom, m.Weights()[0].Data[0])
	}
}
