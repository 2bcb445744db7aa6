//go:build linux && !race

package kernels

import (
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// fence is memory between two pages that nothing may touch.
type fence []float32

func newFence(t testing.TB, pages int) fence {
	page := unix.Getpagesize()
	b, err := unix.Mmap(-1, 0, (pages+2)*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(b)) })
	require.NoError(t, unix.Mprotect(b[:page], unix.PROT_NONE))
	require.NoError(t, unix.Mprotect(b[(pages+1)*page:], unix.PROT_NONE))
	return unsafe.Slice((*float32)(unsafe.Pointer(&b[page])), pages*page/4)
}

func skipUnderQemu(t testing.TB) {
	if strings.HasPrefix(os.Getenv("ESPALIER_EMULATOR"), "qemu-x86_64") {
		t.Skip("qemu 7.2 reads the lanes that VMASKMOVPS leaves out; the machine and the simulator do not")
	}
}

// No kernel reads or writes outside of its operands, whatever their size: up to 130 columns, rows of a column, or products
// for an element, and beyond that some; all up to 1024 with ESPALIER_LONG set.
func TestFences(t *testing.T) {
	skipUnderQemu(t)
	var fences []fence // one for each operand
	for range 8 {
		fences = append(fences, newFence(t, 40))
	}
	step := 97
	if os.Getenv("ESPALIER_LONG") != "" {
		step = 1
	}
	eachCall(t, func(t *testing.T, table *Table, c call) {
		for n := 0; n <= 1024; n++ {
			if n > 130 {
				n = min(n+step-1, 1024)
			}
			for _, shape := range [][3]int{{1 + n%6, n, n % 5}, {n, 1, n % 3}, {1 + n%3, 1 + n%21, n}} {
				if c.labels && shape[1] == 0 {
					continue
				}
				plain := newOperands(uint64(n), shape[0], shape[1])
				plain.depth = shape[2]
				require.NoError(t, plain.run(table, c))
				for _, last := range []bool{false, true} {
					o := newOperands(uint64(n), shape[0], shape[1])
					o.depth = shape[2]
					o.memory = func(n int) []float32 {
						f := fences[len(o.made)]
						if last {
							return f[len(f)-n:]
						}
						return f[:n:n]
					}
					require.NoError(t, o.run(table, c))
					o.requireIntact(t)
					o.requireSame(t, plain, "rows, columns, depth %d, last %t", shape, last)
				}
			}
		}
	})
}
