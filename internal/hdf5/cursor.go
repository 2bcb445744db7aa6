package hdf5

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

var little = binary.LittleEndian

// undefined is the address of what does not exist.
const undefined = ^uint64(0)

// A cursor reads the fields of a structure in turn. After the first error all fields are zero.
type cursor struct {
	f   *File
	b   []byte
	err error
}

var errShort = errors.New("a structure ends within a field")

func (c *cursor) errorf(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
	c.b = nil
}

// take returns the next n bytes, nil if there are fewer.
func (c *cursor) take(n int) []byte {
	if c.err == nil && uint64(n) > uint64(len(c.b)) {
		c.err = errShort
	}
	if c.err != nil {
		c.b = nil
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) skip(n int) { c.take(n) }

// uint reads an integer of up to 8 bytes.
func (c *cursor) uint(size int) uint64 {
	var b [8]byte
	copy(b[:], c.take(size))
	return little.Uint64(b[:])
}

func (c *cursor) u8() byte    { return byte(c.uint(1)) }
func (c *cursor) u16() uint16 { return uint16(c.uint(2)) }
func (c *cursor) u32() uint32 { return uint32(c.uint(4)) }
func (c *cursor) size() uint64 {
	return c.uint(c.f.length)
}

// address reads an address. All ones is undefined.
func (c *cursor) address() uint64 {
	a := c.uint(c.f.offset)
	if c.err == nil && a == undefined>>(64-8*c.f.offset) {
		return undefined
	}
	return a
}

// is reads a signature and a version. Another signature is an error, as is another version than those given.
func (c *cursor) is(signature string, versions ...byte) byte {
	if b := c.take(len(signature)); c.err == nil && string(b) != signature {
		c.errorf("%q is where %q should be", b, signature)
	}
	return c.version(signature, versions...)
}

func (c *cursor) version(of string, versions ...byte) byte {
	version := c.u8()
	if c.err == nil {
		for _, v := range versions {
			if v == version {
				return version
			}
		}
		c.errorf("%s of version %d; known: %d", of, version, versions)
	}
	return 0
}

// checksum compares the last four bytes with the checksum of all others, and leaves it out.
func (c *cursor) checksum() {
	if c.err == nil && len(c.b) < 4 {
		c.err = errShort
	}
	if c.err != nil {
		return
	}
	n := len(c.b) - 4
	if !c.f.unchecked && lookup3(c.b[:n]) != little.Uint32(c.b[n:]) {
		c.errorf("a checksum is wrong")
		return
	}
	c.b = c.b[:n]
}

// lookup3 is the checksum of structures: hashlittle of Bob Jenkins' lookup3 with an initial value of zero.
func lookup3(k []byte) uint32 {
	a := 0xdeadbeef + uint32(len(k))
	b, c := a, a
	rot := bits.RotateLeft32
	for ; len(k) > 12; k = k[12:] {
		a, b, c = a+little.Uint32(k), b+little.Uint32(k[4:]), c+little.Uint32(k[8:])
		a = (a - c) ^ rot(c, 4)
		c += b
		b = (b - a) ^ rot(a, 6)
		a += c
		c = (c - b) ^ rot(b, 8)
		b += a
		a = (a - c) ^ rot(c, 16)
		c += b
		b = (b - a) ^ rot(a, 19)
		a += c
		c = (c - b) ^ rot(b, 4)
		b += a
	}
	if len(k) == 0 {
		return c
	}
	var rest [12]byte
	copy(rest[:], k)
	a, b, c = a+little.Uint32(rest[:]), b+little.Uint32(rest[4:]), c+little.Uint32(rest[8:])
	c = (c ^ b) - rot(b, 14)
	a = (a ^ c) - rot(c, 11)
	b = (b ^ a) - rot(a, 25)
	c = (c ^ b) - rot(b, 16)
	a = (a ^ c) - rot(c, 4)
	b = (b ^ a) - rot(a, 14)
	return (c ^ b) - rot(b, 24)
}
