package autograd_test

import (
	"math"
	"math/rand/v2"

	"github.com/espalier-ml/espalier/kernels"
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

// each returns f of the elements of operands of one shape.
func each(a, b mat, f func(a, b float64) float64) mat {
	y := newMat(a.rows, a.cols)
	for i := range y.v {
		y.v[i] = f(a.v[i], b.v[i])
	}
	return y
}

// The reference computes every operation in float64 from its definition. On the way it notes what makes float32 and
// central differences unreliable.
type reference struct {
	largest float64 // magnitude
	rough   bool    // close to a point without a derivative, or to a pole
}

func (r *reference) note(m mat) mat {
	for _, v := range m.v {
		if !(math.Abs(v) <= r.largest) {
			r.largest = math.Abs(v)
		}
	}
	return m
}

// kink notes a bend at zero. Zero itself counts as the constant that an earlier bend left.
func (r *reference) kink(z float64) { r.rough = r.rough || z != 0 && math.Abs(z) < 1e-3 }

func (r *reference) shape(x value) (rows, cols int) { return x.(mat).rows, x.(mat).cols }

func (r *reference) constant(m kernels.Matrix) value { return matOf(m) }

func (r *reference) dense(x, w, b value, act kernels.Activation) value {
	xm, wm := x.(mat), w.(mat)
	y := newMat(xm.rows, wm.cols)
	for i := range y.rows {
		for j := range y.cols {
			sum := 0.0
			if b != nil {
				sum = b.(mat).v[j]
			}
			for k, v := range xm.row(i) {
				sum += v * wm.v[k*wm.cols+j]
			}
			y.row(i)[j] = sum
		}
	}
	return r.activate(r.note(y), act)
}

func (r *reference) embedding(x kernels.Matrix, w value) value {
	wm := w.(mat)
	y := mat{rows: x.Rows, cols: x.Cols * wm.cols}
	for _, i := range values(x) {
		y.v = append(y.v, wm.row(int(i))...)
	}
	return y
}

func (r *reference) activate(x value, act kernels.Activation) value {
	return each(x.(mat), x.(mat), func(z, _ float64) float64 {
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

func (r *reference) gelu(x value) value {
	return each(x.(mat), x.(mat), func(z, _ float64) float64 { return z / 2 * math.Erfc(-z/math.Sqrt2) })
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

func (r *reference) softmax(x value) value {
	xm := x.(mat)
	y := newMat(xm.rows, xm.cols)
	for i := range y.rows {
		copy(y.row(i), softmax(xm.row(i)))
	}
	return y
}

func (r *reference) reshape(x value, rows, cols int) value { return mat{rows, cols, x.(mat).v} }

func (r *reference) concatenate(x ...value) value {
	y := mat{rows: x[0].(mat).rows}
	for i := range y.rows {
		for _, x := range x {
			y.v = append(y.v, x.(mat).row(i)...)
		}
	}
	for _, x := range x {
		y.cols += x.(mat).cols
	}
	return y
}

func (r *reference) slice(x value, from, to int) value {
	y := mat{rows: x.(mat).rows, cols: to - from}
	for i := range y.rows {
		y.v = append(y.v, x.(mat).row(i)[from:to]...)
	}
	return y
}

func (r *reference) add(a, b value) value {
	return r.note(each(a.(mat), b.(mat), func(a, b float64) float64 { return a + b }))
}

func (r *reference) multiply(a, b value) value {
	return r.note(each(a.(mat), b.(mat), func(a, b float64) float64 { return a * b }))
}

func (r *reference) scale(x value, alpha float32) value {
	return r.note(each(x.(mat), x.(mat), func(v, _ float64) float64 { return float64(alpha) * v }))
}

func (r *reference) sum(x value) value {
	y := newMat(1, 1)
	for _, v := range x.(mat).v {
		y.v[0] += v
	}
	return r.note(y)
}

func (r *reference) mean(x value) value {
	y := r.sum(x).(mat)
	y.v[0] /= float64(len(x.(mat).v))
	return y
}

func (r *reference) rowSum(x value) value {
	y := newMat(x.(mat).rows, 1)
	for i := range y.rows {
		for _, v := range x.(mat).row(i) {
			y.v[i] += v
		}
	}
	return r.note(y)
}

// dropout draws once per element, in row order, and compares the upper 53 bits.
func (r *reference) dropout(x value, rate float64, seed uint64) value {
	source := rand.New(rand.NewPCG(seed, seed))
	return each(x.(mat), x.(mat), func(v, _ float64) float64 {
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

func (r *reference) loss(name string, x value, y target) value {
	xm := x.(mat)
	total := newMat(1, 1)
	for i := range xm.rows {
		z, cols := xm.row(i), float64(xm.cols)
		var t []float64
		switch name {
		case "SoftmaxCrossEntropy", "ClippedCrossEntropy":
			t = make([]float64, len(z))
			t[y.labels[i]] = 1
		default:
			t = matOf(y.values).row(i)
		}
		sum, loss := 0.0, 0.0
		for _, v := range z {
			sum += v
		}
		p := softmax(z)
		for j, v := range z {
			switch name {
			case "SoftmaxCrossEntropy", "SoftCrossEntropy":
				loss -= t[j] * math.Log(p[j])
			case "ClippedCrossEntropy", "ClippedSoftCrossEntropy":
				loss -= t[j] * math.Log(r.clip(v/sum))
				r.rough = r.rough || math.Abs(sum) < 1e-2
			case "BinaryCrossEntropy":
				loss += (-t[j]*math.Log(sigmoid(v)) - (1-t[j])*math.Log(sigmoid(-v))) / cols
			case "ClippedBinaryCrossEntropy":
				q := r.clip(v)
				loss += (-t[j]*math.Log(q) - (1-t[j])*math.Log(1-q)) / cols
			case "MeanSquaredError":
				loss += (v - t[j]) * (v - t[j]) / cols
			case "MeanAbsoluteError":
				r.kink(v - t[j])
				loss += math.Abs(v-t[j]) / cols
			}
		}
		weight := 1 / float64(xm.rows)
		if y.weights != nil {
			weight = float64(y.weights[i])
		}
		total.v[0] += weight * loss
	}
	return r.note(total)
}
