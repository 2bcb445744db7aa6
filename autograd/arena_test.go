package autograd

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestArenaMemoryNeverOverlaps(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	var a arena
	for range 200 {
		slices := make([][]float32, r.IntN(20))
		for i := range slices {
			n := r.IntN(70)
			slices[i] = a.alloc(n)
			require.Len(t, slices[i], n)
			require.Equal(t, n, cap(slices[i]), "append must not reach the neighbour")
			for j := range slices[i] {
				slices[i][j] = float32(i)
			}
		}
		for i, s := range slices {
			for _, v := range s {
				require.Equal(t, float32(i), v)
			}
		}
		a.reset()
	}
}

func TestArenaGrowsToOneBlock(t *testing.T) {
	var a arena
	sizes := []int{5, 0, 100, 16, 1}
	step := func() {
		for _, n := range sizes {
			a.alloc(n)
		}
		a.reset()
	}
	step()
	require.Len(t, a.block, 16+0+112+16+16)
	block := unsafe.SliceData(a.block)
	require.Zero(t, testing.AllocsPerRun(10, step))
	require.Same(t, block, unsafe.SliceData(a.block))

	first := uintptr(unsafe.Pointer(block))
	for _, n := range sizes {
		if n > 0 {
			offset := uintptr(unsafe.Pointer(unsafe.SliceData(a.alloc(n)))) - first
			require.Zero(t, offset%(4*lane), "every slice starts on a cache line of the block")
		}
	}
	sizes = append(sizes, 1000)
	a.reset()
	step()
	require.Len(t, a.block, 160+1008)
	sizes = sizes[:2] // shrinks without a new block
	block = unsafe.SliceData(a.block)
	step()
	require.Same(t, block, unsafe.SliceData(a.block))
}

func TestPoolKeepsItsValuesInPlace(t *testing.T) {
	var p freeList[int]
	seen := map[*int]bool{}
	var order []*int
	for i := range 100 {
		x := p.get()
		require.False(t, seen[x])
		*x = i
		seen[x] = true
		order = append(order, x)
	}
	for i, x := range order {
		require.Equal(t, i, *x)
	}
	p.reset()
	for _, x := range order {
		require.Same(t, x, p.get())
	}
	require.False(t, seen[p.get()])
}

// Nothing that the caller owns stays referenced after Reset.
func TestResetLetsGoOfTheData(t *testing.T) {
	tape := NewTape(nil)
	m := tape.Const(tape.matrix(2, 2))
	tape.Concatenate(m, tape.Param(m.Matrix))
	tape.Reset()
	for _, x := range tape.vars.items {
		require.Equal(t, variable{}, *x)
	}
}
