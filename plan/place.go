package plan

import "slices"

// A place is where a value lies: columns of a buffer.
type place struct{ buffer, offset int }

func (v *value) put(at place) { v.place, v.laid = at, true }

// newBuffer returns the number of a new buffer.
func (l *lowering) newBuffer(width int) int {
	l.buffers = append(l.buffers, buffer{width: width, first: -1})
	return len(l.buffers) - 1
}

// position decides where the values lie that have no place yet: within what a concatenation joins, where the function of
// them lies that takes their place, or in a buffer of their own.
func (l *lowering) position(values []*value) {
	for _, v := range l.Recorder.inputs {
		v.put(place{buffer: l.newBuffer(v.Cols)})
	}
	for _, v := range slices.Backward(values) {
		if !v.laid {
			v.put(place{buffer: l.newBuffer(v.elements())})
		}
		if x := v.step.in[0].same; x.tail == v && !x.laid {
			x.put(v.place)
		}
		if v.step.kind != joining || !v.flat() {
			continue
		}
		at := v.place
		for _, in := range v.step.in {
			if part := in.same; !part.laid && part.flat() {
				part.put(at)
			}
			at.offset += in.Cols
		}
	}
}

// viewOf returns columns of a buffer as rows x cols for each sample.
func (l *lowering) viewOf(at place, rows, cols int) view {
	v := view{buffer: at.buffer, offset: at.offset, lead: rows, cols: cols, stride: cols}
	if rows == 1 {
		v.stride = l.buffers[at.buffer].width
	}
	return v
}

// whole reports whether a place is all of its buffer.
func (l *lowering) whole(at place, elements int) bool {
	return at.offset == 0 && l.buffers[at.buffer].width == elements
}

// operand returns where x lies, in its own rows and columns. It copies what lies between other columns if a sample has
// several rows.
func (l *lowering) operand(x *value) view {
	at := x.same.place
	if n := x.elements(); x.Rows > 1 && !l.whole(at, n) {
		to := place{buffer: l.newBuffer(n)}
		l.emit(step{op: "copy", name: x.same.label(), run: copyRows, y: l.viewOf(to, 1, n), x: []view{l.viewOf(at, 1, n)}})
		at = to
	}
	return l.viewOf(at, x.Rows, x.Cols)
}

// row returns where v lies as one row for each sample.
func (l *lowering) row(v *value) view { return l.viewOf(v.same.place, 1, v.elements()) }

// label returns the label of the operation that computes v, or the name of the input that it is.
func (v *value) label() string {
	if v.step == nil {
		return v.name
	}
	return v.step.label
}
