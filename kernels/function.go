package kernels

// Exp computes y = eˣ for operands of one shape, within 1.03 ulp; results below 2^-126.5 are 0. y may be x.
func (t *Table) Exp(y, x Matrix) error {
	if t.err != nil {
		return t.err
	}
	if t.level == nil {
		return function("Exp", nil, exp, y, x)
	}
	return function("Exp", t.level.exp, nil, y, x)
}

// Log computes the natural logarithm y = log x for operands of one shape, within 0.83 ulp: -Inf for 0, NaN below it. y
// may be x.
func (t *Table) Log(y, x Matrix) error {
	if t.err != nil {
		return t.err
	}
	if t.level == nil {
		return function("Log", nil, log, y, x)
	}
	return function("Log", t.level.log, nil, y, x)
}

// Erf computes the error function y = 2/√π·∫₀ˣ exp(-t²) dt for operands of one shape, within 1.08 ulp. y may be x.
func (t *Table) Erf(y, x Matrix) error {
	if t.err != nil {
		return t.err
	}
	if t.level == nil {
		return function("Erf", nil, erf, y, x)
	}
	return function("Erf", t.level.erf, nil, y, x)
}

// Gelu computes y = x·Φ(x), Φ(x) = (1 + erf(x/√2))/2, for operands of one shape. (Hendrycks and Gimpel,
// arXiv:1606.08415, section 2; not its approximation by tanh.) The error is at most 1.2·10⁻⁷·max(1, |x|); the limit at -Inf is 0. y may be x.
func (t *Table) Gelu(y, x Matrix) error {
	if t.err != nil {
		return t.err
	}
	if t.level == nil {
		return function("Gelu", nil, gelu, y, x)
	}
	return function("Gelu", t.level.gelu, nil, y, x)
}

// function computes y = f(x), in assembly or, where there is none, in Go.
func function(kernel string, assembly func(n int, y, x *float32), portable func(x float32) float32, y, x Matrix) error {
	if !same(&y, &x) {
		return checkSame(kernel, operand{"x", x}, operand{"y", y})
	}
	raceReads(x)
	raceWrites(y)
	flatten(&y, &x)
	for i := range filled(&y) {
		to, row := y.Row(i), x.Row(i)
		if assembly == nil {
			for j, v := range row {
				to[j] = portable(v)
			}
			continue
		}
		for from, n := range parts(len(to), mathCall) {
			assembly(n, &to[from], &row[from])
		}
	}
	return nil
}

// GeluGrad computes the gradient of [Table.Gelu] from its input x: dx = dy·(Φ(x) + x·φ(x)), φ(x) = exp(-x²/2)/√(2π), or
// dx += that if accumulate is set. All matrices have one shape; dx may be dy if accumulate is not set, and x.
func (t *Table) GeluGrad(dx, dy, x Matrix, accumulate bool) error {
	if t.err != nil {
		return t.err
	}
	if !same(&dx, &x) || !same(&dy, &x) {
		return checkSame("GeluGrad", operand{"x", x}, operand{"dy", dy}, operand{"dx", dx})
	}
	raceReads(dy, x)
	raceWrites(dx)
	flatten(&dx, &dy, &x)
	for i := range filled(&dx) {
		to, g, row := dx.Row(i), dy.Row(i), x.Row(i)
		v := t.level
		if v == nil {
			geluGradGeneric(to, g, row, accumulate)
			continue
		}
		for from, n := range parts(len(to), mathCall) {
			v.geluGrad(n, &to[from], &g[from], &row[from], flag(accumulate))
		}
	}
	return nil
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
