package kernels

// ColSum computes dst[j] = Σ_i x[i,j], rows ascending, or adds to dst if
// accumulate is set. dst has one element per column of x.
func (t *Table) ColSum(dst []float32, x Matrix, accumulate bool) error {
	if t.err != nil {
		return t.err
	}
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
	if !accumulate {
		clear(dst)
	}
	v := t.level
	if v == nil {
		colSumGeneric(dst, &x)
		return nil
	}
	for i, rows := range x.blocks(rowCall) {
		for j, cols := range parts(x.Cols, rowCall) {
			v.colSum(rows, cols, &dst[j], x.at(i, j), 4*x.Stride)
		}
	}
	return nil
}

// RowSum computes dst[i] = Σ_j x[i,j] in 16 lanes: element j belongs to lane
// j mod 16. dst has one element per row of x.
func (t *Table) RowSum(dst []float32, x Matrix) error {
	if t.err != nil {
		return t.err
	}
	if err := beginRowSum("RowSum", dst, x); err != nil {
		return err
	}
	v := t.level
	switch {
	case v == nil:
		rowSumGeneric(dst, &x)
	case x.Cols == 0:
		clear(dst)
	case x.Cols > rowCall:
		for i := range dst {
			dst[i] = v.sum(x.Row(i))
		}
	default:
		for i, rows := range x.blocks(rowCall) {
			v.rowSum(rows, x.Cols, &dst[i], x.row(i), 4*x.Stride)
		}
	}
	return nil
}

// beginRowSum checks the operands of a sum over each row and tells the race detector of them.
func beginRowSum(kernel string, dst []float32, x Matrix) error {
	o := operand{"x", x}
	if err := o.check(kernel); err != nil {
		return err
	}
	if err := checkRows(kernel, "dst", len(dst), o); err != nil {
		return err
	}
	raceReads(x)
	raceWrites(vector(dst))
	return nil
}

func colSumGeneric(dst []float32, x *Matrix) {
	for i := range filled(x) {
		addGeneric(dst, dst, x.Row(i))
	}
}

func rowSumGeneric(dst []float32, x *Matrix) {
	for i := range x.Rows {
		dst[i] = sumRow(x.Row(i))
	}
}

func sumRow(x []float32) float32 {
	var sum lanes
	for j, v := range x {
		sum[j&15] += v
	}
	return sum.fold()
}

// RowSumSquares computes dst[i] = Σ_j x[i,j]² in 16 lanes, as [Table.RowSum] adds. dst has one element per row of x. A
// finite result proves that all elements of the row, and their squares, are finite.
func (t *Table) RowSumSquares(dst []float32, x Matrix) error {
	if t.err != nil {
		return t.err
	}
	if err := beginRowSum("RowSumSquares", dst, x); err != nil {
		return err
	}
	switch v := t.level; {
	case v == nil:
		for i := range dst {
			dst[i] = sumOfSquaresGeneric(x.Row(i))
		}
	case x.Cols == 0:
		clear(dst)
	case x.Cols > rowCall:
		for i := range dst {
			dst[i] = v.sumOfSquares(x.Row(i))
		}
	default:
		for i, rows := range x.blocks(rowCall) {
			v.rowSumSquares(rows, x.Cols, &dst[i], x.row(i), 4*x.Stride)
		}
	}
	return nil
}

func sumOfSquaresGeneric(x []float32) float32 {
	var sum lanes
	for j, v := range x {
		sum[j&15] = mulAdd(v, v, sum[j&15])
	}
	return sum.fold()
}
