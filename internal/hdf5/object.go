package hdf5

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/espalier-ml/espalier/internal/brief"
)

// Numbers of messages in an object's header.
const (
	msgDataspace    = 0x01
	msgLinkInfo     = 0x02
	msgDatatype     = 0x03
	msgFill         = 0x05
	msgLink         = 0x06
	msgExternal     = 0x07
	msgLayout       = 0x08
	msgGroupInfo    = 0x0a
	msgFilters      = 0x0b
	msgAttribute    = 0x0c
	msgContinuation = 0x10
	msgSymbols      = 0x11
	msgAttrInfo     = 0x15
	lastMessage     = 0x17
)

// maxDepth is how many groups may be within another.
const maxDepth = 64

// A message is one of those that an object's header consists of.
type message struct {
	kind uint16
	body []byte
}

// An object is what a group and a dataset have in common: a place in the tree, and attributes.
type object struct {
	file       *File
	parent     *object
	name       string
	depth      int
	attributes map[string]*Attr
	group      *Group // or
	dataset    *Dataset
}

// Path returns the names from the root to here: "/" is the root, "/a/b" is b in its group a.
func (o *object) Path() string {
	if o.parent == nil {
		return "/"
	}
	var names []string
	n := 0
	for ; o.parent != nil; o = o.parent {
		names = append(names, o.name)
		n += 1 + len(o.name)
	}
	path := make([]byte, 0, n)
	for _, name := range slices.Backward(names) {
		path = append(append(path, '/'), name...)
	}
	return string(path)
}

// errorf returns an error that names the object.
func (o *object) errorf(format string, args ...any) error {
	return fmt.Errorf("hdf5: %s: %w", brief.Quote(o.Path()), fmt.Errorf(format, args...))
}

// Attr returns an attribute, nil if there is none of this name.
func (o *object) Attr(name string) *Attr { return o.attributes[name] }

