package kernels

// MaxPool computes y[i,j], the largest value of channel j under the window at place i of all images x, NaN if one is, and -Inf
// at a place outside of the image. y has x.Rows·v.Places() rows of v.Channels columns and must not share memory with x. A nil
// Scratch is legal, but allocates.
func (t *Table) MaxPool(s *Scratch, y, x Matrix, v *Window) error {
	if t.err != nil {
		return t.err
	}
	if err := v.check("MaxPool", operand{"x", x}, operand{"y", y}, v.Channels); err != nil {
		return err
	}
	raceReads(x)
	raceWrites(y)
	most := v.strip(&y)
	buffer := s.room(most * v.Channels)
	for row := 0; row < y.Rows; {
		p := v.next(row, y.Rows, most)
		image, tops := x.Row(p.image), y.Data[row*y.Stride:][:p.n*v.Channels]
		t.fill(tops, minusInf32)
		for r := range v.Size[0] {
			at, inside := v.line(&p, r)
			for c := 0; inside && c < v.Size[1]; c++ {
				if from, to, x := v.under(&p, c); from < to {
					t.maximum(tops[from*v.Channels:to*v.Channels], t.side(buffer, v, image[at+x*v.Channels:], to-from))
				}
			}
		}
		safePoint()
		row += p.n
	}
	return nil
}

// MaxPoolGrad computes the gradient of [Table.MaxPool], which gave y for x: dy goes to the first of the largest values under
// the window. It is added to dx, or to zeros if accumulate is not set. A nil Scratch is legal, but allocates.
func (t *Table) MaxPoolGrad(s *Scratch, dx, dy, x, y Matrix, v *Window, accumulate bool) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "MaxPoolGrad"
	if err := v.check(kernel, operand{"x", x}, operand{"dy", dy}, v.Channels); err != nil {
		return err
	}
	if err := checkSame(kernel, operand{"dy", dy}, operand{"y", y}); err != nil {
		return err
	}
	if err := checkSame(kernel, operand{"x", x}, operand{"dx", dx}); err != nil {
		return err
	}
	raceReads(dy, x, y)
	raceWrites(dx)
	if !accumulate {
		clearGrid(dx.Rows, dx.Cols, grid{dx.Data, dx.Stride})
	}
	most := min(v.strip(&y), v.strip(&dy))
	width := most * v.Channels
	buffer := s.room(3 * width)
	values, parts, left := buffer[:width], buffer[width:2*width], buffer[2*width:]
	for row := 0; row < y.Rows; {
		p := v.next(row, y.Rows, most)
		image, tops := x.Row(p.image), y.Data[row*y.Stride:][:p.n*v.Channels]
		copyRow(left, dy.Data[row*dy.Stride:][:p.n*v.Channels])
		for r := range v.Size[0] {
			at, inside := v.line(&p, r)
			for c := 0; inside && c < v.Size[1]; c++ {
				from, to, x := v.under(&p, c)
				if from >= to {
					continue
				}
				a, b := from*v.Channels, to*v.Channels
				t.firstMaximum(parts[:b-a], left[a:b], t.side(values, v, image[at+x*v.Channels:], to-from), tops[a:b])
				t.addGrid(to-from, v.Channels, grid{dx.Row(p.image)[at+x*v.Channels:], v.step()}, grid{parts, v.Channels})
			}
		}
		safePoint()
		row += p.n
	}
	return nil
}

// AveragePool computes y[i,j], the mean of the values of channel j under the window at place i of all images x: of those on
// the image, and 0 at a place outside. y has x.Rows·v.Places() rows of v.Channels columns and must not share memory with x.
func (t *Table) AveragePool(y, x Matrix, v *Window) error {
	if t.err != nil {
		return t.err
	}
	if err := v.check("AveragePool", operand{"x", x}, operand{"y", y}, v.Channels); err != nil {
		return err
	}
	raceReads(x)
	raceWrites(y)
	most := v.strip(&y)
	for row := 0; row < y.Rows; {
		p := v.next(row, y.Rows, most)
		image, sums := x.Row(p.image), grid{y.Data[row*y.Stride:], v.Channels}
		clear(sums.data[:p.n*v.Channels])
		for r := range v.Size[0] {
			at, inside := v.line(&p, r)
			for c := 0; inside && c < v.Size[1]; c++ {
				if from, to, x := v.under(&p, c); from < to {
					t.addGrid(to-from, v.Channels, sums.row(from), grid{image[at+x*v.Channels:], v.step()})
				}
			}
		}
		t.divideByCount(sums.data[:p.n*v.Channels], v, &p)
		safePoint()
		row += p.n
	}
	return nil
}

// AveragePoolGrad computes the gradient of [Table.AveragePool]. It is added to dx, or to zeros if accumulate is not set. A nil
// Scratch is legal, but allocates.
func (t *Table) AveragePoolGrad(s *Scratch, dx, dy Matrix, v *Window, accumulate bool) error {
	if t.err != nil {
		return t.err
	}
	if err := v.check("AveragePoolGrad", operand{"dx", dx}, operand{"dy", dy}, v.Channels); err != nil {
		return err
	}
	raceReads(dy)
	raceWrites(dx)
	if !accumulate {
		clearGrid(dx.Rows, dx.Cols, grid{dx.Data, dx.Stride})
	}
	most := v.strip(&dy)
	buffer := s.room(most * v.Channels)
	for row := 0; row < dy.Rows; {
		p := v.next(row, dy.Rows, most)
		image, parts := dx.Row(p.image), buffer[:p.n*v.Channels]
		copyRow(parts, dy.Data[row*dy.Stride:][:len(parts)])
		t.divideByCount(parts, v, &p)
		for r := range v.Size[0] {
			at, inside := v.line(&p, r)
			for c := 0; inside && c < v.Size[1]; c++ {
				if from, to, x := v.under(&p, c); from < to {
					t.addGrid(to-from, v.Channels, grid{image[at+x*v.Channels:], v.step()}, grid{parts, v.Channels}.row(from))
				}
			}
		}
		safePoint()
		row += p.n
	}
	return nil
}

// room returns a buffer of n floats.
func (s *Scratch) room(n int) []float32 {
	if s == nil {
		return make([]float32, n)
	}
	s.patches = grow(s.patches, n)
	return s.patches
}

// divideByCount multiplies the values of a strip by 1/n, where n is how many elements of the window lie on the image.
func (t *Table) divideByCount(x []float32, v *Window, p *strip) {
	lines := 0
	for r := range v.Size[0] {
		if _, inside := v.line(p, r); inside {
			lines++
		}
	}
	columns := func(place int) (n int) {
		at := (p.j+place)*v.Stride[1] - v.Before[1]
		for c := range v.Size[1] {
			if uint(at+c*v.Dilation[1]) < uint(v.In[1]) {
				n++
			}
		}
		return n
	}
	n := columns(0)
	for from := 0; from < p.n; {
		to, next := from+1, 0
		for ; to < p.n; to++ {
			if next = columns(to); next != n {
				break
			}
		}
		if count := n * lines; count > 1 {
			row := x[from*v.Channels : to*v.Channels]
			t.scaleRow(row, 1/float32(count))
		}
		from, n = to, next
	}
}
