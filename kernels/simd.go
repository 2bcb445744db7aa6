package kernels

// simd is one vector level: its assembly functions, from which table makes the kernels. The fields are variables, not
// calls by name, so that tests can run the level in a simulator where the machine lacks it. Strides are in bytes; the
// stubs in kernels_amd64.go and kernels_arm64.go say what each function computes.
type simd struct {
	isa ISA
	tiles

	fill             func(n int, x *float32, v float32)
	scale, axpy      func(n int, y, x *float32, alpha float32)
	add, mul, mulAdd func(n int, y, a, b *float32)

	exp, log, erf, gelu func(n int, y, x *float32)
	geluGrad            func(n int, dx, dy, x *float32, add int)

	sgd                func(n int, w, grad *float32, lr float32)
	momentum, nesterov func(n int, w, v, grad *float32, lr, momentum float32)
	adam               func(n int, w, m, v, grad *float32, alpha, c1, c2, epsilon float32)
	rmsprop            func(n int, w, v, grad *float32, lr, rho, c, epsilon float32)

	// One for each Activation.
	activate         [4]activateFunc
	activateGrad     [4]activateGradFunc
	activateGradBias [4]activateGradBiasFunc

	softmax, logSoftmax func(rows, cols int, y *float32, yRow int, x *float32, xRow int)
	softmaxGrad         func(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow, add int)

	softmaxCrossEntropy func(rows, cols int, loss, probs *float32, probsRow int, grad *float32, gradRow int, logits *float32, logitsRow int,
		labels *int32, weights *float32, weightStep int)
	softCrossEntropy func(rows, cols int, loss, probs *float32, probsRow int, grad *float32, gradRow int, logits *float32, logitsRow int,
		targets *float32, targetsRow int, weights *float32, weightStep int)
	binaryCrossEntropy func(rows, cols int, loss, probs *float32, probsRow int, grad *float32, gradRow int, logits *float32, logitsRow int,
		targets *float32, targetsRow int, weights *float32, weightStep int, n float32)
	meanSquaredError, meanAbsoluteError regression

	// The same for one column, where each row is an element of its own.
	binaryCrossEntropyColumn                        func(n int, loss, probs, grad, logits, targets, weights *float32)
	meanSquaredErrorColumn, meanAbsoluteErrorColumn regressionColumn

	rowSum, colSum func(rows, cols int, dst, x *float32, xRow int)
}

type (
	activateFunc         = func(rows, cols int, y *float32, yRow int, x *float32, xRow int, bias *float32)
	activateGradFunc     = func(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow, add int)
	activateGradBiasFunc = func(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow, add int, dbias *float32)
)

type regression = func(rows, cols int, loss, grad *float32, gradRow int, pred *float32, predRow int,
	targets *float32, targetsRow int, weights *float32, weightStep int, n float32)

type regressionColumn = func(n int, loss, grad, pred, targets, weights *float32)

