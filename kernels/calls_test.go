package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// A call is one use of a kernel. What must hold for every kernel is tested over all calls.
type call struct {
	name   string
	labels bool // needs a column
	run    func(t *Table, o *operands) error
}

// operands makes what a call asks for, the same from the same seed, and gives it out again when the call is repeated.
type operands struct {
	*rand.Rand
	rows, cols, depth int                            // of a product too: C[rows,cols], and depth products for each element
	extra             int                            // rows that a bound layer computes
	solid             bool                           // rows without gaps
	view              func(rows, cols int) made      // makes an operand that should have this shape, instead of operand
	memory            func(n int) []float32          // where operands lie, instead of on the heap
	fill              func(operand int, x []float32) // changes the values of an operand, which has so many elements
	made              []made
	next              int
	packed            *PackedB
	scratch           Scratch
}

// made is an operand with the values it had at first; gaps between rows hold canaries.
type made struct {
	Matrix
	written bool
	before  []float32
}

func newOperands(seed uint64, rows, cols int) *operands {
	return &operands{Rand: rand.New(rand.NewPCG(seed, 5)), rows: rows, cols: cols, depth: 3}
}

const canary = float32(12345)

// values are what operands consist of.
var values = func() []float32 {
	r := rand.New(rand.NewPCG(1, 6))
	x := make([]float32, 4093)
	for i := range x {
		x[i] = float32(r.NormFloat64() * math.Exp(2*r.NormFloat64()))
	}
	return x
}()

// repeat fills x with the values from the given one on, again and again.
func repeat(x, values []float32, from int) {
	for len(x) > 0 {
		x = x[copy(x, values[from:]):]
		from = 0
	}
}

// run makes the call, with the operands of the run before it if there was one.
func (o *operands) run(t *Table, c call) error {
	o.next = 0
	return c.run(t, o)
}

func (o *operands) operand(rows, cols, gap int, written bool) Matrix {
	switch {
	case o.next < len(o.made):
	case o.view != nil:
		m := o.view(rows, cols)
		m.written = written
		o.made = append(o.made, m)
	default:
		m := Matrix{Rows: rows, Cols: cols, Stride: cols + gap}
		n := cols
		if rows != 1 {
			n = max(0, (rows-1)*m.Stride+cols)
		}
		if o.memory == nil {
			m.Data = make([]float32, n)
		} else {
			m.Data = o.memory(n)
		}
		for i := range m.Data {
			m.Data[i] = canary
		}
		for i := range rows {
			repeat(m.Row(i), values, o.IntN(len(values)))
		}
		if o.fill != nil {
			for i := range rows {
				o.fill(len(o.made), m.Row(i))
			}
		}
		o.made = append(o.made, made{m, written, slices.Clone(m.Data)})
	}
	o.next++
	return o.made[o.next-1].Matrix
}

// reads and writes make a matrix whose rows may have a gap between them.
func (o *operands) reads(rows, cols int) Matrix  { return o.operand(rows, cols, o.gap(), false) }
func (o *operands) writes(rows, cols int) Matrix { return o.operand(rows, cols, o.gap(), true) }

func (o *operands) gap() int {
	if o.solid || o.next < len(o.made) {
		return 0
	}
	return o.IntN(3)
}

func (o *operands) in() Matrix  { return o.reads(o.rows, o.cols) }
func (o *operands) out() Matrix { return o.writes(o.rows, o.cols) }

func (o *operands) readFloats(n int) []float32  { return o.floats(n, false) }
func (o *operands) writeFloats(n int) []float32 { return o.floats(n, true) }

func (o *operands) floats(n int, written bool) []float32 {
	x := o.operand(1, n, 0, written).Data
	o.made[o.next-1].Matrix = vector(x) // a kernel sees no more of it
	return x
}

// positive makes what an optimizer takes the square root of.
func (o *operands) positive(n int) []float32 {
	again := o.next < len(o.made)
	x := o.writeFloats(n)
	if !again {
		for i := range x {
			x[i] = abs(x[i])
		}
		copy(o.made[o.next-1].before, x)
	}
	return x
}

