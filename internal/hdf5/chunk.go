package hdf5

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// Chunks are blocks of one shape that a dataset is cut into, each stored by itself.
type chunks struct {
	shape   []int
	bytes   uint64 // of a chunk
	grid    []int  // chunks along each dimension that hold elements
	limits  []int  // chunks along each dimension if it has grown as far as it may, -1 if that is without end
	count   uint64 // of the grid
	filters []filter
	index   byte
	whole   bool  // chunks that stick out of the shape are stored without filters
	single  chunk // the only one, of index indexSingle
	stored  []storedChunk
	indexed bool // stored is known
}

// A chunk is where one of them is.
type chunk struct {
	address uint64
	size    uint64 // bytes in the file
	mask    uint32 // filters that were left out
}

// Kinds of indexes.
const (
	indexBTree1     = 0
	indexSingle     = 1
	indexImplicit   = 2
	indexFixed      = 3
	indexExtensible = 4
	indexBTree2     = 5
)

// setChunks reads the shape of a chunk, which has a dimension more than the dataset: the bytes of an element.
func (d *Dataset) setChunks(c *cursor, rank, width int, dataspace []byte) error {
	k := &chunks{bytes: 1, count: 1}
	if c.err == nil && rank != len(d.Shape)+1 {
		c.errorf("chunks of %d dimensions in a dataset of %d", rank-1, len(d.Shape))
	}
	for i := range d.Shape {
		n := c.uint(width)
		if c.err == nil && (n == 0 || n > math.MaxInt64) {
			c.errorf("a chunk's dimension of %d", n)
		}
		if c.err != nil {
			return c.err
		}
		k.shape = append(k.shape, int(n))
		k.bytes = product(k.bytes, n)
		k.grid = append(k.grid, ceil(d.Shape[i], int(n)))
		k.count = product(k.count, uint64(k.grid[i]))
	}
	if n := c.uint(width); c.err == nil && n != uint64(d.Type.stored) {
		c.errorf("chunks of elements of %d bytes in a dataset of %d", n, d.Type.stored)
	}
	k.bytes = product(k.bytes, uint64(d.Type.stored))
	if c.err == nil && k.count > 0 && k.bytes > uint64(d.file.most()) {
		c.errorf("a chunk of %d bytes is more than a file of %d bytes is believed to hold", k.bytes, d.file.size)
	}
	most := &cursor{f: d.file, b: dataspace}
	version, n, flags := most.u8(), int(most.u8()), most.u8()
	most.skip(map[byte]int{1: 5, 2: 1}[version] + n*d.file.length)
	for i := range d.Shape {
		size := uint64(d.Shape[i])
		if flags&1 != 0 {
			size = most.size()
		}
		switch {
		case size == undefined>>(64-8*d.file.length):
			k.limits = append(k.limits, -1)
		case size > math.MaxInt64:
			most.errorf("a dimension may grow to %d", size)
		default:
			k.limits = append(k.limits, ceil(int(size), k.shape[i]))
		}
	}
	if c.err == nil {
		c.err = most.err
	}
	d.layout.chunks = k
	return c.err
}

// ceil returns how many parts of n make up a.
func ceil(a, n int) int {
	if a == 0 {
		return 0
	}
	return (a-1)/n + 1
}

func (d *Dataset) setChunks4(c *cursor, dataspace []byte) error {
	flags, rank, width := c.u8(), int(c.u8()), int(c.u8())
	if c.err == nil && (width < 1 || width > 8) {
		c.errorf("dimensions of %d bytes", width)
	}
	if err := d.setChunks(c, rank, width, dataspace); err != nil {
		return err
	}
	k := d.layout.chunks
	k.whole = flags&1 != 0
	k.index = c.u8()
	k.single.size = k.bytes
	switch k.index {
	case indexSingle:
		if flags&2 != 0 {
			k.single.size, k.single.mask = c.size(), c.u32()
		}
	case indexImplicit:
	case indexFixed:
		c.skip(1)
	case indexExtensible:
		c.skip(5)
	case indexBTree2:
		c.skip(6)
	default:
		c.errorf("an index of kind %d for chunks", k.index)
	}
	d.layout.address = c.address()
	k.single.address = d.layout.address
	return c.err
}

// chunkRuns visits the elements of all chunks, after those that were never written.
func (d *Dataset) chunkRuns(visit func(first int, b []byte) error) error {
	k := d.layout.chunks
	if err := d.readIndex(); err != nil {
		return err
	}
	if uint64(len(k.stored)) < k.count {
		if err := d.fillRuns(visit); err != nil {
			return err
		}
	}
	p := pipeline{filters: k.filters, size: int(k.bytes), element: d.Type.stored}
	for _, s := range k.stored {
		b, err := p.chunk(d.file, s.chunk, k.whole && d.sticksOut(s.at))
		if err == nil {
			err = d.scatter(s.at, b, visit)
		}
		if err != nil {
			return fmt.Errorf("chunk at %d: %w", s.at, err)
		}
	}
	return nil
}

// sticksOut reports whether a chunk is partly outside of the shape.
func (d *Dataset) sticksOut(at []int) bool {
	for i, n := range d.layout.chunks.shape {
		if d.Shape[i]-at[i] < n {
			return true
		}
	}
	return false
}

