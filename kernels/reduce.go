package kernels

// ColSum computes dst[j] = Σ_i x[i,j], rows ascending, or adds to dst if
// accumulate is set. dst has one element per column of x.
func (t *Table) ColSum(dst []float32, x Matrix, accumulate bool) error {
	const kernel = "ColSum"
	o := operand{"x", x}
	if err := o.check(kernel); err != nil {
		return err
	}
	if err := checkCols(kernel, "dst", len(dst), o); err != nil {
		return err
	}
	raceReads(x)
	raceWrites(vector(dst))
	t.colSum(dst, there(&x), accumulate)
	return nil
}

// RowSum computes dst[i] = Σ_j x[i,j] in 16 lanes: element j belongs to lane
// j mod 16. dst has one element per row of x.
func (t *Table) RowSum(dst []float32, x Matrix) error {
	const kernel = "RowSum"
	o := operand{"x", x}
	if err := o.check(kernel); err != nil {
		return err
	}
	if err := checkRows(kernel, "dst", len(dst), o); err != nil {
		return err
	}
	raceReads(x)
	raceWrites(vector(dst))
	t.rowSum(dst, there(&x))
	return nil
}
