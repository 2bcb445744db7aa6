package torch

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/safetensors"
)

const (
	maxName  = 4096 // bytes of a name
	maxDepth = 64   // of dictionaries in dictionaries
)

// A Tensor is an array of a file. Its numbers are read when they are asked for.
type Tensor struct {
	Name  string
	DType string // as safetensors calls it: F32, F16, BF16, F64, I64, ...
	Shape []int
	read  func() ([]float32, error)
}

// Floats reads the numbers, row by row. They become float32 as [safetensors.Read] says. The file must still be open.
func (t *Tensor) Floats() ([]float32, error) {
	v, err := t.read()
	if err != nil {
		return nil, brief.Error(fmt.Errorf("torch: tensor %s: %w", brief.Quote(t.Name), err))
	}
	return v, nil
}

// Tensors returns what a file of the given size holds, in the order of the file, without reading the numbers: safetensors, what
// torch.save has written, and what it wrote before version 1.6. The tensors of a dictionary in a dictionary have names with a
// dot, as model_state_dict.fc.weight; what is not a tensor is left out. They are not for several goroutines.
func Tensors(r io.ReaderAt, size int64) ([]*Tensor, error) {
	tensors, err := readTensors(r, size)
	if err != nil {
		return nil, brief.Error(fmt.Errorf("torch: %w", err))
	}
	return tensors, nil
}

func readTensors(r io.ReaderAt, size int64) ([]*Tensor, error) {
	var start [len(legacyMagic)]byte
	n, err := r.ReadAt(start[:], 0)
	switch head := string(start[:n]); {
	case err != nil && err != io.EOF:
		return nil, err
	case strings.HasPrefix(head, "PK\x03\x04"):
		return readZip(r, size)
	case head == legacyMagic:
		return readLegacy(r, size)
	case n > 8 && head[8] == '{':
		return readSafetensors(r, size)
	}
	return nil, errors.New("is neither safetensors nor what torch.save writes: save the weights with torch.save(model.state_dict(), path)")
}

func readSafetensors(r io.ReaderAt, size int64) ([]*Tensor, error) {
	header, err := safetensors.ReadHeader(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, err
	}
	h, err := safetensors.ParseHeader(header)
	if err != nil {
		return nil, err
	}
	end := int64(len(header))
	if n := len(h.Tensors); n > 0 {
		end += h.Tensors[n-1].End
	}
	if end != size {
		return nil, fmt.Errorf("the file has %d bytes, its header says %d", size, end)
	}
	var all []*Tensor
	for _, t := range h.Tensors {
		read := func() ([]float32, error) {
			numbers := io.NewSectionReader(r, int64(len(header))+t.Begin, t.End-t.Begin)
			return safetensors.ReadNumbers(numbers, t.DType, elements(t.Shape))
		}
		all = append(all, &Tensor{t.Name, t.DType, t.Shape, read})
	}
	return all, nil
}

// elements returns how many numbers a shape has, -1 if it has a negative dimension or too many.
func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 {
			return -1
		}
		if d == 0 {
			n = 0
		}
	}
	for _, d := range shape {
		if n > 0 && d > math.MaxInt/n {
			return -1
		}
		n *= d
	}
	return n
}

// A storage is the numbers that one or several tensors are views of.
type storage struct {
	dtype string
	size  int64 // of a number, in bytes
	count int64 // of numbers
	read  func() ([]byte, error)
}

// newStorage makes one of a persistent id: ("storage", class, key, device, count), and in old files what part of another storage
// it is.
func newStorage(id tuple) (key string, s *storage, err error) {
	if len(id) >= 5 && (len(id) == 5 || id[5] == nil) {
		kind, _ := id[0].(string)
		class, _ := id[1].(global)
		key, ok := id[2].(string)
		count, ok2 := id[4].(int64)
		if of, known := storages[class]; known && ok && ok2 && kind == "storage" && count >= 0 && count <= math.MaxInt64/8 {
			return key, &storage{dtype: of.dtype, size: of.size, count: count}, nil
		}
	}
	return "", nil, errors.New("a storage needs a class, a key, a device and a count")
}