// scatter visits the elements of the chunk at a place row by row, without those outside of the shape.
func (d *Dataset) scatter(at []int, b []byte, visit func(first int, b []byte) error) error {
	shape := d.layout.chunks.shape
	last := len(shape) - 1
	if last < 0 {
		return visit(0, b)
	}
	row := min(shape[last], d.Shape[last]-at[last]) * d.Type.stored
	place := make([]int, last) // of the row in the chunk
	for {
		first, from := 0, 0
		for i := range place {
			first = first*d.Shape[i] + at[i] + place[i]
			from = from*shape[i] + place[i]
		}
		first = first*d.Shape[last] + at[last]
		from *= shape[last] * d.Type.stored
		if err := visit(first, b[from:from+row]); err != nil {
			return err
		}
		i := last - 1
		for ; i >= 0; i-- {
			if place[i]++; place[i] < shape[i] && at[i]+place[i] < d.Shape[i] {
				break
			}
			place[i] = 0
		}
		if i < 0 {
			return nil
		}
	}
}

// A storedChunk is a chunk with the place of its first element.
type storedChunk struct {
	chunk
	at []int
}

// readIndex reads which chunks there are, once.
func (d *Dataset) readIndex() error {
	k := d.layout.chunks
	if k.indexed {
		return nil
	}
	seen := map[uint64]bool{}
	err := d.eachChunk(func(c chunk, at []uint64) error {
		if c.address == undefined {
			return nil
		}
		number := uint64(0)
		place := make([]int, len(k.grid))
		for i, n := range k.grid {
			if at[i] >= uint64(n) {
				return nil // the shape has become smaller
			}
			number = number*uint64(n) + at[i]
			place[i] = int(at[i]) * k.shape[i]
		}
		if seen[number] {
			return fmt.Errorf("two chunks at %d", place)
		}
		seen[number] = true
		k.stored = append(k.stored, storedChunk{c, place})
		return nil
	})
	if err != nil {
		k.stored = nil
		return fmt.Errorf("index of chunks: %w", err)
	}
	k.indexed = true
	return nil
}

// eachChunk calls visit with all chunks of the index and their places in the grid.
func (d *Dataset) eachChunk(visit func(c chunk, at []uint64) error) error {
	f, k, rank := d.file, d.layout.chunks, len(d.Shape)
	address := d.layout.address
	if address == undefined {
		return nil
	}
	at := make([]uint64, rank)
	switch k.index {
	case indexBTree1:
		return f.btree1(address, 1, 8+8*(rank+1), func(key *cursor, child uint64) error {
			c := chunk{child, uint64(key.u32()), key.u32()}
			for i := range at {
				offset := key.uint(8)
				if offset%uint64(k.shape[i]) != 0 {
					return errors.New("a chunk is not at a multiple of its shape")
				}
				at[i] = offset / uint64(k.shape[i])
			}
			return visit(c, at)
		})
	case indexSingle:
		return visit(k.single, at)
	case indexBTree2:
		kind, size := byte(recordChunk), 0
		if len(k.filters) > 0 {
			kind, size = recordFilteredChunk, k.sizeBytes()
		}
		return f.btree2(address, kind, func(r *cursor) error {
			c := k.entry(r, size)
			for i := range at {
				at[i] = r.uint(8)
			}
			if r.err != nil {
				return r.err
			}
			return visit(c, at)
		})
	}
	// The others are arrays of chunks, numbered row by row in a grid that is as large as it may become.
	number := uint64(0)
	order := make([]int, 0, rank) // of dimensions: one without end comes first
	for i, n := range k.limits {
		if n < 0 {
			order = append(order, i)
		}
	}
	if len(order) > 1 || len(order) == 1 && k.index != indexExtensible {
		return errors.New("an array of chunks in dimensions without end")
	}
	for i, n := range k.limits {
		if n >= 0 {
			order = append(order, i)
		}
	}
	last := uint64(0) // the number of the last chunk that is in the shape
	for _, i := range order {
		last = product(last, uint64(max(0, k.limits[i]))) + uint64(max(0, k.grid[i]-1))
	}
	next := func(c chunk) error {
		rest := number
		for j := rank - 1; j >= 0; j-- {
			i := order[j]
			if at[i] = rest; j > 0 {
				n := uint64(max(1, k.limits[i]))
				at[i], rest = rest%n, rest/n
			}
		}
		number++
		return visit(c, at)
	}
	a := &chunkArray{f: f, k: k, left: last + 1, next: next, skip: func(n uint64) { number += n }}
	if last >= math.MaxInt64 {
		return errors.New("an array of too many chunks")
	}
	if k.count == 0 {
		return nil
	}
	switch k.index {
	case indexImplicit:
		if len(k.filters) > 0 {
			return errors.New("an implicit index of filtered chunks")
		}
		for n := range a.left {
			if err := next(chunk{address + product(n, k.bytes), k.bytes, 0}); err != nil {
				return err
			}
		}
		return nil
	case indexFixed:
		return a.fixed(address)
	default:
		return a.extensible(address)
	}
}

// sizeBytes returns how many bytes the size of a filtered chunk has in an index.
func (k *chunks) sizeBytes() int { return min(8, 1+(bits.Len64(k.bytes)+7)/8) }

// entry reads a chunk's address and, if it is filtered, its size and mask.
func (k *chunks) entry(c *cursor, sizeBytes int) chunk {
	e := chunk{address: c.address(), size: k.bytes}
	if sizeBytes > 0 {
		e.size, e.mask = c.uint(sizeBytes), c.u32()
	}
	return e
}
