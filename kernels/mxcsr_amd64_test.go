package kernels

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/internal/mxcsr"
)

// No kernel changes how the thread rounds or treats denormals: it may raise flags, which stay until somebody asks.
func TestMXCSR(t *testing.T) {
	const initial = 0x1f80 // to nearest, denormals as they are, no traps
	require.Equal(t, uint32(initial), mxcsr.Get()&^mxcsr.Flags)
	eachCall(t, func(t *testing.T, table *Table, c call) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for _, cols := range []int{1, 7, 16, 33, 300} {
			o := newOperands(uint64(cols), 5, cols)
			before := mxcsr.Get()
			require.NoError(t, o.run(table, c))
			require.Equal(t, before&^mxcsr.Flags, mxcsr.Get()&^mxcsr.Flags)
		}
	})
}
