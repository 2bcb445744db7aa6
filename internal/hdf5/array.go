package hdf5

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unsafe"

	"github.com/espalier-ml/espalier/internal/narrow"
)

// maxRank is how many dimensions HDF5 has.
const maxRank = 32

// An array is what a dataset and an attribute have in common: elements of one type in a shape, row by row. A shape
// without dimensions is that of one element; an array without any data has the shape [0].
type array struct {
	Type  Type
	Shape []int
	f     *File
	n     int   // elements
	err   error // that there is no way to the elements
	owner func(error) error
	// each calls visit with all elements, as runs that start with the element first. What was never written comes as
	// the fill value before that.
	each func(visit func(first int, b []byte) error) error
}

// newArray parses a type and a shape. Its error belongs to the content: another type can be in the place of this one.
func newArray(f *File, datatype, dataspace []byte) (array, error) {
	a := array{f: f}
	var err error
	if a.Type, err = parseType(&cursor{f: f, b: datatype}); err != nil {
		return a, err
	}
	c := &cursor{f: f, b: dataspace}
	version := c.version("dataspace", 1, 2)
	rank := int(c.u8())
	c.skip(1)
	if version == 1 {
		c.skip(5)
	} else if kind := c.u8(); kind == 2 && c.err == nil {
		a.Shape = []int{0}
		return a, nil
	}
	if rank > maxRank {
		c.errorf("%d dimensions; HDF5 has at most %d", rank, maxRank)
	}
	n := uint64(1)
	a.Shape = make([]int, 0, max(0, min(rank, maxRank)))
	for range rank {
		d := c.size()
		if d > math.MaxInt64 {
			c.errorf("a dimension of %d", d)
		}
		a.Shape = append(a.Shape, int(d))
		n = product(n, d)
	}
	if c.err == nil && product(n, uint64(max(16, a.Type.stored))) == math.MaxInt64 {
		c.errorf("shape %d is too large", a.Shape)
	}
	a.n = int(n)
	return a, c.err
}

// bytes returns how many bytes the elements have in the file.
func (a *array) bytes() uint64 { return uint64(a.n) * uint64(a.Type.stored) }

// Len returns the number of elements.
func (a *array) Len() int { return a.n }

// Float32s returns the elements in dst if that has room for them, else in new memory. A float64 is rounded. One beyond the range
// of float32, an integer that float32 does not have, such as 2^24+1, and elements that are not numbers are errors.
func (a *array) Float32s(dst []float32) ([]float32, error) {
	switch t := a.Type; {
	case t.Class == Float && t.Size == 4 && t.order == little && nativeLittle: // as in most models
		return values(a, dst, func(dst []float32, b []byte) error {
			copy(memory(dst), b)
			return nil
		})
	case t.Class == Float && t.Size == 8:
		return narrowed(a, dst, narrow.Float)
	case t.Class == Int && t.Size >= 4:
		return narrowed(a, dst, narrow.Int[int64])
	case t.Class == Uint && t.Size >= 4:
		return narrowed(a, dst, narrow.Int[uint64])
	}
	return numbers(a, dst)
}

// narrowed returns numbers that float32 may not have.
func narrowed[T float64 | int64 | uint64](a *array, dst []float32, to func(T) (float32, error)) ([]float32, error) {
	convert, size := number[T](a.Type), a.Type.Size
	return values(a, dst, func(dst []float32, b []byte) (err error) {
		for i := range dst {
			if dst[i], err = to(convert(b[i*size:])); err != nil {
				return err
			}
		}
		return nil
	})
}

// Float64s returns the elements. An integer beyond 2^53 is rounded; elements that are not numbers are an error.
func (a *array) Float64s() ([]float64, error) { return numbers[float64](a, nil) }

