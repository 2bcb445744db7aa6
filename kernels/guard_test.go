//go:build linux

package kernels_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/espalier-ml/espalier/kernels"
)

// fence is memory between two pages that nothing may touch.
type fence struct{ data []float32 }

func newFence(t *testing.T) fence {
	if strings.HasPrefix(os.Getenv("ESPALIER_EMULATOR"), "qemu-x86_64") {
		t.Skip("qemu 7.2 reads the lanes that VMASKMOVPS leaves out; the machine and the simulator do not")
	}
	page := unix.Getpagesize()
	const pages = 4
	b, err := unix.Mmap(-1, 0, (pages+2)*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(b)) })
	require.NoError(t, unix.Mprotect(b[:page], unix.PROT_NONE))
	require.NoError(t, unix.Mprotect(b[(pages+1)*page:], unix.PROT_NONE))
	return fence{unsafe.Slice((*float32)(unsafe.Pointer(&b[page])), pages*page/4)}
}

// floats returns n elements that touch one of the pages.
func (f fence) floats(n int, last bool) []float32 {
	if last {
		return f.data[len(f.data)-n:]
	}
	return f.data[:n:n]
}

// matrix copies m to rows with gaps between them, of which the first or last element touches a page.
func (f fence) matrix(m kernels.Matrix, gap int, last bool) kernels.Matrix {
	stride := m.Cols + gap
	c := kernels.Matrix{Rows: m.Rows, Cols: m.Cols, Stride: stride, Data: f.floats(max(0, (m.Rows-1)*stride+m.Cols), last)}
	for j := range c.Data {
		c.Data[j] = canary
	}
	for i := range m.Rows {
		copy(c.Row(i), m.Row(i))
	}
	return c
}

func (f fence) requireCanaries(t *testing.T, m kernels.Matrix) {
	for i := range m.Rows - 1 {
		for _, v := range m.Data[i*m.Stride+m.Cols : (i+1)*m.Stride] {
			require.Equal(t, canary, v)
		}
	}
}

// No kernel reads or writes outside of its operands, whatever their width.
func TestFences(t *testing.T) {
	var f [4]fence
	for i := range f {
		f[i] = newFence(t)
	}
	eachRowKernel(t, func(t *testing.T, table *kernels.Table, k rowKernel) {
		for cols := range 131 {
			rows := 1 + cols%6
			if cols < 2 && needsLabel(k.name) {
				continue
			}
			in := k.data(rows, cols)
			want, loss := copyOf(in[0], 0), make([]float32, rows)
			require.NoError(t, k.run(table, loss, want, in))
			for _, last := range []bool{false, true} {
				inside := make([]kernels.Matrix, len(in))
				for i := range in {
					inside[i] = f[i].matrix(in[i], cols%4, last)
				}
				out, again := f[2].matrix(in[0], cols%3, last), f[3].floats(rows, last)
				require.NoError(t, k.run(table, again, out, inside))
				requireSameMatrix(t, want, out)
				f[2].requireCanaries(t, out)
				if k.loss() {
					requireSameBits(t, loss, again)
				}
			}
		}
	})
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for n := range 131 {
			for _, last := range []bool{false, true} {
				t.Run(fmt.Sprintf("n=%d/last=%t", n, last), func(t *testing.T) {
					r := newRand(uint64(n))
					w, m, v, g := f[0].floats(n, last), f[1].floats(n, last), f[2].floats(n, last), f[3].floats(n, last)
					for _, x := range [][]float32{w, m, g, v} {
						copy(x, r.floats(n))
					}
					for j := range v {
						v[j] = fabs(v[j])
					}
					require.NoError(t, table.SGD(w, g, 0.1))
					require.NoError(t, table.Momentum(w, m, g, 0.1, 0.9, false))
					require.NoError(t, table.Momentum(w, m, g, 0.1, 0.9, true))
					require.NoError(t, table.Adam(w, m, v, g, 0.1, 0.9, 0.999, 1e-7))
					require.NoError(t, table.RMSprop(w, v, g, 0.1, 0.9, 1e-7))
					x := f[0].matrix(r.matrix(5, n, 0), 1, last)
					require.NoError(t, table.ColSum(m, x, true))
					require.NoError(t, table.RowSum(f[3].floats(5, last), x))
					dx := f[2].matrix(x, 3, last)
					require.NoError(t, table.ActivateGrad(dx, m, x, x, kernels.Sigmoid, true))
					require.NoError(t, table.Activate(x, x, m, kernels.Tanh))
				})
			}
		}
	})
}

// Nor does a product, whatever rows and columns are left beside its tiles.
func TestFencesOfProducts(t *testing.T) {
	var f [4]fence
	for i := range f {
		f[i] = newFence(t)
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, p := range products {
			for m := 1; m <= 15; m++ {
				for n := 1; n <= 70; n += 1 + n/33 {
					r := newRand(uint64(100*m + n))
					k := 1 + n%5
					a, b := p.operands(r, m, k, n, 0)
					var s kernels.Scratch
					for i, e := range []kernels.Epilogue{{}, {Bias: r.floats(n), Act: kernels.ReLU}, {Accumulate: true}} {
						last := (m+n+i)%2 == 0
						want := r.matrix(m, n, 0)
						out := f[2].matrix(want, n%3, last)
						require.NoError(t, p.run(table, &s, want, a, b, e))
						if e.Bias != nil {
							e.Bias = f[3].matrix(kernels.MatrixOf(e.Bias, 1, n), 0, last).Data
						}
						require.NoError(t, p.run(table, &s, out, f[0].matrix(a, m%3, last), f[1].matrix(b, k%3, last), e))
						requireSameMatrix(t, want, out)
						f[2].requireCanaries(t, out)
					}
				}
			}
		}
	})
}

// loss reports whether the kernel writes a loss.
func (k rowKernel) loss() bool {
	return strings.Contains(k.name, "Entropy") || strings.Contains(k.name, "Error")
}