// tensor is a view of the storage.
func (s *storage) tensor(offset int64, shape, strides []int) (*Tensor, error) {
	n := elements(shape)
	last, fits := offset, n >= 0 && offset >= 0 && offset <= s.count
	for i, d := range shape {
		if step := int64(strides[i]); n > 0 && d > 1 && fits {
			if fits = step >= 0 && (step == 0 || int64(d-1) <= s.count/step); fits {
				last += int64(d-1) * step
				fits = last < s.count
			}
		}
	}
	if !fits || n > 0 && last >= s.count {
		return nil, fmt.Errorf("a tensor of shape %s with strides %s from number %d on does not fit into a storage of %d numbers",
			briefInts(shape), briefInts(strides), offset, s.count)
	}
	return &Tensor{DType: s.dtype, Shape: shape, read: func() ([]float32, error) {
		if int64(n) > s.count {
			return nil, fmt.Errorf("shape %s has more numbers than the %d of its storage", briefInts(shape), s.count)
		}
		if n == 0 {
			return nil, nil
		}
		b, err := s.read()
		if err != nil {
			return nil, err
		}
		span, err := safetensors.ReadNumbers(bytes.NewReader(b[offset*s.size:]), s.dtype, int(last-offset+1))
		if err != nil || slices.Equal(strides, rowMajor(shape)) {
			return span, err
		}
		all := make([]float32, 0, n)
		each(shape, strides, func(i int) { all = append(all, span[i]) })
		return all, nil
	}}, nil
}

// rowMajor returns the strides of an array that lies row by row.
func rowMajor(shape []int) []int {
	strides := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = n
		n *= shape[i]
	}
	return strides
}

// each calls f with the place of each element of an array, row by row.
func each(shape, strides []int, f func(i int)) {
	if len(shape) == 0 {
		f(0)
		return
	}
	for i := range shape[0] {
		each(shape[1:], strides[1:], func(j int) { f(i*strides[0] + j) })
	}
}

func briefInts(v []int) string { return fmt.Sprint(v[:min(len(v), 33)]) }

