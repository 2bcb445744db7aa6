package kernels_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// bitsFile holds a hash of the bits that every kernel gives for every class of shapes.
type bitsFile struct {
	Seed   uint64
	Hashes map[string]string
}

// Every SIMD level gives the bits of testdata/bits.json, or of the file that ESPALIER_BITS names. With ESPALIER_BITS_OUT
// the best level of this machine writes that file first: on one architecture for another one to read, or
// testdata/bits.json itself where the operations change on purpose.
func TestBits(t *testing.T) {
	const seed = 11
	levels := kernels.Tables()[1:]
	if len(levels) == 0 {
		t.Skip("no SIMD level")
	}
	if name := os.Getenv("ESPALIER_BITS_OUT"); name != "" {
		text, err := json.MarshalIndent(bitsFile{seed, hashBits(t, levels[len(levels)-1], seed)}, "", "\t")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(name, append(text, '\n'), 0o644))
	}
	text, err := os.ReadFile(cmp.Or(os.Getenv("ESPALIER_BITS"), "testdata/bits.json"))
	require.NoError(t, err)
	var want bitsFile
	require.NoError(t, json.Unmarshal(text, &want))
	for _, table := range levels {
		t.Run("isa="+table.ISA.String(), func(t *testing.T) {
			require.Equal(t, want.Hashes, hashBits(t, table, want.Seed))
		})
	}
}

// A shape is rows x cols, and depth for products, with gaps between rows and the first element so far from a cache line.
type shape struct {
	rows, depth, cols, gap, from int
	special                      bool
}

// shapeClasses are what can go wrong by itself.
func shapeClasses() map[string][]shape {
	classes := map[string][]shape{
		"empty": {{rows: 0, depth: 3, cols: 5}, {rows: 3, depth: 0, cols: 5}, {rows: 3, depth: 5, cols: 0}},
		"one":   {{rows: 1, depth: 1, cols: 1}, {rows: 9, depth: 1, cols: 1}, {rows: 1, depth: 9, cols: 40}, {rows: 40, depth: 9, cols: 1}},
		"prime": {{rows: 7, depth: 13, cols: 37}, {rows: 13, depth: 61, cols: 131}, {rows: 61, depth: 307, cols: 131}},
		"deep":  {{rows: 1, depth: 64, cols: 21}, {rows: 6, depth: 79, cols: 10}, {rows: 3, depth: 513, cols: 5}, {rows: 5, depth: 1100, cols: 7, gap: 3, special: true}},
	}
	for n := 2; n < 34; n++ {
		classes["remainder"] = append(classes["remainder"], shape{rows: 1 + n%14, depth: 1 + n%5, cols: n})
		classes["strided"] = append(classes["strided"], shape{rows: 1 + n%7, depth: 3, cols: n, gap: 1 + n%5})
		classes["misaligned"] = append(classes["misaligned"], shape{rows: 1 + n%6, depth: 4, cols: 3 * n, gap: n % 2, from: 1 + n%3})
		classes["special"] = append(classes["special"], shape{rows: 1 + n%7, depth: 3, cols: n, special: true})
	}
	return classes
}

// A bitsSource makes operands of numbers that every architecture computes alike.
type bitsSource struct {
	random
	shape
}

func (s bitsSource) floats(n int) []float32 {
	special := []float32{nan, inf, -inf, 0, -0x1p-140, 1e-40, 3e38, -3e38, -87.5, 88, -104, 0.625}
	x := make([]float32, s.from+n)[s.from:]
	for j := range x {
		x[j] = float32(s.Float64()-0.5) * float32(int(1)<<s.IntN(5))
		if s.special && s.IntN(16) == 0 {
			x[j] = special[s.IntN(len(special))]
		}
	}
	return x
}

func (s bitsSource) matrix(rows, cols int) kernels.Matrix {
	stride := cols + s.gap
	return kernels.Matrix{Data: s.floats(rows * stride), Rows: rows, Cols: cols, Stride: stride}
}

// A bitsKernel runs a kernel on operands of the source and returns what it wrote.
type bitsKernel func(t *kernels.Table, s bitsSource) ([][]float32, error)