// table returns the kernels of the level; those that nothing needs to be fast stay generic.
func (v *simd) table() *Table {
	t := genericTable
	t.ISA = v.isa
	v.tiles.activate, v.tiles.copy = v.activateRows, v.activate[Linear]
	t.tiles = &v.tiles

	t.fill = func(x []float32, value float32) {
		for from := 0; from < len(x); from += flatCall {
			n := min(flatCall, len(x)-from)
			v.fill(n, &x[from], value)
		}
	}
	t.scale = func(y, x []float32, alpha float32) {
		for from := 0; from < len(y); from += flatCall {
			n := min(flatCall, len(y)-from)
			v.scale(n, &y[from], &x[from], alpha)
		}
	}
	t.axpy = func(y []float32, alpha float32, x []float32) {
		for from := 0; from < len(y); from += flatCall {
			n := min(flatCall, len(y)-from)
			v.axpy(n, &y[from], &x[from], alpha)
		}
	}
	t.add = func(y, a, b []float32) {
		for from := 0; from < len(y); from += flatCall {
			n := min(flatCall, len(y)-from)
			v.add(n, &y[from], &a[from], &b[from])
		}
	}
	t.mul = func(y, a, b []float32) {
		for from := 0; from < len(y); from += flatCall {
			n := min(flatCall, len(y)-from)
			v.mul(n, &y[from], &a[from], &b[from])
		}
	}
	t.mulAdd = func(y, a, b []float32) {
		for from := 0; from < len(y); from += flatCall {
			n := min(flatCall, len(y)-from)
			v.mulAdd(n, &y[from], &a[from], &b[from])
		}
	}

	for _, f := range []struct {
		kernel *func(y, x []float32)
		call   func(n int, y, x *float32)
	}{{&t.exp, v.exp}, {&t.log, v.log}, {&t.erf, v.erf}, {&t.gelu, v.gelu}} {
		*f.kernel = func(y, x []float32) {
			for from := 0; from < len(y); from += mathCall {
				n := min(mathCall, len(y)-from)
				f.call(n, &y[from], &x[from])
			}
		}
	}
	t.geluGrad = func(dx, dy, x []float32, accumulate bool) {
		for from := 0; from < len(dx); from += mathCall {
			n := min(mathCall, len(dx)-from)
			v.geluGrad(n, &dx[from], &dy[from], &x[from], flag(accumulate))
		}
	}

	t.sgd = func(w, g []float32, lr float32) {
		for from := 0; from < len(w); from += flatCall {
			n := min(flatCall, len(w)-from)
			v.sgd(n, &w[from], &g[from], lr)
		}
	}
	t.momentum = func(w, velocity, g []float32, lr, momentum float32, nesterov bool) {
		step := v.momentum
		if nesterov {
			step = v.nesterov
		}
		for from := 0; from < len(w); from += flatCall {
			n := min(flatCall, len(w)-from)
			step(n, &w[from], &velocity[from], &g[from], lr, momentum)
		}
	}
	t.adam = func(w, m, u, g []float32, alpha, c1, c2, epsilon float32) {
		for from := 0; from < len(w); from += flatCall {
			n := min(flatCall, len(w)-from)
			v.adam(n, &w[from], &m[from], &u[from], &g[from], alpha, c1, c2, epsilon)
		}
	}
	t.rmsprop = func(w, u, g []float32, lr, rho, c, epsilon float32) {
		for from := 0; from < len(w); from += flatCall {
			n := min(flatCall, len(w)-from)
			v.rmsprop(n, &w[from], &u[from], &g[from], lr, rho, c, epsilon)
		}
	}

	t.activate, t.activateGrad = v.activateRows, v.activateGradRows

	t.softmax = func(y, x *Matrix) {
		for i, rows := 0, 0; i < x.Rows && x.Cols > 0; i += rows {
			rows = rowsFrom(x, i)
			v.softmax(rows, x.Cols, y.row(i), 4*y.Stride, x.row(i), 4*x.Stride)
		}
	}
	t.logSoftmax = func(y, x *Matrix) {
		for i, rows := 0, 0; i < x.Rows && x.Cols > 0; i += rows {
			rows = rowsFrom(x, i)
			v.logSoftmax(rows, x.Cols, y.row(i), 4*y.Stride, x.row(i), 4*x.Stride)
		}
	}
	t.softmaxGrad = func(dx, dy, y *Matrix, accumulate bool) {
		for i, rows := 0, 0; i < y.Rows && y.Cols > 0; i += rows {
			rows = rowsFrom(y, i)
			v.softmaxGrad(rows, y.Cols, dx.row(i), 4*dx.Stride, dy.row(i), 4*dy.Stride, y.row(i), 4*y.Stride, flag(accumulate))
		}
	}

	t.softmaxCrossEntropy = func(loss []float32, probs, grad, logits *Matrix, labels []int32, weights []float32) {
		for i, rows := 0, 0; i < logits.Rows && logits.Cols > 0; i += rows {
			rows = rowsFrom(logits, i)
			w, step := weightsFrom(weights, i)
			v.softmaxCrossEntropy(rows, logits.Cols, &loss[i], probs.row(i), 4*probs.Stride, grad.row(i), 4*grad.Stride,
				logits.row(i), 4*logits.Stride, &labels[i], w, step)
		}
	}
	t.softCrossEntropy = func(loss []float32, probs, grad, logits, targets *Matrix, weights []float32) {
		if logits.Cols == 0 {
			softCrossEntropyGeneric(loss, probs, grad, logits, targets, weights)
		}
		for i, rows := 0, 0; i < logits.Rows && logits.Cols > 0; i += rows {
			rows = rowsFrom(logits, i)
			w, step := weightsFrom(weights, i)
			v.softCrossEntropy(rows, logits.Cols, &loss[i], probs.row(i), 4*probs.Stride, grad.row(i), 4*grad.Stride,
				logits.row(i), 4*logits.Stride, targets.row(i), 4*targets.Stride, w, step)
		}
	}
	t.binaryCrossEntropy = func(loss []float32, probs, grad, logits, targets *Matrix, weights []float32) {
		switch {
		case logits.Cols == 0:
			clear(loss)
		case isColumn(logits) && isColumn(targets) && (probs.absent() || isColumn(probs)) && (grad.absent() || isColumn(grad)):
			for i := 0; i < logits.Rows; i += mathCall {
				v.binaryCrossEntropyColumn(min(mathCall, logits.Rows-i), &loss[i], probs.row(i), grad.row(i), logits.row(i), targets.row(i), pointer(weights, i))
			}
			return
		}
		for i, rows := 0, 0; i < logits.Rows && logits.Cols > 0; i += rows {
			rows = rowsFrom(logits, i)
			if rows*logits.Cols > mathCall {
				rows = max(1, rows/2)
			}
			w, step := weightsFrom(weights, i)
			v.binaryCrossEntropy(rows, logits.Cols, &loss[i], probs.row(i), 4*probs.Stride, grad.row(i), 4*grad.Stride,
				logits.row(i), 4*logits.Stride, targets.row(i), 4*targets.Stride, w, step, float32(logits.Cols))
		}
	}
	t.meanSquaredError = func(loss []float32, grad, pred, target *Matrix, weights []float32) {
		regressionRows(v.meanSquaredError, v.meanSquaredErrorColumn, loss, grad, pred, target, weights)
	}
	t.meanAbsoluteError = func(loss []float32, grad, pred, target *Matrix, weights []float32) {
		regressionRows(v.meanAbsoluteError, v.meanAbsoluteErrorColumn, loss, grad, pred, target, weights)
	}

	t.rowSum = func(dst []float32, x *Matrix) {
		if x.Cols == 0 {
			clear(dst)
		}
		for i, rows := 0, 0; i < x.Rows && x.Cols > 0; i += rows {
			rows = rowsFrom(x, i)
			v.rowSum(rows, x.Cols, &dst[i], x.row(i), 4*x.Stride)
		}
	}
	t.colSum = func(dst []float32, x *Matrix, accumulate bool) {
		if !accumulate {
			clear(dst)
		}
		for i, rows := 0, 0; i < x.Rows && x.Cols > 0; i += rows {
			rows = rowsFrom(x, i)
			for j := 0; j < x.Cols; j += flatCall {
				cols := min(flatCall, x.Cols-j)
				v.colSum(rows, cols, &dst[j], &x.Data[i*x.Stride+j], 4*x.Stride)
			}
		}
	}
	return &t
}