// Int64s returns the elements. Elements that are not integers are an error. One beyond 2^63 wraps around.
func (a *array) Int64s() ([]int64, error) {
	if a.Type.Class == Float && a.n > 0 {
		return nil, a.owner(fmt.Errorf("its type %s has no integers", a.Type))
	}
	return numbers[int64](a, nil)
}

// nativeLittle says whether this machine has numbers in memory as a little-endian file has them.
var nativeLittle = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// memory returns the bytes that numbers have in memory.
func memory[T float32 | int32 | int64 | uint32](v []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*binary.Size(T(0)))
}

func numbers[T float32 | float64 | int64](a *array, dst []T) ([]T, error) {
	convert := number[T](a.Type)
	if convert == nil {
		return nil, a.owner(fmt.Errorf("its type %s has no numbers", a.Type))
	}
	size := a.Type.Size
	return values(a, dst, func(dst []T, b []byte) error {
		for i := range dst {
			dst[i] = convert(b[i*size:])
		}
		return nil
	})
}

// values returns the elements that convert puts into a part of dst from as many elements of the file.
func values[T any](a *array, dst []T, convert func(dst []T, b []byte) error) ([]T, error) {
	if a.err != nil {
		return nil, a.owner(a.err)
	}
	if cap(dst) < a.n {
		dst = make([]T, a.n)
	}
	dst = dst[:a.n]
	err := a.each(func(first int, b []byte) error {
		return convert(dst[first:first+len(b)/a.Type.stored], b)
	})
	if err != nil {
		return nil, a.owner(err)
	}
	return dst, nil
}

// Strings returns the elements. Elements that are not strings are an error, but where there are none: Keras writes an
// empty list of names as numbers.
func (a *array) Strings() ([]string, error) {
	if a.err != nil {
		return nil, a.owner(a.err)
	}
	if a.n == 0 {
		return []string{}, nil
	}
	if a.Type.Class != String {
		return nil, a.owner(fmt.Errorf("its type %s has no strings", a.Type))
	}
	room := a.f.most()
	if n := int64(a.n); n > room/16 {
		return nil, a.owner(fmt.Errorf("%d strings are more than a file of %d bytes is believed to hold", a.n, a.f.size))
	}
	room -= 16 * int64(a.n)
	list := make([]string, a.n)
	err := a.each(func(first int, b []byte) error {
		for i := first; len(b) > 0; i++ {
			s, err := a.text(b[:a.Type.stored])
			if err != nil {
				return err
			}
			if room -= int64(len(s)); room < 0 {
				return fmt.Errorf("its strings are longer than a file of %d bytes is believed to hold", a.f.size)
			}
			list[i] = s
			b = b[a.Type.stored:]
		}
		return nil
	})
	if err != nil {
		return nil, a.owner(err)
	}
	return list, nil
}

// Text returns the one string that there is. Another number of elements and another type are an error.
func (a *array) Text() (string, error) {
	if a.err == nil && a.n != 1 {
		return "", a.owner(fmt.Errorf("it has %d elements, not one", a.n))
	}
	list, err := a.Strings()
	if err != nil {
		return "", err
	}
	return list[0], nil
}

func (a *array) text(b []byte) (string, error) {
	if !a.Type.variable {
		switch a.Type.padding {
		case 0:
			return untilZero(b), nil
		case 1:
			return string(bytes.TrimRight(b, "\x00")), nil
		default:
			return string(bytes.TrimRight(b, " ")), nil
		}
	}
	c := &cursor{f: a.f, b: b}
	n, address, index := c.u32(), c.address(), c.u32()
	if n == 0 || c.err != nil {
		return "", c.err
	}
	heap, err := a.f.globalHeap(address)
	if err != nil {
		return "", err
	}
	s, ok := heap[index]
	if !ok || uint64(n) > uint64(len(s)) {
		return "", fmt.Errorf("a string of %d bytes is not in its heap", n)
	}
	s, _, _ = strings.Cut(s[:n], "\x00")
	return s, nil
}

// untilZero returns the bytes before the first zero.
func untilZero(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}
