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
