package kernels

// layerNormCalls are the calls of layer normalization: with every optional operand and without it.
func layerNormCalls() []call {
	grad := func(name string, dx, sums, accumulate bool) call {
		return call{"LayerNormGrad" + name, false, func(t *Table, o *operands) error {
			var to Matrix
			if dx {
				to = o.out()
			}
			var dgamma, dbeta []float32
			if sums {
				dgamma, dbeta = o.writeFloats(o.cols), o.writeFloats(o.cols)
			}
			return t.LayerNormGrad(to, dgamma, dbeta, o.in(), o.in(), o.readFloats(o.cols), o.reads(o.rows, 2), accumulate)
		}}
	}
	return []call{
		{"LayerNorm", false, func(t *Table, o *operands) error {
			return t.LayerNorm(o.out(), o.in(), o.readFloats(o.cols), o.readFloats(o.cols), 1e-3, Matrix{})
		}},
		{"LayerNorm/stats", false, func(t *Table, o *operands) error {
			return t.LayerNorm(o.out(), o.in(), o.readFloats(o.cols), o.readFloats(o.cols), 1e-3, o.writes(o.rows, 2))
		}},
		grad("", true, true, false), grad("+", true, true, true), grad("/dx", true, false, false), grad("/sums", false, true, false),
	}
}