func (v *simd) activateRows(y, x *Matrix, bias []float32, act Activation) {
	if act == Linear && bias == nil && x.Cols >= 64 {
		activateGeneric(y, x, nil, Linear) // copies
		return
	}
	for i, rows := 0, 0; i < x.Rows && x.Cols > 0; i += rows {
		rows = rowsFrom(x, i)
		for j := 0; j < x.Cols; j += rowCall {
			cols := min(rowCall, x.Cols-j)
			v.activate[act](rows, cols, &y.Data[i*y.Stride+j], 4*y.Stride, &x.Data[i*x.Stride+j], 4*x.Stride, pointer(bias, j))
		}
	}
}

func (v *simd) activateGradRows(dx *Matrix, dbias []float32, dy, y *Matrix, act Activation, accumulate bool) {
	for i, rows := 0, 0; i < y.Rows && y.Cols > 0; i += rows {
		rows = rowsFrom(y, i)
		for j := 0; j < y.Cols; j += rowCall {
			cols := min(rowCall, y.Cols-j)
			px, pdy, py := &dx.Data[i*dx.Stride+j], &dy.Data[i*dy.Stride+j], &y.Data[i*y.Stride+j]
			if dbias == nil {
				v.activateGrad[act](rows, cols, px, 4*dx.Stride, pdy, 4*dy.Stride, py, 4*y.Stride, flag(accumulate))
			} else {
				v.activateGradBias[act](rows, cols, px, 4*dx.Stride, pdy, 4*dy.Stride, py, 4*y.Stride, flag(accumulate), &dbias[j])
			}
		}
	}
}

func regressionRows(f regression, column regressionColumn, loss []float32, grad, pred, target *Matrix, weights []float32) {
	switch {
	case pred.Cols == 0:
		clear(loss)
	case isColumn(pred) && isColumn(target) && (grad.absent() || isColumn(grad)):
		for i := 0; i < pred.Rows; i += flatCall {
			column(min(flatCall, pred.Rows-i), &loss[i], grad.row(i), pred.row(i), target.row(i), pointer(weights, i))
		}
		return
	}
	for i, rows := 0, 0; i < pred.Rows && pred.Cols > 0; i += rows {
		rows = rowsFrom(pred, i)
		w, step := weightsFrom(weights, i)
		f(rows, pred.Cols, &loss[i], grad.row(i), 4*grad.Stride, pred.row(i), 4*pred.Stride, target.row(i), 4*target.Stride,
			w, step, float32(pred.Cols))
	}
}

// A call is not preempted, so it is kept to this many elements: a few microseconds. A reduction of one longer row may
// exceed it, at most to 0.3 ms for a million columns.
const (
	flatCall = 16 << 10
	mathCall = 4 << 10 // of an exponential or two each
	rowCall  = 8 << 10
)

// rowsFrom returns how many rows of m, which has columns, make one call from row i on.
func rowsFrom(m *Matrix, i int) int {
	rows := m.Rows - i
	if rows == 1 || rows*m.Cols <= rowCall { // saves small calls the division
		return rows
	}
	return min(max(1, rowCall/m.Cols), rows)
}

// row returns where row i begins, or nil for a result that the caller skips.
func (m *Matrix) row(i int) *float32 {
	if m.Data == nil {
		return nil
	}
	return &m.Data[i*m.Stride]
}

var unitWeight = float32(1)

// weightsFrom returns where the weight of row i is, and how many bytes the next one is from there.
func weightsFrom(weights []float32, i int) (*float32, int) {
	if weights == nil {
		return &unitWeight, 0
	}
	return &weights[i], 4
}

// isColumn reports whether m has one column without gaps.
func isColumn(m *Matrix) bool { return m.Cols == 1 && m.Contiguous() }

// pointer returns the address of s[i], or nil if there is no s.
func pointer(s []float32, i int) *float32 {
	if s == nil {
		return nil
	}
	return &s[i]
}

func flag(set bool) int {
	if set {
		return 1
	}
	return 0
}
