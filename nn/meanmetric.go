package nn

import (
	"cmp"
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/kernels"
)

// A rowFunction is what one row has by itself: of its output p, and of the target t.
type rowFunction interface {
	row(p, t []float32) float64
}

// A meanMetric is the mean over the rows of a function of each.
type meanMetric[F rowFunction] struct{ named }

func (m *meanMetric[F]) Start(out Output) (Meter, error) {
	if err := cmp.Or(m.check(), needFloats(out)); err != nil {
		return nil, err
	}
	return &rowMeter{of: rowValues[F]}, nil
}

// Rises reports whether the function is a similarity.
func (m *meanMetric[F]) Rises() bool {
	var f F
	_, rises := any(f).(Rising)
	return rises
}

func rowValues[F rowFunction](values []float64, out kernels.Matrix, y Target) {
	var f F
	for i := range values {
		values[i] = f.row(out.Row(i), y.Values.Row(i))
	}
}

// An alongMetric is a meanMetric for which Keras has an axis.
type alongMetric[F rowFunction] struct {
	meanMetric[F]
	Axis int `json:"axis"`
}

func (m *alongMetric[F]) Start(out Output) (Meter, error) {
	if err := checkColumnAxis(m.Axis); err != nil {
		return nil, err
	}
	return m.meanMetric.Start(out)
}

// checkColumnAxis reports an axis that is not that of the columns.
func checkColumnAxis(axis int) error {
	if axis != -1 && axis != 1 {
		return fmt.Errorf("axis %d: an output has columns only along axis 1, which is also -1", axis)
	}
	return nil
}

func newMean[F rowFunction](name string) meanMetric[F]   { return meanMetric[F]{named{LogName: name}} }
func newAlong[F rowFunction](name string) alongMetric[F] { return alongMetric[F]{newMean[F](name), -1} }

func init() {
	Register("MeanSquaredError", newMean[squaredRows]("mean_squared_error"))
	Register("MeanAbsoluteError", newMean[absoluteRows]("mean_absolute_error"))
	Register("MeanAbsolutePercentageError", newMean[percentageRows]("mean_absolute_percentage_error"))
	Register("MeanSquaredLogarithmicError", newMean[logarithmicRows]("mean_squared_logarithmic_error"))
	Register("LogCoshError", newMean[logCoshRows]("logcosh"))
	Register("Poisson", newMean[poissonRows]("poisson"))
	Register("KLDivergence", newMean[divergenceRows]("kl_divergence"))
	Register("CategoricalHinge", newMean[categoricalHingeRows]("categorical_hinge"))
	Register("CosineSimilarity", newAlong[cosineRows]("cosine_similarity"))
	Register("PearsonCorrelation", newAlong[pearsonRows]("pearson_correlation"))
	Register("ConcordanceCorrelation", newAlong[concordanceRows]("concordance_correlation"))
	Register("RootMeanSquaredError", rootMeanSquaredError{named{LogName: "root_mean_squared_error"}})
}

func meanMetricOf[F rowFunction](name string, opts []MetricOption) Metric {
	m := newMean[F](name)
	return configured(&m, opts)
}

func alongMetricOf[F rowFunction](name string, opts []MetricOption) Metric {
	m := newAlong[F](name)
	return configured(&m, opts)
}

// MeanSquaredErrorMetric measures the mean over the columns of (p - t)². It is [MSE] under the name that Keras gives the class.
func MeanSquaredErrorMetric(opts ...MetricOption) Metric {
	return meanMetricOf[squaredRows]("mean_squared_error", opts)
}

// MeanAbsoluteErrorMetric measures the mean over the columns of |p - t|. It is [MAE] under the name that Keras gives the class.
func MeanAbsoluteErrorMetric(opts ...MetricOption) Metric {
	return meanMetricOf[absoluteRows]("mean_absolute_error", opts)
}

// MeanAbsolutePercentageErrorMetric measures the mean over the columns of 100·|p - t|/|t|, where |t| is at least 1e-7.
func MeanAbsolutePercentageErrorMetric(opts ...MetricOption) Metric {
	return meanMetricOf[percentageRows]("mean_absolute_percentage_error", opts)
}

// MeanSquaredLogarithmicErrorMetric measures the mean over the columns of (log(1+p) - log(1+t))², where p and t are at least 1e-7.
func MeanSquaredLogarithmicErrorMetric(opts ...MetricOption) Metric {
	return meanMetricOf[logarithmicRows]("mean_squared_logarithmic_error", opts)
}

// LogCoshError measures the mean over the columns of log cosh(p - t), which is nearly (p - t)²/2 where p - t is small and
// |p - t| - log 2 where it is large. Its log is called "logcosh".
func LogCoshError(opts ...MetricOption) Metric { return meanMetricOf[logCoshRows]("logcosh", opts) }

// PoissonMetric measures the mean over the columns of p - t·log(p + 1e-7): but for a constant, minus the logarithm of the
// chance of t events where p are expected.
func PoissonMetric(opts ...MetricOption) Metric { return meanMetricOf[poissonRows]("poisson", opts) }

