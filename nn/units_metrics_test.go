package nn

import (
	"encoding/json"
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// testMetricUnit gives a metric batches of rows, without and with sample weights, twice, and compares what it says after each.
func testMetricUnit(t *testing.T, u unit) {
	var c struct {
		Metric   string
		Kwargs   json.RawMessage
		True     string   `json:"y_true"`
		Pred     string   `json:"y_pred"`
		Weight   string   `json:"sample_weight"`
		Spread   float64  `json:"f32_dev"`
		Results  []result `json:"after_each_batch"`
		Weighted []result `json:"after_each_batch_weighted"`
	}
	u.decode(t, &c)
	if c.Weight == "" {
		c.Weight = "sample_weight"
	}
	metric, err := newObject[Metric](c.Metric, c.Kwargs)
	require.NoError(t, err)
	yTrue, yPred, weights := u.tensor(t, c.True), u.tensor(t, c.Pred), u.tensor(t, c.Weight)
	batches, rows := weights.shape[0], weights.shape[1]
	columns := len(yPred.values) / (batches * rows)
	wide := len(yTrue.values) / (batches * rows)
	out := Output{Shape: Shape{columns}}
	if yTrue.dtype == "I32" && wide == 1 && columns > 1 {
		out.Targets = Classes
	}
	for _, run := range []struct {
		want     []result
		weighted bool
	}{{c.Results, false}, {c.Weighted, true}} {
		if run.weighted && run.want == nil {
			continue
		}
		require.Len(t, run.want, batches)
		m, err := metric.Start(out)
		require.NoError(t, err)
		for range 2 { // the second time after Reset
			for i, want := range run.want {
				pred := floatsOf(yPred.values[i*rows*columns : (i+1)*rows*columns])
				goal := floatsOf(yTrue.values[i*rows*wide : (i+1)*rows*wide])
				y := Target{}
				if out.Targets == Classes {
					for _, v := range goal {
						y.Labels = append(y.Labels, int32(v))
					}
				} else {
					y.Values = kernels.MatrixOf(goal, rows, wide)
				}
				var count []float32
				if run.weighted {
					count = floatsOf(weights.values[i*rows : (i+1)*rows])
				}
				m.Add(kernels.MatrixOf(pred, rows, columns), y, count)
				got := []float64{m.Value()}
				if v, ok := m.(Vector); ok {
					got = v.Values()
				}
				require.Len(t, got, len(want), "batch %d, weighted %v", i, run.weighted)
				largest := 0.0
				for _, v := range want {
					largest = max(largest, math.Abs(v))
				}
				for k, v := range want {
					if math.IsNaN(v) {
						require.True(t, math.IsNaN(got[k]), "batch %d, weighted %v, entry %d: %v, should be NaN", i, run.weighted, k, got[k])
						continue
					}
					require.InDelta(t, v, got[k], 1e-6+2e-6*largest+4*c.Spread, "batch %d, weighted %v, entry %d", i, run.weighted, k)
				}
			}
			m.Reset()
		}
	}
}

// A result is what a metric says: a number, or several. "nan" and "inf" are what they say.
type result []float64

func (r *result) UnmarshalJSON(text []byte) error {
	switch text[0] {
	case '[':
		var all []result
		err := json.Unmarshal(text, &all)
		for _, v := range all {
			*r = append(*r, v...)
		}
		return err
	case '"':
		v, err := strconv.ParseFloat(string(text[1:len(text)-1]), 64)
		*r = result{v}
		return err
	case 'n':
		*r = result{math.NaN()}
		return nil
	}
	*r = result{0}
	return json.Unmarshal(text, &(*r)[0])
}

func floatsOf(values []float64) []float32 {
	f := make([]float32, len(values))
	for i, v := range values {
		f[i] = float32(v)
	}
	return f
}
