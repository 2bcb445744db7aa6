package hdf5

import (
	"fmt"
	"math/bits"
)

// A chunkArray reads an index of chunks that is a fixed or an extensible array.
type chunkArray struct {
	f         *File
	k         *chunks
	sizeBytes int // of a filtered chunk's size
	entry     int // bytes of an entry
	offset    int // bytes of a block's offset
	left      uint64
	next      func(chunk) error // takes the next chunk
	skip      func(n uint64)    // passes over chunks that were never written
}

// start reads what the headers of both arrays have in common.
func (a *chunkArray) start(c *cursor, signature string) {
	c.is(signature, 0)
	filtered := c.u8()
	a.entry = int(c.u8())
	want := a.f.offset
	if len(a.k.filters) > 0 {
		a.sizeBytes = a.k.sizeBytes()
		want += a.sizeBytes + 4
	}
	if c.err == nil && (a.entry != want || filtered != 0 != (a.sizeBytes > 0)) {
		c.errorf("entries of %d bytes, not %d", a.entry, want)
	}
}

// entries takes n chunks, but not more than are left.
func (a *chunkArray) entries(c *cursor, n uint64) error {
	for n = min(n, a.left); n > 0 && c.err == nil; n-- {
		e := a.k.entry(c, a.sizeBytes)
		if c.err != nil {
			break
		}
		a.left--
		if err := a.next(e); err != nil {
			return err
		}
	}
	return c.err
}

// missing passes over n chunks.
func (a *chunkArray) missing(n uint64) {
	n = min(n, a.left)
	a.left -= n
	a.skip(n)
}

// pages takes n chunks in pages, each with a checksum. Those that the bits from the given one on do not have were never
// written.
func (a *chunkArray) pages(address, n, page uint64, written []byte, bit uint64) error {
	for i := bit; n > 0 && a.left > 0; i++ {
		m := min(n, page)
		size := m*uint64(a.entry) + 4
		if i/8 >= uint64(len(written)) {
			return errShort
		}
		if written[i/8]>>(7-i%8)&1 == 0 {
			a.missing(m)
		} else if err := a.entries(a.f.checked(address, size), m); err != nil {
			return err
		}
		address += size
		n -= m
	}
	return nil
}

func (a *chunkArray) fixed(address uint64) error {
	f := a.f
	c := f.checked(address, uint64(8+f.length+f.offset+4))
	a.start(c, "FAHD")
	pageBits := c.u8()
	n, block := c.size(), c.address()
	if c.err != nil || block == undefined {
		return c.err
	}
	if n > f.size || pageBits > 32 {
		return fmt.Errorf("%d chunks in pages of %d bits", n, pageBits)
	}
	prefix := uint64(6 + f.offset)
	if page := uint64(1) << pageBits; n > page {
		written := ((n-1)/page)/8 + 1 // bytes
		c := f.checked(block, prefix+written+4)
		c.is("FADB", 0)
		c.skip(1 + f.offset)
		return a.pages(block+prefix+written+4, n, page, c.take(int(written)), 0)
	}
	c = f.checked(block, prefix+n*uint64(a.entry)+4)
	c.is("FADB", 0)
	c.skip(1 + f.offset)
	return a.entries(c, n)
}

// extensible reads an array whose index block has some chunks, the addresses of some data blocks, and those of super
// blocks, which have the addresses of all others. Super block s has 2^(s/2) data blocks of 2^((s+1)/2) times the
// smallest number of chunks.
func (a *chunkArray) extensible(address uint64) error {
	f := a.f
	c := f.checked(address, uint64(12+6*f.length+f.offset+4))
	a.start(c, "EAHD")
	maxBits, inIndex := int(c.u8()), uint64(c.u8())
	smallest, pointers := uint64(c.u8()), uint64(c.u8())
	pageBits := c.u8()
	c.skip(6 * f.length)
	block := c.address()
	if c.err != nil || block == undefined {
		return c.err
	}
	smallestBits, ok1 := logOf(smallest)
	pointerBits, ok2 := logOf(pointers)
	if !ok1 || !ok2 || maxBits > 64 || smallestBits > maxBits || pageBits > 32 || 2*pointerBits > 1+maxBits-smallestBits {
		return fmt.Errorf("an extensible array of %d bits with %d chunks and %d pointers", maxBits, smallest, pointers)
	}
	a.offset = (maxBits + 7) / 8
	supers := 1 + maxBits - smallestBits
	direct := 2 * pointerBits // super blocks whose data blocks are in the index block
	prefix := uint64(6 + f.offset)
	c = f.checked(block, prefix+inIndex*uint64(a.entry)+(2*(pointers-1)+uint64(supers-direct))*uint64(f.offset)+4)
	c.is("EAIB", 0)
	c.skip(1 + f.offset)
	if err := a.entries(c, inIndex); err != nil {
		return err
	}
	page := uint64(1) << pageBits
	for s := 0; s < supers && a.left > 0; s++ {
		blocks, n := uint64(1)<<(s/2), smallest<<((s+1)/2)
		written := 0 // bytes per block that say which pages were written: as bits of all blocks, one after the other
		if n > page {
			written = int((n/page-1)/8 + 1)
		}
		if s < direct {
			for range blocks {
				if err := a.dataBlock(c.address(), n, page, nil, 0); err != nil {
					return err
				}
			}
			if c.err != nil {
				return c.err
			}
			continue
		}
		super := c.address()
		if c.err != nil {
			return c.err
		}
		if super == undefined {
			a.missing(product(blocks, n))
			continue
		}
		size := product(blocks, uint64(written+f.offset))
		if size > f.size {
			return errShort
		}
		c := f.checked(super, prefix+uint64(a.offset)+size+4)
		c.is("EASB", 0)
		c.skip(1 + f.offset + a.offset)
		all := c.take(int(blocks) * written)
		for i := range int(blocks) {
			if a.left == 0 {
				break
			}
			if err := a.dataBlock(c.address(), n, page, all, uint64(i)*(n/page)); err != nil {
				return err
			}
			if c.err != nil {
				return c.err
			}
		}
	}
	return nil
}

func (a *chunkArray) dataBlock(address, n, page uint64, written []byte, bit uint64) error {
	if a.left == 0 {
		return nil
	}
	if address == undefined {
		a.missing(n)
		return nil
	}
	f := a.f
	prefix := uint64(6 + f.offset + a.offset)
	if n > page {
		c := f.checked(address, prefix+4)
		c.is("EADB", 0)
		if c.err != nil {
			return c.err
		}
		return a.pages(address+prefix+4, n, page, written, bit)
	}
	c := f.checked(address, prefix+product(n, uint64(a.entry))+4)
	c.is("EADB", 0)
	c.skip(1 + f.offset + a.offset)
	return a.entries(c, n)
}

// logOf returns the logarithm of a power of two, false for another number.
func logOf(n uint64) (int, bool) { return bits.TrailingZeros64(n), bits.OnesCount64(n) == 1 }
