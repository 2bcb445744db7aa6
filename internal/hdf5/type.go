package hdf5

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/espalier-ml/espalier/internal/half"
)

// A Class is a family of types.
type Class byte

const (
	Other  Class = iota // values that are not read: compounds, references, sequences and so on
	Int                 // with a sign; an enumeration has the class of its numbers
	Uint                // without
	Float               // of 2, 4 or 8 bytes by IEEE 754
	String              // of a fixed or of a variable size
)

// A Type is that of an element.
type Type struct {
	Class    Class
	Size     int // of an element in bytes; of a variable string 0
	name     string
	stored   int // bytes of an element in the file
	order    binary.ByteOrder
	variable bool
	brain    bool // a float of 2 bytes is the first half of a float32: bfloat16
	padding  byte // of a fixed string: 0 ends with a zero, 1 is filled up with zeros, 2 with spaces
}

// String returns a name: "float32", "big-endian int64", "string of 12 bytes", "string", "compound".
func (t Type) String() string { return t.name }

var classNames = []string{"integer", "float", "time", "string", "bit field", "opaque", "compound", "reference", "enumeration",
	"sequence", "array"}

func parseType(c *cursor) (Type, error) {
	first := c.u8()
	class := int(first & 15)
	flags := c.uint(3)
	size := c.u32()
	if c.err != nil {
		return Type{}, c.err
	}
	if size == 0 || size > math.MaxInt32 {
		return Type{}, fmt.Errorf("a type of %d bytes", size)
	}
	t := Type{Size: int(size), stored: int(size), name: fmt.Sprint("class ", class), order: binary.LittleEndian}
	if class < len(classNames) {
		t.name = classNames[class]
	}
	prefix := ""
	if flags&1 != 0 {
		t.order, prefix = binary.BigEndian, "big-endian "
	}
	whole := func() bool { return c.u16() == 0 && int(c.u16()) == 8*t.Size } // its bits start at 0 and fill it
	switch class {
	case 0:
		if !whole() || t.Size != 1 && t.Size != 2 && t.Size != 4 && t.Size != 8 {
			break
		}
		t.Class, t.name = Uint, fmt.Sprintf("%suint%d", prefix, 8*t.Size)
		if flags&8 != 0 {
			t.Class, t.name = Int, fmt.Sprintf("%sint%d", prefix, 8*t.Size)
		}
	case 1:
		// exponent's place and size, fraction's place and size, bias; the sign is the last bit, the fraction has a hidden one
		format := [5]uint32{}
		ieee := whole() && flags&0x70 == 0x20 && int(flags>>8) == 8*t.Size-1
		for i := range format {
			format[i] = uint32(c.uint(1 + i/4*3))
		}
		if ieee && (format == [5]uint32{10, 5, 0, 10, 15} || format == [5]uint32{23, 8, 0, 23, 127} || format == [5]uint32{52, 11, 0, 52, 1023}) {
			t.Class, t.name = Float, fmt.Sprintf("%sfloat%d", prefix, 8*t.Size)
		}
	case 3:
		t.Class, t.padding, t.name = String, byte(flags&15), fmt.Sprintf("string of %d bytes", t.Size)
	case 8:
		if base, err := parseType(&cursor{f: c.f, b: c.b}); err == nil && base.Size == t.Size && (base.Class == Int || base.Class == Uint) {
			return base, nil
		}
	case 9:
		if flags&15 == 1 && t.Size == 8+c.f.offset {
			t.Class, t.Size, t.variable, t.name = String, 0, true, "string"
		}
	}
	return t, c.err
}

// number returns a function that converts an element, nil if elements are no numbers.
func number[T float32 | float64 | int64 | uint64](t Type) func([]byte) T {
	o := t.order
	switch {
	case t.Class == Int && t.Size == 1:
		return func(b []byte) T { return T(int8(b[0])) }
	case t.Class == Int && t.Size == 2:
		return func(b []byte) T { return T(int16(o.Uint16(b))) }
	case t.Class == Int && t.Size == 4:
		return func(b []byte) T { return T(int32(o.Uint32(b))) }
	case t.Class == Int:
		return func(b []byte) T { return T(int64(o.Uint64(b))) }
	case t.Class == Uint && t.Size == 1:
		return func(b []byte) T { return T(b[0]) }
	case t.Class == Uint && t.Size == 2:
		return func(b []byte) T { return T(o.Uint16(b)) }
	case t.Class == Uint && t.Size == 4:
		return func(b []byte) T { return T(o.Uint32(b)) }
	case t.Class == Uint:
		return func(b []byte) T { return T(o.Uint64(b)) }
	case t.brain:
		return func(b []byte) T { return T(math.Float32frombits(uint32(o.Uint16(b)) << 16)) }
	case t.Class == Float && t.Size == 2:
		return func(b []byte) T { return T(half.Float32(o.Uint16(b))) }
	case t.Class == Float && t.Size == 4:
		return func(b []byte) T { return T(math.Float32frombits(o.Uint32(b))) }
	case t.Class == Float:
		return func(b []byte) T { return T(math.Float64frombits(o.Uint64(b))) }
	}
	return nil
}
