package hdf5

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
)

// A Node is a group or a dataset of a file that will be written. [NewFile] returns its root. The first error of a node, such as a
// name that is taken, is that of [Node.Write].
type Node struct {
	root     *Node
	err      error // of the root
	path     string
	depth    int
	children map[string]*Node // of a group
	attrs    []newAttr
	kind     datatype // of a dataset
	shape    []int
	values   any
	address  uint64 // of a dataset's values
}

// A newAttr is an attribute that will be written: a scalar of the text, if list is nil.
type newAttr struct {
	name string
	text string
	list []string
}

// A datatype is the message of a type.
type datatype struct {
	size    int
	message []byte
}

var (
	float32Type = datatype{4, []byte{0x11, 0x20, 31, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0}}
	int32Type   = datatype{4, []byte{0x10, 0x08, 0, 0, 4, 0, 0, 0, 0, 0, 32, 0}}
	int64Type   = datatype{8, []byte{0x10, 0x08, 0, 0, 8, 0, 0, 0, 0, 0, 64, 0}}
	uint32Type  = datatype{4, []byte{0x10, 0, 0, 0, 4, 0, 0, 0, 0, 0, 32, 0}}
	textType    = datatype{16, []byte{0x19, 1, 1, 0, 16, 0, 0, 0, 0x10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0}} // UTF-8 of any length
)

// stringType is that of UTF-8 strings of n bytes, filled up with zeros.
func stringType(n int) datatype {
	return datatype{n, little.AppendUint32([]byte{0x13, 0x11, 0, 0}, uint32(n))}
}

// maxAttr is how many bytes Keras puts into an attribute before it splits a list.
const maxAttr = 64512

// NewFile returns the root of an empty file.
func NewFile() *Node {
	n := &Node{path: "/", children: map[string]*Node{}}
	n.root = n
	return n
}

func (n *Node) errorf(format string, args ...any) {
	if n.root.err == nil {
		n.root.err = fmt.Errorf("hdf5: %s: %w", brief.Quote(n.path), fmt.Errorf(format, args...))
	}
}

// Group returns the group at a path from here, "a" or "a/b". It is made if there is none, as are those on the way.
func (n *Node) Group(path string) *Node {
	for name := range strings.SplitSeq(path, "/") {
		child := n.children[name]
		if child == nil {
			child = n.add(name)
			child.children = map[string]*Node{}
		}
		if child.children == nil {
			child.errorf("it is a dataset, not a group")
			child.children = map[string]*Node{}
		}
		n = child
	}
	return n
}

func (n *Node) add(name string) *Node {
	child := &Node{root: n.root, path: strings.TrimSuffix(n.path, "/") + "/" + name, depth: n.depth + 1}
	if child.depth > maxDepth {
		child.errorf("it is within more than %d groups", maxDepth)
	}
	if name == "" || name == "." || len(name) > maxName || strings.Contains(name, "\x00") {
		child.errorf("a name must have 1 to %d bytes, none of them zero, and not be a dot", maxName)
	}
	n.children[name] = child
	return child
}

// Dataset adds a dataset at a path from here. Its values, which are those of the shape row by row, are a []float32,
// []int32, []int64 or []uint32; they are not copied.
func (n *Node) Dataset(path string, shape []int, values any) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		n, path = n.Group(path[:i]), path[i+1:]
	}
	if n.children[path] != nil {
		n.children[path].errorf("there are two of this name")
		return
	}
	d := n.add(path)
	d.shape, d.values = slices.Clone(shape), values
	have := 0
	switch v := values.(type) {
	case []float32:
		have, d.kind = len(v), float32Type
	case []int32:
		have, d.kind = len(v), int32Type
	case []int64:
		have, d.kind = len(v), int64Type
	case []uint32:
		have, d.kind = len(v), uint32Type
	default:
		d.errorf("values of type %T; known: []float32, []int32, []int64, []uint32", values)
		return
	}
	want := uint64(1)
	for _, size := range shape {
		want = product(want, uint64(max(0, size)))
	}
	if len(shape) > maxRank || want != uint64(have) {
		d.errorf("%d values in shape %d", have, shape)
	}
}

