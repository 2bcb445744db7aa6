package hdf5

import (
	"fmt"
	"math/bits"
)

// A globalHeap is a collection of strings by number. They share its memory.
type globalHeap map[uint32]string

func (f *File) globalHeap(address uint64) (globalHeap, error) {
	if h, ok := f.heaps[address]; ok {
		return h, nil
	}
	start := uint64(8+f.length+7) &^ 7
	c := f.at(address, start)
	c.is("GCOL", 1)
	c.skip(3)
	size := c.size()
	if c.err == nil && size < start {
		c.err = errShort
	}
	if c.err != nil {
		return nil, fmt.Errorf("global heap: %w", c.err)
	}
	if c = f.at(address+start, size-start); c.err != nil {
		return nil, fmt.Errorf("global heap: %w", c.err)
	}
	all := string(c.b)
	h := globalHeap{}
	for uint64(len(c.b)) >= start {
		index := uint32(c.u16())
		c.skip(6)
		n := c.size()
		c.skip(-f.length & 7)
		if index == 0 { // what is free
			break
		}
		from := len(all) - len(c.b)
		if n > uint64(len(c.b)) {
			return nil, fmt.Errorf("global heap: %w", errShort)
		}
		h[index] = all[from : from+int(n)]
		c.skip(min(int(n+7)&^7, len(c.b)))
	}
	f.heaps[address] = h
	return h, c.err
}

// A fractalHeap holds the messages of dense links and attributes: objects in blocks of a table whose rows double.
type fractalHeap struct {
	f             *File
	idSize        int
	huge          uint64 // address of the B-tree of objects that are too large for blocks
	width         uint64
	start         uint64 // bytes of a block in the first two rows
	maxDirect     uint64 // bytes of the largest block that holds objects
	offsetSize    int
	lengthSize    int
	root          uint64
	rows          int // of the root; 0 if it is a block of objects
	hugeAddresses map[uint64][2]uint64
}

func (f *File) fractalHeap(address uint64) (*fractalHeap, error) {
	c := f.checked(address, uint64(22+12*f.length+3*f.offset+4))
	c.is("FRHP", 0)
	h := &fractalHeap{f: f}
	h.idSize = int(c.u16())
	filters := c.u16()
	c.skip(1)
	maxManaged := c.u32()
	c.skip(f.length)
	h.huge = c.address()
	c.skip(f.length + f.offset + 8*f.length) // free space, statistics
	h.width = uint64(c.u16())
	h.start, h.maxDirect = c.size(), c.size()
	heapBits := int(c.u16())
	c.skip(2)
	h.root, h.rows = c.address(), int(c.u16())
	powers := bits.OnesCount64(h.width) == 1 && bits.OnesCount64(h.start) == 1 && bits.OnesCount64(h.maxDirect) == 1
	switch {
	case c.err != nil:
	case filters != 0:
		c.errorf("its blocks are filtered, which is not known")
	case !powers || h.start > h.maxDirect || h.maxDirect > 1<<32 || heapBits < 1 || heapBits > 64 || h.rows > 64:
		c.errorf("blocks of %d to %d bytes in %d columns, %d bits", h.start, h.maxDirect, h.width, heapBits)
	}
	h.offsetSize = (heapBits + 7) / 8
	h.lengthSize = min((bits.Len64(h.maxDirect)+6)/8, bytesFor(uint64(maxManaged)))
	if c.err != nil {
		return nil, fmt.Errorf("fractal heap: %w", c.err)
	}
	return h, nil
}

// bytesFor returns how many bytes hold a number.
func bytesFor(n uint64) int { return max(1, (bits.Len64(n)+7)/8) }

// get returns an object.
func (h *fractalHeap) get(id []byte) ([]byte, error) {
	c := &cursor{f: h.f, b: id}
	switch kind := c.u8() >> 4; kind { // with the version, 0
	case 0:
		offset, n := c.uint(h.offsetSize), c.uint(h.lengthSize)
		if c.err != nil {
			return nil, fmt.Errorf("fractal heap: %w", c.err)
		}
		return h.managed(offset, n)
	case 1:
		return h.hugeObject(c)
	default:
		return nil, fmt.Errorf("fractal heap: an object of unknown kind %d", kind)
	}
}

// managed returns n bytes at an offset of the heap, which is counted through all blocks.
func (h *fractalHeap) managed(offset, n uint64) ([]byte, error) {
	f := h.f
	address, rows := h.root, h.rows
	size := h.start
	for rows > 0 {
		// The table has the rows of h.rowSize.
		row, first := 0, uint64(0)
		for row < rows && offset-first >= product(h.width, h.rowSize(row)) {
			first += product(h.width, h.rowSize(row))
			row++
		}
		if row == rows || address == undefined {
			return nil, fmt.Errorf("fractal heap: no block has offset %d", offset)
		}
		size = h.rowSize(row)
		column := (offset - first) / size
		offset = (offset - first) % size
		entry := uint64(5+f.offset+h.offsetSize) + (uint64(row)*h.width+column)*uint64(f.offset)
		at := f.at(address+entry, uint64(f.offset))
		address = at.address()
		if at.err != nil {
			return nil, fmt.Errorf("fractal heap: %w", at.err)
		}
		if size <= h.maxDirect {
			break
		}
		if size/h.start/h.width == 0 {
			return nil, fmt.Errorf("fractal heap: a block of %d bytes has no rows", size)
		}
		rows = bits.Len64(size / h.start / h.width)
	}
	if address == undefined || offset > size || n > size-offset {
		return nil, fmt.Errorf("fractal heap: an object is not in its block")
	}
	c := f.at(address+offset, n)
	return c.b, c.err
}

// rowSize returns the bytes of a block in a row.
func (h *fractalHeap) rowSize(row int) uint64 {
	return product(h.start, 1<<min(62, max(0, row-1)))
}

// hugeObject returns an object that is outside of blocks, at the address which a B-tree has under its number.
func (h *fractalHeap) hugeObject(id *cursor) ([]byte, error) {
	f := h.f
	if h.idSize-1 >= f.offset+f.length {
		return f.huge(id)
	}
	if h.hugeAddresses == nil {
		h.hugeAddresses = map[uint64][2]uint64{}
		err := f.btree2(h.huge, recordHuge, func(c *cursor) error {
			address, n := c.address(), c.size()
			h.hugeAddresses[c.size()] = [2]uint64{address, n}
			return c.err
		})
		if err != nil {
			return nil, err
		}
	}
	key := id.uint(min(h.idSize-1, f.length))
	at, ok := h.hugeAddresses[key]
	if !ok {
		return nil, fmt.Errorf("fractal heap: no object %d", key)
	}
	c := f.at(at[0], at[1])
	return c.b, c.err
}

func (f *File) huge(id *cursor) ([]byte, error) {
	address, n := id.address(), id.size()
	if id.err != nil {
		return nil, id.err
	}
	c := f.at(address, n)
	return c.b, c.err
}
