package kernels

import "math"

// Portable kernels. Every product that is added to something goes through mulAdd
// or is converted, which rounds it: see the numeric contract in the package
// comment.

var genericTable = Table{
	ISA:                       Generic,
	activate:                  activateGeneric,
	activateGrad:              activateGradGeneric,
	softmax:                   softmaxGeneric,
	softmaxGrad:               softmaxGradGeneric,
	logSoftmax:                logSoftmaxGeneric,
	softmaxCrossEntropy:       softmaxCrossEntropyGeneric,
	softCrossEntropy:          softCrossEntropyGeneric,
	binaryCrossEntropy:        binaryCrossEntropyGeneric,
	clippedCrossEntropy:       clippedCrossEntropyGeneric,
	clippedSoftCrossEntropy:   clippedSoftCrossEntropyGeneric,
	clippedBinaryCrossEntropy: clippedBinaryCrossEntropyGeneric,
	meanSquaredError:          meanSquaredErrorGeneric,
	meanAbsoluteError:         meanAbsoluteErrorGeneric,
	colSum:                    colSumGeneric,
	rowSum:                    rowSumGeneric,
	fill:                      fillGeneric,
	scale:                     scaleGeneric,
	axpy:                      axpyGeneric,
	add:                       addGeneric,
	mul:                       mulGeneric,
	mulAdd:                    mulAddGeneric,
	exp:                       each(exp),
	log:                       each(log),
	erf:                       each(erf),
	gelu:                      each(gelu),
	geluGrad:                  geluGradGeneric,
	sgd:                       sgdGeneric,
	momentum:                  momentumGeneric,
	adam:                      adamGeneric,
	rmsprop:                   rmspropGeneric,
}

// gemmGeneric takes k in steps of four: one pass over a row of C then costs four
// products per load and store, and its elements do not wait for each other.
func gemmGeneric(c Matrix, a []float32, rowStride, colStride int, b Matrix, e Epilogue) {
	k := b.Rows
	for i := range c.Rows {
		y := c.Row(i)
		if e.Bias != nil {
			copy(y, e.Bias)
		} else if !e.Accumulate {
			clear(y)
		}
		at, p := i*rowStride, 0
		if len(y) == 1 { // too short to repay the slicing
			acc := y[0]
			for ; p < k; p++ {
				acc = mulAdd(a[at+p*colStride], b.Data[p*b.Stride], acc)
			}
			y[0] = acc
		}
		for ; p+4 <= k; p += 4 {
			a0, a1, a2, a3 := a[at], a[at+colStride], a[at+2*colStride], a[at+3*colStride]
			b0, b1, b2, b3 := b.Row(p)[:len(y)], b.Row(p + 1)[:len(y)], b.Row(p + 2)[:len(y)], b.Row(p + 3)[:len(y)]
			for j, acc := range y {
				acc = mulAdd(a0, b0[j], acc)
				acc = mulAdd(a1, b1[j], acc)
				acc = mulAdd(a2, b2[j], acc)
				y[j] = mulAdd(a3, b3[j], acc)
			}
			at += 4 * colStride
		}
		for ; p < k; p++ {
			axpyGeneric(y, a[at], b.Row(p))
			at += colStride
		}
		activateRow(y, y, nil, e.Act)
	}
}

func gemmNTGeneric(s *Scratch, c, a, b Matrix, e Epilogue) {
	s.b = grow(s.b, b.Rows*b.Cols)
	bt := MatrixOf(s.b, b.Cols, b.Rows)
	for j := range b.Rows {
		for p, v := range b.Row(j) {
			bt.Data[p*bt.Stride+j] = v
		}
	}
	gemmGeneric(c, a.Data, a.Stride, 1, bt, e)
}

func activateGeneric(y, x *Matrix, bias []float32, act Activation) {
	for i := range x.Rows {
		activateRow(y.Row(i), x.Row(i), bias, act)
	}
}