// SetText sets an attribute to a string of any length.
func (n *Node) SetText(name, text string) { n.set(newAttr{name: name, text: text}) }

// SetStringList sets an attribute to a list of strings. Where it is too long for a header, it is split as Keras splits
// it, into name0, name1 and so on; one string alone must not be.
func (n *Node) SetStringList(name string, list []string) {
	width := 1
	for _, s := range list {
		width = max(width, len(s))
	}
	if width > maxAttr {
		n.errorf("attribute %s: a string of %d bytes; one of a list has at most %d", brief.Quote(name), width, maxAttr)
		return
	}
	parts := 1
	for (len(list)+parts-1)/parts*width > maxAttr {
		parts++
	}
	if parts == 1 {
		n.set(newAttr{name: name, list: append([]string{}, list...)})
		return
	}
	for i := range parts {
		// The first ones have one string more if there is a remainder.
		each, more := len(list)/parts, len(list)%parts
		part := list[i*each+min(i, more) : (i+1)*each+min(i+1, more)]
		n.set(newAttr{name: fmt.Sprint(name, i), list: slices.Clone(part)})
	}
}

func (n *Node) set(a newAttr) {
	taken := slices.ContainsFunc(n.attrs, func(o newAttr) bool { return o.name == a.name })
	switch {
	case taken:
		n.errorf("two attributes %s", brief.Quote(a.name))
	case a.name == "" || len(a.name) > maxAttrName || strings.Contains(a.name, "\x00"):
		n.errorf("attribute %s: a name must have 1 to %d bytes, none of them zero", brief.Quote(a.name), maxAttrName)
	case strings.Contains(a.text, "\x00") || slices.ContainsFunc(a.list, func(s string) bool { return strings.Contains(s, "\x00") }):
		n.errorf("attribute %s: a string holds a zero, which ends it for most readers", brief.Quote(a.name))
	}
	n.attrs = append(n.attrs, a)
}

// maxAttrName leaves room for maxAttr in a message, whose size has 16 bits.
const maxAttrName = 512

