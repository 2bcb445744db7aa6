package hdf5

import (
	"errors"
	"fmt"
)

// A Dataset is an array with a name.
type Dataset struct {
	*object
	array
	layout layout
	fill   []byte // the element that stands for what was never written; nil is zero
}

// A layout says where values are.
type layout struct {
	compact []byte // they are in the header
	address uint64 // they are together, or this is their index
	size    uint64 // bytes of what is together
	chunks  *chunks
}

const (
	layoutCompact = iota
	layoutContiguous
	layoutChunked
	layoutVirtual
)

func newDataset(o *object, messages []message) (*Dataset, error) {
	f := o.file
	d := &Dataset{object: o}
	datatype, dataspace := find(messages, msgDatatype), find(messages, msgDataspace)
	if datatype == nil || dataspace == nil {
		return nil, errors.New("a dataset without type or shape")
	}
	if find(messages, msgExternal) != nil {
		return nil, errors.New("external storage is not followed")
	}
	var err error
	if d.array, err = newArray(f, datatype, dataspace); err != nil {
		return nil, err
	}
	if a := o.Attr("dtype"); a != nil && d.Type.name == "opaque" && d.Type.Size == 2 {
		if s, err := a.Text(); err == nil && s == "bfloat16" { // which HDF5 does not know, so Keras says it in an attribute
			d.Type.Class, d.Type.brain, d.Type.name = Float, true, s
		}
	}
	d.owner = func(err error) error { return o.errorf("%w", err) }
	d.each = d.runs
	if err := d.setLayout(&cursor{f: f, b: find(messages, msgLayout)}, dataspace); err != nil {
		return nil, fmt.Errorf("layout: %w", err)
	}
	if filters := find(messages, msgFilters); filters != nil && d.layout.chunks != nil {
		if d.layout.chunks.filters, err = parseFilters(&cursor{f: f, b: filters}); err != nil {
			return nil, fmt.Errorf("filters: %w", err)
		}
	}
	if err := d.setFill(messages); err != nil {
		return nil, fmt.Errorf("fill value: %w", err)
	}
	need := product(uint64(d.n), uint64(max(4, d.Type.stored)))
	if c := d.layout.chunks; c != nil {
		need = max(need, product(c.count, c.bytes))
	}
	return d, f.hold(need)
}

func (d *Dataset) setLayout(c *cursor, dataspace []byte) error {
	version := c.version("message", 3, 4)
	switch class := c.u8(); class {
	case layoutCompact:
		d.layout.compact = c.take(int(c.u16()))
	case layoutContiguous:
		d.layout.address, d.layout.size = c.address(), c.size()
	case layoutChunked:
		if version == 4 {
			return d.setChunks4(c, dataspace)
		}
		rank := int(c.u8())
		d.layout.address = c.address()
		return d.setChunks(c, rank, 4, dataspace)
	case layoutVirtual:
		c.errorf("a virtual dataset is not followed")
	default:
		c.errorf("class %d", class)
	}
	l := d.layout
	switch n := d.bytes(); {
	case c.err != nil:
	case l.compact != nil:
		if uint64(len(l.compact)) < n {
			c.errorf("%d bytes where shape %d of %s needs %d", len(l.compact), d.Shape, d.Type, n)
		}
	case l.address != undefined && n > 0:
		if l.size < n {
			c.errorf("%d bytes where shape %d of %s needs %d", l.size, d.Shape, d.Type, n)
		} else if l.address > d.file.size || n > d.file.size-l.address {
			c.errorf("%d bytes at %d are not in the file of %d bytes", n, l.address, d.file.size)
		}
	}
	return c.err
}

func (d *Dataset) setFill(messages []message) error {
	body := find(messages, msgFill)
	if body == nil {
		return nil
	}
	c := &cursor{f: d.file, b: body}
	version := c.version("message", 1, 2, 3)
	defined := true // a value follows
	if version == 3 {
		defined = c.u8()&0x20 != 0
	} else {
		c.skip(2)
		defined = c.u8() != 0 || version == 1
	}
	if !defined {
		return c.err
	}
	n := c.u32()
	if n == 0 {
		return c.err
	}
	if d.fill = c.take(int(n)); c.err == nil && int(n) != d.Type.stored {
		c.errorf("%d bytes for an element of %d", n, d.Type.stored)
	}
	return c.err
}

// piece is how many bytes are read at once. It is a multiple of the size of all numbers.
const piece = 1 << 16

// runs is the each of a dataset's array.
func (d *Dataset) runs(visit func(first int, b []byte) error) error {
	l := d.layout
	n := int(d.bytes())
	size := d.Type.stored
	switch {
	case n == 0:
		return nil
	case l.chunks != nil:
		return d.chunkRuns(visit)
	case l.compact != nil:
		return visit(0, l.compact[:n])
	case l.address == undefined:
		return d.fillRuns(visit)
	}
	step := max(1, piece/size)
	b := make([]byte, min(d.n, step)*size)
	for first := 0; first < d.n; first += step {
		b = b[:min(d.n-first, step)*size]
		if err := d.file.read(b, l.address+uint64(first)*uint64(size)); err != nil {
			return err
		}
		if err := visit(first, b); err != nil {
			return err
		}
	}
	return nil
}

// fillRuns visits all elements as the fill value.
func (d *Dataset) fillRuns(visit func(first int, b []byte) error) error {
	size := d.Type.stored
	step := max(1, piece/size)
	b := make([]byte, min(d.n, step)*size)
	if len(d.fill) > 0 {
		for at := 0; at < len(b); at += size {
			copy(b[at:], d.fill)
		}
	}
	for first := 0; first < d.n; first += step {
		if err := visit(first, b[:min(d.n-first, step)*size]); err != nil {
			return err
		}
	}
	return nil
}