func readZip(r io.ReaderAt, size int64) ([]*Tensor, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, err
	}
	entries := make(map[string]*zip.File, len(z.File))
	var root string
	for _, f := range z.File {
		if entries[f.Name] != nil {
			return nil, fmt.Errorf("entry %s is there twice", brief.Quote(f.Name))
		}
		entries[f.Name] = f
		if folder, ok := strings.CutSuffix(f.Name, "/data.pkl"); ok && !strings.Contains(folder, "/") {
			root = folder
		}
	}
	if entries[root+"/constants.pkl"] != nil {
		return nil, errors.New("is a TorchScript archive, which holds a program: save the weights with torch.save(torch.jit.load(path).state_dict(), other)")
	}
	if root == "" {
		return nil, fmt.Errorf("is a zip file without data.pkl, not what torch.save writes: it has %s", brief.QuoteAll(slices.Sorted(maps.Keys(entries))))
	}
	read := func(name string) ([]byte, error) {
		f := entries[root+"/"+name]
		if f == nil {
			return nil, fmt.Errorf("entry %s is missing", brief.Quote(root+"/"+name))
		}
		b, err := readEntry(f, size)
		if err != nil {
			return nil, fmt.Errorf("entry %s: %w", brief.Quote(f.Name), err)
		}
		return b, nil
	}
	swap := false
	if entries[root+"/byteorder"] != nil {
		order, err := read("byteorder")
		if err != nil {
			return nil, err
		}
		if swap = string(order) == "big"; !swap && string(order) != "little" {
			return nil, fmt.Errorf("the byte order is %s, valid are little and big", brief.Quote(string(order)))
		}
	}
	text, err := read("data.pkl")
	if err != nil {
		return nil, err
	}
	var last *storage // the one whose bytes are kept: the tensors of a recurrent layer may share one
	var kept []byte
	in := newInput(bytes.NewReader(text), int64(len(text)))
	in.budget += size
	v, err := readPickle(in, func(id tuple) (*storage, error) {
		key, s, err := newStorage(id)
		if err != nil {
			return nil, err
		}
		f := entries[root+"/data/"+key]
		if f == nil || f.UncompressedSize64 != uint64(s.count*s.size) {
			return nil, fmt.Errorf("there is no entry %s of %d bytes", brief.Quote(root+"/data/"+key), s.count*s.size)
		}
		s.read = func() ([]byte, error) {
			if last != s {
				b, err := read("data/" + key)
				if err != nil {
					return nil, err
				}
				if swap {
					reverse(b, s.size)
				}
				last, kept = s, b
			}
			return kept, nil
		}
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return flatten(in, v)
}

// readEntry reads an entry and checks its sum.
func readEntry(f *zip.File, size int64) ([]byte, error) {
	if f.Method != zip.Store {
		return nil, errors.New("is compressed, which torch.save never does")
	}
	if f.UncompressedSize64 > uint64(size) {
		return nil, fmt.Errorf("has %d bytes in a file of %d", f.UncompressedSize64, size)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, f.UncompressedSize64)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	if _, err = r.Read(make([]byte, 1)); err != io.EOF { // which tells whether the sum is right
		return nil, err
	}
	return b, nil
}

// reverse turns numbers of size bytes around.
func reverse(b []byte, size int64) {
	for ; len(b) > 0; b = b[size:] {
		slices.Reverse(b[:size])
	}
}

// legacyMagic is the pickle of the number that files began with before version 1.6.
const legacyMagic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."

// readLegacy reads four pickles, the number, a version, the machine and the object; then one with the keys of the storages,
// which follow, each after its count.
func readLegacy(r io.ReaderAt, size int64) ([]*Tensor, error) {
	byKey := map[string]*storage{}
	in := newInput(io.NewSectionReader(r, 0, size), size)
	pickled := func() (any, error) {
		return readPickle(in, func(id tuple) (*storage, error) {
			key, s, err := newStorage(id)
			if err == nil && byKey[key] == nil {
				byKey[key] = s
			}
			return byKey[key], err
		})
	}
	var parts [5]any
	var err error
	for i := range parts {
		if parts[i], err = pickled(); err != nil {
			return nil, err
		}
	}
	machine, ok := parts[2].(*dict)
	keys, ok2 := parts[4].(*list)
	if parts[1] != int64(1001) || !ok || !ok2 {
		return nil, errors.New("is not version 1001 of the format before PyTorch 1.6: load it there and save it again")
	}
	swap := false
	for i, k := range machine.keys {
		if k == "little_endian" {
			swap = machine.values[i] == false
		}
	}
	for _, k := range keys.items {
		key, _ := k.(string)
		s := byKey[key]
		if s == nil || s.read != nil {
			return nil, fmt.Errorf("no tensor has the storage %s, or two have it", brief.Quote(key))
		}
		b, err := in.take(8)
		if err != nil {
			return nil, err
		}
		if swap {
			slices.Reverse(b)
		}
		begin := size - in.left
		if n := binary.LittleEndian.Uint64(b); n != uint64(s.count) || s.count*s.size > in.left {
			return nil, fmt.Errorf("storage %s has %d numbers in %d bytes, must have %d", brief.Quote(key), n, in.left, s.count)
		}
		s.read = func() ([]byte, error) {
			b := make([]byte, s.count*s.size)
			_, err := r.ReadAt(b, begin)
			if swap {
				reverse(b, s.size)
			}
			return b, err
		}
		in.Discard(int(s.count * s.size))
		in.left -= s.count * s.size
	}
	for key, s := range byKey {
		if s.read == nil {
			return nil, fmt.Errorf("storage %s is missing", brief.Quote(key))
		}
	}
	return flatten(in, parts[3])
}

// flatten returns the tensors in a dictionary and in what it holds.
func flatten(in *input, v any) ([]*Tensor, error) {
	if _, ok := v.(*dict); !ok {
		return nil, fmt.Errorf("holds a %T, must hold a dictionary of tensors: torch.save(model.state_dict(), path)", v)
	}
	var all []*Tensor
	seen := map[string]bool{}
	var visit func(name string, v any, depth int) error
	visit = func(name string, v any, depth int) error {
		if err := in.spend(object + len(name)); err != nil { // an object can be in several places
			return err
		}
		if depth > maxDepth || len(name) > maxName {
			return fmt.Errorf("%s is in more than %d dictionaries, or its name has more than %d bytes", brief.Quote(name), maxDepth, maxName)
		}
		within := func(key string, v any) error {
			if depth > 0 {
				key = name + "." + key
			}
			return visit(key, v, depth+1)
		}
		switch v := v.(type) {
		case *Tensor:
			if seen[name] {
				return fmt.Errorf("two tensors have the name %s", brief.Quote(name))
			}
			seen[name] = true
			t := *v
			t.Name = name
			all = append(all, &t)
		case *dict:
			for i, k := range v.keys {
				if !isText(k) {
					return fmt.Errorf("a dictionary %s has a key of type %T", brief.Quote(name), k)
				}
				if err := within(fmt.Sprint(k), v.values[i]); err != nil {
					return err
				}
			}
		case *list:
			return visitAll(v.items, within)
		case tuple:
			return visitAll(v, within)
		}
		return nil
	}
	return all, visit("", v, 0)
}

func visitAll(items []any, within func(key string, v any) error) error {
	for i, v := range items {
		if err := within(strconv.Itoa(i), v); err != nil {
			return err
		}
	}
	return nil
}

func isText(key any) bool {
	switch key.(type) {
	case string, int64, float64, bool, nil:
		return true
	}
	return false
}
