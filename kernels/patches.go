package kernels

// Patches copies what lies under a window: row i of y has the values under the window at place i of all images x, one element
// of the window after the other, and 0 for what is outside. y has x.Rows·v.Places() rows of v.Elements() columns.
func (t *Table) Patches(y, x Matrix, v *Window) error {
	if t.err != nil {
		return t.err
	}
	if err := v.check("Patches", operand{"x", x}, operand{"y", y}, v.Elements()); err != nil {
		return err
	}
	raceReads(x)
	raceWrites(y)
	t.patches(grid{y.Data, y.Stride}, &x, v, 0, y.Rows, 0, v.Size[0]*v.Size[1])
	return nil
}

// PatchesGrad computes the gradient of [Table.Patches] by the images: each element of dy is added to the value that it is a
// copy of, in dx, or in zeros if accumulate is not set.
func (t *Table) PatchesGrad(dx, dy Matrix, v *Window, accumulate bool) error {
	if t.err != nil {
		return t.err
	}
	if err := v.check("PatchesGrad", operand{"dx", dx}, operand{"dy", dy}, v.Elements()); err != nil {
		return err
	}
	raceReads(dy)
	raceWrites(dx)
	if !accumulate {
		clearGrid(dx.Rows, dx.Cols, grid{dx.Data, dx.Stride})
	}
	t.addPatches(&dx, grid{dy.Data, dy.Stride}, v, 0, dy.Rows)
	return nil
}

// patches copies what lies under the elements first (included) to last (excluded) of the window at the places from to to.
func (t *Table) patches(dst grid, x *Matrix, v *Window, from, to, first, last int) {
	for row := from; row < to; {
		s := v.next(row, to, to-from)
		image, y := x.Row(s.image), grid{dst.data[(row-from)*dst.stride:], dst.stride}
		for e := first; e < last; {
			r, c := e/v.Size[1], e%v.Size[1]
			n := min(v.Size[1]-c, last-e)
			part := grid{y.data[(e-first)*v.Channels:], y.stride}
			if at, inside := v.line(&s, r); !inside {
				clearGrid(s.n, n*v.Channels, part)
			} else {
				t.patchLine(part, image[at:at+v.In[1]*v.Channels], v, &s, c, n)
			}
			e += n
		}
		safePoint()
		row += s.n
	}
}

// patchLine copies what lies under n columns of the window from column c on in one line of an image, for a strip of places.
func (t *Table) patchLine(dst grid, line []float32, v *Window, s *strip, c, n int) {
	if v.Dilation[1] > 1 {
		for k := range n {
			part := grid{dst.data[k*v.Channels:], dst.stride}
			from, to, x := v.under(s, c+k)
			clearGrid(from, v.Channels, part)
			if from == s.n {
				continue
			}
			t.copyGrid(to-from, v.Channels, part.row(from), grid{line[x*v.Channels:], v.step()})
			if to < s.n {
				clearGrid(s.n-to, v.Channels, part.row(to))
			}
		}
		return
	}
	// The columns are one run of memory, whole but for the places at the edges.
	from, _, x := v.under(s, c)
	_, to, _ := v.under(s, c+n-1)
	if from < to {
		t.copyGrid(to-from, n*v.Channels, dst.row(from), grid{line[x*v.Channels:], v.step()})
	} else {
		from, to = s.n, s.n
	}
	edge := func(from, to int) {
		for p := from; p < to; p++ {
			x := (s.j+p)*v.Stride[1] + c - v.Before[1]
			a := min(max(-x, 0), n)
			b := max(min(v.In[1]-x, n), a)
			y := dst.data[p*dst.stride:][:n*v.Channels]
			clear(y[:a*v.Channels])
			if a < b {
				copy(y[a*v.Channels:b*v.Channels], line[(x+a)*v.Channels:])
			}
			clear(y[b*v.Channels:])
		}
	}
	edge(0, from)
	edge(to, s.n)
}

// addPatches adds patches, of the places from to to, to the images that they lie on. An element of an image gets its terms
// strip by strip, and of each strip in the order of the window: they depend on where strips begin.
func (t *Table) addPatches(x *Matrix, src grid, v *Window, from, to int) {
	for row := from; row < to; {
		s := v.next(row, to, to-from)
		image, patches := x.Row(s.image), src.row(row-from)
		for r := range v.Size[0] {
			at, inside := v.line(&s, r)
			if !inside {
				continue
			}
			for c := range v.Size[1] {
				if from, to, x := v.under(&s, c); from < to {
					part := grid{patches.data[(r*v.Size[1]+c)*v.Channels:], src.stride}
					t.addGrid(to-from, v.Channels, grid{image[at+x*v.Channels:], v.step()}, part.row(from))
				}
			}
		}
		safePoint()
		row += s.n
	}
}
