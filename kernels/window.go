package kernels

import "math"

// A Window is a rectangle that moves over images, as in convolution and pooling. An image is a row of a matrix: In[0] rows of
// In[1] positions with Channels values each. A series of steps is an image with one row.
//
// At place (i, j) of the window its element (r, c) lies on position (i·Stride[0]+r·Dilation[0]-Before[0],
// j·Stride[1]+c·Dilation[1]-Before[1]) of the image, or outside of it.
type Window struct {
	In       [2]int // height and width of an image
	Channels int
	Size     [2]int // of the window
	Stride   [2]int // from one place to the next
	Dilation [2]int // from one element of the window to the next
	Before   [2]int // what lies above and left of the image; below zero a part of the image is cut off
	Out      [2]int // places below and beside each other
}

// Places returns how many places the window has on an image.
func (w *Window) Places() int { return w.Out[0] * w.Out[1] }

// Elements returns how many values lie under the window.
func (w *Window) Elements() int { return w.Size[0] * w.Size[1] * w.Channels }

// Check reports numbers that make no window.
func (w *Window) Check() error {
	image, places, elements := int64(1), int64(1), int64(w.Channels)
	for i := range w.In {
		for _, v := range [...]int{w.In[i], w.Channels, w.Size[i], w.Stride[i], w.Dilation[i], w.Out[i]} {
			if v < 1 || v > math.MaxInt32 {
				return shapeError("Window", "%+v has a size, stride or dilation that is not from 1 to %d", *w, math.MaxInt32)
			}
		}
		reach := max(int64(w.Out[i])*int64(w.Stride[i]), int64(w.Size[i])*int64(w.Dilation[i]), int64(w.Before[i]), -max(int64(w.Before[i]), -math.MaxInt64))
		if image, places, elements = image*int64(w.In[i]), places*int64(w.Out[i]), elements*int64(w.Size[i]); max(image, places, elements, reach) > math.MaxInt32 {
			return shapeError("Window", "%+v reaches beyond %d elements", *w, math.MaxInt32)
		}
	}
	if image*int64(w.Channels) > math.MaxInt32 {
		return shapeError("Window", "%+v has images of more than %d elements", *w, math.MaxInt32)
	}
	return nil
}

// check reports a window that does not fit images x and what has a row of cols columns for each of its places.
func (w *Window) check(kernel string, x, y operand, cols int) error {
	for _, o := range []operand{x, y} {
		if err := o.check(kernel); err != nil {
			return err
		}
	}
	if err := w.Check(); err != nil {
		return err
	}
	if x.Cols != w.In[0]*w.In[1]*w.Channels {
		return shapeError(kernel, "%s has %d columns, an image of %dx%dx%d has %d", x.name, x.Cols, w.In[0], w.In[1], w.Channels, w.In[0]*w.In[1]*w.Channels)
	}
	if y.Rows != x.Rows*w.Places() || y.Cols != cols {
		return shapeError(kernel, "%s is %dx%d, %d images of %d places need %dx%d", y.name, y.Rows, y.Cols, x.Rows, w.Places(), x.Rows*w.Places(), cols)
	}
	return nil
}

// A strip is some places beside each other: n of them from row, which counts the places of all images.
type strip struct {
	row, n int
	image  int
	i, j   int // the first place
}

// next returns the strip of at most most places that begins at place row and ends before place to.
func (w *Window) next(row, to, most int) strip {
	image, place := row/w.Places(), row%w.Places()
	i, j := place/w.Out[1], place%w.Out[1]
	return strip{row, min(w.Out[1]-j, to-row, most), image, i, j}
}

// line returns where the row of the image begins over which row r of the window goes, or whether that is outside.
func (w *Window) line(s *strip, r int) (at int, inside bool) {
	y := s.i*w.Stride[0] + r*w.Dilation[0] - w.Before[0]
	return y * w.In[1] * w.Channels, uint(y) < uint(w.In[0])
}

