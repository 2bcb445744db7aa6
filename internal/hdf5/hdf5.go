// Package hdf5 reads and writes what models need of HDF5 (the HDF5 File Format Specification, version 3.0): groups,
// datasets of numbers and strings, and their attributes.
//
// It reads superblocks 0 to 3, object headers 1 and 2, groups as symbol tables, as links and as dense links, datasets
// that are compact, contiguous or in chunks with any index that the format has, the filters deflate, shuffle and
// fletcher32, integers, floats, strings of fixed and of variable size, and attributes in headers and in heaps. It writes
// the oldest of these layouts, which all readers know.
//
// A file is never trusted. Nothing outside of it is opened: soft and external links, external storage, virtual datasets
// and an object with a second hard link are errors that name the path. No size is believed before the file is known to
// have as many bytes, structures together can't be read more than about twice, and values together have at most
// the bound of a [File]; so overlapping structures, cycles and bombs end soon. Nothing that a file holds panics.
package hdf5

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// A File is an open file. It is not safe for use by several goroutines at once.
//
// All datasets that are opened together have at most 4 bytes per byte of the file and 4 MB more, when each of their values
// counts as 4 bytes or as its size, whichever is larger. Only a file of compressed constants is beyond.
type File struct {
	in         io.ReaderAt
	size       uint64 // of the file without what is before its signature
	offset     int    // bytes of an address
	length     int    // bytes of a size
	structures int64  // bytes of structures that may still be read
	values     int64  // bytes of values that may still be opened
	unchecked  bool   // checksums are not compared: fuzzing would end at them
	sharing    bool   // the header that is read holds a message for another one
	objects    map[uint64]*object
	heaps      map[uint64]globalHeap
	root       *Group
}

const signature = "\x89HDF\r\n\x1a\n"

var errFormat = errors.New("not an HDF5 file")

// Open reads the start of a file of size bytes. Errors of the content name the path that they are at.
func Open(r io.ReaderAt, size int64) (*File, error) {
	return open(&File{in: r}, size)
}

func open(f *File, size int64) (*File, error) {
	start := make([]byte, len(signature))
	for at := int64(0); ; at = max(512, 2*at) { // a block of the user's may come first
		if at > size-int64(len(start)) {
			return nil, fmt.Errorf("hdf5: %w", errFormat)
		}
		if _, err := f.in.ReadAt(start, at); err != nil {
			return nil, fmt.Errorf("hdf5: %w", noEOF(err))
		}
		if string(start) == signature {
			f.in, f.size = io.NewSectionReader(f.in, at, size-at), uint64(size-at)
			break
		}
	}
	f.structures = 2*int64(f.size) + 1<<16
	f.values = f.most()
	f.objects = map[uint64]*object{}
	f.heaps = map[uint64]globalHeap{}
	root, err := f.superblock()
	if err != nil {
		return nil, fmt.Errorf("hdf5: superblock: %w", err)
	}
	o, err := f.object(root, nil, "")
	if err != nil {
		return nil, err
	}
	if o.group == nil {
		return nil, errors.New("hdf5: the root is not a group")
	}
	f.root = o.group
	return f, nil
}

// Root returns the group that all paths start from.
func (f *File) Root() *Group { return f.root }

// superblock returns the address of the root's header.
func (f *File) superblock() (uint64, error) {
	f.offset, f.length = 8, 8
	c := f.at(8, 8)
	version := c.u8()
	switch version {
	case 0, 1:
		c.skip(4)
		f.offset, f.length = int(c.u8()), int(c.u8())
	case 2, 3:
		f.offset, f.length = int(c.u8()), int(c.u8())
	default:
		c.errorf("version %d; 0 to 3 are known", version)
	}
	for _, n := range []int{f.offset, f.length} {
		if c.err == nil && n != 2 && n != 4 && n != 8 {
			c.errorf("addresses of %d and sizes of %d bytes; 2, 4 and 8 are known", f.offset, f.length)
		}
	}
	if c.err != nil {
		return 0, c.err
	}
	if version >= 2 {
		c := f.checked(0, uint64(12+4*f.offset+4))
		c.skip(12 + 3*f.offset) // addresses of the base, of the extension, of the end
		return c.address(), c.err
	}
	c = f.at(24+4*uint64(version), uint64(6*f.offset))
	c.skip(5 * f.offset) // addresses of the base, of free space, of the end, of the driver; offset of the root's name
	return c.address(), c.err
}

// at returns a cursor over n bytes of structure, which it reads.
func (f *File) at(address, n uint64) *cursor {
	c := &cursor{f: f}
	switch {
	case address > f.size || n > f.size-address:
		c.errorf("%d bytes at %d are not in the file of %d bytes", n, address, f.size)
	case int64(n) > f.structures:
		c.errorf("structures overlap: more has been read than the file has")
	default:
		f.structures -= max(8, int64(n)) // so that nothing is read for ever
		c.b = make([]byte, n)
		c.err = f.read(c.b, address)
	}
	return c
}

// checked is at for a block that ends with its checksum.
func (f *File) checked(address, n uint64) *cursor {
	c := f.at(address, n)
	c.checksum()
	return c
}

// read fills b from an address. It believes that the address is in the file.
func (f *File) read(b []byte, address uint64) error {
	_, err := f.in.ReadAt(b, int64(address))
	if err == io.EOF && len(b) == 0 {
		return nil
	}
	return noEOF(err)
}

// hold counts n bytes of values.
func (f *File) hold(n uint64) error {
	if n > uint64(f.values) {
		return fmt.Errorf("its values need %d bytes, more than a file of %d bytes is believed to hold", n, f.size)
	}
	f.values -= int64(n)
	return nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// product returns a*b, or a number that no file has room for.
func product(a, b uint64) uint64 {
	if b != 0 && a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}

// most returns the bytes of values that the file is believed to hold.
func (f *File) most() int64 { return 4*int64(f.size) + 4<<20 }
