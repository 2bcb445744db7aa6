package plan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// A network computes what is served of x, one row for each sample.
type network func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor

// both returns what a plan and the tape make of the rows of x, and how Describe prints the steps: op, layers, activation.
func both(t *testing.T, n network, x kernels.Matrix) (steps []string, served, taped []float32) {
	t.Helper()
	tape, r := autograd.NewTape(nil), NewRecorder()
	want := n(tape, tape.Const, tape.Const(x))
	require.NoError(t, tape.Err())
	r.Output("y", n(labelled{r}, r.Const, r.Input("x", x.Cols)))
	p, err := r.Plan(Config{MaxBatch: x.Rows})
	require.NoError(t, err)
	var text strings.Builder
	require.NoError(t, p.Describe(&text))
	for _, line := range strings.Split(text.String(), "\n")[1:] {
		if words := strings.Fields(line); words[0] == "total" {
			break
		} else if words[0] == "dense" {
			steps = append(steps, fmt.Sprint(words[0], " ", words[1], " ", words[4]))
		} else {
			steps = append(steps, words[0]+" "+words[1])
		}
	}
	y := make([]float32, len(want.Data))
	require.NoError(t, p.Predict([][]float32{x.Data}, [][]float32{y}, x.Rows))
	return steps, y, want.Data
}

// labelled labels operations that are of interest here.
type labelled struct{ *Recorder }

func (l labelled) Dense(x, w, b *ops.Tensor, act kernels.Activation) *ops.Tensor {
	l.Label("d")
	return l.Recorder.Dense(x, w, b, act)
}

func (l labelled) Affine(x, scale, shift *ops.Tensor) *ops.Tensor {
	l.Label("a")
	return l.Recorder.Affine(x, scale, shift)
}

func (l labelled) Scale(x *ops.Tensor, alpha float32) *ops.Tensor {
	l.Label("s")
	return l.Recorder.Scale(x, alpha)
}

func normal(r *rand.Rand, rows, cols int, scale float64) kernels.Matrix {
	m := kernels.NewMatrix(rows, cols)
	for i := range m.Data {
		m.Data[i] = float32(scale * r.NormFloat64())
	}
	return m
}

// What a product takes in is gone, and changes the result by no more than absorb says.
func TestAbsorbBound(t *testing.T) {
	const batch = 7
	worst := 0.0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		rows, cols := 1+r.IntN(60), 1+r.IntN(40)
		size := math.Pow(10, float64(r.IntN(9)-4))
		x, w := normal(r, batch, rows, 1), normal(r, rows, cols, 0.3)
		behind, kind, alpha := r.IntN(2) == 0, r.IntN(4), float32(size*r.NormFloat64())
		n := cols
		if behind { // the product is behind the step
			n = rows
		}
		scale, shift, bias := normal(r, 1, n, size), normal(r, 1, n, 1/size), normal(r, 1, cols, 1)
		biased := r.IntN(2) == 0
		step := func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			return []func() *ops.Tensor{
				func() *ops.Tensor { return o.Affine(x, c(scale), c(shift)) }, func() *ops.Tensor { return o.Affine(x, c(scale), nil) },
				func() *ops.Tensor { return o.Affine(x, nil, c(shift)) }, func() *ops.Tensor { return o.Scale(x, alpha) },
			}[kind]()
		}
		steps, got, taped := both(t, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			var b *ops.Tensor
			if biased {
				b = c(bias)
			}
			if behind {
				return o.Dense(step(o, c, x), c(w), b, kernels.Linear)
			}
			return step(o, c, o.Dense(x, c(w), b, kernels.Linear))
		}, x)
		require.Len(t, steps, 1, "seed %d: %v", seed, steps)

		of := func(j int) (a, s float64) { // scale and shift
			a, s = float64(scale.Data[j]), float64(shift.Data[j])
			switch kind {
			case 1:
				s = 0
			case 2:
				a = 1
			case 3:
				a, s = float64(alpha), 0
			}
			return a, s
		}
		for i := range batch {
			for j := range cols {
				exact, m := 0.0, 0.0
				if biased {
					exact = float64(bias.Data[j])
					m = math.Abs(exact)
				}
				for k, v := range x.Row(i) {
					x, w := float64(v), float64(w.Row(k)[j])
					if a, s := of(k % n); behind {
						exact += (x*a + s) * w
						m += (math.Abs(x*a) + math.Abs(s)) * math.Abs(w)
					} else {
						exact += x * w
						m += math.Abs(x * w)
					}
				}
				if !behind {
					a, s := of(j)
					exact, m = exact*a+s, m*math.Abs(a)+math.Abs(s)
				}
				y, z := float64(got[i*cols+j]), float64(taped[i*cols+j])
				bound := float64(rows+2) * 0x1p-23 * m
				require.LessOrEqual(t, math.Abs(y-exact), bound, "seed %d: plan", seed)
				require.LessOrEqual(t, math.Abs(z-exact), bound, "seed %d: tape", seed)
				require.LessOrEqual(t, math.Abs(y-z), 2*bound, "seed %d: difference", seed)
				worst = max(worst, math.Abs(y-exact)/bound)
			}
		}
	}
	t.Logf("the plan used %.2f of the bound", worst)
}