// Attrs returns the names of all attributes, sorted.
func (o *object) Attrs() []string {
	names := make([]string, 0, len(o.attributes))
	for name := range o.attributes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// StringList returns the strings of an attribute, or those of name0, name1 and so on in this order, which is how Keras
// splits what is too long for a header. The boolean says whether there is one of them.
func (o *object) StringList(name string) ([]string, bool, error) {
	if a := o.Attr(name); a != nil {
		list, err := a.Strings()
		return list, true, err
	}
	var list []string
	for i := 0; ; i++ {
		a := o.Attr(name + strconv.Itoa(i))
		if a == nil {
			return list, i > 0, nil
		}
		part, err := a.Strings()
		if err != nil {
			return nil, true, err
		}
		list = append(list, part...)
	}
}

// object returns the object with a header at address, to which the link name of parent leads.
func (f *File) object(address uint64, parent *object, name string) (*object, error) {
	o := &object{file: f, parent: parent, name: name}
	if known := f.objects[address]; known != nil {
		if known.parent == parent && known.name == name {
			return known, nil
		}
		return nil, o.errorf("it is %s already, and an object with two hard links is not followed", brief.Quote(known.Path()))
	}
	if parent != nil {
		o.depth = parent.depth + 1
	}
	if o.depth > maxDepth {
		return nil, o.errorf("it is within more than %d groups", maxDepth)
	}
	messages, err := f.header(address)
	if err == nil {
		err = o.setAttributes(messages)
	}
	if err == nil {
		switch {
		case find(messages, msgLayout) != nil:
			o.dataset, err = newDataset(o, messages)
		case find(messages, msgSymbols) != nil || find(messages, msgLinkInfo) != nil || find(messages, msgGroupInfo) != nil ||
			find(messages, msgLink) != nil:
			o.group, err = newGroup(o, messages)
		default:
			err = fmt.Errorf("neither a group nor a dataset")
		}
	}
	if err != nil {
		return nil, o.errorf("%w", err)
	}
	f.objects[address] = o
	return o, nil
}

// find returns the body of the first message of a kind, nil if there is none.
func find(messages []message, kind uint16) []byte {
	for _, m := range messages {
		if m.kind == kind {
			return m.body
		}
	}
	return nil
}

// header returns the messages of an object's header with those of its continuations.
func (f *File) header(address uint64) ([]message, error) {
	c := f.at(address, 4)
	if c.err != nil {
		return nil, c.err
	}
	if string(c.b) == "OHDR" {
		return f.header2(address)
	}
	c = f.at(address, 16)
	c.version("object header", 1)
	c.skip(1)
	count := int(c.u16())
	c.skip(4)
	size := uint64(c.u32())
	if c.err != nil {
		return nil, c.err
	}
	var messages []message
	blocks := []*cursor{f.at(address+16, size)}
	for len(blocks) > 0 {
		c, blocks = blocks[0], blocks[1:]
		for len(c.b) >= 8 && len(messages) < count {
			kind, n, flags := c.u16(), c.u16(), c.u8()
			c.skip(3)
			m := f.message(kind, flags, c.take(int(n)), c)
			messages = append(messages, m)
			if m.kind == msgContinuation {
				m := &cursor{f: f, b: m.body}
				blocks = append(blocks, f.at(m.address(), m.size()))
			}
		}
		if c.err != nil {
			return nil, c.err
		}
	}
	return messages, nil
}

func (f *File) header2(address uint64) ([]message, error) {
	c := f.at(address, 6)
	c.is("OHDR", 2)
	flags := c.u8()
	prefix := uint64(6)
	if flags&0x20 != 0 {
		prefix += 16 // times
	}
	if flags&0x10 != 0 {
		prefix += 4 // numbers of attributes at which the storage changes
	}
	n := 1 << (flags & 3)
	size := f.at(address+prefix, uint64(n))
	if size.err != nil {
		return nil, size.err
	}
	prefix += uint64(n)
	length := size.uint(n)
	if length > f.size {
		return nil, errShort
	}
	c = f.checked(address, prefix+length+4)
	c.skip(int(prefix))
	var messages []message
	blocks := []*cursor{c}
	for len(blocks) > 0 {
		c, blocks = blocks[0], blocks[1:]
		for len(c.b) >= 4 {
			kind, n, messageFlags := uint16(c.u8()), c.u16(), c.u8()
			if flags&0x04 != 0 {
				c.skip(2) // its place in the order of creation
			}
			m := f.message(kind, messageFlags, c.take(int(n)), c)
			messages = append(messages, m)
			if m.kind == msgContinuation {
				m := &cursor{f: f, b: m.body}
				next := f.checked(m.address(), m.size())
				if b := next.take(4); next.err == nil && string(b) != "OCHK" {
					next.errorf("%q is where %q should be", b, "OCHK")
				}
				blocks = append(blocks, next)
			}
		}
		if c.err != nil {
			return nil, c.err
		}
	}
	return messages, nil
}

// message returns a message, that of another header if this one shares it. Errors are c's.
func (f *File) message(kind uint16, flags byte, body []byte, c *cursor) message {
	if kind > lastMessage && flags&0x80 != 0 {
		c.errorf("a message of unknown kind %d, which must not be ignored", kind)
	}
	if flags&0x02 != 0 && c.err == nil {
		body, c.err = f.shared(kind, &cursor{f: f, b: body})
	}
	return message{kind, body}
}

// shared returns the body of the message of a kind in the header that a shared message points to.
func (f *File) shared(kind uint16, c *cursor) ([]byte, error) {
	version := c.version("shared message", 1, 2, 3)
	where := c.u8()
	switch {
	case version == 1:
		c.skip(6)
	case version == 3 && where != 2:
		c.errorf("a message is shared in a heap, which is not known")
	}
	address := c.address()
	if c.err != nil {
		return nil, c.err
	}
	if f.sharing {
		return nil, fmt.Errorf("a shared message is itself in a header with shared messages")
	}
	f.sharing = true
	messages, err := f.header(address)
	f.sharing = false
	if err != nil {
		return nil, err
	}
	body := find(messages, kind)
	if body == nil {
		return nil, fmt.Errorf("a shared message is not in its header")
	}
	return body, nil
}
