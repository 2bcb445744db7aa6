package hdf5

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"slices"
)

// A filter is a step that chunks went through when they were written.
type filter struct {
	id     uint16
	values []uint32
}

const (
	filterDeflate    = 1
	filterShuffle    = 2
	filterFletcher32 = 3
)

var filterNames = map[uint16]string{4: "szip", 5: "nbit", 6: "scaleoffset", 307: "bzip2", 32000: "lzf", 32001: "blosc", 32004: "lz4",
	32013: "zfp", 32015: "zstd"}

func parseFilters(c *cursor) ([]filter, error) {
	version := c.version("message", 1, 2)
	n := int(c.u8())
	if version == 1 {
		c.skip(6)
	}
	var filters []filter
	for range n {
		l := filter{id: c.u16()}
		nameSize := 0
		if version == 1 || l.id >= 256 {
			nameSize = int(c.u16())
		}
		c.skip(2)
		count := int(c.u16())
		if version == 1 {
			nameSize = (nameSize + 7) &^ 7
		}
		c.skip(nameSize)
		for range count {
			if c.err != nil {
				break
			}
			l.values = append(l.values, c.u32())
		}
		if version == 1 && count%2 == 1 {
			c.skip(4)
		}
		if c.err != nil {
			return nil, c.err
		}
		if l.id < filterDeflate || l.id > filterFletcher32 {
			return nil, fmt.Errorf("filter %d %s is not known; known: deflate, shuffle, fletcher32", l.id, filterNames[l.id])
		}
		if slices.ContainsFunc(filters, func(o filter) bool { return o.id == l.id }) {
			return nil, fmt.Errorf("filter %d twice", l.id)
		}
		filters = append(filters, l)
	}
	return filters, nil
}

// A pipeline undoes the filters of chunks. Its buffers are used for one chunk after another.
type pipeline struct {
	filters []filter
	size    int // bytes of a chunk
	element int // bytes of an element
	raw     []byte
	out     []byte
	inflate io.ReadCloser
}

// chunk reads a chunk and returns its elements, which last until the next one.
func (p *pipeline) chunk(f *File, c chunk, plain bool) ([]byte, error) {
	if c.address > f.size || c.size > f.size-c.address {
		return nil, fmt.Errorf("%d bytes at %d are not in the file of %d bytes", c.size, c.address, f.size)
	}
	if uint64(cap(p.raw)) < c.size {
		p.raw = make([]byte, c.size)
	}
	b := p.raw[:c.size]
	if err := f.read(b, c.address); err != nil {
		return nil, err
	}
	for i, l := range slices.Backward(p.filters) {
		if plain || c.mask>>i&1 != 0 {
			continue
		}
		var err error
		switch l.id {
		case filterDeflate:
			b, err = p.decompress(b)
		case filterShuffle:
			b, err = p.unshuffle(b, l)
		case filterFletcher32:
			if len(b) < 4 || fletcher32(b[:len(b)-4]) != little.Uint32(b[len(b)-4:]) {
				err = errors.New("fletcher32: a checksum is wrong")
			} else {
				b = b[:len(b)-4]
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if len(b) != p.size {
		return nil, fmt.Errorf("%d bytes, not %d", len(b), p.size)
	}
	return b, nil
}

// other returns room for n bytes that are not those of b.
func (p *pipeline) other(b []byte, n int) []byte {
	if cap(p.out) < n {
		p.out = make([]byte, n)
	}
	out := p.out[:n]
	p.raw, p.out = p.out, p.raw // b is in raw
	return out
}

// decompress returns what b inflates to, at most the bytes of a chunk and of a checksum.
func (p *pipeline) decompress(b []byte) ([]byte, error) {
	var err error
	if p.inflate == nil {
		p.inflate, err = zlib.NewReader(bytes.NewReader(b))
	} else {
		err = p.inflate.(zlib.Resetter).Reset(bytes.NewReader(b), nil)
	}
	if err != nil {
		return nil, fmt.Errorf("deflate: %w", err)
	}
	out := p.other(b, p.size+5)
	n, err := io.ReadFull(p.inflate, out)
	switch {
	case err == nil:
		return nil, fmt.Errorf("deflate: more than %d bytes", p.size)
	case err != io.ErrUnexpectedEOF && err != io.EOF:
		return nil, fmt.Errorf("deflate: %w", err)
	}
	return out[:n], nil
}

// unshuffle brings the bytes of each element together: b has the first bytes of all elements, then the second ones.
func (p *pipeline) unshuffle(b []byte, l filter) ([]byte, error) {
	size := p.element
	if len(l.values) > 0 {
		size = int(l.values[0])
	}
	if size < 1 || size > p.size {
		return nil, fmt.Errorf("shuffle: elements of %d bytes", size)
	}
	n := len(b) / size
	out := p.other(b, len(b))
	for i := range size {
		for j, x := range b[i*n : (i+1)*n] {
			out[j*size+i] = x
		}
	}
	copy(out[n*size:], b[n*size:])
	return out, nil
}

// fletcher32 is the checksum of a chunk: two sums of its 16-bit words, the first byte of a word being the higher one.
func fletcher32(b []byte) uint32 {
	var first, second uint32
	for len(b) > 0 {
		block := b[:min(len(b), 720)]
		b = b[len(block):]
		for ; len(block) > 1; block = block[2:] {
			first += uint32(block[0])<<8 | uint32(block[1])
			second += first
		}
		if len(block) == 1 {
			first += uint32(block[0]) << 8
			second += first
		}
		first = first&0xffff + first>>16
		second = second&0xffff + second>>16
	}
	first = first&0xffff + first>>16
	second = second&0xffff + second>>16
	return second<<16 | first
}