// KLDivergenceMetric measures the sum over the columns of t·log(t/p), the divergence of the distribution p from the
// distribution t (Kullback and Leibler, "On Information and Sufficiency", 1951). Both are clipped to [1e-7, 1].
func KLDivergenceMetric(opts ...MetricOption) Metric {
	return meanMetricOf[divergenceRows]("kl_divergence", opts)
}

// CategoricalHingeMetric measures max(0, 1 + the largest (1-t)·p - the sum of t·p), for targets of 0 and 1.
func CategoricalHingeMetric(opts ...MetricOption) Metric {
	return meanMetricOf[categoricalHingeRows]("categorical_hinge", opts)
}

// CosineSimilarityMetric measures the cosine of the angle between a row and its target: 1 where they point the same way. The
// loss of Keras' name is minus that.
func CosineSimilarityMetric(opts ...MetricOption) Metric {
	return alongMetricOf[cosineRows]("cosine_similarity", opts)
}

// PearsonCorrelation measures the correlation of the columns of a row with those of its target. It is NaN where all columns
// are the same.
func PearsonCorrelation(opts ...MetricOption) Metric {
	return alongMetricOf[pearsonRows]("pearson_correlation", opts)
}

// ConcordanceCorrelation measures how well the columns of a row agree with those of its target: their correlation, but less
// where means or variances differ (Lin, "A Concordance Correlation Coefficient to Evaluate Reproducibility", 1989).
func ConcordanceCorrelation(opts ...MetricOption) Metric {
	return alongMetricOf[concordanceRows]("concordance_correlation", opts)
}

type rootMeanSquaredError struct{ named }

// RootMeanSquaredError measures the square root of the mean over all rows and columns of (p - t)².
func RootMeanSquaredError(opts ...MetricOption) Metric {
	return configured(&rootMeanSquaredError{named{LogName: "root_mean_squared_error"}}, opts)
}

func (m *rootMeanSquaredError) Start(out Output) (Meter, error) {
	if err := cmp.Or(m.check(), needFloats(out)); err != nil {
		return nil, err
	}
	return &rootMeter{rowMeter{of: rowValues[squaredRows]}}, nil
}

// A rootMeter is the square root of a mean.
type rootMeter struct{ rowMeter }

func (m *rootMeter) Value() float64 { return math.Sqrt(m.rowMeter.Value()) }

type (
	squaredRows          struct{}
	absoluteRows         struct{}
	percentageRows       struct{}
	logarithmicRows      struct{}
	logCoshRows          struct{}
	poissonRows          struct{}
	divergenceRows       struct{}
	categoricalHingeRows struct{}
	cosineRows           struct{ rising }
	pearsonRows          struct{ rising }
	concordanceRows      struct{ rising }
)

func (squaredRows) row(p, t []float32) float64 { return squaredError.row(nil, p, t, 1) }

func (absoluteRows) row(p, t []float32) float64 { return absoluteError.row(nil, p, t, 1) }

func (percentageRows) row(p, t []float32) float64 { return absolutePercentageError.row(nil, p, t, 1) }

func (logarithmicRows) row(p, t []float32) float64 { return squaredLogarithmicError.row(nil, p, t, 1) }

func (logCoshRows) row(p, t []float32) float64 { return logCosh.row(nil, p, t, 1) }

func (poissonRows) row(p, t []float32) float64 { return poisson.row(nil, p, t, 1) }

func (divergenceRows) row(p, t []float32) float64 { return klDivergenceRow(nil, p, t, 1) }

func (categoricalHingeRows) row(p, t []float32) float64 { return categoricalHingeRow(nil, p, t, 1) }

func (cosineRows) row(p, t []float32) float64 { return -cosineRow(nil, p, t, 1) }

func (pearsonRows) row(p, t []float32) float64 {
	m := momentsOf(p, t)
	return m.together / math.Sqrt(m.ofP) / math.Sqrt(m.ofT)
}

// Keras takes both differences of the covariance from the mean of p. That changes nothing, as those of p add up to 0.
func (concordanceRows) row(p, t []float32) float64 {
	m := momentsOf(p, t)
	apart := m.meanP - m.meanT
	return 2 * m.together / (m.ofP + m.ofT + float64(apart*apart) + kerasEpsilon)
}

// moments are the means of two vectors, their variances and their covariance.
type moments struct{ meanP, meanT, ofP, ofT, together float64 }

func momentsOf(p, t []float32) (m moments) {
	n := float64(len(p))
	for j := range p {
		m.meanP += float64(p[j]) / n
		m.meanT += float64(t[j]) / n
	}
	for j := range p {
		p, t := float64(p[j])-m.meanP, float64(t[j])-m.meanT
		m.ofP += float64(p*p) / n
		m.ofT += float64(t*t) / n
		m.together += float64(p*t) / n
	}
	return m
}
