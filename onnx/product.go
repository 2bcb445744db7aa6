package onnx

import "slices"

// multiply adds to y, [m, n], the product of a, [m, k], and b, [k, n], which lie in memory as their strides say.
func multiply(y, a, b []float64, m, k, n int, aRow, aCol, bRow, bCol int) {
	for i := range m {
		for p := range k {
			v := a[i*aRow+p*aCol]
			for j := range n {
				y[i*n+j] += float64(v * b[p*bRow+j*bCol])
			}
		}
	}
}

// matmulShapes returns the shapes of the operands of a MatMul as matrices, and that of the result with all axes.
func (c *call) matmulShapes(a, b []int) (x, y, z []int) {
	if len(a) == 0 || len(b) == 0 {
		c.fail("takes no scalars: the inputs have shapes %v and %v", a, b)
	}
	x, y = slices.Clone(a), slices.Clone(b)
	if len(x) == 1 {
		x = []int{1, x[0]}
	}
	if len(y) == 1 {
		y = []int{y[0], 1}
	}
	if x[len(x)-1] != y[len(y)-2] {
		c.fail("shapes %v and %v do not fit together", a, b)
	}
	z = c.broadcast(&tensor{shape: x[:len(x)-2]}, &tensor{shape: y[:len(y)-2]})
	return x, y, append(slices.Clone(z), x[len(x)-2], y[len(y)-1])
}

func runMatMul(c *call) {
	a, b := c.arg(0), c.arg(1)
	x, y, z := c.matmulShapes(a.shape, b.shape)
	shape := slices.Clone(z)
	if len(b.shape) == 1 {
		shape = shape[:len(shape)-1]
	}
	if len(a.shape) == 1 {
		shape = slices.Delete(shape, len(z)-2, len(z)-1)
	}
	r := c.result(0, a.elem, shape)
	m, k, n := z[len(z)-2], x[len(x)-1], z[len(z)-1]
	if !c.compute(r, k, a, b) {
		return
	}
	lead := z[:len(z)-2]
	var from []int
	walk(lead, spread(x[:len(x)-2], lead), func(_, at int) { from = append(from, at) })
	walk(lead, spread(y[:len(y)-2], lead), func(i, at int) {
		multiply(r.values[i*m*n:(i+1)*m*n], a.data()[from[i]*m*k:], b.data()[at*k*n:], m, k, n, k, 1, n, 1)
	})
}

// gemmShapes returns the sizes of a Gemm: rows, inner and columns.
func (c *call) gemmShapes() (m, k, n int) {
	a, b := c.argOf(0, 2).shape, c.argOf(1, 2).shape
	m, k = a[0], a[1]
	if c.flag("transA") {
		m, k = k, m
	}
	other, n := b[0], b[1]
	if c.flag("transB") {
		other, n = n, other
	}
	if k != other {
		c.fail("shapes %v and %v do not fit together", a, b)
	}
	return m, k, n
}

func runGemm(c *call) {
	m, k, n := c.gemmShapes()
	a, b := c.arg(0), c.arg(1)
	y := c.result(0, a.elem, []int{m, n})
	var bias *tensor
	if c.has(2) {
		bias = c.arg(2)
		if s := c.broadcast(y, bias); !slices.Equal(s, y.shape) {
			c.fail("bias %v does not fit %v", bias.shape, y.shape)
		}
	}
	if !c.compute(y, k, a, b, bias) {
		return
	}
	aRow, aCol, bRow, bCol := k, 1, n, 1
	if c.flag("transA") {
		aRow, aCol = 1, m
	}
	if c.flag("transB") {
		bRow, bCol = 1, k
	}
	multiply(y.values, a.data(), b.data(), m, k, n, aRow, aCol, bRow, bCol)
	alpha, beta := c.float("alpha", 1), c.float("beta", 1)
	for i := range y.values {
		y.values[i] *= alpha
	}
	if bias != nil {
		walk(y.shape, spread(bias.shape, y.shape), func(i, at int) { y.values[i] += float64(beta * bias.data()[at]) })
	}
}