func bitsKernels() map[string]bitsKernel {
	type (
		T = *kernels.Table
		S = bitsSource
		F = [][]float32
	)
	all := map[string]bitsKernel{}
	for _, k := range rowKernels() {
		all[k.name] = func(t T, s S) (F, error) {
			if s.cols < 2 && needsLabel(k.name) {
				return nil, nil
			}
			in := []kernels.Matrix{s.matrix(s.rows, s.cols), s.matrix(s.rows, s.cols)}
			out, loss := copyOf(in[0], s.gap), make([]float32, s.rows)
			err := k.run(t, loss, out, in)
			return F{out.Data, loss}, err
		}
	}
	for act := kernels.Linear; act <= kernels.Tanh; act++ {
		all["ActivateGradBias/"+act.String()] = func(t T, s S) (F, error) {
			dx, dy, y, dbias := s.matrix(s.rows, s.cols), s.matrix(s.rows, s.cols), s.matrix(s.rows, s.cols), s.floats(s.cols)
			err := t.ActivateGrad(dx, dbias, dy, y, act, s.rows%2 == 0)
			return F{dx.Data, dbias}, err
		}
		all["Dense/"+act.String()] = func(t T, s S) (F, error) {
			y, x := s.matrix(s.rows, s.cols), s.matrix(s.rows, s.depth)
			var w kernels.PackedB
			if err := t.Pack(&w, s.matrix(s.depth, s.cols), s.floats(s.cols)); err != nil {
				return nil, err
			}
			return F{y.Data}, t.Dense(nil, y, x, &w, act)
		}
	}
	for _, p := range products {
		all[p.name] = func(t T, s S) (F, error) {
			var out F
			for _, e := range []kernels.Epilogue{{}, {Bias: s.floats(s.cols), Act: kernels.ReLU}, {Accumulate: true}} {
				a, b, c := s.matrix(s.rows, s.depth), s.matrix(s.depth, s.cols), s.matrix(s.rows, s.cols)
				if p.transA {
					a = s.matrix(s.depth, s.rows)
				}
				if p.transB {
					b = s.matrix(s.cols, s.depth)
				}
				if err := p.run(t, nil, c, a, b, e); err != nil {
					return nil, err
				}
				out = append(out, c.Data)
			}
			return out, nil
		}
	}
	all["RowSum"] = func(t T, s S) (F, error) {
		dst := make([]float32, s.rows)
		return F{dst}, t.RowSum(dst, s.matrix(s.rows, s.cols))
	}
	all["ColSum"] = func(t T, s S) (F, error) {
		dst := s.floats(s.cols)
		return F{dst}, t.ColSum(dst, s.matrix(s.rows, s.cols), s.rows%2 == 0)
	}
	for name, step := range map[string]func(t T, w, m, v, g []float32) error{
		"SGD":      func(t T, w, _, _, g []float32) error { return t.SGD(w, g, 0.1) },
		"Momentum": func(t T, w, m, _, g []float32) error { return t.Momentum(w, m, g, 0.1, 0.9, false) },
		"Nesterov": func(t T, w, m, _, g []float32) error { return t.Momentum(w, m, g, 0.1, 0.9, true) },
		"Adam":     func(t T, w, m, v, g []float32) error { return t.Adam(w, m, v, g, 0.1, 0.9, 0.999, 1e-7) },
		"RMSprop":  func(t T, w, _, v, g []float32) error { return t.RMSprop(w, v, g, 0.1, 0.9, 1e-7) },
		"Adagrad":  func(t T, w, _, v, g []float32) error { return t.Adagrad(w, v, g, 0.1, 1e-7) },
	} {
		all[name] = func(t T, s S) (F, error) {
			w, m, v, g := s.floats(s.cols), s.floats(s.cols), s.floats(s.cols), s.floats(s.cols)
			for j := range v {
				v[j] = fabs(v[j])
			}
			return F{w, m, v}, step(t, w, m, v, g)
		}
	}
	return all
}

// hashBits runs every kernel on every class. In the bits any NaN is the same, and so is any zero.
func hashBits(t *testing.T, table *kernels.Table, seed uint64) map[string]string {
	hashes := map[string]string{}
	for name, kernel := range bitsKernels() {
		for class, shapes := range shapeClasses() {
			hash := fnv.New64a()
			for i, sh := range shapes {
				out, err := kernel(table, bitsSource{newRand(seed + uint64(i)), sh})
				require.NoError(t, err, "%s/%s: %+v", name, class, sh)
				for _, v := range slices.Concat(out...) {
					switch {
					case isNaN(v):
						v = nan
					case v == 0:
						v = 0
					}
					b := bits(v)
					hash.Write([]byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)})
				}
			}
			hashes[name+"/"+class] = fmt.Sprintf("%016x", hash.Sum64())
		}
	}
	return hashes
}
