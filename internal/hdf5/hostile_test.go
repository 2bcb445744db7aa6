package hdf5

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readAll reads everything that a file has, and returns the first error.
func readAll(f *File) error {
	return walk(f.Root(), func(o *object) error {
		for _, name := range o.Attrs() {
			if err := readArray(&o.Attr(name).array); err != nil {
				return err
			}
			if _, _, err := o.StringList(strings.TrimRight(name, "0123456789")); err != nil {
				return err
			}
		}
		if o.dataset != nil {
			return readArray(&o.dataset.array)
		}
		return nil
	})
}

func readArray(a *array) error {
	if a.Type.Class == String {
		_, err := a.Strings()
		return err
	}
	_, err := a.Float32s(nil)
	return err
}

// walk calls visit with all objects of a group.
func walk(g *Group, visit func(o *object) error) error {
	if err := visit(g.object); err != nil {
		return err
	}
	for _, name := range g.Names() {
		group, dataset, err := g.Open(name)
		if err != nil {
			return err
		}
		if group != nil {
			err = walk(group, visit)
		} else {
			err = visit(dataset.object)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// allocated returns how many bytes have been allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// within runs f, which must not allocate more than four times the size of a file and 16 MB.
func within(t *testing.T, size int, f func()) {
	t.Helper()
	before := allocated()
	f()
	require.LessOrEqual(t, allocated()-before, uint64(4*size+16<<20))
}

// TestRefused opens what h5py wrote and no reader should follow, or this one does not know.
func TestRefused(t *testing.T) {
	files := archive(t)
	for _, name := range []string{"refused", "refused_latest"} {
		for path, want := range map[string]string{
			"soft":                   `"/soft": a soft link is not followed`,
			"external":               `"/external": `,
			"hard":                   `is not followed`,
			"group/up":               `"/group/up": it is "/group" already`,
			"group/root":             `"/group/root": it is "/" already`,
			"external storage":       `"/external storage": external storage is not followed`,
			"virtual":                `"/virtual": layout: `,
			"compound":               `"/compound": its type compound has no numbers`,
			"reference":              `"/reference": its type reference has no numbers`,
			"lzf":                    `"/lzf": filters: filter 32000 lzf is not known; known: deflate, shuffle, fletcher32`,
			"scaleoffset":            `"/scaleoffset": filters: filter 6 scaleoffset is not known`,
			"type":                   `"/type": neither a group nor a dataset`,
			strings.Repeat("g/", 70): `it is within more than 64 groups`,
			"soft/data":              `"/soft": a soft link is not followed`,
			"data/data":              `"/data": it is a dataset, and has no "data"`,
			"group/absent":           `"/group": no "absent"; it has ["data" "root" "up"]: file does not exist`,
		} {
			t.Run(name+"/"+path[:min(len(path), 20)], func(t *testing.T) {
				within(t, len(files[name]), func() {
					f, err := openBytes(files[name])
					require.NoError(t, err)
					_, err = f.Root().Dataset("data")
					require.NoError(t, err)
					_, d, err := f.Root().Open(path)
					if err == nil {
						err = readArray(&d.array)
					}
					require.ErrorContains(t, err, want)
				})
			})
		}
	}
}

// small returns a file of our own, whose places of interest are known.
func small(t testing.TB) []byte {
	n := NewFile()
	n.SetText("text", strings.Repeat("text", 300))
	n.SetStringList("list", []string{"a", "b"})
	n.Group("group").SetText("attr", "x")
	n.Dataset("group/data", []int{2, 3}, []float32{1, 2, 3, 4, 5, 6})
	n.Dataset("group/more", []int{4}, []int64{1, 2, 3, 4})
	var b bytes.Buffer
	require.NoError(t, n.Write(&b))
	return b.Bytes()
}

// TestBombs writes large and odd numbers over every place of small files, two, four and eight bytes wide: every length,
// count and address is among them. Whatever comes out, it is soon and in little memory.
func TestBombs(t *testing.T) {
	files := archive(t)
	sources := map[string][]byte{"own": small(t), "shared": files["shared"], "shared_latest": files["shared_latest"]}
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		for width, numbers := range map[int][]uint64{
			2: {0xffff, 0x7fff},
			4: {0xffffffff, 0x7fffffff, 0x00ffffff},
			8: {math.MaxUint64, math.MaxUint64 - 1, math.MaxInt64, 1 << 40, 1 << 32, 0, 8, 96},
		} {
			t.Run(fmt.Sprintf("%s/bytes=%d", name, width), func(t *testing.T) {
				source := sources[name]
				step := 1
				if name == "own" { // whose fields are aligned
					step = width
				}
				for at := 8; at+width <= len(source); at += step {
					for _, number := range numbers {
						b := slices.Clone(source)
						var word [8]byte
						little.PutUint64(word[:], number)
						copy(b[at:at+width], word[:])
						before := allocated()
						if f, err := open(&File{in: bytes.NewReader(b), unchecked: true}, int64(len(b))); err == nil {
							_ = readAll(f)
						}
						if n := allocated() - before; n > uint64(4*len(b)+16<<20) {
							t.Fatalf("%d at %d: %d bytes", number, at, n)
						}
					}
				}
			})
		}
	}
}

// TestTruncated cuts files at every length.
func TestTruncated(t *testing.T) {
	for _, b := range [][]byte{small(t), archive(t)["shared_latest"]} {
		for n := range len(b) - 8 {
			f, err := openBytes(b[:n])
			if err == nil {
				err = readAll(f)
			}
			if err == nil && n < len(b)-64 { // padding at the end
				t.Fatalf("%d of %d bytes are no error", n, len(b))
			}
		}
	}
}

// TestChecksums changes a bit of what has a checksum.
func TestChecksums(t *testing.T) {
	b := slices.Clone(archive(t)["latest"])
	f, err := openBytes(b)
	require.NoError(t, err)
	for path, want := range map[string]string{"one chunk/fletcher": "fletcher32: a checksum is wrong", "one chunk/deflate": "deflate: zlib: invalid checksum"} {
		d, err := f.Root().Dataset(path)
		require.NoError(t, err)
		c := d.layout.chunks.single
		b[c.address+c.size-1] ^= 1
		_, err = d.Float32s(nil)
		require.ErrorContains(t, err, want)
	}
	for at := 0; ; {
		next := bytes.Index(b[at:], []byte("OHDR"))
		if next < 0 {
			break
		}
		at += next + len("OHDR")
		b[at+20] ^= 1
	}
	_, err = openBytes(b)
	require.ErrorContains(t, err, "a checksum is wrong")
}

// TestMask reads a chunk whose filter was left out.
func TestMask(t *testing.T) {
	c := newCraft()
	tree := c.chunkTree([]byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0x40}, 0)
	c.b[tree-c.base+24+4] = 1
	f, err := openBytes(c.file(hardLink("x", c.object(chunked(tree, []int{2}, []int{2}, filterDeflate)...))))
	require.NoError(t, err)
	d, err := f.Root().Dataset("x")
	require.NoError(t, err)
	got, err := d.Float32s(nil)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2}, got)
}

