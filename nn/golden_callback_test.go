package nn

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The decisions that Keras' callbacks took on given values of val_loss.
func TestGoldenCallbacks(t *testing.T) {
	file, err := os.ReadFile("testdata/callbacks.json")
	require.NoError(t, err)
	var golden struct {
		Tests []struct {
			ID, Callback string
			Kwargs       struct {
				Monitor, Mode      string
				Factor             float64
				MinDelta           float64 `json:"min_delta"`
				Patience, Cooldown int
				Baseline           *float64
				RestoreBest        bool    `json:"restore_best_weights"`
				StartFrom          int     `json:"start_from_epoch"`
				MinLR              float64 `json:"min_lr"`
			}
			ValLoss     []maybeNaN `json:"val_loss"`
			LR          []float64  `json:"lr_after_epoch"`
			StoppedAt   *int       `json:"stopped_at_epoch"`
			WeightsFrom float64    `json:"weights_are_from_epoch"`
			Best        float64
		}
	}
	require.NoError(t, json.Unmarshal(file, &golden))
	ran := map[string]int{}
	for _, g := range golden.Tests {
		k := g.Kwargs
		var callback Callback
		var watched *monitor
		switch g.Callback {
		case "EarlyStopping":
			s := &earlyStopping{EarlyStopping: EarlyStopping{k.Monitor, k.Mode, k.MinDelta, k.Patience, k.Baseline, k.RestoreBest, k.StartFrom}}
			callback, watched = s.callback(), &s.monitor
		case "ReduceLROnPlateau":
			s := &reduceLR{ReduceLROnPlateau: ReduceLROnPlateau{k.Monitor, k.Mode, k.Factor, k.MinDelta, k.Patience, k.Cooldown, k.MinLR}}
			callback, watched = s.callback(), &s.monitor
		default:
			continue
		}
		ran[g.Callback]++
		t.Run(g.ID, func(t *testing.T) {
			x := Input("x", 1)
			m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, NoBias()).On(x)})
			require.NoError(t, err)
			require.NoError(t, m.Compile(SGD(0.01), Losses{m.OutputNames()[0]: MSE()}))
			for range 2 { // the second run starts afresh
				require.NoError(t, m.SetLearningRate(0.01))
				p := Progress{Model: m, Epochs: len(g.ValLoss)}
				require.NoError(t, callback.Begin(p))
				var rates []float64
				var stoppedAt *int
				for epoch, loss := range g.ValLoss {
					m.Weights()[0].Data[0] = float32(epoch)
					p.Epoch, p.Logs = epoch, Logs{"val_loss": float64(loss)}
					err := callback.EpochEnd(p)
					rates = append(rates, m.LearningRate())
					if errors.Is(err, ErrStop) {
						stoppedAt = &epoch
						break
					}
					require.NoError(t, err)
				}
				if callback.End != nil {
					require.NoError(t, callback.End(p))
				}
				require.Equal(t, g.StoppedAt, stoppedAt)
				require.InDeltaSlice(t, g.LR, rates, 1e-18)
				require.Equal(t, g.Best, watched.best)
				require.EqualValues(t, g.WeightsFrom, m.Weights()[0].Data[0])
			}
		})
	}
	require.NotZero(t, ran["EarlyStopping"])
	require.NotZero(t, ran["ReduceLROnPlateau"])
}