func (o *operands) labels() []int32 {
	x := o.given(o.rows, func(x []float32) {
		for i := range x {
			x[i] = math.Float32frombits(uint32(o.IntN(max(1, o.cols))))
		}
	})
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// given makes an operand with values of its own.
func (o *operands) given(n int, set func(x []float32)) []float32 {
	again, fill := o.next < len(o.made), o.fill
	o.fill = nil
	x := o.readFloats(n)
	o.fill = fill
	if !again {
		set(x)
		copy(o.made[o.next-1].before, x)
	}
	return x
}

// dense runs the kernel with weights that were packed before the first run.
func (o *operands) dense(t *Table, bias bool, act Activation) error {
	y, x := o.out(), o.reads(o.rows, o.depth)
	w, err := o.weights(t, o.depth, o.cols, bias)
	if err != nil {
		return err
	}
	return t.Dense(&o.scratch, y, x, w, act)
}

// weights packs weights before the first run: their packed form is an operand.
func (o *operands) weights(t *Table, rows, cols int, bias bool) (*PackedB, error) {
	if o.packed == nil {
		w := operands{Rand: o.Rand, fill: o.fill}
		if w.fill != nil {
			w.fill = func(_ int, x []float32) { o.fill(len(o.made), x) }
		}
		o.packed = new(PackedB)
		matrix, b := w.reads(rows, cols), w.readFloats(cols)
		if !bias {
			b = nil
		}
		if err := t.Pack(o.packed, matrix, b); err != nil {
			return nil, err
		}
	}
	for _, part := range []*[]float32{&o.packed.data, &o.packed.bias} {
		if *part != nil {
			values := *part
			*part = o.given(len(values), func(x []float32) { copy(x, values) })
		}
	}
	return o.packed, nil
}

// requireIntact demands that no call changed what it only reads, or the gaps between rows.
func (o *operands) requireIntact(t testing.TB) {
	t.Helper()
	for i, m := range o.made {
		if m.written {
			for r := range m.Rows - 1 {
				for _, v := range m.Data[r*m.Stride+m.Cols : (r+1)*m.Stride] {
					if v != canary {
						require.Failf(t, "written between the rows", "operand %d: %v behind row %d", i, v, r)
					}
				}
			}
			continue
		}
		for j, v := range m.Data {
			if math.Float32bits(v) != math.Float32bits(m.before[j]) {
				require.Failf(t, "written to an input", "operand %d: element %d", i, j)
			}
		}
	}
}

// restore gives the operands the values they had at first.
func (o *operands) restore() {
	for _, m := range o.made {
		if m.written {
			copy(m.Data, m.before)
		}
	}
}

// requireSame demands the bits of another run: any NaN is as good as another, and so is any zero.
func (o *operands) requireSame(t testing.TB, other *operands, format string, args ...any) {
	t.Helper()
	require.Len(t, o.made, len(other.made))
	for i, m := range o.made {
		if !m.written {
			continue
		}
		for r := range m.Rows {
			want := other.made[i].Row(r)
			for j, v := range m.Row(r) {
				if v != want[j] && !(v != v && want[j] != want[j]) {
					require.Failf(t, "different bits", format+": operand %d, element %d,%d: %v and %v", append(args, i, r, j, want[j], v)...)
				}
			}
		}
	}
}

// unaryCalls are a function for each kernel that computes some, and one in portable Go.
var unaryCalls = []Unary{
	{Kind: GELU}, {Kind: GELUTanh}, {Kind: Mish}, {Kind: Softplus}, {Kind: ELU, A: 2, B: 0.5, C: 1.5},
	{Kind: Softsign}, {Kind: Rectify, A: 0.1, B: 2}, {Kind: Squareplus, A: 4},
}

// calls lists every kernel, with each of its options and optional operands at least once.
func calls() []call {
	list := []call{
		{"Fill", false, func(t *Table, o *operands) error { return t.Fill(o.out(), 3) }},
		{"Copy", false, func(t *Table, o *operands) error { return t.Copy(o.out(), o.in()) }},
		{"Scale", false, func(t *Table, o *operands) error { return t.Scale(o.out(), o.in(), 1.5) }},
		{"Axpy", false, func(t *Table, o *operands) error { return t.Axpy(o.out(), 1.5, o.in()) }},
		{"Add", false, func(t *Table, o *operands) error { return t.Add(o.out(), o.in(), o.in()) }},
		{"Mul", false, func(t *Table, o *operands) error { return t.Mul(o.out(), o.in(), o.in()) }},
		{"Maximum", false, func(t *Table, o *operands) error { return t.Maximum(o.out(), o.in(), o.in()) }},
		{"Minimum", false, func(t *Table, o *operands) error { return t.Minimum(o.out(), o.in(), o.in()) }},
		{"MulAdd", false, func(t *Table, o *operands) error { return t.MulAdd(o.out(), o.in(), o.in()) }},
		{"Exp", false, func(t *Table, o *operands) error { return t.Exp(o.out(), o.in()) }},
		{"Log", false, func(t *Table, o *operands) error { return t.Log(o.out(), o.in()) }},
		{"Erf", false, func(t *Table, o *operands) error { return t.Erf(o.out(), o.in()) }},
		{"RowSum", false, func(t *Table, o *operands) error { return t.RowSum(o.writeFloats(o.rows), o.in()) }},
		{"RowSumSquares", false, func(t *Table, o *operands) error { return t.RowSumSquares(o.writeFloats(o.rows), o.in()) }},
		{"SGD", false, func(t *Table, o *operands) error { return t.SGD(o.writeFloats(o.cols), o.readFloats(o.cols), 0.1) }},
		{"Adam", false, func(t *Table, o *operands) error {
			return t.Adam(o.writeFloats(o.cols), o.writeFloats(o.cols), o.positive(o.cols), o.readFloats(o.cols), 1e-3, 0.9, 0.999, 1e-7)
		}},
		{"RMSprop", false, func(t *Table, o *operands) error {
			return t.RMSprop(o.writeFloats(o.cols), o.positive(o.cols), o.readFloats(o.cols), 1e-3, 0.9, 1e-7)
		}},
		{"Adagrad", false, func(t *Table, o *operands) error {
			return t.Adagrad(o.writeFloats(o.cols), o.positive(o.cols), o.readFloats(o.cols), 1e-3, 1e-7)
		}},
		{"Softmax", false, func(t *Table, o *operands) error { return t.Softmax(o.out(), o.in()) }},
		{"Sparsemax", false, func(t *Table, o *operands) error { return t.Sparsemax(o.out(), o.in()) }},
		{"LogSoftmax", false, func(t *Table, o *operands) error { return t.LogSoftmax(o.out(), o.in()) }},
		{"ClippedCrossEntropy", true, func(t *Table, o *operands) error {
			return t.ClippedCrossEntropy(o.writeFloats(o.rows), o.out(), o.in(), o.labels(), o.readFloats(o.rows))
		}},
		{"ClippedSoftCrossEntropy", false, func(t *Table, o *operands) error {
			return t.ClippedSoftCrossEntropy(o.writeFloats(o.rows), o.out(), o.in(), o.in(), o.readFloats(o.rows))
		}},
		{"ClippedBinaryCrossEntropy", false, func(t *Table, o *operands) error {
			return t.ClippedBinaryCrossEntropy(o.writeFloats(o.rows), o.out(), o.in(), o.in(), o.readFloats(o.rows))
		}},
		{"Pack", false, func(t *Table, o *operands) error {
			return t.Pack(new(PackedB), o.reads(o.depth, o.cols), o.readFloats(o.cols))
		}},
	}
	add := func(name string, labels bool, run func(t *Table, o *operands) error) {
		list = append(list, call{name, labels, run})
	}
	for _, accumulate := range []bool{false, true} {
		plus := map[bool]string{true: "+"}[accumulate]
		add("ColSum"+plus, false, func(t *Table, o *operands) error { return t.ColSum(o.writeFloats(o.cols), o.in(), accumulate) })
		for _, f := range unaryCalls {
			add("UnaryGrad"+plus+"/"+f.String(), false, func(t *Table, o *operands) error { return t.UnaryGrad(o.out(), o.in(), o.in(), o.in(), f, accumulate) })
		}
		add("LogSoftmaxGrad"+plus, false, func(t *Table, o *operands) error { return t.LogSoftmaxGrad(o.out(), o.in(), o.in(), accumulate) })
		add("SparsemaxGrad"+plus, false, func(t *Table, o *operands) error { return t.SparsemaxGrad(o.out(), o.in(), o.in(), o.in(), accumulate) })
		add("SoftmaxGrad"+plus, false, func(t *Table, o *operands) error { return t.SoftmaxGrad(o.out(), o.in(), o.in(), accumulate) })
		add("Momentum/nesterov="+map[bool]string{true: "yes", false: "no"}[accumulate], false, func(t *Table, o *operands) error {
			return t.Momentum(o.writeFloats(o.cols), o.writeFloats(o.cols), o.readFloats(o.cols), 0.1, 0.9, accumulate)
		})
		for act := Linear; act <= Tanh; act++ {
			add("ActivateGrad"+plus+"/"+act.String(), false, func(t *Table, o *operands) error {
				return t.ActivateGrad(o.out(), nil, o.in(), o.in(), act, accumulate)
			})
			add("ActivateGrad"+plus+"/bias/"+act.String(), false, func(t *Table, o *operands) error {
				return t.ActivateGrad(o.out(), o.writeFloats(o.cols), o.in(), o.in(), act, accumulate)
			})
		}
	}
	for _, f := range unaryCalls {
		add("Unary/"+f.String(), false, func(t *Table, o *operands) error { return t.Unary(o.out(), o.in(), f) })
	}
	for act := Linear; act <= Tanh; act++ {
		add("Activate/"+act.String(), false, func(t *Table, o *operands) error { return t.Activate(o.out(), o.in(), nil, act) })
		add("Activate/bias/"+act.String(), false, func(t *Table, o *operands) error {
			return t.Activate(o.out(), o.in(), o.readFloats(o.cols), act)
		})
		add("Dense/"+act.String(), false, func(t *Table, o *operands) error { return o.dense(t, false, act) })
		add("Dense/bias/"+act.String(), false, func(t *Table, o *operands) error { return o.dense(t, true, act) })
	}
	// A loss with and without its optional operands.
	for _, with := range []struct {
		name                 string
		probs, grad, weights bool
	}{{"", false, false, false}, {"/probs", true, false, false}, {"/grad", false, true, false}, {"/all", true, true, true}} {
		maybe := func(o *operands, wanted bool) Matrix {
			if wanted {
				return o.out()
			}
			return Matrix{}
		}
		weights := func(o *operands) []float32 {
			if with.weights {
				return o.readFloats(o.rows)
			}
			return nil
		}
		add("SoftmaxCrossEntropy"+with.name, true, func(t *Table, o *operands) error {
			return t.SoftmaxCrossEntropy(o.writeFloats(o.rows), maybe(o, with.probs), maybe(o, with.grad), o.in(), o.labels(), weights(o))
		})
		add("SoftCrossEntropy"+with.name, false, func(t *Table, o *operands) error {
			return t.SoftCrossEntropy(o.writeFloats(o.rows), maybe(o, with.probs), maybe(o, with.grad), o.in(), o.in(), weights(o))
		})
		add("BinaryCrossEntropy"+with.name, false, func(t *Table, o *operands) error {
			return t.BinaryCrossEntropy(o.writeFloats(o.rows), maybe(o, with.probs), maybe(o, with.grad), o.in(), o.in(), weights(o))
		})
		if !with.probs || with.grad {
			add("MeanSquaredError"+with.name, false, func(t *Table, o *operands) error {
				return t.MeanSquaredError(o.writeFloats(o.rows), maybe(o, with.grad), o.in(), o.in(), weights(o))
			})
			add("MeanAbsoluteError"+with.name, false, func(t *Table, o *operands) error {
				return t.MeanAbsoluteError(o.writeFloats(o.rows), maybe(o, with.grad), o.in(), o.in(), weights(o))
			})
		}
	}
	for _, with := range []struct {
		name string
		bias bool
		Epilogue
	}{{"", false, Epilogue{}}, {"+", false, Epilogue{Accumulate: true}}, {"/bias/relu", true, Epilogue{Act: ReLU}}, {"/bias/tanh", true, Epilogue{Act: Tanh}}} {
		epilogue := func(o *operands) Epilogue {
			e := with.Epilogue
			if with.bias {
				e.Bias = o.readFloats(o.cols)
			}
			return e
		}
		add("Gemm"+with.name, false, func(t *Table, o *operands) error {
			return t.Gemm(&o.scratch, o.out(), o.reads(o.rows, o.depth), o.reads(o.depth, o.cols), epilogue(o))
		})
		add("GemmNT"+with.name, false, func(t *Table, o *operands) error {
			return t.GemmNT(&o.scratch, o.out(), o.reads(o.rows, o.depth), o.reads(o.cols, o.depth), epilogue(o))
		})
		add("GemmTN"+with.name, false, func(t *Table, o *operands) error {
			return t.GemmTN(&o.scratch, o.out(), o.reads(o.depth, o.rows), o.reads(o.depth, o.cols), epilogue(o))
		})
	}
	return slices.Concat(list, layerNormCalls(), windowCalls(), recurrentCalls())
}

// eachCall runs a sub-test for every call on every table of this machine.
func eachCall(t *testing.T, run func(t *testing.T, table *Table, c call)) {
	for _, table := range Tables() {
		for _, c := range calls() {
			t.Run("isa="+table.ISA.String()+"/"+c.name, func(t *testing.T) { run(t, table, c) })
		}
	}
}
