//go:build amd64 && !purego && !race

package kernels

import (
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/internal/asmsim"
)

// assembly is the checked-in assembly, ready to be simulated.
var assembly = sync.OnceValues(func() (*asmsim.Program, error) {
	text, err := os.ReadFile("kernels_amd64.s")
	if err != nil {
		return nil, err
	}
	return asmsim.Parse(string(text))
})

// simulated returns the kernels of a level with every assembly function in it run by the simulator, so that a machine
// that lacks the level can test it. They may touch nothing but mem, or everything if it is nil.
func simulated(t testing.TB, v level, mem *asmsim.Memory) *Table {
	t.Helper()
	program, err := assembly()
	require.NoError(t, err)
	simulate(program, reflect.ValueOf(&v).Elem(), mem)
	return v.table()
}

// simulate replaces the functions in v, whose fields need not be exported, and those in its structs, arrays and slices.
func simulate(program *asmsim.Program, v reflect.Value, mem *asmsim.Memory) {
	v = reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem()
	switch v.Kind() {
	case reflect.Func:
		if name := symbol(v); program.Has(name) { // others are Go
			program.CheckedFunc(name, v.Addr().Interface(), mem)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			simulate(program, v.Field(i), mem)
		}
	case reflect.Slice:
		v.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v)) // the original stays as it is
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			simulate(program, v.Index(i), mem)
		}
	}
}

// steady keeps the stack of the test's goroutine where it is: to the simulator the address of a variable on it is a number,
// which a stack that moves leaves behind. Assembly on the machine does not let it move.
func steady(t testing.TB) {
	percent := debug.SetGCPercent(-1) // a collection may shrink it
	t.Cleanup(func() { debug.SetGCPercent(percent) })
	runtime.GC() // ends one that is under way
	growStack()
}

// growStack makes room for all that a simulated call needs.
//
//go:noinline
func growStack() byte {
	var room [128 << 10]byte
	return room[len(os.Args)]
}

// symbol returns the name of a function in the assembly.
func symbol(fn reflect.Value) string {
	if fn.IsNil() {
		return ""
	}
	name := runtime.FuncForPC(fn.Pointer()).Name()
	name = name[strings.LastIndex(name, "/")+1:]
	_, name, _ = strings.Cut(name, ".")
	return strings.TrimSuffix(name, ".abi0")
}

// nativeAVX2 returns the kernels of the level that the simulator is compared with.
func nativeAVX2(t testing.TB) *Table {
	i := slices.IndexFunc(Tables(), func(t *Table) bool { return t.ISA == AVX2 })
	if i < 0 {
		t.Skip("the machine has no AVX2")
	}
	return Tables()[i]
}

// Both levels run in the simulator, and give the bits that AVX2 gives on the machine.
func TestSimulatedGemm(t *testing.T) {
	native := nativeAVX2(t)
	for _, level := range []level{avx2, avx512} {
		t.Run("isa="+level.isa.String(), func(t *testing.T) {
			steady(t)
			table := simulated(t, level, nil)
			r := rand.New(rand.NewPCG(1, 2))
			for _, special := range []bool{false, true} {
				for range 40 {
					m, n, k := 1+r.IntN(31), 1+r.IntN(100), r.IntN(20)
					if r.IntN(10) == 0 {
						n = 256 + r.IntN(64)
					}
					if r.IntN(20) == 0 {
						m, n, k = 3, 5, 512+r.IntN(100)
					}
					testSimulatedGemm(t, table, native, r, m, n, k, special)
				}
			}
			for m := 1; m <= 15; m++ {
				for n := 1; n <= 3*level.panel; n++ {
					testSimulatedGemm(t, table, native, r, m, n, 6, false)
				}
				testSimulatedGemm(t, table, native, r, m, 9*level.panel+1, 6, false) // two of the widest tiles
			}
			for m := 1; m <= 5; m++ { // dot products
				for n := 1; n <= 21; n += 1 + n/3 {
					for _, k := range []int{64, 69, 90, 525} {
						testSimulatedGemm(t, table, native, r, m, n, k, (m+n)%2 == 0)
					}
				}
			}
		})
	}
}