// under returns the places of a strip at which column c of the window lies on the image, from (included) to (excluded) as
// counted in the strip, and the position at the first of them; from all to none, if it never does.
func (w *Window) under(s *strip, c int) (from, to, x int) {
	x = s.j*w.Stride[1] + c*w.Dilation[1] - w.Before[1] // at place 0 of the strip
	if x < 0 {
		from = (-x + w.Stride[1] - 1) / w.Stride[1]
	}
	if x < w.In[1] {
		to = min(s.n, (w.In[1]-1-x)/w.Stride[1]+1)
	}
	if from >= to {
		return s.n, 0, 0
	}
	return from, to, x + from*w.Stride[1]
}

// step is how far values are apart in an image at places beside each other.
func (w *Window) step() int { return w.Stride[1] * w.Channels }

// A grid is rows of values in memory that may overlap.
type grid struct {
	data   []float32
	stride int
}

// row returns the grid from row i on.
func (g grid) row(i int) grid { return grid{g.data[i*g.stride:], g.stride} }

// copyGrid copies rows.
func (t *Table) copyGrid(rows, cols int, dst, src grid) {
	if t.level == nil || cols >= 64 {
		for i := range rows {
			copyRow(dst.data[i*dst.stride:][:cols], src.data[i*src.stride:][:cols])
		}
		return
	}
	for i, n := range parts(rows, flatCall/64) {
		t.level.copy(n, cols, &dst.data[i*dst.stride], 4*dst.stride, &src.data[i*src.stride], 4*src.stride)
	}
}

// addGrid adds rows of src to those of dst, which do not overlap.
func (t *Table) addGrid(rows, cols int, dst, src grid) {
	if t.level == nil {
		for i := range rows {
			to := dst.data[i*dst.stride:][:cols]
			addGeneric(to, to, src.data[i*src.stride:][:cols])
		}
		return
	}
	to, from := Matrix{dst.data, rows, cols, dst.stride}, Matrix{src.data, rows, cols, src.stride}
	t.level.activateGradColumns(&to, nil, &from, &from, Linear, true)
}

// clearGrid zeroes rows.
func clearGrid(rows, cols int, dst grid) {
	if cols == 0 {
		return
	}
	for i := range rows {
		clear(dst.data[i*dst.stride:][:cols])
	}
}

// What follows works on rows of equal length, or on the first len(y) elements.

func (t *Table) mul(y, a, b []float32) {
	for from, n := range parts(len(y), flatCall) {
		if t.level == nil {
			mulGeneric(y[from:from+n], a[from:from+n], b[from:from+n])
		} else {
			t.level.mul(n, &y[from], &a[from], &b[from])
		}
	}
}

func (t *Table) mulAdd(y, a, b []float32) {
	for from, n := range parts(len(y), flatCall) {
		if t.level == nil {
			mulAddGeneric(y[from:from+n], a[from:from+n], b[from:from+n])
		} else {
			t.level.mulAdd(n, &y[from], &a[from], &b[from])
		}
	}
}

func (t *Table) scaleRow(y []float32, alpha float32) {
	if t.level == nil {
		scaleGeneric(y, y, alpha)
	} else {
		t.level.scaled(y, y, alpha)
	}
}

// addColumns adds the columns of a matrix of n rows.
func (t *Table) addColumns(dst, x []float32, n int) {
	m := MatrixOf(x, n, len(dst))
	if t.level == nil {
		colSumGeneric(dst, &m)
		return
	}
	for i, rows := range m.blocks(rowCall) {
		for j, cols := range parts(m.Cols, rowCall) {
			t.level.colSum(rows, cols, &dst[j], m.at(i, j), 4*m.Stride)
		}
	}
}

// maximum computes y = max(y, x), NaN where one is.
func (t *Table) maximum(y, x []float32) {
	if t.level == nil {
		maximumGeneric(y, y, x)
		return
	}
	for from, n := range parts(len(y), flatCall) {
		t.level.maximum(n, &y[from], &y[from], &x[from])
	}
}

// firstMaximum moves what is left to part where x is the maximum y.
func (t *Table) firstMaximum(part, left, x, y []float32) {
	if t.level == nil {
		for j := range part {
			part[j] = 0
			if !(y[j] > x[j]) {
				part[j], left[j] = left[j], left[j]-left[j]
			}
		}
		return
	}
	for from, n := range parts(len(part), flatCall) {
		t.level.firstMaximum(n, &part[from], &left[from], &x[from], &y[from])
	}
}
