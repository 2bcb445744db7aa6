package torch

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"

	"github.com/espalier-ml/espalier/internal/brief"
)

// What a pickle can hold here: nil, bool, int64, float64, string, tuple, *list, *dict, *storage, *Tensor, and, where they are
// called or named, global. Everything else is refused.
type (
	tuple  []any
	list   struct{ items []any }
	dict   struct{ keys, values []any }
	global string // of module and name, among those that globals has
	mark   struct{}
)

// storages are the classes of arrays, with the types of their numbers.
var storages = map[global]struct {
	dtype string
	size  int64
}{
	"torch.DoubleStorage": {"F64", 8}, "torch.FloatStorage": {"F32", 4}, "torch.HalfStorage": {"F16", 2}, "torch.BFloat16Storage": {"BF16", 2},
	"torch.LongStorage": {"I64", 8}, "torch.IntStorage": {"I32", 4}, "torch.ShortStorage": {"I16", 2}, "torch.CharStorage": {"I8", 1},
	"torch.ByteStorage": {"U8", 1}, "torch.BoolStorage": {"BOOL", 1},
}

// functions are what a pickle may call: it names them, and what they stand for is here.
var functions = map[global]func(args tuple) (any, error){
	"collections.OrderedDict":         orderedDict,
	"torch._utils._rebuild_tensor":    rebuildTensor,
	"torch._utils._rebuild_tensor_v2": rebuildTensor,
	"torch._utils._rebuild_parameter": rebuildParameter,
}

func orderedDict(args tuple) (any, error) {
	if len(args) > 0 {
		return nil, errors.New("an OrderedDict with arguments")
	}
	return &dict{}, nil
}

// rebuildTensor takes a storage, an offset, a shape and strides; what follows is about gradients.
func rebuildTensor(args tuple) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("a tensor of %d arguments", len(args))
	}
	s, ok := args[0].(*storage)
	offset, ok1 := args[1].(int64)
	shape, ok2 := ints(args[2])
	strides, ok3 := ints(args[3])
	if !ok || !ok1 || !ok2 || !ok3 || len(shape) != len(strides) {
		return nil, errors.New("a tensor needs a storage, an offset, a shape and as many strides")
	}
	return s.tensor(offset, shape, strides)
}

func rebuildParameter(args tuple) (any, error) {
	if len(args) > 0 {
		if t, ok := args[0].(*Tensor); ok {
			return t, nil
		}
	}
	return nil, errors.New("a parameter without a tensor")
}

// ints returns the integers of a tuple. One that int lacks becomes the nearest that it has, which fits into no storage either.
func ints(v any) ([]int, bool) {
	t, ok := v.(tuple)
	all := make([]int, len(t))
	for i, x := range t {
		n, isInt := x.(int64)
		ok = ok && isInt
		all[i] = int(max(math.MinInt, min(n, math.MaxInt)))
	}
	return all, ok
}

// An input is bytes of which it is known how many there are.
type input struct {
	*bufio.Reader
	left   int64
	budget int64 // bytes that what is read may take in memory
}

// newInput allows as much memory as many small objects need, and for what is larger some times the bytes that there are.
func newInput(r io.Reader, size int64) *input {
	return &input{bufio.NewReader(r), size, 4<<20 + 2*size}
}

func (in *input) spend(bytes int) error {
	if in.budget -= int64(bytes); in.budget < 0 {
		return errors.New("its objects take far more memory than the file")
	}
	return nil
}

// take reads n bytes.
func (in *input) take(n uint64) ([]byte, error) {
	if n > uint64(in.left) {
		return nil, fmt.Errorf("%d bytes are left where %d must follow: %w", in.left, n, io.ErrUnexpectedEOF)
	}
	if err := in.spend(int(n)); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(in, b); err != nil {
		return nil, err
	}
	in.left -= int64(n)
	return b, nil
}