// Which steps there are, and that those results have the bits of the tape where no product took something in.
func TestAbsorb(t *testing.T) {
	x := matrix(3, 6, -0.5)
	w, bias, scale, shift := matrix(6, 6, -0.25), matrix(1, 6, 0.5), matrix(1, 6, 0.75), matrix(1, 6, -0.125)
	third, sixth, wide := matrix(1, 3, 0.25), matrix(1, 2, -0.75), matrix(6, 20, -0.5)
	column := func(first float32) kernels.Matrix { return kernels.MatrixOf([]float32{first, 1, 1, 1, 1, 1}, 6, 1) }
	for _, c := range []struct {
		name  string
		steps string
		same  bool // bits
		net   network
	}{
		{"before an activation", "dense d+a+r relu", false, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			y := o.Affine(o.Dense(x, c(w), c(bias), kernels.Linear), c(scale), c(shift))
			label(o, "r")
			return o.Activate(y, kernels.ReLU)
		}},
		{"before a function", "dense d+a linear, softmax d+a", false, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			return o.Softmax(o.Affine(o.Dense(x, c(w), c(bias), kernels.Linear), c(scale), c(shift)))
		}},
		{"behind an activation", "dense d relu, affine a", true, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			return o.Affine(o.Dense(x, c(w), nil, kernels.ReLU), c(scale), c(shift))
		}},
		{"between products", "dense d relu, dense a+d tanh", false, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			return o.Dense(o.Affine(o.Dense(x, c(w), nil, kernels.ReLU), c(scale), c(shift)), c(w), nil, kernels.Tanh)
		}},
		{"chain before", "dense d+a+s linear", false, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			return o.Scale(o.Affine(o.Dense(x, c(w), nil, kernels.Linear), c(scale), c(shift)), 3)
		}},
		{"chain behind", "dense a+s+d linear", false, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			return o.Dense(o.Scale(o.Affine(x, c(scale), c(shift)), 3), c(w), c(bias), kernels.Linear)
		}},
		{"chain of one layer", "dense a+d linear", false, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			return o.Dense(o.Affine(o.Affine(x, c(scale), nil), nil, c(shift)), c(w), nil, kernels.Linear)
		}},
		{"both sides", "dense s+d+a linear", false, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			return o.Affine(o.Dense(o.Scale(x, 3), c(w), c(bias), kernels.Linear), c(scale), c(shift))
		}},
		{"two products behind", "dense a+d linear, dense a+d linear", false, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			h := o.Affine(x, c(scale), c(shift))
			return o.Concatenate(o.Dense(h, c(wide), nil, kernels.Linear), o.Dense(h, c(wide), c(matrix(1, 20, 1)), kernels.Linear))
		}},
		{"a reader that is no product", "affine a, dense d linear", true, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			h := o.Affine(x, c(scale), c(shift))
			return o.Concatenate(o.Dense(h, c(wide), nil, kernels.Linear), h)
		}},
		{"two users of a product", "dense d linear, affine a, add a", true, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			h := o.Dense(x, c(w), nil, kernels.Linear)
			return o.Add(h, o.Affine(h, c(scale), c(shift)))
		}},
		{"weights with another use", "dense d+a linear, affine d+a, dense d linear", true, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			w := c(w)
			return o.Dense(o.Affine(o.Dense(x, w, nil, kernels.Linear), c(scale), c(shift)), w, nil, kernels.Linear)
		}},
		{"columns of several rows before", "dense d+a linear", false, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			h := o.Reshape(o.Dense(x, c(w), nil, kernels.Linear), 2*x.Rows, 3)
			return o.Reshape(o.Affine(h, c(third), c(third)), x.Rows, 6)
		}},
		{"columns of several rows behind", "dense a+d linear", false, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			h := o.Affine(o.Reshape(x, 3*x.Rows, 2), c(sixth), c(sixth))
			return o.Dense(o.Reshape(h, x.Rows, 6), c(w), nil, kernels.Linear)
		}},
		{"another shape between", "dense d+a linear", false, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			h := o.Affine(o.Dense(x, c(w), nil, kernels.Linear), c(scale), c(shift))
			return o.Affine(o.Reshape(h, 2*x.Rows, 3), c(third), nil)
		}},
		{"columns that differ from row to row", "dense d linear, affine a", true, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			h := o.Dense(o.Reshape(x, 2*x.Rows, 3), c(matrix(3, 3, 1)), nil, kernels.Linear)
			return o.Affine(o.Reshape(h, x.Rows, 6), c(scale), c(shift))
		}},
		{"weights that float32 does not have", "dense d+a linear, affine d+a", true, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			return o.Affine(o.Dense(x, c(column(1e30)), nil, kernels.Linear), c(kernels.MatrixOf([]float32{5e8}, 1, 1)), nil)
		}},
		{"a bias that float32 does not have", "affine a, dense d linear", true, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			huge := kernels.MatrixOf(column(1e30).Data, 1, 6)
			return o.Dense(o.Affine(x, nil, c(huge)), c(column(1e9)), nil, kernels.Linear)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			steps, served, taped := both(t, c.net, x)
			require.Equal(t, c.steps, strings.Join(steps, ", "))
			if c.same {
				require.Equal(t, taped, served)
			} else {
				require.InDeltaSlice(t, taped, served, 1e-5)
			}
		})
	}
}