// testSimulatedGemm compares the products of the simulator with those of the machine and, unless there are special
// values among the operands, with the exact ones.
func testSimulatedGemm(t *testing.T, table, native *Table, r *rand.Rand, m, n, k int, special bool) {
	fill := func(rows, cols int) Matrix {
		stride := cols + r.IntN(4)
		x := MatrixOf(make([]float32, rows*stride), rows, cols)
		x.Stride = stride
		for i := range x.Data {
			x.Data[i] = float32(r.NormFloat64())
			if special && r.IntN(8) == 0 {
				x.Data[i] = specials[r.IntN(len(specials))]
			}
		}
		return x
	}
	a, b, start := fill(m, k), fill(k, n), fill(m, n)
	at, bt := transposed(a), transposed(b)
	bias := fill(1, n).Data[:n]
	products := map[string]func(t *Table, c Matrix, e Epilogue) error{
		"Gemm":   func(t *Table, c Matrix, e Epilogue) error { return t.Gemm(nil, c, a, b, e) },
		"GemmNT": func(t *Table, c Matrix, e Epilogue) error { return t.GemmNT(nil, c, a, bt, e) },
		"GemmTN": func(t *Table, c Matrix, e Epilogue) error { return t.GemmTN(nil, c, at, b, e) },
	}
	for _, e := range []Epilogue{{}, {Bias: bias, Act: ReLU}, {Accumulate: true}} {
		for name, product := range products {
			exact := start
			exact.Data = slices.Clone(start.Data)
			for i := range m {
				for j, sum := range exact.Row(i) {
					if e.Bias != nil {
						sum = bias[j]
					} else if !e.Accumulate {
						sum = 0
					}
					sum = ExactSum(name == "GemmNT", sum, n, k, func(p int) float32 { return a.Row(i)[p] }, func(p int) float32 { return b.Row(p)[j] })
					if e.Act == ReLU {
						sum = max(sum, 0)
					}
					exact.Row(i)[j] = sum
				}
			}
			got, want := start, start
			got.Data, want.Data = slices.Clone(start.Data), slices.Clone(start.Data)
			require.NoError(t, product(table, got, e))
			require.NoError(t, product(native, want, e))
			for p, w := range want.Data {
				g, x := got.Data[p], exact.Data[p]
				same := math.Float32bits(g) == math.Float32bits(w)
				if os.Getenv("ESPALIER_EMULATOR") != "" { // emulators choose other payloads of NaN
					same = g == w || g != g && w != w
				}
				if !same || !special && g != x {
					require.Failf(t, "different bits", "%s m=%d n=%d k=%d %+v: c[%d,%d]: simulated %v, native %v, exact %v",
						name, m, n, k, e, p/start.Stride, p%start.Stride, g, w, x)
				}
			}
		}
	}
}

func transposed(x Matrix) Matrix {
	y := NewMatrix(x.Cols, x.Rows)
	for i := range x.Rows {
		for j, v := range x.Row(i) {
			y.Row(j)[i] = v
		}
	}
	return y
}

