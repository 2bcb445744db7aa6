package nn

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// Batches have the rows of all chunks one after the other, whatever the sizes of both, and shuffled within a chunk.
func TestBatches(t *testing.T) {
	for _, sizes := range [][]int{{10}, {1, 1, 1}, {3, 5, 2, 7}, {8, 8}, {1, 20, 1}} {
		for size := 1; size <= 9; size += 2 {
			for _, shuffled := range []bool{false, true} {
				t.Run(fmt.Sprintf("chunks=%v/size=%d/shuffled=%t", sizes, size, shuffled), func(t *testing.T) {
					b := &batch{size: size}
					if shuffled {
						b.random = rand.New(rand.NewPCG(1, 2))
					}
					var have, ends []int
					for b, err := range b.batches(numbered(sizes)) {
						require.NoError(t, err)
						require.LessOrEqual(t, b.rows, size)
						ends = append(ends, b.rows)
						for i := range b.rows {
							n := int(b.inputs[0].Row(i)[0])
							have = append(have, n)
							require.Equal(t, []float32{float32(n), float32(-n)}, b.inputs[0].Row(i))
							require.Equal(t, int32(n), b.targets[0].Labels[i])
							require.Equal(t, []float32{float32(n), float32(2 * n), float32(3 * n)}, b.targets[1].Values.Row(i))
							w := float32(1) // of a chunk without weights
							if b.weights[0] != nil {
								w = b.weights[0][i]
							}
							require.Contains(t, []float32{1, float32(n) + 0.5}, w)
							if b.weights[1] != nil {
								require.Equal(t, float32(n)+0.25, b.weights[1][i])
							}
						}
					}
					for _, rows := range ends[:len(ends)-1] {
						require.Equal(t, size, rows)
					}
					from := 0
					for _, rows := range sizes {
						part := have[from : from+rows]
						if !shuffled {
							require.True(t, slices.IsSorted(part))
						}
						slices.Sort(part)
						for i, n := range part {
							require.Equal(t, from+i, n)
						}
						from += rows
					}
					require.Len(t, have, from)
				})
			}
		}
	}
}

// numbered yields chunks of rows that have their number everywhere. Every other chunk has no weights for its first target.
func numbered(sizes []int) iter.Seq2[*chunk, error] {
	return func(yield func(*chunk, error) bool) {
		n := 0
		for i, rows := range sizes {
			c := &chunk{rows: rows}
			var x, values []float32
			var labels []int32
			var some, all []float32
			for range rows {
				v := float32(n)
				x, labels = append(x, v, -v), append(labels, int32(n))
				values = append(values, v, 2*v, 3*v)
				some, all = append(some, v+0.5), append(all, v+0.25)
				n++
			}
			if i%2 == 1 {
				some = nil
			}
			c.inputs = []kernels.Matrix{kernels.MatrixOf(x, rows, 2)}
			c.targets = []Target{{Labels: labels}, {Values: kernels.MatrixOf(values, rows, 3)}}
			c.weights = [][]float32{some, all}
			if !yield(c, nil) {
				return
			}
		}
	}
}