// Products and steps without columns are legal.
func TestAbsorbNothing(t *testing.T) {
	r := NewRecorder()
	x, none := r.Input("x", 6), r.Const(kernels.NewMatrix(1, 0))
	r.Affine(r.Dense(x, r.Const(kernels.NewMatrix(6, 0)), nil, kernels.Linear), none, none)
	r.Dense(r.Affine(r.Dense(x, r.Const(kernels.NewMatrix(6, 0)), nil, kernels.ReLU), none, nil), r.Const(kernels.NewMatrix(0, 20)), nil, kernels.Linear)
	r.Output("y", r.Scale(x, 2))
	p, err := r.Plan(Config{MaxBatch: 1})
	require.NoError(t, err)
	y := make([]float32, 6)
	require.NoError(t, p.Predict([][]float32{matrix(1, 6, 1).Data}, [][]float32{y}, 1))
	require.Equal(t, matrix(1, 6, 1).Data[5]*2, y[5])
}

// Weights for which there is no memory are not computed.
func TestAbsorbMemory(t *testing.T) {
	r := NewRecorder()
	h := r.Affine(r.Input("x", 64), r.Const(matrix(1, 64, 1)), nil)
	r.Output("y", r.Dense(h, r.Const(matrix(64, 64, 1)), nil, kernels.Linear))
	_, err := r.Plan(Config{MaxBatch: 1, MaxBytes: 4*64*64 - 1})
	require.ErrorContains(t, err, "MaxBytes allows 16383")
	require.Len(t, r.values, 5, "no constant was added")
}

// label labels the operations from now on, on a recorder.
func label(o ops.Ops, label string) {
	if r, ok := o.(labelled); ok {
		r.Label(label)
	}
}

// Random networks give what the tape gives, whatever vanishes.
func TestAbsorbRandomNetworks(t *testing.T) {
	vanished := 0
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 4))
		x := normal(r, 3, 12, 0.5)
		linears := 0
		steps, served, taped := both(t, func(o ops.Ops, c leaf, x *ops.Tensor) *ops.Tensor {
			r := rand.New(rand.NewPCG(seed, 5))
			batch := x.Rows
			linears = 0
			values := []*ops.Tensor{x}
			weights := []*ops.Tensor{c(normal(r, 4, 4, 0.5)), c(normal(r, 12, 12, 0.3))}
			for range 3 + r.IntN(9) {
				h := values[len(values)-1]
				if r.IntN(4) == 0 {
					h = values[r.IntN(len(values))]
				}
				switch r.IntN(9) {
				case 0, 1:
					h = o.Dense(h, c(normal(r, h.Cols, 12*batch/h.Rows, 0.3)), nil, kernels.Linear)
				case 2:
					h = o.Dense(h, c(normal(r, h.Cols, h.Cols, 0.3)), c(normal(r, 1, h.Cols, 0.3)), kernels.Activation(r.IntN(4)))
				case 3:
					if w := weights[r.IntN(2)]; w.Rows == h.Cols { // shared
						h = o.Dense(h, w, nil, kernels.Linear)
					}
				case 4, 5:
					linears++
					h = o.Affine(h, c(normal(r, 1, h.Cols, 1)), c(normal(r, 1, h.Cols, 0.3)))
				case 6:
					linears++
					h = o.Scale(h, float32(r.NormFloat64()))
				case 7:
					rows := []int{1, 2, 3}[r.IntN(3)] * batch
					h = o.Reshape(h, rows, 12*batch/rows)
				case 8:
					if v := values[r.IntN(len(values))]; v.Rows == h.Rows && v.Cols == h.Cols {
						h = o.Add(h, v)
					}
				}
				values = append(values, h)
			}
			all := o.Reshape(values[len(values)-1], batch, 12)
			return o.Concatenate(all, o.Reshape(values[r.IntN(len(values))], batch, 12))
		}, x)
		for _, s := range steps {
			if strings.HasPrefix(s, "affine") || strings.HasPrefix(s, "scale") {
				linears--
			}
		}
		vanished += linears
		largest := 1.0
		for _, v := range taped {
			largest = max(largest, math.Abs(float64(v)))
		}
		require.InDeltaSlice(t, taped, served, 1e-4*largest, "seed %d: %v", seed, steps)
	}
	require.Greater(t, vanished, 400)
	t.Logf("%d steps vanished", vanished)
}