// A tile reads and writes its operands and no byte beside them.
func TestSimulatedGemmBounds(t *testing.T) {
	program, err := assembly()
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(3, 4))
	for _, level := range []level{avx2, avx512} {
		tiles := level.byRows
		for _, n := range level.narrow {
			tiles = slices.Concat(tiles, n.byRows[len(level.byRows):])
		}
		for i, original := range tiles {
			rows, name := i+1, symbol(reflect.ValueOf(original))
			for try := range 140 {
				gap := try % 2 * (1 + r.IntN(3)) // between the rows of C: a tile may store rows without one as a whole
				try /= 2
				k, blocks, n := r.IntN(9), 1+r.IntN(2), 1+r.IntN(5*level.panel)
				switch {
				case rows > len(level.byRows):
					n = 1 + try%level.narrow[0].columns
				case try < 2*level.panel:
					n = try + 1
				case rows == 1:
					n += 4 * level.panel
				}
				m, stride := rows*blocks, n+gap
				panels := (n + level.panel - 1) / level.panel
				a, c, init := make([]float32, (m+1)*k), make([]float32, m*stride), make([]float32, n)
				b := make([]float32, max(0, (panels*k-1)*level.panel+(n-1)%level.panel+1)) // the last panel ends with its last column
				if k == 0 {
					b = nil
				}
				var mem asmsim.Memory
				mem.AllowRead(a)
				mem.AllowRead(b)
				mem.AllowRead(init)
				if gap == 0 {
					mem.Allow(c)
				}
				for row := range slices.Chunk(c, stride) {
					mem.Allow(row[:n])
				}
				var tile gemmTile
				program.CheckedFunc(name, &tile, &mem)
				starts := []struct {
					init    *float32
					initRow int
				}{{nil, 0}, {&init[0], 0}, {&c[0], 4 * stride}}
				for i, start := range starts {
					for _, columns := range []bool{false, true} {
						aRow, aCol := 4*k, 4
						if columns {
							aRow, aCol = 4, 4*(m+1)
						}
						call := tileCall{k: k, blocks: blocks, n: n, a: unsafe.SliceData(a), aRow: aRow, aCol: aCol,
							b: unsafe.SliceData(b), bRow: 4 * level.panel, bPanel: 4 * k * level.panel,
							c: &c[0], cRow: 4 * stride, init: start.init, initRow: start.initRow}
						mem.Allow(unsafe.Slice((*float32)(unsafe.Pointer(&call)), unsafe.Sizeof(call)/4))
						require.NotPanics(t, func() { tile(&call) }, "k=%d blocks=%d n=%d start=%d columns=%v", k, blocks, n, i, columns)
					}
				}
			}
			// The masked tile of two vectors never ends with a whole one: a row's store may have two instructions for that.
			unreached := program.Unreached(name)
			require.LessOrEqual(t, len(unreached), 2*rows, "%s: nothing tests %q", name, unreached)
		}
	}
}

// So does a tile of dot products.
func TestSimulatedDotsBounds(t *testing.T) {
	program, err := assembly()
	require.NoError(t, err)
	for _, level := range []level{avx2, avx512} {
		for i, original := range level.dots {
			rows, name := i+1, symbol(reflect.ValueOf(original))
			for try := range 400 {
				k, blocks, n, gap := 16+try%67, 1+try%2, 1+try%37, try%3
				var mem asmsim.Memory
				gapped := func(rows, cols int, allow func(any)) []float32 {
					x := make([]float32, rows*(cols+gap)+1)
					for i := range rows {
						allow(x[i*(cols+gap):][:cols])
					}
					return x
				}
				a, b := gapped(rows*blocks, k, mem.AllowRead), gapped(n, k, mem.AllowRead)
				c, bias := gapped(rows*blocks, n, mem.Allow), gapped(1, n, mem.AllowRead)
				var tile gemmTile
				program.CheckedFunc(name, &tile, &mem)
				for start, init := range []*float32{nil, &bias[0], &c[0]} {
					call := tileCall{k: k, blocks: blocks, n: n, a: &a[0], aRow: 4 * (k + gap), aCol: 4, b: &b[0], bRow: 4, bPanel: 4 * (k + gap),
						c: &c[0], cRow: 4 * (n + gap), init: init}
					if start == 2 {
						call.initRow = call.cRow
					}
					mem.Allow(unsafe.Slice((*float32)(unsafe.Pointer(&call)), unsafe.Sizeof(call)/4))
					require.NotPanics(t, func() { tile(&call) }, "k=%d blocks=%d n=%d gap=%d start=%d", k, blocks, n, gap, start)
				}
			}
			require.Empty(t, program.Unreached(name), name)
		}
	}
}