func activateRow(y, x, bias []float32, act Activation) {
	if bias != nil {
		addGeneric(y, x, bias)
		x = y
	}
	switch act {
	case Linear:
		copy(y, x)
	case ReLU:
		for j, v := range x {
			y[j] = max(v, 0)
		}
	case Sigmoid:
		for j, v := range x {
			y[j] = sigmoid(v)
		}
	case Tanh:
		for j, v := range x {
			y[j] = tanh(v)
		}
	}
}

func activateGradGeneric(dx *Matrix, dbias []float32, dy, y *Matrix, act Activation, accumulate bool) {
	for i := range y.Rows {
		dst, out := dx.Row(i), y.Row(i)
		for j, g := range dy.Row(i) {
			v := out[j]
			switch act {
			case ReLU:
				if v <= 0 {
					g = 0
				}
			case Sigmoid:
				g = float32(g * float32((1-v)*v))
			case Tanh:
				g = float32(g * mulAdd(-v, v, 1))
			}
			if dbias != nil {
				dbias[j] += g
			}
			if accumulate {
				g += dst[j]
			}
			dst[j] = g
		}
	}
}

// lanes are the 16 partial sums of a row reduction; element j goes to lane j&15.
type lanes [16]float32

func (l *lanes) fold() float32 {
	for half := len(l) / 2; half > 0; half /= 2 {
		for i := range half {
			l[i] += l[i+half]
		}
	}
	return l[0]
}

func sumRow(x []float32) float32 {
	var sum lanes
	for j, v := range x {
		sum[j&15] += v
	}
	return sum.fold()
}

