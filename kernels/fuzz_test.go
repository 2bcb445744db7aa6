//go:build linux && !race

package kernels

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// edges are dimensions and strides: mostly such that views fit, and then what overflows in 32 or 64 bits.
var edges = func() []int {
	bit := func(n int) int { return int(uint64(1) << n) } // 0 where int has 32 bits
	return []int{3, 1, 2, 5, 17, 33, 0, 16, 4, 7,
		-1, math.MinInt, math.MaxInt, math.MaxInt - 1, math.MaxInt / 2, math.MaxInt/2 + 1, math.MaxInt/4 + 1, math.MaxInt/3 + 1,
		bit(30), bit(31), bit(32), bit(32) + 1, bit(16), bit(60)}
}()

// views makes the operands of one call from bytes, in memory that has fences around it and canaries beside each operand.
// Without bytes they fit together.
type views struct {
	bytes  []byte
	fences []fence
	used   []int // elements of each fence that lie before the operand
}

func (v *views) next() int {
	if len(v.bytes) == 0 {
		return 0
	}
	b := v.bytes[0]
	v.bytes = v.bytes[1:]
	return int(b)
}

func (v *views) edge() int {
	b := v.next()
	if b == 255 { // where a result would lie that begins at nil
		return int(uintptr(unsafe.Pointer(&v.fences[0][len(v.fences[0])/2])) / 4)
	}
	return edges[b%len(edges)]
}

// matrix makes an operand that should have this shape.
func (v *views) matrix(rows, cols int) made {
	memory := v.fences[len(v.used)]
	for i := range memory {
		memory[i] = canary
	}
	m := Matrix{Rows: rows, Cols: cols, Stride: cols}
	if rows != 1 && cols < len(memory) { // a vector is handed over without its stride
		m.Stride += v.next() % 4
	}
	kind, short := v.next(), 0
	switch kind % 16 {
	case 8:
		m.Rows = v.edge()
	case 9:
		m.Cols = v.edge()
	case 10:
		m.Stride = v.edge()
	case 11:
		short = 1 + v.next()%4
	case 12:
		m = Matrix{}
	case 13:
		m = Matrix{Stride: v.edge()}
	case 14:
		m = Matrix{Rows: v.edge(), Cols: v.edge(), Stride: v.edge()}
	case 15:
		short = len(memory)
	}
	n := 0
	if m.Rows > 0 && m.Cols > 0 && kind%16 < 12 {
		n = len(memory) // where that is too little, the view is not valid
		if rest := n - m.Cols; rest >= 0 && m.Stride >= 0 && (m.Rows == 1 || m.Stride <= rest/(m.Rows-1)) {
			n = max(0, (m.Rows-1)*m.Stride+m.Cols)
		}
		n = max(0, n-short)
	}
	from := 0
	if kind&16 != 0 {
		from = len(memory) - n
	}
	v.used = append(v.used, from)
	if n == 0 && kind&32 != 0 {
		m.Data = nil
	} else if kind%16 < 12 || kind&32 == 0 && kind%16 > 13 {
		m.Data = memory[from : from+n : from+n]
	}
	for i := range m.Data {
		if m.Stride <= 0 || i%m.Stride < m.Cols {
			m.Data[i] = float32(i*7%11) / 4
		}
	}
	return made{Matrix: m, before: slices.Clone(m.Data)}
}

// viewCalls are the public kernels, by which views get into the package.
func viewCalls() []call {
	list := slices.DeleteFunc(calls(), func(c call) bool { return strings.HasPrefix(c.name, "Dense") || c.name == "Pack" || c.isConv() })
	pack := func(t *Table, o *operands) (*PackedB, error) {
		w, bias := o.reads(o.depth, o.cols), o.readFloats(o.cols)
		p := new(PackedB)
		return p, t.Pack(p, w, bias)
	}
	return append(list,
		call{"CheckIndices", false, func(_ *Table, o *operands) error { return CheckIndices(o.in(), 3) }},
		call{"Gather", false, func(t *Table, o *operands) error {
			return t.Gather(o.writes(o.rows, o.depth*o.cols), o.reads(o.rows, o.depth), o.reads(4, o.cols))
		}},
		call{"Dense", false, func(t *Table, o *operands) error {
			p, err := pack(t, o)
			if err != nil {
				return err
			}
			return t.Dense(nil, o.out(), o.reads(o.rows, o.depth), p, Tanh)
		}},
		call{"Conv", false, func(t *Table, o *operands) error {
			p, err := pack(t, o)
			if err != nil {
				return err
			}
			v := o.window(o.depth/2, 1)
			return t.Conv(nil, o.writes(2*o.rows, o.cols), o.reads(o.rows, 3*v.Channels), v, p, Tanh)
		}},
		call{"ConvInputGrad", false, func(t *Table, o *operands) error {
			p, err := pack(t, o)
			if err != nil {
				return err
			}
			v := o.window(o.cols/2, 1)
			return t.ConvInputGrad(nil, o.writes(o.rows, 3*v.Channels), o.reads(2*o.rows, o.depth), v, p, true)
		}},
		call{"Bind", false, func(t *Table, o *operands) error {
			p, err := pack(t, o)
			if err != nil {
				return err
			}
			var d BoundDense
			if err := t.Bind(&d, o.out(), o.reads(o.rows, o.depth), p, Sigmoid); err != nil {
				return err
			}
			return d.Run(nil, o.extra)
		}})
}

