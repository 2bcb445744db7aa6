//go:build amd64 && !purego && !race

package kernels

import (
	"reflect"
	"testing"

	"github.com/klauspost/cpuid/v2"
	"github.com/stretchr/testify/require"
)

// No call of assembly has more elements than flatCall, whatever the operands are: so long the world may have to wait.
func TestCallsAreShort(t *testing.T) {
	for _, level := range []level{avx2, avx512} {
		if !level.isa.supported(cpuid.CPU.Has) {
			continue
		}
		functions := reflect.ValueOf(&level.functions).Elem()
		for i := range functions.NumField() {
			f := functions.Field(i)
			measure(t, functions.Type().Field(i).Name, reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem())
		}
		for _, c := range longCalls() {
			t.Run("isa="+level.isa.String()+"/"+c.name, func(t *testing.T) {
				steady(t)
				for _, shape := range longShapes {
					if c.moves() && shape.rows > 5003 {
						continue // a call for each place of each image
					}
					require.NoError(t, longOperands(shape.rows, shape.cols).run(level.table(), c))
				}
			})
		}
	}
}

// measure makes a function, or the functions of an array, fail the test when it is called for too much. They begin with
// their number of elements, or with rows and columns, where a part of a vector counts as one.
func measure(t *testing.T, name string, f reflect.Value) {
	if f.Kind() == reflect.Array {
		for i := range f.Len() {
			measure(t, name, f.Index(i))
		}
		return
	}
	original := reflect.ValueOf(f.Interface())
	f.Set(reflect.MakeFunc(f.Type(), func(in []reflect.Value) []reflect.Value {
		n := in[0].Int()
		if in[1].Kind() == reflect.Int {
			n *= (in[1].Int() + 15) &^ 15
		}
		if n > flatCall {
			t.Errorf("%s is called for %d elements", name, n)
		}
		return original.Call(in)
	}))
}
