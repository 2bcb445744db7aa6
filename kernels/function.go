package kernels

// Exp computes y = eˣ for operands of one shape, within 1.03 ulp; results below 2^-126.5 are 0. y may be x.
func (t *Table) Exp(y, x Matrix) error { return t.function("Exp", t.exp, y, x) }

// Log computes the natural logarithm y = log x for operands of one shape, within 0.83 ulp: -Inf for 0, NaN below it. y
// may be x.
func (t *Table) Log(y, x Matrix) error { return t.function("Log", t.log, y, x) }

// Erf computes the error function y = 2/√π·∫₀ˣ exp(-t²) dt for operands of one shape, within 1.08 ulp. y may be x.
func (t *Table) Erf(y, x Matrix) error { return t.function("Erf", t.erf, y, x) }

// Gelu computes y = x·Φ(x), Φ(x) = (1 + erf(x/√2))/2, for operands of one shape. (Hendrycks and Gimpel,
// arXiv:1606.08415, section 2; not its approximation by tanh.) The error is at most 1.2·10⁻⁷·max(1, |x|); the limit at -Inf is 0. y may be x.
func (t *Table) Gelu(y, x Matrix) error { return t.function("Gelu", t.gelu, y, x) }

func (t *Table) function(kernel string, f func(y, x []float32), y, x Matrix) error {
	if err := checkSame(kernel, operand{"x", x}, operand{"y", y}); err != nil {
		return err
	}
	raceReads(x)
	raceWrites(y)
	flatten(&y, &x)
	for i := range y.Rows {
		f(y.Row(i), x.Row(i))
	}
	return nil
}

// GeluGrad computes the gradient of [Table.Gelu] from its input x: dx = dy·(Φ(x) + x·φ(x)), φ(x) = exp(-x²/2)/√(2π), or
// dx += that if accumulate is set. All matrices have one shape; dx may be dy if accumulate is not set, and x.
func (t *Table) GeluGrad(dx, dy, x Matrix, accumulate bool) error {
	if err := checkSame("GeluGrad", operand{"x", x}, operand{"dy", dy}, operand{"dx", dx}); err != nil {
		return err
	}
	raceReads(dy, x)
	raceWrites(dx)
	flatten(&dx, &dy, &x)
	for i := range dx.Rows {
		t.geluGrad(dx.Row(i), dy.Row(i), x.Row(i), accumulate)
	}
	return nil
}