// fuzzViews makes one call on every level, and demands of each an error about the operands, or the result of Generic, and that
// nothing else is written.
func fuzzViews(t *testing.T, fences []fence, c call, bytes []byte) {
	t.Helper()
	type result struct {
		err  error
		made []made
	}
	var generic result
	for _, table := range Tables() {
		v := &views{bytes: bytes, fences: fences}
		o := newOperands(1, v.edge(), v.edge())
		o.depth, o.extra = v.edge(), v.edge()
		if o.extra == 3 {
			o.extra = o.rows
		}
		o.view = v.matrix
		describe := func() string {
			s := fmt.Sprintf("%s on %s, %dx%d, depth %d, extra %d, of bytes %v:", c.name, table.ISA, o.rows, o.cols, o.depth, o.extra, bytes)
			for _, m := range o.made {
				s += fmt.Sprintf(" {%dx%d stride %d of %d", m.Rows, m.Cols, m.Stride, len(m.Data))
				if m.Data == nil {
					s += " nil"
				}
				s += "}"
			}
			return s
		}
		err := within(time.Second, describe, func() error { return o.run(table, c) })
		if err != nil {
			var index *IndexError
			if !errors.Is(err, ErrShape) && !errors.As(err, &index) && !strings.Contains(err.Error(), " has label ") {
				require.NoError(t, err, describe())
			}
		}
		for i, m := range o.made {
			writable := m.written && err == nil && m.Valid() || c.name == "Gather"
			for at, value := range fences[i] {
				j := at - v.used[i]
				switch {
				case j < 0 || j >= len(m.Data):
					if value == canary {
						continue
					}
				case math.Float32bits(value) == math.Float32bits(m.before[j]) || writable && (m.Rows == 1 || j%m.Stride < m.Cols):
					continue
				}
				require.Failf(t, "written beside the result", "%s: operand %d, element %d", describe(), i, j)
			}
		}
		if table.ISA == Generic {
			generic.err = err
			for _, m := range o.made {
				m.Data = slices.Clone(m.Data)
				generic.made = append(generic.made, m)
			}
			continue
		}
		if (err == nil) != (generic.err == nil) || err != nil && err.Error() != generic.err.Error() {
			require.Failf(t, "not the error of Generic", "%s: %v, Generic: %v", describe(), err, generic.err)
		}
		for i, m := range o.made {
			for j, got := range m.Data {
				if want := generic.made[i].Data[j]; !near(got, want) {
					require.Failf(t, "not the result of Generic", "%s: operand %d, element %d: %v, Generic: %v", describe(), i, j, got, want)
				}
			}
		}
	}
}

// within runs a kernel. A fault of memory is an error, and a kernel that does not come back ends the test.
func within(d time.Duration, describe func() string, run func() error) (err error) {
	late := time.AfterFunc(d, func() { panic("does not come back: " + describe()) })
	defer late.Stop()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return run()
}

func fuzzFences(t testing.TB) (fences []fence) {
	skipUnderQemu(t)
	for range 8 {
		fences = append(fences, newFence(t, 1))
	}
	return fences
}

// Views that no code should make, given to every kernel: some, and ten times as many with ESPALIER_LONG set.
func TestMalformedViews(t *testing.T) {
	rounds := 300
	switch {
	case os.Getenv("ESPALIER_LONG") != "":
		rounds *= 10
	case testing.Short():
		rounds /= 10
	}
	fences := fuzzFences(t)
	for _, c := range viewCalls() {
		t.Run(c.name, func(t *testing.T) {
			fuzzViews(t, fences, c, []byte{18, 6}) // rows without end that have no columns
			r := rand.New(rand.NewPCG(1, 9))
			for range rounds {
				bytes := make([]byte, 24)
				for i := range bytes {
					if i < 4 || r.IntN(3) == 0 {
						bytes[i] = byte(r.Uint32())
					}
					if i < 4 && r.IntN(2) == 0 {
						bytes[i] %= 10
					}
				}
				fuzzViews(t, fences, c, bytes)
			}
		})
	}
}

// FuzzViews is TestMalformedViews for as long as one likes. The first byte of the data is the call.
func FuzzViews(f *testing.F) {
	fences, list := fuzzFences(f), viewCalls()
	for i := range list {
		f.Add(byte(i), []byte{0, 0, 0, 0, 0, 8, 12})
		f.Add(byte(i), []byte{6, 12, 2, 0, 0, 0, 0, 13, 255})
	}
	f.Fuzz(func(t *testing.T, i byte, bytes []byte) { fuzzViews(t, fences, list[int(i)%len(list)], bytes) })
}
