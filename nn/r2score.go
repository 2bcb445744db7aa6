package nn

import (
	"cmp"
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
)

type r2Score struct {
	named
	rising
	Aggregation choice `json:"class_aggregation"`
	Regressors  int    `json:"num_regressors"`
}

const uniformAverage, varianceWeightedAverage = "uniform_average", "variance_weighted_average"

func newR2Score() r2Score {
	return r2Score{named: named{LogName: "r2_score"}, Aggregation: uniformAverage}
}

func init() { Register("R2Score", newR2Score()) }

// A ClassAggregationOption is what ClassAggregation returns.
type ClassAggregationOption string

// ClassAggregation says what [R2Score] makes of its columns: "uniform_average", the default, is the mean of their scores,
// "variance_weighted_average" the mean with each column as heavy as the variance of its targets, and "", Keras' None, a log for
// each column, see [Vector].
func ClassAggregation(name string) ClassAggregationOption { return ClassAggregationOption(name) }

func (o ClassAggregationOption) applyMetric(m configurable) error {
	t, err := option[*r2Score](m, "ClassAggregation")
	if err == nil {
		t.Aggregation = choice(o)
	}
	return err
}

// A NumRegressorsOption is what NumRegressors returns.
type NumRegressorsOption int

// NumRegressors makes an [R2Score] the adjusted one of a model with n independent inputs: 1 - (1 - R²)·(N-1)/(N-n-1), where N is
// how many values the targets have, as in Keras 3.15. It changes nothing where N-1 is not above n.
func NumRegressors(n int) NumRegressorsOption { return NumRegressorsOption(n) }

func (o NumRegressorsOption) applyMetric(m configurable) error {
	t, err := option[*r2Score](m, "NumRegressors")
	if err == nil {
		t.Regressors = int(o)
	}
	return err
}

// R2Score measures the coefficient of determination, 1 - (sum of (t - p)²) / (sum of (t - mean of t)²), of each column over all
// rows: 1 if outputs are right and 0 if they are as good as the mean of the targets. See [ClassAggregation] and [NumRegressors].
// The score of a column of which all targets are equal is 0.
func R2Score(opts ...MetricOption) Metric {
	m := newR2Score()
	return configured(&m, opts)
}

func (m *r2Score) Start(out Output) (Meter, error) {
	if err := cmp.Or(m.check(), needFloats(out)); err != nil {
		return nil, err
	}
	if err := m.Aggregation.check("class aggregation", "", uniformAverage, varianceWeightedAverage); err != nil {
		return nil, err
	}
	if m.Regressors < 0 {
		return nil, fmt.Errorf("%d regressors are below 0", m.Regressors)
	}
	columns := max(1, out.Shape.Last())
	meter := &r2Meter{r2Score: m, sums: make([]r2Sums, columns), values: make([]float64, columns)}
	if m.Aggregation == "" {
		return r2Vector{meter}, nil
	}
	return meter, nil
}

// An r2Meter has the sums of each column.
type r2Meter struct {
	*r2Score
	sums   []r2Sums
	count  float64 // weights of rows
	size   float64 // how many targets
	values []float64
}

type r2Sums struct{ targets, squares, residuals float64 }

// variance returns the sum of the squared differences of the targets from their mean.
func (s r2Sums) variance(count float64) float64 {
	return s.squares - float64(s.targets*(s.targets/count))
}

// An r2Vector is an r2Meter of which each column is of interest.
type r2Vector struct{ *r2Meter }

func (m r2Vector) Values() []float64 {
	values := m.scores()
	for i, v := range values {
		values[i] = m.adjusted(v)
	}
	return values
}

func (m r2Vector) Value() float64 { return mean(m.Values()) }

func (m *r2Meter) Add(out kernels.Matrix, y Target, rows []float32) {
	m.size += float64(out.Rows * out.Cols)
	for i := range out.Rows {
		weight := weightOf(rows, i)
		if weight == 0 {
			continue
		}
		m.count += weight
		t := y.Values.Row(i)
		for j, p := range out.Row(i) {
			s, t := &m.sums[j], float64(t[j])
			d := t - float64(p)
			s.targets += float64(weight * t)
			s.squares += float64(float64(t*t) * weight)
			s.residuals += float64(float64(d*d) * weight)
		}
	}
}

func (m *r2Meter) scores() []float64 {
	for j, s := range m.sums {
		score := 1 - s.residuals/s.variance(m.count)
		if math.IsInf(score, 0) {
			score = 0
		}
		m.values[j] = score
	}
	return m.values
}

func (m *r2Meter) Value() float64 {
	scores := m.scores()
	if m.Aggregation == uniformAverage {
		return m.adjusted(mean(scores))
	}
	sum, all := 0.0, 0.0
	for j, s := range m.sums {
		variance := s.variance(m.count)
		sum += float64(variance * scores[j])
		all += variance
	}
	return m.adjusted(sum / all)
}

// adjusted returns a score less what regressors that tell nothing would add to it.
func (m *r2Meter) adjusted(score float64) float64 {
	n, p := m.size, float64(m.Regressors)
	if p == 0 || p >= n-1 {
		return score
	}
	return 1 - float64((1-score)*(n-1))/(n-p-1)
}

func (m *r2Meter) Reset() {
	clear(m.sums)
	m.count, m.size = 0, 0
}
