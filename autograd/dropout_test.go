package autograd_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
)

func ones(rows, cols int) kernels.Matrix { return fill(rows, cols, 0, func() float64 { return 1 }) }

func TestDropout(t *testing.T) {
	const rows, cols = 200, 100
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, rate := range []float64{0, 1e-9, 0.1, 0.5, 0.9} {
			t.Run(fmt.Sprintf("op=Dropout/rate=%v/%s", rate, shapeName(rows, cols)), func(t *testing.T) {
				tape := autograd.NewTape(table)
				x := tape.Param(ones(rows, cols))
				y := tape.Dropout(x, rate, rand.NewPCG(1, 2))
				keep, kept := float32(1/(1-rate)), 0
				for _, v := range y.Data {
					if v != 0 {
						require.Equal(t, keep, v)
						kept++
					}
				}
				require.InDelta(t, 1-rate, float64(kept)/(rows*cols), 0.01)
				require.InDelta(t, 1, tape.Mean(y).Data[0], 0.05)

				require.Equal(t, y.Data, tape.Dropout(x, rate, rand.NewPCG(1, 2)).Data, "the same source")
				if rate >= 0.1 {
					require.NotEqual(t, y.Data, tape.Dropout(x, rate, rand.NewPCG(1, 3)).Data, "another source")
				}
				reshaped := tape.Dropout(tape.Reshape(x, cols, rows), rate, rand.NewPCG(1, 2))
				require.Equal(t, y.Data, reshaped.Data, "the mask follows the elements in row order")

				mask := append([]float32(nil), y.Data...)
				require.NoError(t, tape.Backward(tape.Sum(y)))
				require.Equal(t, mask, tape.Grad(x).Data, "forward and backward use one mask")
			})
		}
	})
}

// The source advances by one draw per element.
func TestDropoutDraws(t *testing.T) {
	source, twin := rand.NewPCG(1, 2), rand.NewPCG(1, 2)
	tape := autograd.NewTape(nil)
	tape.Dropout(tape.Const(kernels.NewMatrix(3, 5).Columns(1, 4)), 0.5, source)
	for range 3 * 3 {
		twin.Uint64()
	}
	require.Equal(t, twin.Uint64(), source.Uint64())
}

type constantSource uint64

func (c constantSource) Uint64() uint64 { return uint64(c) }

func TestDropoutBounds(t *testing.T) {
	cases := []struct {
		rate float64
		draw constantSource
		want float32
	}{
		{0, 0, 1}, {0, math.MaxUint64, 1}, {0.5, 0, 0}, {0.5, 1<<63 - 1, 0}, {0.5, 1 << 63, 2}, {0.75, math.MaxUint64, 4},
		{1 - 0x1p-53, math.MaxUint64, 0x1p53},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("rate=%v/draw=%#x", c.rate, uint64(c.draw)), func(t *testing.T) {
			tape := autograd.NewTape(nil)
			require.Equal(t, []float32{c.want}, tape.Dropout(tape.Const(ones(1, 1)), c.rate, c.draw).Data)
		})
	}
}
