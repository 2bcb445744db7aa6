package autograd_test

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/espalier-ml/espalier/internal/formula"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// A mat is a matrix in float64, without gaps.
type mat struct {
	rows, cols int
	v          []float64
}

func newMat(rows, cols int) mat { return mat{rows, cols, make([]float64, rows*cols)} }

func matOf(m kernels.Matrix) mat {
	x := newMat(m.Rows, m.Cols)
	for i, v := range values(m) {
		x.v[i] = float64(v)
	}
	return x
}

func (m mat) row(i int) []float64 { return m.v[i*m.cols : (i+1)*m.cols] }

// The reference computes every operation in float64 from its definition. On the way it notes what makes float32 and
// central differences unreliable.
type reference struct {
	mats    []mat   // of its tensors, by ID
	largest float64 // magnitude
	rough   bool    // close to a point without a derivative, or to a pole
}

// kink notes a bend at zero. Zero itself counts as the constant that an earlier bend left.
func (r *reference) kink(z float64) { r.rough = r.rough || z != 0 && math.Abs(z) < 1e-3 }

func (r *reference) tensor(m mat) *ops.Tensor {
	r.mats = append(r.mats, m)
	return &ops.Tensor{Matrix: kernels.Matrix{Rows: m.rows, Cols: m.cols, Stride: m.cols}, ID: int32(len(r.mats) - 1)}
}

func (r *reference) of(x *ops.Tensor) mat { return r.mats[x.ID] }

// value returns what g makes of the operands.
func (r *reference) value(g graph, operands []mat) float64 {
	p := make([]*ops.Tensor, len(operands))
	for i, m := range operands {
		p[i] = r.tensor(m)
	}
	return r.of(g(r, p)).v[0]
}

func (r *reference) Const(m kernels.Matrix) *ops.Tensor { return r.tensor(matOf(m)) }

func (r *reference) Dense(x, w, b *ops.Tensor, act kernels.Activation) *ops.Tensor {
	xm, wm := r.of(x), r.of(w)
	y := newMat(xm.rows, wm.cols)
	for i := range y.rows {
		for j := range y.cols {
			sum := 0.0
			if b != nil {
				sum = r.of(b).v[j]
			}
			for k, v := range xm.row(i) {
				sum += v * wm.v[k*wm.cols+j]
			}
			y.row(i)[j] = sum
		}
	}
	return r.Activate(r.noted(y), act)
}

func (r *reference) Embedding(x, w *ops.Tensor) *ops.Tensor {
	xm, wm := r.of(x), r.of(w)
	y := mat{rows: xm.rows, cols: xm.cols * wm.cols}
	for _, i := range xm.v {
		y.v = append(y.v, wm.row(int(i))...)
	}
	return r.tensor(y)
}

// map1 returns f of the elements of x, map2 of those of two tensors.
func (r *reference) map1(x *ops.Tensor, f func(v float64) float64) *ops.Tensor {
	return r.map2(x, x, func(v, _ float64) float64 { return f(v) })
}

func (r *reference) map2(a, b *ops.Tensor, f func(a, b float64) float64) *ops.Tensor {
	y := newMat(a.Rows, a.Cols)
	for i := range y.v {
		y.v[i] = f(r.of(a).v[i], r.of(b).v[i])
	}
	return r.tensor(y)
}

// noted is the tensor of a value whose magnitude counts.
func (r *reference) noted(m mat) *ops.Tensor {
	for _, v := range m.v {
		if !(math.Abs(v) <= r.largest) {
			r.largest = math.Abs(v)
		}
	}
	return r.tensor(m)
}

func (r *reference) Activate(x *ops.Tensor, act kernels.Activation) *ops.Tensor {
	return r.map1(x, func(z float64) float64 {
		switch act {
		case kernels.ReLU:
			r.kink(z)
			return max(z, 0)
		case kernels.Sigmoid:
			return sigmoid(z)
		case kernels.Tanh:
			return math.Tanh(z)
		}
		return z
	})
}

