package hdf5

import "fmt"

// An Attr is an attribute: a value of a group or a dataset, with the type and the shape of one.
type Attr struct {
	array
	object *object
	name   string
}

// setAttributes sets the attributes that are in a header and in the heap that it points to.
func (o *object) setAttributes(messages []message) error {
	o.attributes = map[string]*Attr{}
	for _, m := range messages {
		if m.kind == msgAttribute {
			if err := o.setAttribute(m.body); err != nil {
				return err
			}
		}
	}
	info := find(messages, msgAttrInfo)
	if info == nil {
		return nil
	}
	c := &cursor{f: o.file, b: info}
	c.version("attribute info", 0)
	if flags := c.u8(); flags&1 != 0 {
		c.skip(2)
	}
	heap, names := c.address(), c.address()
	if c.err != nil || heap == undefined || names == undefined {
		return c.err
	}
	h, err := o.file.fractalHeap(heap)
	if err != nil {
		return err
	}
	return o.file.btree2(names, recordAttribute, func(c *cursor) error {
		id, flags := c.take(8), c.u8()
		if c.err != nil {
			return c.err
		}
		if flags&2 != 0 {
			return fmt.Errorf("an attribute is shared in a heap, which is not known")
		}
		body, err := h.get(id)
		if err != nil {
			return err
		}
		return o.setAttribute(body)
	})
}

func (o *object) setAttribute(body []byte) error {
	f := o.file
	c := &cursor{f: f, b: body}
	version := c.version("attribute", 1, 2, 3)
	flags := c.u8()
	nameSize, typeSize, spaceSize := int(c.u16()), int(c.u16()), int(c.u16())
	if version == 3 {
		c.skip(1) // the name's encoding
	}
	part := func(n int) []byte {
		b := c.take(n)
		if version == 1 {
			c.skip(-n & 7)
		}
		return b
	}
	name := untilZero(part(nameSize))
	datatype, dataspace := part(typeSize), part(spaceSize)
	if version > 1 && c.err == nil {
		if flags&1 != 0 {
			datatype, c.err = f.shared(msgDatatype, &cursor{f: f, b: datatype})
		}
		if flags&2 != 0 && c.err == nil {
			dataspace, c.err = f.shared(msgDataspace, &cursor{f: f, b: dataspace})
		}
	}
	if c.err != nil {
		return fmt.Errorf("attribute: %w", c.err)
	}
	if len(name) > maxName {
		return fmt.Errorf("an attribute's name has more than %d bytes", maxName)
	}
	if o.attributes[name] != nil {
		return fmt.Errorf("two attributes %q", name)
	}
	a := &Attr{object: o, name: name}
	o.attributes[name] = a
	var err error
	a.array, err = newArray(f, datatype, dataspace)
	a.owner = a.errorf
	data := c.b
	if n := a.bytes(); err == nil && n > uint64(len(data)) {
		err = errShort
	}
	a.err = err // of those who want this attribute
	a.each = func(visit func(first int, b []byte) error) error {
		return visit(0, data[:a.bytes()])
	}
	return nil
}

func (a *Attr) errorf(err error) error {
	return a.object.errorf("attribute %q: %w", a.name, err)
}