// Every kernel gives the machine's bits in the simulator, too, and touches nothing but its operands; between levels any
// NaN is as good as another, and so is any zero.
func TestSimulatedCalls(t *testing.T) {
	native := nativeAVX2(t)
	seeds := uint64(99) // one special value in each place
	if os.Getenv("ESPALIER_LONG") != "" {
		seeds *= uint64(len(specials)) // each of them
	}
	for _, level := range []level{avx2, avx512} {
		var mem asmsim.Memory
		table := simulated(t, level, &mem)
		for _, c := range calls() {
			t.Run("isa="+level.isa.String()+"/"+c.name, func(t *testing.T) {
				if strings.HasPrefix(c.name, "Gemm") || strings.HasPrefix(c.name, "Dense") {
					t.Skip("TestSimulatedGemm")
				}
				if c.name == "RowSumSquares" || strings.HasPrefix(c.name, "LogSoftmaxGrad") || strings.Contains(c.name, "/rectify(") { // lanes, or pieces, are no operand
					t.Skip("TestSimulatedLongRows")
				}
				steady(t)
				for seed := range seeds {
					run := func(table *Table) *operands {
						mem = asmsim.Memory{}
						mem.AllowRead(unsafe.Slice(&unitWeight, 1))
						o := newOperands(seed, 1+int(seed)%5, 0)
						o.cols = 1 + o.IntN(80)
						if seed%10 == 0 {
							o.cols += 200
						}
						o.memory = func(n int) []float32 {
							x := make([]float32, n)
							mem.Allow(x)
							return x
						}
						switch seed % 3 {
						case 0: // many of them
							o.fill = func(_ int, x []float32) {
								for i := range x {
									if o.IntN(8) == 0 {
										x[i] = specials[o.IntN(len(specials))]
									}
								}
							}
						case 1: // one, in each place in turn
							o.cols = 33
							o.fill = func(operand int, x []float32) {
								x[int(seed/3)%len(x)] = specials[(int(seed)+5*operand)%len(specials)]
							}
						}
						require.NoError(t, o.run(table, c))
						o.requireIntact(t)
						return o
					}
					got, want := run(table), run(native)
					got.requireSame(t, want, "seed %d", seed)
					if level.isa != native.ISA || os.Getenv("ESPALIER_EMULATOR") != "" { // emulators choose other payloads of NaN
						continue
					}
					for i, m := range got.made {
						for j, v := range m.Data {
							if w := want.made[i].Data[j]; math.Float32bits(v) != math.Float32bits(w) {
								require.Failf(t, "different bits", "seed %d, operand %d, element %d: simulated %v (%#x), native %v (%#x)",
									seed, i, j, v, math.Float32bits(v), w, math.Float32bits(w))
							}
						}
					}
				}
			})
		}
	}
}

// Rows that are computed in pieces give the machine's bits, too.
func TestSimulatedLongRows(t *testing.T) {
	native := nativeAVX2(t)
	for _, level := range []level{avx2, avx512} {
		table := simulated(t, level, nil)
		for _, c := range calls() {
			if strings.HasPrefix(c.name, "Gemm") || strings.HasPrefix(c.name, "Dense") || c.name == "Pack" {
				continue
			}
			t.Run("isa="+level.isa.String()+"/"+c.name, func(t *testing.T) {
				steady(t)
				run := func(table *Table) *operands {
					o := newOperands(7, 1, rowCall+mathCall+5)
					o.fill = tameOperand
					require.NoError(t, o.run(table, c))
					o.requireIntact(t)
					return o
				}
				run(table).requireSame(t, run(native), "")
			})
		}
	}
}

// tameOperand keeps the exponentials of a long row apart from 0.
func tameOperand(_ int, x []float32) {
	for j := range x {
		x[j] = float32(math.Tanh(float64(x[j])))
	}
}

var specials = []float32{
	0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
	math.Float32frombits(0xffc12345), math.Float32frombits(0x7f812345), // quiet and signaling
	math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, 1e-40, 1e-30, -1e30,
}