func (r *reference) Unary(x *ops.Tensor, f kernels.Unary) *ops.Tensor {
	return r.map1(x, func(z float64) float64 {
		for _, corner := range formula.Corners(f) {
			r.kink(z - corner)
		}
		return formula.Unary(f, z)
	})
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

func softmax(x []float64) []float64 {
	y, top, sum := make([]float64, len(x)), math.Inf(-1), 0.0
	for _, v := range x {
		top = max(top, v)
	}
	for j, v := range x {
		y[j] = math.Exp(v - top)
		sum += y[j]
	}
	for j := range y {
		y[j] /= sum
	}
	return y
}

func (r *reference) Softmax(x *ops.Tensor) *ops.Tensor {
	y := newMat(x.Rows, x.Cols)
	for i := range y.rows {
		copy(y.row(i), softmax(r.of(x).row(i)))
	}
	return r.tensor(y)
}

func (r *reference) LogSoftmax(x *ops.Tensor) *ops.Tensor { return r.map1(r.Softmax(x), math.Log) }

// Sparsemax sums up the sums of the largest elements, as long as they have a share.
func (r *reference) Sparsemax(x *ops.Tensor) *ops.Tensor {
	y := newMat(x.Rows, x.Cols)
	for i := range y.rows {
		row := r.of(x).row(i)
		sum, total, tau := 0.0, -1.0, 0.0
		for n, v := range slices.Backward(slices.Sorted(slices.Values(row))) {
			above := float64(len(row) - n)
			sum += v
			share := v - (sum-1)/above
			r.kink(share)
			if share > 0 {
				total += sum
				tau = total / above
			}
		}
		for j, v := range row {
			r.kink(v - tau)
			y.row(i)[j] = max(v-tau, 0)
		}
	}
	return r.tensor(y)
}

func (r *reference) Reshape(x *ops.Tensor, rows, cols int) *ops.Tensor {
	return r.tensor(mat{rows, cols, r.of(x).v})
}

func (r *reference) Concatenate(x ...*ops.Tensor) *ops.Tensor {
	y := mat{rows: x[0].Rows}
	for i := range y.rows {
		for _, x := range x {
			y.v = append(y.v, r.of(x).row(i)...)
		}
	}
	for _, x := range x {
		y.cols += x.Cols
	}
	return r.tensor(y)
}

func (r *reference) Slice(x *ops.Tensor, from, to int) *ops.Tensor {
	y := mat{rows: x.Rows, cols: to - from}
	for i := range y.rows {
		y.v = append(y.v, r.of(x).row(i)[from:to]...)
	}
	return r.tensor(y)
}

func (r *reference) Add(a, b *ops.Tensor) *ops.Tensor {
	return r.noted(r.of(r.map2(a, b, func(a, b float64) float64 { return a + b })))
}

func (r *reference) Multiply(a, b *ops.Tensor) *ops.Tensor {
	return r.noted(r.of(r.map2(a, b, func(a, b float64) float64 { return a * b })))
}

func (r *reference) Maximum(a, b *ops.Tensor) *ops.Tensor {
	return r.map2(a, b, func(a, b float64) float64 {
		r.kink(a - b)
		return max(a, b)
	})
}

func (r *reference) Minimum(a, b *ops.Tensor) *ops.Tensor {
	return r.map2(a, b, func(a, b float64) float64 {
		r.kink(a - b)
		return min(a, b)
	})
}

func (r *reference) Full(rows, cols int, v float32) *ops.Tensor {
	y := newMat(rows, cols)
	for i := range y.v {
		y.v[i] = float64(v)
	}
	return r.tensor(y)
}

func (r *reference) Repeat(x *ops.Tensor, n int) *ops.Tensor {
	y := mat{rows: x.Rows, cols: n * x.Cols}
	for i := range x.Rows {
		for range n {
			y.v = append(y.v, r.of(x).row(i)...)
		}
	}
	return r.tensor(y)
}

func (r *reference) Scale(x *ops.Tensor, alpha float32) *ops.Tensor {
	return r.noted(r.of(r.map1(x, func(v float64) float64 { return float64(alpha) * v })))
}

func (r *reference) Sum(x *ops.Tensor) *ops.Tensor {
	y := newMat(1, 1)
	for _, v := range r.of(x).v {
		y.v[0] += v
	}
	return r.noted(y)
}

func (r *reference) Mean(x *ops.Tensor) *ops.Tensor {
	y := newMat(1, 1)
	y.v[0] = r.of(r.Sum(x)).v[0] / float64(x.Rows*x.Cols)
	return r.tensor(y)
}

func (r *reference) RowSum(x *ops.Tensor) *ops.Tensor {
	y := newMat(x.Rows, 1)
	for i := range y.rows {
		for _, v := range r.of(x).row(i) {
			y.v[i] += v
		}
	}
	return r.noted(y)
}

// Dropout draws once per element, in row order, and compares the upper 53 bits.
func (r *reference) Dropout(x *ops.Tensor, rate float64, source rand.Source) *ops.Tensor {
	return r.map1(x, func(v float64) float64 {
		if float64(source.Uint64()>>11)/(1<<53) < rate {
			return 0
		}
		return v / (1 - rate)
	})
}

func (r *reference) clip(q float64) float64 {
	r.rough = r.rough || q > 0 && q < 1e-3 || q < 1 && q > 1-1e-3
	const top float32 = 1 - 1e-7 // 1.2e-7 below 1, as in Keras: the bounds are float32
	return min(max(q, 1e-7), float64(top))
}

// loss sums up the losses of the rows by their weights. Each is the sum over the columns of a term.
func (r *reference) loss(x *ops.Tensor, weights []float32, term func(row []float64, i, j int) float64) *ops.Tensor {
	total := newMat(1, 1)
	for i := range x.Rows {
		weight := 1 / float64(x.Rows)
		if weights != nil {
			weight = float64(weights[i])
		}
		row := r.of(x).row(i)
		for j := range row {
			total.v[0] += weight * term(row, i, j)
		}
	}
	return r.noted(total)
}

func (r *reference) SoftmaxCrossEntropy(x *ops.Tensor, labels []int32, weights []float32) (loss, probs *ops.Tensor) {
	return r.loss(x, weights, func(row []float64, i, j int) float64 {
		if j != int(labels[i]) {
			return 0
		}
		return -math.Log(softmax(row)[j])
	}), r.Softmax(x)
}

func (r *reference) SoftCrossEntropy(x *ops.Tensor, targets kernels.Matrix, weights []float32) (loss, probs *ops.Tensor) {
	t := matOf(targets)
	return r.loss(x, weights, func(row []float64, i, j int) float64 { return -t.row(i)[j] * math.Log(softmax(row)[j]) }), r.Softmax(x)
}

func (r *reference) BinaryCrossEntropy(x *ops.Tensor, targets kernels.Matrix, weights []float32) (loss, probs *ops.Tensor) {
	t, n := matOf(targets), float64(x.Cols)
	return r.loss(x, weights, func(row []float64, i, j int) float64 {
		return (-t.row(i)[j]*math.Log(sigmoid(row[j])) - (1-t.row(i)[j])*math.Log(sigmoid(-row[j]))) / n
	}), r.map1(x, sigmoid)
}

// share is the clipped share of an element in its row.
func (r *reference) share(row []float64, j int) float64 {
	sum := 0.0
	for _, v := range row {
		sum += v
	}
	r.rough = r.rough || math.Abs(sum) < 1e-2
	return r.clip(row[j] / sum)
}

func (r *reference) ClippedCrossEntropy(x *ops.Tensor, labels []int32, weights []float32) *ops.Tensor {
	return r.loss(x, weights, func(row []float64, i, j int) float64 {
		if q := r.share(row, j); j == int(labels[i]) {
			return -math.Log(q)
		}
		return 0
	})
}

func (r *reference) ClippedSoftCrossEntropy(x *ops.Tensor, targets kernels.Matrix, weights []float32) *ops.Tensor {
	t := matOf(targets)
	return r.loss(x, weights, func(row []float64, i, j int) float64 { return -t.row(i)[j] * math.Log(r.share(row, j)) })
}

func (r *reference) ClippedBinaryCrossEntropy(x *ops.Tensor, targets kernels.Matrix, weights []float32) *ops.Tensor {
	t, n := matOf(targets), float64(x.Cols)
	return r.loss(x, weights, func(row []float64, i, j int) float64 {
		q := r.clip(row[j])
		return (-t.row(i)[j]*math.Log(q) - (1-t.row(i)[j])*math.Log(1-q)) / n
	})
}

func (r *reference) MeanSquaredError(x *ops.Tensor, targets kernels.Matrix, weights []float32) *ops.Tensor {
	t, n := matOf(targets), float64(x.Cols)
	return r.loss(x, weights, func(row []float64, i, j int) float64 { return (row[j] - t.row(i)[j]) * (row[j] - t.row(i)[j]) / n })
}

func (r *reference) MeanAbsoluteError(x *ops.Tensor, targets kernels.Matrix, weights []float32) *ops.Tensor {
	t, n := matOf(targets), float64(x.Cols)
	return r.loss(x, weights, func(row []float64, i, j int) float64 {
		r.kink(row[j] - t.row(i)[j])
		return math.Abs(row[j]-t.row(i)[j]) / n
	})
}