// A craft prints files that no library would write.
type craft struct{ printer }

// object writes a version 1 header with messages.
func (c *craft) object(messages ...message) uint64 {
	address := c.here()
	size := 0
	for _, m := range messages {
		size += 8 + (len(m.body)+7)&^7
	}
	c.u16(1)
	c.u16(len(messages))
	c.u32(1)
	c.u32(size)
	c.u32(0)
	for _, m := range messages {
		c.u16(int(m.kind))
		c.u16((len(m.body) + 7) &^ 7)
		c.u32(0)
		c.b = append(c.b, m.body...)
		c.pad()
	}
	return address
}

func hardLink(name string, address uint64) message {
	return message{msgLink, little.AppendUint64(append([]byte{1, 0, byte(len(name))}, name...), address)}
}

// file returns the file with a root that has a link "x" to an address, or the links given.
func (c *craft) file(links ...message) []byte {
	root := c.object(append(links, message{msgGroupInfo, []byte{0, 0}})...)
	return append(c.superblock(root), c.b...)
}

func newCraft() *craft { return &craft{printer{base: superblockSize, leaf: 4}} }

func words(values ...uint64) []byte {
	var b []byte
	for _, v := range values {
		b = little.AppendUint64(b, v)
	}
	return b
}

// chunked returns the messages of a dataset of float32 in chunks that are indexed by a version 1 B-tree.
func chunked(tree uint64, shape, chunk []int, filters ...byte) []message {
	l := append([]byte{3, layoutChunked, byte(len(shape) + 1)}, words(tree)...)
	for _, n := range append(slices.Clone(chunk), 4) {
		l = little.AppendUint32(l, uint32(n))
	}
	p := []byte{2, byte(len(filters))}
	for _, id := range filters {
		p = append(p, id, 0, 0, 0, 0, 0)
	}
	return []message{{msgDataspace, dataspace(shape...)}, {msgDatatype, float32Type.message}, {msgLayout, l}, {msgFilters, p}}
}