func maxRow(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// expRow returns Σ exp(x-m), and leaves the terms in y unless it is nil.
func expRow(y, x []float32, m float32) float32 {
	var sum lanes
	for j, v := range x {
		e := exp(v - m)
		sum[j&15] += e
		if y != nil {
			y[j] = e
		}
	}
	return sum.fold()
}

func softmaxGeneric(y, x *Matrix) {
	for i := range x.Rows {
		dst, row := y.Row(i), x.Row(i)
		r := 1 / expRow(dst, row, maxRow(row))
		scaleGeneric(dst, dst, r)
	}
}

func softmaxGradGeneric(dx, dy, y *Matrix, accumulate bool) {
	for i := range y.Rows {
		dst, g, p := dx.Row(i), dy.Row(i), y.Row(i)
		var sum lanes
		for j, v := range p {
			sum[j&15] = mulAdd(g[j], v, sum[j&15])
		}
		dot := sum.fold()
		for j, v := range p {
			d := float32(v * (g[j] - dot))
			if accumulate {
				d += dst[j]
			}
			dst[j] = d
		}
	}
}

func logSoftmaxGeneric(y, x *Matrix) {
	for i := range x.Rows {
		dst, row := y.Row(i), x.Row(i)
		m := maxRow(row)
		l := log(expRow(nil, row, m))
		for j, v := range row {
			dst[j] = (v - m) - l
		}
	}
}

func weightOf(weights []float32, i int) float32 {
	if weights == nil {
		return 1
	}
	return weights[i]
}

func softmaxCrossEntropyGeneric(loss []float32, probs, grad, logits *Matrix, labels []int32, weights []float32) {
	for i, label := range labels {
		x, p, g := logits.Row(i), probs.Row(i), grad.Row(i)
		m := maxRow(x)
		z := x[label] - m
		terms := p
		if terms == nil {
			terms = g
		}
		sum := expRow(terms, x, m)
		loss[i] = log(sum) - z
		r, w := 1/sum, weightOf(weights, i)
		for j, v := range terms {
			v = float32(v * r)
			if p != nil {
				p[j] = v
			}
			if g == nil {
				continue
			}
			if j == int(label) {
				v--
			}
			g[j] = v * w
		}
	}
}

func softCrossEntropyGeneric(loss []float32, probs, grad, logits, targets *Matrix, weights []float32) {
	for i := range logits.Rows {
		x, t, p, g := logits.Row(i), targets.Row(i), probs.Row(i), grad.Row(i)
		m := maxRow(x)
		var dot lanes
		for j, v := range x {
			dot[j&15] = mulAdd(t[j], v-m, dot[j&15])
		}
		terms := p
		if terms == nil {
			terms = g
		}
		sum, mass := expRow(terms, x, m), sumRow(t)
		loss[i] = mulAdd(mass, log(sum), -dot.fold())
		r, w := 1/sum, weightOf(weights, i)
		for j, v := range terms {
			v = float32(v * r)
			if p != nil {
				p[j] = v
			}
			if g != nil {
				g[j] = mulAdd(v, mass, -t[j]) * w
			}
		}
	}
}

func binaryCrossEntropyGeneric(loss []float32, probs, grad, logits, targets *Matrix, weights []float32) {
	cols := float32(logits.Cols)
	for i := range logits.Rows {
		t, p, g := targets.Row(i), probs.Row(i), grad.Row(i)
		w := weightOf(weights, i) / cols
		var sum lanes
		for j, z := range logits.Row(i) {
			tail := sigmoidTail(z)
			s := tail
			if z >= 0 {
				s = 1 - tail
			}
			sum[j&15] += mulAdd(-z, t[j], max(z, 0)) + softplusTail(tail)
			if p != nil {
				p[j] = s
			}
			if g != nil {
				g[j] = (s - t[j]) * w
			}
		}
		loss[i] = mean(&sum, cols)
	}
}

// mean is the folded sum over n columns, and 0 for none.
func mean(sum *lanes, n float32) float32 {
	if n == 0 {
		return 0
	}
	return sum.fold() / n
}

const (
	clipMin float32 = 1e-7
	clipMax float32 = 1 - 1e-7 // Keras computes the bound in float64 too, then rounds
)

// clip also reports whether q was inside of the bounds, which belong to the
// inside. A NaN stays, and is inside.
func clip(q float32) (float32, bool) {
	switch {
	case q < clipMin:
		return clipMin, false
	case q > clipMax:
		return clipMax, false
	}
	return q, true
}

func clippedCrossEntropyGeneric(loss []float32, grad, probs *Matrix, labels []int32, weights []float32) {
	for i, label := range labels {
		p, g := probs.Row(i), grad.Row(i)
		sum := sumRow(p)
		q, inside := clip(p[label] / sum)
		loss[i] = -log(q)
		if g == nil {
			continue
		}
		w := weightOf(weights, i) / sum
		if !inside {
			w = 0
		}
		fillGeneric(g, w)
		g[label] = w * ((q - 1) / q)
	}
}

func clippedSoftCrossEntropyGeneric(loss []float32, grad, probs, targets *Matrix, weights []float32) {
	for i := range probs.Rows {
		p, t, g := probs.Row(i), targets.Row(i), grad.Row(i)
		sum := sumRow(p)
		var dot, mass lanes
		for j, v := range p {
			q, inside := clip(v / sum)
			dot[j&15] = mulAdd(t[j], log(q), dot[j&15])
			if inside {
				mass[j&15] += t[j]
			}
		}
		loss[i] = -dot.fold()
		if g == nil {
			continue
		}
		total, w := mass.fold(), weightOf(weights, i)/sum
		for j, v := range p {
			d := total
			if q, inside := clip(v / sum); inside {
				d -= t[j] / q
			}
			g[j] = d * w
		}
	}
}

func clippedBinaryCrossEntropyGeneric(loss []float32, grad, probs, targets *Matrix, weights []float32) {
	cols := float32(probs.Cols)
	for i := range probs.Rows {
		t, g := targets.Row(i), grad.Row(i)
		w := weightOf(weights, i) / cols
		var sum lanes
		for j, v := range probs.Row(i) {
			q, inside := clip(v)
			s := mulAdd(-t[j], log(q), sum[j&15])
			sum[j&15] = mulAdd(t[j]-1, log1p(-q), s)
			if g == nil {
				continue
			}
			g[j] = 0
			if inside {
				g[j] = (q - t[j]) / float32(q*(1-q)) * w
			}
		}
		loss[i] = mean(&sum, cols)
	}
}

func meanSquaredErrorGeneric(loss []float32, grad, pred, target *Matrix, weights []float32) {
	cols := float32(pred.Cols)
	for i := range pred.Rows {
		t, g := target.Row(i), grad.Row(i)
		w := 2 * weightOf(weights, i) / cols
		var sum lanes
		for j, v := range pred.Row(i) {
			d := v - t[j]
			sum[j&15] = mulAdd(d, d, sum[j&15])
			if g != nil {
				g[j] = d * w
			}
		}
		loss[i] = mean(&sum, cols)
	}
}

func meanAbsoluteErrorGeneric(loss []float32, grad, pred, target *Matrix, weights []float32) {
	cols := float32(pred.Cols)
	for i := range pred.Rows {
		t, g := target.Row(i), grad.Row(i)
		w := weightOf(weights, i) / cols
		var sum lanes
		for j, v := range pred.Row(i) {
			d := v - t[j]
			sum[j&15] += abs(d)
			if g == nil {
				continue
			}
			switch {
			case d > 0:
				d = w
			case d < 0:
				d = -w
			}
			g[j] = d
		}
		loss[i] = mean(&sum, cols)
	}
}

func colSumGeneric(dst []float32, x *Matrix, accumulate bool) {
	if !accumulate {
		clear(dst)
	}
	for i := range x.Rows {
		addGeneric(dst, dst, x.Row(i))
	}
}

func rowSumGeneric(dst []float32, x *Matrix) {
	for i := range x.Rows {
		dst[i] = sumRow(x.Row(i))
	}
}

func fillGeneric(x []float32, v float32) {
	for j := range x {
		x[j] = v
	}
}

func scaleGeneric(y, x []float32, alpha float32) {
	y = y[:len(x)]
	for j, v := range x {
		y[j] = v * alpha
	}
}

func axpyGeneric(y []float32, alpha float32, x []float32) {
	y = y[:len(x)]
	for j, v := range x {
		y[j] = mulAdd(alpha, v, y[j])
	}
}

func addGeneric(y, a, b []float32) {
	y, b = y[:len(a)], b[:len(a)]
	for j, v := range a {
		y[j] = v + b[j]
	}
}

func mulGeneric(y, a, b []float32) {
	y, b = y[:len(a)], b[:len(a)]
	for j, v := range a {
		y[j] = v * b[j]
	}
}

func mulAddGeneric(y, a, b []float32) {
	y, b = y[:len(a)], b[:len(a)]
	for j, v := range a {
		y[j] = mulAdd(v, b[j], y[j])
	}
}

// each returns the kernel that computes y = f(x).
func each(f func(float32) float32) func(y, x []float32) {
	return func(y, x []float32) {
		y = y[:len(x)]
		for j, v := range x {
			y[j] = f(v)
		}
	}
}

func geluGradGeneric(dx, dy, x []float32, accumulate bool) {
	dx, dy = dx[:len(x)], dy[:len(x)]
	for j, v := range x {
		g := float32(dy[j] * geluSlope(v))
		if accumulate {
			g += dx[j]
		}
		dx[j] = g
	}
}

func sgdGeneric(w, g []float32, lr float32) {
	for j, d := range g {
		w[j] = mulAdd(-d, lr, w[j])
	}
}

func momentumGeneric(w, v, g []float32, lr, momentum float32, nesterov bool) {
	for j, d := range g {
		step := float32(d * lr)
		v[j] = mulAdd(v[j], momentum, -step)
		if nesterov {
			w[j] += mulAdd(v[j], momentum, -step)
		} else {
			w[j] += v[j]
		}
	}
}

func adamGeneric(w, m, v, g []float32, alpha, c1, c2, epsilon float32) {
	for j, d := range g {
		m[j] = mulAdd(d-m[j], c1, m[j])
		v[j] = mulAdd(mulAdd(d, d, -v[j]), c2, v[j])
		w[j] -= float32(m[j]*alpha) / (sqrt(v[j]) + epsilon)
	}
}

func rmspropGeneric(w, v, g []float32, lr, rho, c, epsilon float32) {
	for j, d := range g {
		v[j] = mulAdd(v[j], rho, float32(float32(d*d)*c))
		w[j] -= float32(d*lr) / sqrt(v[j]+epsilon)
	}
}