// names returns the children's names in the order of their bytes, which is that of symbol tables.
func (n *Node) names() []string {
	names := make([]string, 0, len(n.children))
	for name := range n.children {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Write writes the file whose root this is: the superblock, the values of all datasets, and then everything that
// describes them, which by then knows where they are. The same calls give the same bytes.
func (n *Node) Write(w io.Writer) error {
	if n != n.root {
		return errors.New("hdf5: only a root can be written")
	}
	if n.err != nil {
		return n.err
	}
	p := &printer{base: superblockSize, leaf: 4}
	p.place(n)
	p.texts()
	root := p.header(n)
	if p.leaf > math.MaxInt16 {
		p.err = fmt.Errorf("hdf5: a group has more than %d members", 2*treeSize*math.MaxInt16)
	}
	if p.err != nil {
		return p.err
	}
	out := bufio.NewWriter(w)
	out.Write(p.superblock(root)) // its error is that of Flush
	p.values(out, n)
	out.Write(p.b)
	if err := out.Flush(); err != nil {
		return fmt.Errorf("hdf5: %w", err)
	}
	return nil
}

const (
	superblockSize = 96
	treeSize       = 2 * 16 // children of a B-tree's node
)

// A printer holds the structures of a file, which follow the values.
type printer struct {
	b     []byte
	base  uint64 // address of b
	leaf  int    // half of the entries of a node of symbols: enough for all groups to need one node of a B-tree
	heap  uint64 // address of the texts
	text  []string
	index int // of the next text
	err   error
}

// place gives values their addresses, and collects texts in the order in which they will be used.
func (p *printer) place(n *Node) {
	for _, name := range n.names() {
		p.place(n.children[name])
	}
	for _, a := range n.attrs {
		if a.list == nil && a.text != "" {
			p.text = append(p.text, a.text)
		}
	}
	p.leaf = max(p.leaf, ceil(len(n.children), 2*treeSize))
	if n.children == nil {
		n.address = p.base
		p.base += uint64(binary.Size(n.values)+7) &^ 7
	}
}

// values writes the values in the order of place.
func (p *printer) values(out *bufio.Writer, n *Node) {
	for _, name := range n.names() {
		p.values(out, n.children[name])
	}
	if n.children != nil {
		return
	}
	switch v := n.values.(type) {
	case []float32:
		writeNumbers(out, v)
	case []int32:
		writeNumbers(out, v)
	case []int64:
		writeNumbers(out, v)
	case []uint32:
		writeNumbers(out, v)
	}
	out.Write(make([]byte, -binary.Size(n.values)&7))
}

// writeNumbers writes numbers as little-endian.
func writeNumbers[T float32 | int32 | int64 | uint32](out *bufio.Writer, v []T) {
	if nativeLittle {
		out.Write(memory(v))
	} else {
		_ = binary.Write(out, little, v) // the error stays in out
	}
}

// here returns the address of what comes next, after bytes that make it a multiple of 8.
func (p *printer) here() uint64 {
	p.pad()
	return p.base + uint64(len(p.b))
}

func (p *printer) pad()         { p.zero(-len(p.b) & 7) }
func (p *printer) zero(n int)   { p.b = append(p.b, make([]byte, n)...) }
func (p *printer) u16(n int)    { p.b = little.AppendUint16(p.b, uint16(n)) }
func (p *printer) u32(n int)    { p.b = little.AppendUint32(p.b, uint32(n)) }
func (p *printer) u64(n uint64) { p.b = little.AppendUint64(p.b, n) }

// texts writes the global heap.
func (p *printer) texts() {
	if len(p.text) == 0 {
		return
	}
	if len(p.text) > math.MaxUint16 {
		p.err = fmt.Errorf("hdf5: %d attributes with a text; a file has at most %d", len(p.text), math.MaxUint16)
		return
	}
	const least = 4096 // bytes of a collection
	p.heap = p.here()
	start := len(p.b)
	p.b = append(p.b, "GCOL\x01\x00\x00\x00"...)
	p.u64(0)
	for i, s := range p.text {
		p.u16(i + 1)
		p.u16(1) // references
		p.u32(0)
		p.u64(uint64(len(s)))
		p.b = append(p.b, s...)
		p.pad()
	}
	free := max(16, least-(len(p.b)-start))
	p.zero(8)
	p.u64(uint64(free))
	p.zero(free - 16)
	little.PutUint64(p.b[start+8:], uint64(len(p.b)-start))
}

// header writes the header of an object, after its children, and returns its address.
func (p *printer) header(n *Node) uint64 {
	var messages []message
	if n.children != nil {
		tree, heap := p.symbols(n)
		messages = []message{{msgSymbols, little.AppendUint64(little.AppendUint64(nil, tree), heap)}}
	} else {
		messages = []message{
			{msgDataspace, dataspace(n.shape...)},
			{msgDatatype, n.kind.message},
			{msgFill, []byte{2, 2, 2, 1, 0, 0, 0, 0}}, // space is taken late, the fill value is the default
			{msgLayout, layoutMessage(n.address, uint64(binary.Size(n.values)))},
		}
	}
	for _, a := range n.attrs {
		messages = append(messages, message{msgAttribute, p.attribute(a)})
	}
	if len(messages) > math.MaxUint16 {
		p.err = fmt.Errorf("hdf5: %s: %d attributes are more than a header has", brief.Quote(n.path), len(n.attrs))
		return 0
	}
	address := p.here()
	size := 0
	for _, m := range messages {
		size += 8 + (len(m.body)+7)&^7
	}
	p.u16(1) // version
	p.u16(len(messages))
	p.u32(1) // references
	p.u32(size)
	p.u32(0)
	for _, m := range messages {
		p.u16(int(m.kind))
		p.u16((len(m.body) + 7) &^ 7)
		p.u32(0)
		p.b = append(p.b, m.body...)
		p.pad()
	}
	return address
}

func dataspace(shape ...int) []byte {
	b := []byte{1, byte(len(shape)), 0, 0, 0, 0, 0, 0}
	for _, n := range shape {
		b = little.AppendUint64(b, uint64(n))
	}
	return b
}

func layoutMessage(address, size uint64) []byte {
	if size == 0 {
		address = undefined
	}
	return little.AppendUint64(little.AppendUint64([]byte{3, layoutContiguous}, address), size)
}

// attribute returns the message of an attribute.
func (p *printer) attribute(a newAttr) []byte {
	kind, space := textType, dataspace()
	var data []byte
	if a.list == nil {
		index, heap := 0, uint64(0)
		if a.text != "" {
			p.index++
			index, heap = p.index, p.heap
		}
		data = little.AppendUint32(nil, uint32(len(a.text)))
		data = little.AppendUint64(data, heap)
		data = little.AppendUint32(data, uint32(index))
	} else {
		width := 1
		for _, s := range a.list {
			width = max(width, len(s))
		}
		kind, space = stringType(width), dataspace(len(a.list))
		for _, s := range a.list {
			data = append(append(data, s...), make([]byte, width-len(s))...)
		}
	}
	b := []byte{1, 0}
	b = little.AppendUint16(b, uint16(len(a.name)+1))
	b = little.AppendUint16(b, uint16(len(kind.message)))
	b = little.AppendUint16(b, uint16(len(space)))
	for _, part := range [][]byte{append([]byte(a.name), 0), kind.message, space} {
		b = append(b, part...)
		b = append(b, make([]byte, -len(b)&7)...)
	}
	return append(b, data...)
}

// symbols writes the children of a group and its symbol table, and returns the addresses of its B-tree and of its heap.
func (p *printer) symbols(n *Node) (tree, heap uint64) {
	names := n.names()
	headers := make([]uint64, len(names))
	for i, name := range names {
		headers[i] = p.header(n.children[name])
	}
	data := p.here()
	p.zero(8) // the name before all others
	offsets := make([]uint64, len(names))
	for i, name := range names {
		offsets[i] = p.here() - data
		p.b = append(append(p.b, name...), 0)
	}
	size := p.here() - data
	heap = p.here()
	p.b = append(p.b, "HEAP\x00\x00\x00\x00"...)
	p.u64(size)
	p.u64(1) // no free space
	p.u64(data)
	var nodes, keys []uint64
	for first := 0; first < len(names); first += 2 * p.leaf {
		last := min(len(names), first+2*p.leaf)
		nodes, keys = append(nodes, p.here()), append(keys, offsets[last-1])
		p.b = append(p.b, "SNOD\x01\x00"...)
		p.u16(last - first)
		for i := first; i < last; i++ {
			p.u64(offsets[i])
			p.u64(headers[i])
			p.zero(24)
		}
		p.zero(40 * (2*p.leaf - (last - first)))
	}
	tree = p.here()
	p.b = append(p.b, "TREE\x00\x00"...)
	p.u16(len(nodes))
	p.u64(undefined) // no siblings
	p.u64(undefined)
	p.u64(0)
	for i, node := range nodes {
		p.u64(node)
		p.u64(keys[i])
	}
	p.zero(16 * (treeSize - len(nodes)))
	return tree, heap
}

// superblock returns the start of the file.
func (p *printer) superblock(root uint64) []byte {
	q := &printer{}
	q.b = append(q.b, signature...)
	q.b = append(q.b, 0, 0, 0, 0, 0, 8, 8, 0) // versions; bytes of addresses and of sizes
	q.u16(p.leaf)
	q.u16(treeSize / 2)
	q.u32(0)
	q.u64(0)         // base
	q.u64(undefined) // free space
	q.u64(p.here())  // end
	q.u64(undefined) // driver
	q.u64(0)         // the root's name
	q.u64(root)
	q.zero(24)
	return q.b
}