// chunkTree writes a leaf of a B-tree with chunks of one dimension, all of the same bytes.
func (c *craft) chunkTree(data []byte, offsets ...uint64) uint64 {
	at := c.here()
	c.b = append(c.b, data...)
	tree := c.here()
	c.b = append(c.b, "TREE\x01\x00"...)
	c.u16(len(offsets))
	c.b = append(c.b, words(undefined, undefined)...)
	for _, o := range offsets {
		c.u32(len(data))
		c.u32(0)
		c.b = append(c.b, words(o, 0, at)...)
	}
	c.b = append(c.b, words(0, 0, 0)...)
	return tree
}

func deflated(n int) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	w.Write(make([]byte, n))
	w.Close()
	return b.Bytes()
}

// TestCrafted reads files whose parts contradict each other.
func TestCrafted(t *testing.T) {
	contiguous := func(shape []int, address, size uint64) []message {
		return []message{{msgDataspace, dataspace(shape...)}, {msgDatatype, float32Type.message}, {msgLayout, layoutMessage(address, size)}}
	}
	zeros := deflated(32 << 20)
	for _, test := range []struct {
		name  string
		make  func(c *craft) []byte
		error string
	}{
		{"dataset larger than the file", func(c *craft) []byte {
			return c.file(hardLink("x", c.object(contiguous([]int{1 << 30}, 96, 1<<32)...)))
		}, "are not in the file"},
		{"dataset whose size overflows", func(c *craft) []byte {
			return c.file(hardLink("x", c.object(contiguous([]int{math.MaxInt / 2, math.MaxInt / 2, 4}, 96, 0)...)))
		}, "too large"},
		{"dimension with a sign", func(c *craft) []byte {
			return c.file(hardLink("x", c.object(contiguous([]int{-1}, 96, 4)...)))
		}, "a dimension of 18446744073709551615"},
		{"dataset with less than its shape", func(c *craft) []byte {
			return c.file(hardLink("x", c.object(contiguous([]int{4}, 96, 12)...)))
		}, "12 bytes where shape [4] of float32 needs 16"},
		{"never written and large", func(c *craft) []byte {
			return c.file(hardLink("x", c.object(contiguous([]int{1 << 28}, undefined, 0)...)))
		}, "more than a file of"},
		{"too many dimensions", func(c *craft) []byte {
			return c.file(hardLink("x", c.object(contiguous(make([]int, 33), 96, 0)...)))
		}, "33 dimensions"},
		{"datasets that overlap", func(c *craft) []byte {
			at := c.here()
			c.zero(1 << 20)
			var links []message
			for i := range 100 {
				links = append(links, hardLink(fmt.Sprint(i), c.object(contiguous([]int{1 << 18}, at, 1<<20)...)))
			}
			return c.file(links...)
		}, "more than a file of"},
		{"two links to a dataset", func(c *craft) []byte {
			d := c.object(contiguous([]int{1}, 96, 4)...)
			return c.file(hardLink("a", d), hardLink("b", d))
		}, `"/b": it is "/a" already`},
		{"two links of one name", func(c *craft) []byte {
			d := c.object(contiguous([]int{1}, 96, 4)...)
			return c.file(hardLink("a", d), hardLink("a", d))
		}, `two links "a"`},
		{"link to oneself", func(c *craft) []byte {
			return c.file(hardLink("x", c.here()))
		}, `"/x": it is "/" already`},
		{"link out of the path", func(c *craft) []byte {
			return c.file(hardLink("../x", c.object(contiguous([]int{1}, 96, 4)...)))
		}, `a link named "../x"`},
		{"soft link", func(c *craft) []byte {
			return c.file(message{msgLink, append([]byte{1, 8, 1, 1, 'x', 11, 0}, "/etc/passwd"...)})
		}, `"/x": a soft link is not followed`},
		{"external link", func(c *craft) []byte {
			return c.file(message{msgLink, append([]byte{1, 8, 64, 1, 'x', 15, 0, 0}, "/etc/passwd\x00/a\x00"...)})
		}, `"/x": an external link is not followed`},
		{"external storage", func(c *craft) []byte {
			m := append(contiguous([]int{1}, 96, 4), message{msgExternal, make([]byte, 32)})
			return c.file(hardLink("x", c.object(m...)))
		}, `"/x": external storage is not followed`},
		{"virtual dataset", func(c *craft) []byte {
			m := []message{{msgDataspace, dataspace(1)}, {msgDatatype, float32Type.message}, {msgLayout, append([]byte{4, 3}, words(96, 1)...)}}
			return c.file(hardLink("x", c.object(m...)))
		}, `"/x": layout: a virtual dataset is not followed`},
		{"groups in groups", func(c *craft) []byte {
			child := c.object(message{msgGroupInfo, []byte{0, 0}})
			for range 5000 {
				child = c.object(hardLink("g", child))
			}
			return c.file(hardLink("g", child))
		}, "within more than 64 groups"},
		{"header that continues in itself", func(c *craft) []byte {
			at := c.here() + 16
			return c.file(hardLink("x", c.object(message{msgContinuation, words(at, 24)})))
		}, ""},
		{"header that continues without end", func(c *craft) []byte {
			at := c.here()
			c.u16(1)
			c.u16(math.MaxUint16)
			c.u32(1)
			c.u32(24)
			c.u32(0)
			c.u16(msgContinuation)
			c.u16(16)
			c.u32(0)
			c.b = append(c.b, words(at+16, 24)...)
			return c.file(hardLink("x", at))
		}, "structures overlap"},
		{"header of 4 GB", func(c *craft) []byte {
			at := c.here()
			c.b = append(c.b, 1, 0, 1, 0, 1, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0)
			return c.file(hardLink("x", at))
		}, "are not in the file"},
		{"headers of many attributes that overlap", func(c *craft) []byte {
			// Each header continues in the same large block.
			block := c.here()
			c.zero(1 << 20)
			var links []message
			for i := range 200 {
				m := message{msgContinuation, words(block, 1<<20)}
				links = append(links, hardLink(fmt.Sprint(i), c.object(message{msgGroupInfo, []byte{0, 0}}, m)))
			}
			return c.file(links...)
		}, "structures overlap"},
		{"symbol table in a cycle", func(c *craft) []byte {
			heap := c.here()
			c.b = append(c.b, "HEAP\x00\x00\x00\x00"...)
			c.b = append(c.b, words(8, 1, heap)...)
			tree := c.here()
			c.b = append(c.b, "TREE\x00\x01\x01\x00"...)
			c.b = append(c.b, words(undefined, undefined, 0, tree, 0)...)
			return c.file(hardLink("x", c.object(message{msgSymbols, words(tree, heap)})))
		}, "a node of kind 0 at level 1 is where one of kind 0 at level 0 should be"},
		{"tree of one node", func(c *craft) []byte {
			// Every node has the same child many times: 255 levels.
			heap := c.here()
			c.b = append(c.b, "HEAP\x00\x00\x00\x00"...)
			c.b = append(c.b, words(8, 1, heap)...)
			child := c.here()
			c.b = append(c.b, "SNOD\x01\x00\x00\x00"...)
			for level := range 255 {
				tree := c.here()
				c.b = append(c.b, "TREE\x00"...)
				c.b = append(c.b, byte(level), 2, 0)
				c.b = append(c.b, words(undefined, undefined, 0, child, 0, child, 0)...)
				child = tree
			}
			return c.file(hardLink("x", c.object(message{msgSymbols, words(child, heap)})))
		}, "structures overlap"},
		{"heap of names of 2^60 bytes", func(c *craft) []byte {
			heap := c.here()
			c.b = append(c.b, "HEAP\x00\x00\x00\x00"...)
			c.b = append(c.b, words(1<<60, 1, heap)...)
			return c.file(hardLink("x", c.object(message{msgSymbols, words(heap, heap)})))
		}, "are not in the file"},
		{"deflate bomb", func(c *craft) []byte {
			return c.file(hardLink("x", c.object(chunked(c.chunkTree(zeros, 0), []int{16}, []int{16}, filterDeflate)...)))
		}, "deflate: more than 64 bytes"},
		{"deflate bomb that is declared", func(c *craft) []byte {
			return c.file(hardLink("x", c.object(chunked(c.chunkTree(zeros, 0), []int{8 << 20}, []int{8 << 20}, filterDeflate)...)))
		}, "is believed to hold"},
		{"deflate bomb in a chunk larger than the shape", func(c *craft) []byte {
			return c.file(hardLink("x", c.object(chunked(c.chunkTree(zeros, 0), []int{1}, []int{8 << 20}, filterDeflate)...)))
		}, "is believed to hold"},
		{"many chunks of the same bytes", func(c *craft) []byte {
			var offsets []uint64
			for i := range 100 {
				offsets = append(offsets, uint64(i)<<18)
			}
			return c.file(hardLink("x", c.object(chunked(c.chunkTree(deflated(1<<20), offsets...), []int{100 << 18}, []int{1 << 18}, filterDeflate)...)))
		}, "is believed to hold"},
		{"chunks at the same place", func(c *craft) []byte {
			return c.file(hardLink("x", c.object(chunked(c.chunkTree(make([]byte, 16), 0, 0), []int{8}, []int{4})...)))
		}, "two chunks at [0]"},
		{"chunk between places", func(c *craft) []byte {
			return c.file(hardLink("x", c.object(chunked(c.chunkTree(make([]byte, 16), 2), []int{8}, []int{4})...)))
		}, "not at a multiple"},
		{"chunk of too few bytes", func(c *craft) []byte {
			return c.file(hardLink("x", c.object(chunked(c.chunkTree(make([]byte, 12), 0), []int{8}, []int{4})...)))
		}, "12 bytes, not 16"},
		{"chunk without size", func(c *craft) []byte {
			return c.file(hardLink("x", c.object(chunked(c.chunkTree(make([]byte, 16), 0), []int{8}, []int{0})...)))
		}, "a chunk's dimension of 0"},
		{"filters without end", func(c *craft) []byte {
			return c.file(hardLink("x", c.object(chunked(c.chunkTree(zeros, 0), []int{16}, []int{16}, filterDeflate, filterDeflate)...)))
		}, "filter 1 twice"},
		{"text outside of its heap", func(c *craft) []byte {
			heap := c.here()
			c.b = append(c.b, "GCOL\x01\x00\x00\x00"...)
			c.b = append(c.b, words(32, 1, 16)...)
			value := binary.LittleEndian.AppendUint32(nil, 1<<31)
			value = little.AppendUint32(append(value, words(heap)...), 1)
			return c.file(message{msgAttribute, rawAttribute(textType.message, dataspace(), value)})
		}, `attribute "a": `},
		{"attribute of 2^30 elements", func(c *craft) []byte {
			return c.file(message{msgAttribute, rawAttribute(float32Type.message, dataspace(1<<30), nil)})
		}, `attribute "a": a structure ends within a field`},
		{"texts that are all the same", func(c *craft) []byte {
			heap := c.here()
			c.b = append(c.b, "GCOL\x01\x00\x00\x00"...)
			c.b = append(c.b, words(1<<20+32, 1, 1<<20)...)
			c.zero(1 << 20)
			for i := range c.b[len(c.b)-1<<20:] {
				c.b[len(c.b)-1<<20+i] = 'x'
			}
			var value []byte
			for range 1000 {
				value = little.AppendUint32(value, 1<<20)
				value = little.AppendUint32(append(value, words(heap)...), 1)
			}
			return c.file(message{msgAttribute, rawAttribute(textType.message, dataspace(1000), value)})
		}, "is believed to hold"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := test.make(newCraft())
			within(t, len(b), func() {
				f, err := openBytes(b)
				if err == nil {
					err = readAll(f)
				}
				require.ErrorContains(t, err, test.error)
			})
		})
	}
}

func rawAttribute(kind, space, value []byte) []byte {
	b := []byte{1, 0, 2, 0, byte(len(kind)), 0, byte(len(space)), 0}
	for _, part := range [][]byte{[]byte("a\x00"), kind, space} {
		b = append(b, part...)
		b = append(b, make([]byte, -len(b)&7)...)
	}
	return append(b, value...)
}

func FuzzOpen(f *testing.F) {
	files := archive(f)
	for _, name := range []string{"shared", "shared_latest", "refused_latest", "userblock"} {
		f.Add(files[name])
	}
	f.Add(small(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		f, err := open(&File{in: bytes.NewReader(b), unchecked: true}, int64(len(b)))
		if err == nil {
			_ = readAll(f)
		}
	})
}
