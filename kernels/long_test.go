package kernels

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// longShapes need several calls of assembly, whatever the most is that one call may do: long rows, many rows, one row and one
// column.
var longShapes = []struct{ rows, cols int }{{3, 20011}, {5003, 7}, {1, 40961}, {20011, 1}}

// tame values keep sums free of cancellation, so that one tolerance holds for every kernel.
var tame = func() []float32 {
	r := rand.New(rand.NewPCG(3, 8))
	x := make([]float32, 4093)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}()

// longCalls adds the bound layer, for the operands of Dense.
func longCalls() []call {
	return append(calls(), call{"Bind", false, func(t *Table, o *operands) error {
		if err := o.dense(t, true, ReLU); err != nil {
			return err
		}
		y, x := o.made[0].Matrix, o.made[1].Matrix
		if err := new(Table).Fill(y, 0); err != nil {
			return err
		}
		var d BoundDense
		if err := t.Bind(&d, y, x, o.packed, ReLU); err != nil {
			return err
		}
		return d.Run(&o.scratch, o.rows)
	}})
}

func longOperands(rows, cols int) *operands {
	o := newOperands(uint64(rows), rows, cols)
	o.depth = 5
	o.solid = cols == 1 // a column without gaps has kernels of its own
	o.fill = func(_ int, x []float32) { repeat(x, tame, o.IntN(len(tame))) }
	return o
}

// A kernel that goes through its operands in several calls gives what it gives for their parts, what every other SIMD level
// gives and, nearly, what Generic gives.
func TestLongOperands(t *testing.T) {
	tables := Tables()
	for _, c := range longCalls() {
		t.Run(c.name, func(t *testing.T) {
			for _, shape := range longShapes {
				var generic, simd *operands
				for _, table := range tables {
					o := longOperands(shape.rows, shape.cols)
					require.NoError(t, o.run(table, c))
					o.requireIntact(t)
					switch {
					case generic == nil:
						generic = o
						continue
					case simd == nil:
						simd = o
						o.requireNear(t, generic, "%v", shape)
					default:
						o.requireSame(t, simd, "%v", shape)
					}
					name, _, _ := strings.Cut(c.name, "/")
					if shape.rows > 1 && !slices.Contains(rowless, name) && !c.moves() {
						o.requireParts(t, table, c, true)
					}
					if shape.cols > 1 && slices.Contains(columnwise, strings.TrimSuffix(name, "+")) {
						o.requireParts(t, table, c, false)
					}
				}
			}
		})
	}
}

// rowless are the kernels without rows, or whose sum over rows starts from zero.
var rowless = []string{"SGD", "Momentum", "Adam", "RMSprop", "Adagrad", "ColSum"}

// columnwise are the kernels that compute each column from the same columns of their operands.
var columnwise = []string{"Fill", "Copy", "Scale", "Axpy", "Add", "Mul", "Maximum", "Minimum", "MulAdd", "Exp", "Log", "Erf", "Unary", "UnaryGrad", "SGD", "Momentum",
	"Adam", "RMSprop", "Adagrad", "ColSum", "Activate", "ActivateGrad", "Gemm", "GemmNT", "GemmTN"}

// requireParts demands the results that o has of calls with some of its rows, or columns, each.
func (o *operands) requireParts(t *testing.T, table *Table, c call, byRows bool) {
	t.Helper()
	whole := *o
	whole.made = slices.Clone(o.made)
	for i, m := range o.made {
		o.made[i].Data = slices.Clone(m.Data)
	}
	whole.restore()
	n, other := o.rows, o.cols
	if !byRows {
		n, other = other, n
	}
	part := max(1, 503/other)
	for from := 0; from < n; from += part {
		to := min(from+part, n)
		p := &operands{rows: o.rows, cols: o.cols, depth: o.depth, packed: o.packed}
		if byRows {
			p.rows = to - from
		} else {
			p.cols = to - from
		}
		for _, m := range whole.made {
			switch {
			case byRows && m.Rows == n || !byRows && m.Cols != n && m.Rows == n:
				m.Matrix = m.RowRange(from, to)
			case m.Cols == n:
				m.Matrix = m.Columns(from, to)
			}
			if m.Rows == 1 { // a vector is handed over by its data
				m.Data = m.Data[:m.Cols]
			}
			p.made = append(p.made, m)
		}
		require.NoError(t, p.run(table, c))
	}
	whole.requireIntact(t)
	whole.requireSame(t, o, "%dx%d in parts, by rows %t", o.rows, o.cols, byRows)
}

// requireNear is requireSame for results that were rounded otherwise.
func (o *operands) requireNear(t *testing.T, other *operands, format string, args ...any) {
	t.Helper()
	for i, m := range o.made {
		if !m.written {
			continue
		}
		for r := range m.Rows {
			want := other.made[i].Row(r)
			for j, v := range m.Row(r) {
				if !near(v, want[j]) {
					require.Failf(t, "too far", format+": operand %d, element %d,%d: Generic %v, got %v", append(args, i, r, j, want[j], v)...)
				}
			}
		}
	}
}

// near is how close two levels are in results of tame values.
func near(a, b float32) bool {
	x, y := float64(a), float64(b)
	return a == b || a != a && b != b || math.Abs(x-y) <= 1e-4*math.Max(1, math.Abs(y))
}

// Whatever is tested for every kernel is tested over calls, so each kernel is there.
func TestCallsHaveEveryKernel(t *testing.T) {
	var names []string
	for _, c := range longCalls() {
		name, _, _ := strings.Cut(c.name, "/")
		names = append(names, strings.TrimSuffix(name, "+"))
	}
	table := reflect.TypeFor[*Table]()
	for i := range table.NumMethod() {
		switch name := table.Method(i).Name; name {
		case "Gather", "Describe": // have no assembly
		default:
			require.Contains(t, names, name)
		}
	}
}
