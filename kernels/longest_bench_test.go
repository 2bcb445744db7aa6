//go:build amd64 && !purego

package kernels

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/cpuid/v2"
)

// BenchmarkLongestCall searches the longest call of assembly, which is not preempted, among random shapes of every kernel, from
// one row to a million, and prints it for each function. Try more shapes than fit into a second with -benchtime 10000x.
func BenchmarkLongestCall(b *testing.B) {
	for _, level := range []level{avx2, avx512} {
		if !level.isa.supported(cpuid.CPU.Has) {
			continue
		}
		b.Run("isa="+level.isa.String(), func(b *testing.B) {
			longest := stopwatch{times: map[string]measured{}}
			longest.wrap(reflect.ValueOf(&level).Elem())
			kernels, list, r := level.table(), calls(), rand.New(rand.NewPCG(1, 10))
			memory := make([]float32, 1<<26)
			repeat(memory, tame, 0)
			for i := 0; b.Loop(); i++ {
				longest.search(b, kernels, list[i%len(list)], r, memory)
			}
			names := slices.SortedFunc(maps.Keys(longest.times), func(x, y string) int {
				return cmp.Compare(longest.times[y].time, longest.times[x].time)
			})
			var table strings.Builder
			for _, name := range names {
				fmt.Fprintf(&table, "\n%8.1f us %s: %s", longest.times[name].time.Seconds()*1e6, name, longest.times[name].shape)
			}
			fmt.Fprintln(os.Stderr, table.String()) // a log of a benchmark ends after ten lines
			b.ReportMetric(longest.times[names[0]].time.Seconds()*1e6, "longest-us")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// A stopwatch keeps the longest call of each function, and the shape that the kernel around it had.
type stopwatch struct {
	times map[string]measured
	shape string
}

type measured struct {
	time  time.Duration
	shape string
}

// search runs a kernel on a random shape, with operands that share the memory.
func (s *stopwatch) search(b *testing.B, table *Table, c call, r *rand.Rand, memory []float32) {
	size := func(most int) int { return int(math.Exp(r.Float64() * math.Log(float64(most)))) }
	o := newOperands(r.Uint64(), size(1<<20), 0)
	o.cols = size(min(1<<20, len(memory)/8/o.rows))
	o.depth = size(min(1<<20, len(memory)/8/max(o.rows, o.cols), 1<<28/(o.rows*o.cols)))
	if c.labels || r.IntN(2) == 0 {
		o.solid = true
	}
	free := memory
	o.view = func(rows, cols int) made {
		m := Matrix{Rows: rows, Cols: cols, Stride: cols + o.gap()}
		n := (rows-1)*m.Stride + cols
		m.Data, free = free[:n:n], free[n:]
		return made{Matrix: m}
	}
	s.shape = fmt.Sprintf("%s, %dx%d", c.name, o.rows, o.cols)
	if strings.HasPrefix(c.name, "Gemm") || strings.HasPrefix(c.name, "Dense") {
		s.shape += fmt.Sprintf(", depth %d", o.depth)
	}
	if err := o.run(table, c); err != nil {
		b.Fatal(s.shape, err)
	}
	repeat(memory[:len(memory)-len(free)], tame, 0) // results may be slow operands
}

// measure runs a call, and again if it seems to be the longest yet: the shortest of its times is without disturbance.
func (s *stopwatch) measure(name string, call func()) {
	best := time.Duration(math.MaxInt64)
	for range 10 {
		start := time.Now()
		call()
		best = min(best, time.Since(start))
		if best <= s.times[name].time {
			return
		}
	}
	s.times[name] = measured{best, s.shape}
}

// wrap puts the stopwatch around the functions in v, whose fields need not be exported, and those in its structs, arrays and
// slices.
func (s *stopwatch) wrap(v reflect.Value) {
	v = reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem()
	switch v.Kind() {
	case reflect.Func:
		if v.IsNil() {
			return
		}
		name := strings.TrimSuffix(runtime.FuncForPC(v.Pointer()).Name(), ".abi0")
		name = name[strings.LastIndex(name, ".")+1:]
		if tile, ok := v.Interface().(gemmTile); ok { // its argument may be on the stack, which reflection must not see
			v.Set(reflect.ValueOf(func(call *tileCall) {
				s.measure(name, func() { again := *call; tile(noescape(&again)) })
			}))
			return
		}
		call := reflect.ValueOf(v.Interface())
		v.Set(reflect.MakeFunc(v.Type(), func(arguments []reflect.Value) []reflect.Value {
			s.measure(name, func() { call.Call(arguments) })
			return nil
		}))
	case reflect.Struct:
		for i := range v.NumField() {
			s.wrap(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v)) // the original stays as it is
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			s.wrap(v.Index(i))
		}
	}
}
