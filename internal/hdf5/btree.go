package hdf5

import "fmt"

// btree1 calls visit with the children of the leaves of a version 1 B-tree, and with the key before each child.
// Kind 0 is a tree of a group's names, 1 one of a dataset's chunks.
func (f *File) btree1(address uint64, kind byte, keySize int, visit func(key *cursor, child uint64) error) error {
	return f.node1(address, kind, keySize, -1, visit)
}

// node1 visits a node at a level, at any if that is negative.
func (f *File) node1(address uint64, kind byte, keySize, level int, visit func(key *cursor, child uint64) error) error {
	prefix := 8 + 2*f.offset
	c := f.at(address, uint64(prefix))
	if b := c.take(4); c.err == nil && string(b) != "TREE" {
		c.errorf("%q is where %q should be", b, "TREE")
	}
	gotKind, gotLevel, n := c.u8(), int(c.u8()), int(c.u16())
	if c.err == nil && (gotKind != kind || level >= 0 && gotLevel != level) {
		c.errorf("a node of kind %d at level %d is where one of kind %d at level %d should be", gotKind, gotLevel, kind, level)
	}
	if c.err == nil {
		c = f.at(address+uint64(prefix), uint64(n*(keySize+f.offset)))
	}
	for range n {
		key := &cursor{f: f, b: c.take(keySize)}
		child := c.address()
		if c.err != nil {
			break
		}
		var err error
		if gotLevel > 0 {
			err = f.node1(child, kind, keySize, gotLevel-1, visit)
		} else {
			err = visit(key, child)
		}
		if err != nil {
			return err
		}
	}
	if c.err != nil {
		return fmt.Errorf("a B-tree: %w", c.err)
	}
	return nil
}

// Kinds of records in a version 2 B-tree.
const (
	recordHuge          = 1
	recordLink          = 5
	recordAttribute     = 8
	recordChunk         = 10
	recordFilteredChunk = 11
	prefix2             = 10 // bytes of a node beside records and pointers
	maxDepth2           = 32
)

// A tree2 is a version 2 B-tree.
type tree2 struct {
	f          *File
	kind       byte
	nodeSize   uint64
	recordSize int
	countSize  int   // bytes of a child's number of records
	totalSize  []int // bytes of the number of records below a child, by the child's level
	visit      func(record *cursor) error
}

// btree2 calls visit with all records, in their order.
func (f *File) btree2(address uint64, kind byte, visit func(record *cursor) error) error {
	c := f.checked(address, uint64(16+f.offset+2+f.length+4))
	c.is("BTHD", 0)
	t := &tree2{f: f, visit: visit, kind: c.u8()}
	t.nodeSize, t.recordSize = uint64(c.u32()), int(c.u16())
	depth := int(c.u16())
	c.skip(2)
	root, n := c.address(), int(c.u16())
	if c.err == nil && (t.kind != kind || depth > maxDepth2 || t.recordSize == 0 || t.nodeSize > f.size || t.nodeSize < prefix2) {
		c.errorf("nodes of kind %d (not %d) in %d levels with records of %d bytes", t.kind, kind, depth, t.recordSize)
	}
	if c.err != nil {
		return fmt.Errorf("a B-tree: %w", c.err)
	}
	if root == undefined {
		return nil
	}
	most := (t.nodeSize - prefix2) / uint64(t.recordSize) // records of a node
	t.countSize = bytesFor(most)
	t.totalSize = []int{0}
	total := most
	for range depth {
		pointer := uint64(f.offset + t.countSize + t.totalSize[len(t.totalSize)-1])
		if t.nodeSize < prefix2+pointer {
			return fmt.Errorf("a B-tree: nodes of %d bytes", t.nodeSize)
		}
		most = (t.nodeSize - prefix2 - pointer) / (uint64(t.recordSize) + pointer)
		total = min(product(most+1, total)+most, 1<<63)
		t.totalSize = append(t.totalSize, bytesFor(total))
	}
	return t.node(root, depth, n)
}

// node visits a node with n records.
func (t *tree2) node(address uint64, level, n int) error {
	f := t.f
	pointer := 0
	size := uint64(prefix2 + n*t.recordSize)
	signature := "BTLF"
	if level > 0 {
		pointer = f.offset + t.countSize
		if level > 1 {
			pointer += t.totalSize[level-1]
		}
		size += uint64((n + 1) * pointer)
		signature = "BTIN"
	}
	if size > t.nodeSize {
		return fmt.Errorf("a B-tree: %d records are more than a node has", n)
	}
	c := f.checked(address, size)
	c.is(signature, 0)
	if kind := c.u8(); c.err == nil && kind != t.kind {
		c.errorf("a node of kind %d is where one of kind %d should be", kind, t.kind)
	}
	records := c.take(n * t.recordSize)
	for i := 0; c.err == nil; i++ {
		if level > 0 {
			child, count := c.address(), int(c.uint(t.countSize))
			c.skip(pointer - f.offset - t.countSize)
			if c.err != nil {
				break
			}
			if err := t.node(child, level-1, count); err != nil {
				return err
			}
		}
		if i == n {
			return nil
		}
		if err := t.visit(&cursor{f: f, b: records[i*t.recordSize : (i+1)*t.recordSize]}); err != nil {
			return err
		}
	}
	return fmt.Errorf("a B-tree: %w", c.err)
}
