package hdf5

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
)

// maxName is how many bytes a name may have.
const maxName = 4096

// A Group is a folder of groups and datasets.
type Group struct {
	*object
	names []string
	links map[string]link
}

// A link is what a name stands for: the object with a header at an address, or what is not followed.
type link struct {
	address uint64
	refused string
	order   uint64 // of creation
}

// Names returns the names of what is in the group, in the order of creation where the file has that, else sorted.
func (g *Group) Names() []string { return append([]string{}, g.names...) }

// Group returns the group at a path from here: "a", "a/b". A path that does not exist is an error that wraps
// fs.ErrNotExist, and that of a dataset is one too.
func (g *Group) Group(path string) (*Group, error) {
	group, _, err := g.Open(path)
	if err == nil && group == nil {
		return nil, g.errorf("%s is a dataset, not a group", brief.Quote(path))
	}
	return group, err
}

// Dataset returns the dataset at a path from here. A path that does not exist is an error that wraps fs.ErrNotExist, and
// that of a group is one too. Its values are not read, but the file is known to have room for them: memory may be allocated by
// its shape.
func (g *Group) Dataset(path string) (*Dataset, error) {
	_, dataset, err := g.Open(path)
	if err == nil && dataset == nil {
		return nil, g.errorf("%s is a group, not a dataset", brief.Quote(path))
	}
	return dataset, err
}

// Open returns the group or the dataset at a path from here; the other one is nil.
func (g *Group) Open(path string) (*Group, *Dataset, error) {
	o := g.object
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		if o.group == nil {
			return nil, nil, o.errorf("it is a dataset, and has no %s", brief.Quote(name))
		}
		l, ok := o.group.links[name]
		if !ok {
			return nil, nil, o.errorf("no %s; it has %s: %w", brief.Quote(name), brief.QuoteAll(o.group.names), fs.ErrNotExist)
		}
		child := &object{parent: o, name: name}
		if l.refused != "" {
			return nil, nil, child.errorf("%s is not followed", l.refused)
		}
		var err error
		if o, err = o.file.object(l.address, o, name); err != nil {
			return nil, nil, err
		}
	}
	return o.group, o.dataset, nil
}

func newGroup(o *object, messages []message) (*Group, error) {
	g := &Group{object: o, links: map[string]link{}}
	ordered := true // the file says how links were created
	for _, m := range messages {
		var err error
		switch m.kind {
		case msgSymbols:
			ordered = false
			err = g.symbols(&cursor{f: o.file, b: m.body})
		case msgLink:
			ordered, err = g.link(m.body, ordered)
		case msgLinkInfo:
			ordered, err = g.denseLinks(&cursor{f: o.file, b: m.body}, ordered)
		}
		if err != nil {
			return nil, err
		}
	}
	for name := range g.links {
		g.names = append(g.names, name)
	}
	slices.SortFunc(g.names, func(a, b string) int {
		if x, y := g.links[a].order, g.links[b].order; ordered && x != y {
			if x < y {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return g, nil
}

func (g *Group) add(name string, l link) error {
	if name == "" || len(name) > maxName || strings.Contains(name, "/") {
		return fmt.Errorf("a link named %s", brief.Quote(name))
	}
	if _, ok := g.links[name]; ok {
		return fmt.Errorf("two links %s", brief.Quote(name))
	}
	g.links[name] = l
	return nil
}

// symbols adds the links of a symbol table: a B-tree of nodes, whose names are in a heap.
func (g *Group) symbols(c *cursor) error {
	f := g.file
	tree, heap := c.address(), c.address()
	if c.err != nil {
		return c.err
	}
	c = f.at(heap, uint64(8+2*f.length+f.offset))
	c.is("HEAP", 0)
	c.skip(3)
	size := c.size()
	c.skip(f.length)
	at := c.address()
	if c.err == nil {
		c = f.at(at, size)
	}
	if c.err != nil {
		return fmt.Errorf("local heap: %w", c.err)
	}
	names := string(c.b)
	return f.btree1(tree, 0, f.length, func(_ *cursor, child uint64) error {
		c := f.at(child, 8)
		c.is("SNOD", 1)
		c.skip(1)
		n := int(c.u16())
		if c.err == nil {
			c = f.at(child+8, uint64(n*(2*f.offset+24)))
		}
		for range n {
			offset, l := c.uint(f.offset), link{address: c.address()}
			if c.u32() == 2 {
				l.refused = "a soft link"
			}
			c.skip(20)
			if c.err != nil {
				break
			}
			if offset >= uint64(len(names)) {
				return fmt.Errorf("symbol table: a name is not in the heap")
			}
			name := names[offset:]
			end := strings.IndexByte(name[:min(len(name), maxName+1)], 0)
			if end < 0 {
				return fmt.Errorf("symbol table: a name has more than %d bytes or no end", maxName)
			}
			if err := g.add(name[:end], l); err != nil {
				return err
			}
		}
		if c.err != nil {
			return fmt.Errorf("symbol table: %w", c.err)
		}
		return nil
	})
}

// link adds the link of a message, and says whether all have an order so far.
func (g *Group) link(body []byte, ordered bool) (bool, error) {
	c := &cursor{f: g.file, b: body}
	c.version("link", 1)
	flags := c.u8()
	kind := byte(0)
	if flags&0x08 != 0 {
		kind = c.u8()
	}
	var l link
	if flags&0x04 != 0 {
		l.order = c.uint(8)
	} else {
		ordered = false
	}
	if flags&0x10 != 0 {
		c.skip(1) // the name's encoding
	}
	n := c.uint(1 << (flags & 3))
	if n > maxName {
		c.errorf("its name has %d bytes, more than %d", n, maxName)
	}
	name := string(c.take(int(min(n, maxName))))
	switch kind {
	case 0:
		l.address = c.address()
	case 1:
		l.refused = "a soft link"
	case 64:
		l.refused = "an external link"
	default:
		l.refused = fmt.Sprintf("a link of kind %d", kind)
	}
	if c.err != nil {
		return false, fmt.Errorf("link: %w", c.err)
	}
	return ordered, g.add(name, l)
}

// denseLinks adds the links of a heap, if there is one.
func (g *Group) denseLinks(c *cursor, ordered bool) (bool, error) {
	c.version("link info", 0)
	if flags := c.u8(); flags&1 != 0 {
		c.skip(8)
	}
	heap, names := c.address(), c.address()
	if c.err != nil || heap == undefined || names == undefined {
		return ordered, c.err
	}
	h, err := g.file.fractalHeap(heap)
	if err != nil {
		return false, err
	}
	err = g.file.btree2(names, recordLink, func(c *cursor) error {
		c.skip(4) // of the name, a checksum
		id := c.take(7)
		if c.err != nil {
			return c.err
		}
		body, err := h.get(id)
		if err != nil {
			return err
		}
		ordered, err = g.link(body, ordered)
		return err
	})
	return ordered, err
}