// number reads an unsigned number of up to 8 bytes.
func (in *input) number(bytes int) (uint64, error) {
	var b [8]byte
	for i := range bytes {
		c, err := in.one()
		if err != nil {
			return 0, err
		}
		b[i] = c
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

func (in *input) one() (byte, error) {
	if in.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	in.left--
	return in.ReadByte()
}

// text reads a string after its length.
func (in *input) text(bytes int) (string, error) {
	n, err := in.number(bytes)
	if err != nil {
		return "", err
	}
	b, err := in.take(n)
	if err == nil && !utf8.Valid(b) {
		err = errors.New("a string is not valid UTF-8")
	}
	return string(b), err
}

// line reads up to the end of a line.
func (in *input) line() (string, error) {
	var b []byte
	for len(b) <= maxName {
		c, err := in.one()
		if err != nil {
			return "", err
		}
		if c == '\n' {
			return string(b), nil
		}
		b = append(b, c)
	}
	return "", fmt.Errorf("a name has more than %d bytes", maxName)
}

// A pickle is the state of reading one: https://docs.python.org/3/library/pickletools.html says what the codes mean.
type pickle struct {
	*input
	stack   []any
	memo    map[uint64]any
	storage func(id tuple) (*storage, error)
}

// object is about how many bytes an object, its place on the stack and in a list take.
const object = 96

func (p *pickle) push(v any) error {
	p.stack = append(p.stack, v)
	return p.spend(object)
}

func (p *pickle) pop() (any, error) {
	if len(p.stack) == 0 {
		return nil, errors.New("takes from an empty stack")
	}
	v := p.stack[len(p.stack)-1]
	p.stack = p.stack[:len(p.stack)-1]
	if _, ok := v.(mark); ok {
		return nil, errors.New("takes a mark for a value")
	}
	return v, nil
}

// top returns what is on top of the stack, which must be a T.
func top[T any](p *pickle) (T, error) {
	var v T
	ok := false
	if len(p.stack) > 0 {
		v, ok = p.stack[len(p.stack)-1].(T)
	}
	if !ok {
		return v, fmt.Errorf("needs a %T on the stack", v)
	}
	return v, nil
}

// popMark returns what is above the last mark, and takes both away.
func (p *pickle) popMark() (tuple, error) {
	for i := len(p.stack) - 1; i >= 0; i-- {
		if _, ok := p.stack[i].(mark); ok {
			all := append(tuple(nil), p.stack[i+1:]...)
			p.stack = p.stack[:i]
			return all, nil
		}
	}
	return nil, errors.New("has no mark")
}

// readPickle reads one pickle.
func readPickle(in *input, storage func(id tuple) (*storage, error)) (any, error) {
	p := &pickle{input: in, memo: map[uint64]any{}, storage: storage}
	size := in.left
	for {
		code, err := p.one()
		at := size - p.left - 1
		if err == nil && code == '.' {
			v, err := p.pop()
			if err == nil && len(p.stack) > 0 {
				err = errors.New("ends with more than one object")
			}
			if err != nil {
				return nil, fmt.Errorf("pickle: byte %d: %w", at, err)
			}
			return v, nil
		}
		if err == nil {
			err = p.step(code)
		}
		if err != nil {
			return nil, fmt.Errorf("pickle: byte %d: %w", at, err)
		}
	}
}

func (p *pickle) step(code byte) error {
	switch code {
	case 0x80: // PROTO
		_, err := p.one()
		return err
	case 0x95: // FRAME
		_, err := p.number(8)
		return err
	case '(':
		return p.push(mark{})
	case '0':
		_, err := p.pop()
		return err
	case 'N':
		return p.push(nil)
	case 0x88, 0x89:
		return p.push(code == 0x88)
	case 'K':
		return p.pushNumber(1)
	case 'M':
		return p.pushNumber(2)
	case 'J':
		n, err := p.number(4)
		return or(err, func() error { return p.push(int64(int32(n))) })
	case 0x8a: // LONG1
		return p.long()
	case 'G':
		b, err := p.take(8)
		return or(err, func() error { return p.push(math.Float64frombits(binary.BigEndian.Uint64(b))) })
	case 'X', 'T':
		return p.pushText(4)
	case 0x8c, 'U':
		return p.pushText(1)
	case 0x8d:
		return p.pushText(8)
	case ')':
		return p.push(tuple{})
	case 0x85, 0x86, 0x87:
		return p.tuple(int(code - 0x84))
	case 't':
		t, err := p.popMark()
		return or(err, func() error { return p.push(t) })
	case ']':
		return p.push(&list{})
	case '}':
		return p.push(&dict{})
	case 'a', 'e':
		return p.appendItems(code == 'a')
	case 's', 'u':
		return p.setItems(code == 's')
	case 'c', 0x93:
		return p.global(code == 'c')
	case 'R':
		return p.reduce()
	case 'b':
		return p.build()
	case 'Q':
		id, err := top[tuple](p)
		if err != nil {
			return err
		}
		s, err := p.storage(id)
		p.stack[len(p.stack)-1] = s
		return err
	case 'q', 'r', 0x94:
		return p.put(code)
	case 'h', 'j':
		n, err := p.number(map[byte]int{'h': 1, 'j': 4}[code])
		v, ok := p.memo[n]
		if err == nil && !ok {
			err = fmt.Errorf("takes object %d, which it does not have", n)
		}
		return or(err, func() error { return p.push(v) })
	}
	return fmt.Errorf("has the code 0x%02x, which no state dict needs", code)
}

// or returns err, or else what next does.
func or(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}

func (p *pickle) pushNumber(bytes int) error {
	n, err := p.number(bytes)
	return or(err, func() error { return p.push(int64(n)) })
}

func (p *pickle) pushText(bytes int) error {
	s, err := p.text(bytes)
	return or(err, func() error { return p.push(s) })
}

// long pushes an integer that is as long as it says; those of more than 8 bytes, which no tensor has, as a string of its bytes.
func (p *pickle) long() error {
	n, err := p.one()
	if err != nil {
		return err
	}
	b, err := p.take(uint64(n))
	if err != nil {
		return err
	}
	if n > 8 {
		return p.push(string(b))
	}
	fill := byte(0)
	if n > 0 && b[n-1] >= 0x80 {
		fill = 0xff
	}
	b = append(b, bytes.Repeat([]byte{fill}, 8-int(n))...)
	return p.push(int64(binary.LittleEndian.Uint64(b)))
}

func (p *pickle) tuple(n int) error {
	t := make(tuple, n)
	for i := range t {
		v, err := p.pop()
		if err != nil {
			return err
		}
		t[n-1-i] = v
	}
	return p.push(t)
}

// items returns what a code adds to the object below: the last n objects, or those above the mark.
func (p *pickle) items(n int, fixed bool) (tuple, error) {
	if !fixed {
		return p.popMark()
	}
	if err := p.tuple(n); err != nil {
		return nil, err
	}
	t, err := p.pop()
	if err != nil {
		return nil, err
	}
	return t.(tuple), nil
}

func (p *pickle) appendItems(one bool) error {
	items, err := p.items(1, one)
	if err != nil {
		return err
	}
	l, err := top[*list](p)
	if err == nil {
		l.items = append(l.items, items...)
	}
	return err
}

func (p *pickle) setItems(one bool) error {
	items, err := p.items(2, one)
	if err != nil {
		return err
	}
	d, err := top[*dict](p)
	if err == nil && len(items)%2 != 0 {
		err = errors.New("a key has no value")
	}
	for i := 0; err == nil && i < len(items); i += 2 {
		d.keys, d.values = append(d.keys, items[i]), append(d.values, items[i+1])
	}
	return err
}

// global pushes a name, from two lines of text or two strings on the stack. A name that is not known is refused here, before
// anything could be made of it.
func (p *pickle) global(text bool) error {
	var module, name string
	var err error
	if text {
		if module, err = p.line(); err == nil {
			name, err = p.line()
		}
	} else {
		var two tuple
		if two, err = p.items(2, true); err == nil {
			var ok, ok2 bool
			module, ok = two[0].(string)
			name, ok2 = two[1].(string)
			if !ok || !ok2 {
				err = errors.New("a name is not a string")
			}
		}
	}
	if err != nil {
		return err
	}
	g := global(module + "." + name)
	if _, ok := storages[g]; !ok && functions[g] == nil {
		return &RefusedError{string(g)}
	}
	return p.push(g)
}

// A RefusedError is what a file holds besides tensors, dictionaries, lists, tuples, strings and numbers.
type RefusedError struct {
	Name string // of a class or a function of Python: "torch.nn.modules.linear.Linear"
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("holds %s, which is refused: only tensors, dictionaries, lists, tuples, strings and numbers are read, and nothing is executed; "+
		"of a whole module, save the weights: torch.save(model.state_dict(), path)", brief.Quote(e.Name))
}

func (p *pickle) reduce() error {
	args, err := p.pop()
	if err != nil {
		return err
	}
	g, err := top[global](p)
	if err != nil {
		return err
	}
	t, ok := args.(tuple)
	function := functions[g]
	if !ok || function == nil {
		return fmt.Errorf("cannot call %s with a %T", brief.Quote(string(g)), args)
	}
	v, err := function(t)
	p.stack[len(p.stack)-1] = v
	return or(err, func() error { return p.spend(object) })
}

// build drops what a dictionary has besides its items: the versions of the modules.
func (p *pickle) build() error {
	if _, err := p.pop(); err != nil {
		return err
	}
	_, err := top[*dict](p)
	return err
}

func (p *pickle) put(code byte) error {
	n, err := uint64(len(p.memo)), error(nil)
	switch code {
	case 'q':
		n, err = p.number(1)
	case 'r':
		n, err = p.number(4)
	}
	if err != nil {
		return err
	}
	v, err := p.pop()
	if err != nil {
		return err
	}
	p.memo[n] = v
	return errors.Join(p.push(v), p.spend(object))
}
