package kernels

// Depthwise computes y[i,j] = act(bias[j] + Σ_e p[i,e,j]·w[e,j]), e ascending, where p[i,e,j] is channel j under element e of
// the window at place i of all images x, see [Table.Patches]; elements outside of the image are left out. w has a row of
// v.Channels weights for each element of the window, bias is nil or one row; y has x.Rows·v.Places() rows and must not share
// memory with x. A nil Scratch is legal, but allocates.
func (t *Table) Depthwise(s *Scratch, y, x Matrix, v *Window, w Matrix, bias []float32, act Activation) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "Depthwise"
	if err := checkDepthwise(kernel, operand{"x", x}, operand{"y", y}, v, operand{"w", w}); err != nil {
		return err
	}
	if bias != nil {
		if err := checkCols(kernel, "bias", len(bias), operand{"y", y}); err != nil {
			return err
		}
	}
	if err := act.check(kernel); err != nil {
		return err
	}
	raceReads(x, w, vector(bias))
	raceWrites(y)
	d := t.depthwise(s, &y, v, &w)
	for row := 0; row < y.Rows; {
		p := v.next(row, y.Rows, d.most)
		image, sums := x.Row(p.image), y.Data[row*y.Stride:][:p.n*v.Channels]
		if bias == nil {
			clear(sums)
		} else {
			t.copyGrid(p.n, v.Channels, grid{sums, v.Channels}, grid{bias, 0})
		}
		for r := range v.Size[0] {
			at, inside := v.line(&p, r)
			for c := 0; inside && c < v.Size[1]; c++ {
				if from, to, x := v.under(&p, c); from < to {
					values := t.side(d.values, v, image[at+x*v.Channels:], to-from)
					t.mulAdd(sums[from*v.Channels:to*v.Channels], values, d.weights(r*v.Size[1]+c))
				}
			}
		}
		if act != Linear {
			m := vector(sums)
			t.activate(&m, &m, nil, act)
		}
		safePoint()
		row += p.n
	}
	return nil
}

// DepthwiseGrad computes the gradients of [Table.Depthwise] for the gradient dy by the sums: it adds them to dw and to dx, or
// to zeros in dx if accumulate is not set. Either of them may be the zero Matrix. A nil Scratch is legal, but allocates.
func (t *Table) DepthwiseGrad(s *Scratch, dx, dw, dy, x Matrix, v *Window, w Matrix, accumulate bool) error {
	if t.err != nil {
		return t.err
	}
	const kernel = "DepthwiseGrad"
	if err := checkDepthwise(kernel, operand{"x", x}, operand{"dy", dy}, v, operand{"w", w}); err != nil {
		return err
	}
	if err := checkOptional(kernel, operand{"x", x}, operand{"dx", dx}); err != nil {
		return err
	}
	if err := checkOptional(kernel, operand{"w", w}, operand{"dw", dw}); err != nil {
		return err
	}
	raceReads(x, w, dy)
	raceWrites(dx, dw)
	if !accumulate {
		clearGrid(dx.Rows, dx.Cols, grid{dx.Data, dx.Stride})
	}
	d := t.depthwise(s, &dy, v, &w)
	for row := 0; row < dy.Rows; {
		p := v.next(row, dy.Rows, d.most)
		image, g := x.Row(p.image), dy.Data[row*dy.Stride:][:p.n*v.Channels]
		for r := range v.Size[0] {
			at, inside := v.line(&p, r)
			for c := 0; inside && c < v.Size[1]; c++ {
				from, to, x := v.under(&p, c)
				if from >= to {
					continue
				}
				e, n := r*v.Size[1]+c, to-from
				g := g[from*v.Channels : to*v.Channels]
				terms := d.terms[:len(g)]
				if dw.Data != nil {
					t.mul(terms, g, t.side(d.values, v, image[at+x*v.Channels:], n))
					t.addColumns(dw.Row(e), terms, n)
				}
				if dx.Data != nil {
					t.mul(terms, g, d.weights(e))
					t.addGrid(n, v.Channels, grid{dx.Row(p.image)[at+x*v.Channels:], v.step()}, grid{terms, v.Channels})
				}
			}
		}
		safePoint()
		row += p.n
	}
	return nil
}

func checkDepthwise(kernel string, x, y operand, v *Window, w operand) error {
	if err := v.check(kernel, x, y, v.Channels); err != nil {
		return err
	}
	if err := w.check(kernel); err != nil {
		return err
	}
	if w.Rows != v.Size[0]*v.Size[1] || w.Cols != v.Channels {
		return shapeError(kernel, "w is %dx%d, a window of %dx%d over %d channels has %dx%d", w.Rows, w.Cols, v.Size[0], v.Size[1], v.Channels, v.Size[0]*v.Size[1], v.Channels)
	}
	return nil
}

// A depthwise is what goes strip by strip: a strip is one long row, with weights that repeat.
type depthwise struct {
	most          int // places of a strip
	repeated      Matrix
	values, terms []float32 // room for a strip
}

func (t *Table) depthwise(s *Scratch, y *Matrix, v *Window, w *Matrix) (d depthwise) {
	if s == nil {
		s = new(Scratch)
	}
	d.most = v.strip(y)
	width := d.most * v.Channels
	s.patches = grow(s.patches, (w.Rows+2)*width)
	d.repeated = MatrixOf(s.patches, w.Rows, width)
	d.values, d.terms = s.patches[w.Rows*width:][:width], s.patches[(w.Rows+1)*width:][:width]
	for e := range w.Rows {
		t.copyGrid(d.most, v.Channels, grid{d.repeated.Row(e), v.Channels}, grid{w.Row(e), 0})
	}
	return d
}

func (d *depthwise) weights(e int) []float32 { return d.repeated.Row(e) }

// strip returns how many places beside each other are worked on at a time in y, which has a row of all channels for each.
func (v *Window) strip(y *Matrix) int {
	if !y.Contiguous() {
		return 1
	}
	const most = 1 << 10 // floats
	return min(v.Out[1], max(1, most/v.Channels))
}

// side returns values of n places in an image side by side: as they are, or copied to buffer.
func (t *Table) side(buffer []float32, v *Window, image []float32, n int) []float32 {
	if v.Stride[1] == 1 {
		return image
	}
	t.copyGrid(n, v.Channels, grid{buffer, v.Channels}, grid{image, v.step()})
	return buffer
}
