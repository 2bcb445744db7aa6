package kernels_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// The numeric contract of the SIMD levels, spelled out with exact multiply-adds: what the portable kernels do, with
// one rounding for each mulAdd. A level must give these bits.

func bits(x float32) uint32 { return math.Float32bits(x) }

func fabs(x float32) float32 { return math.Float32frombits(bits(x) &^ (1 << 31)) }

func horner(x float32, c ...float32) float32 {
	p := c[0]
	for _, a := range c[1:] {
		p = fma(p, x, a)
	}
	return p
}

const ln2Hi, ln2Lo, roundMagic = 0.693359375, -2.12194440e-4, 3<<22 + 127

func fexpMinus1(r float32) float32 {
	p := horner(r, 1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
	return fma(float32(p*r), r, r)
}

func fexp(x float32) float32 {
	x = min(max(x, -88), 89)
	shifted := fma(x, math.Log2E, roundMagic)
	n := shifted - roundMagic
	r := fma(n, -ln2Lo, fma(n, -ln2Hi, x))
	field := bits(shifted) << 23
	if x > 88 {
		scale := math.Float32frombits(field - 1<<23)
		return 2 * fma(fexpMinus1(r), scale, scale)
	}
	scale := math.Float32frombits(field)
	return fma(fexpMinus1(r), scale, scale)
}

func flog(x float32) float32 {
	switch {
	case isNaN(x) || x > math.MaxFloat32:
		return x
	case x < 0:
		return nan
	case x == 0:
		return -inf
	}
	const sqrtHalf = 0x3f3504f3
	e := float32(0)
	if x < 0x1p-126 {
		x *= 1 << 23
		e = -23
	}
	b := int32(bits(x)) - sqrtHalf
	e += float32(b >> 23)
	z := math.Float32frombits(uint32(b&0x7fffff+sqrtHalf)) - 1
	p := horner(z, 7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
		-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)
	zz := float32(z * z)
	y := fma(-0.5, zz, fma(e, ln2Lo, float32(float32(p*z)*zz)))
	return fma(e, ln2Hi, z+y)
}

func fsigmoidTail(x float32) float32 {
	a := min(fabs(x), 88)
	shifted := fma(a, -math.Log2E, roundMagic)
	n := shifted - roundMagic
	r := fma(n, ln2Lo, fma(n, ln2Hi, a))
	scale := math.Float32frombits(bits(shifted) << 23)
	y := fexpMinus1(r) + scale
	sum := 1 + y
	inverse := 1 / sum
	inverse = fma(-inverse, float32(inverse*(y-(sum-1))), inverse)
	return float32(inverse * scale)
}

func fsigmoid(x float32) float32 {
	if t := fsigmoidTail(x); x < 0 {
		return t
	} else {
		return 1 - t
	}
}

func ftanh(x float32) float32 {
	if fabs(x) < 0.625 {
		z := float32(x * x)
		p := horner(z, -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1)
		return fma(float32(p*z), x, x)
	}
	y := 1 - 2/(fexp(min(2*fabs(x), 40))+1)
	return math.Float32frombits(bits(y) | bits(x)&(1<<31))
}

func ferfNear(x float32) float32 {
	p := horner(float32(x*x), 8.3700943e-05, -8.1427098e-04, 5.2010338e-03, -2.6859399e-02, 1.1283696e-01, -3.7612635e-01, 1.2837917e-01)
	return fma(p, x, x)
}

func ferfcFar(a float32) float32 {
	p := horner(a, -1.4616295e-05, 3.5107919e-04, -3.7367109e-03, 2.3921896e-02, -1.0638140e-01, -6.3508594e-01, -1.2865981e-01)
	return fexp(fma(p, a, -a))
}

func ferf(x float32) float32 {
	if fabs(x) < 0.921875 {
		return ferfNear(x)
	}
	return math.Float32frombits(bits(1-ferfcFar(fabs(x))) | bits(x)&(1<<31))
}

func fnormal(x float32) float32 {
	u := float32(x * (1 / math.Sqrt2))
	if fabs(u) < 0.921875 {
		return fma(ferfNear(u), 0.5, 0.5)
	}
	if tail := ferfcFar(fabs(u)) / 2; x < 0 {
		return tail
	} else {
		return 1 - tail
	}
}

func fgelu(x float32) float32 {
	x = max(x, -40)
	return x * fnormal(x)
}

func fgeluSlope(x float32) float32 {
	x = min(max(x, -40), 40)
	density := fexp(float32(x*x)*-0.5) * float32(1/math.Sqrt(2*math.Pi))
	return fma(density, x, fnormal(x))
}

// inLanes folds the terms of a row in 16 lanes; add puts element j into its lane.
func inLanes(n int, add func(lane float32, j int) float32) float32 {
	var a [16]float32
	for j := range n {
		a[j%16] = add(a[j%16], j)
	}
	for half := 8; half > 0; half /= 2 {
		for i := range half {
			a[i] += a[i+half]
		}
	}
	return a[0]
}

// softmaxTerms returns exp(x-max) and its sum.
func softmaxTerms(x []float32) (m float32, e []float32, sum float32) {
	m = -inf
	for _, v := range x {
		m = max(m, v)
	}
	e = make([]float32, len(x))
	for j, v := range x {
		e[j] = fexp(v - m)
	}
	return m, e, inLanes(len(x), func(lane float32, j int) float32 { return lane + e[j] })
}

// contracts returns, by the name of a rowKernel, what it makes of the row x (and y): the new row out, which starts as a
// copy of x, and the loss.
var contracts = map[string]func(out, x, y []float32) float32{
	"Softmax": func(out, x, _ []float32) float32 {
		_, e, sum := softmaxTerms(x)
		for j := range x {
			out[j] = e[j] * (1 / sum)
		}
		return 0
	},
	"LogSoftmax": func(out, x, _ []float32) float32 {
		m, _, sum := softmaxTerms(x)
		l := flog(sum)
		for j, v := range x {
			out[j] = (v - m) - l
		}
		return 0
	},
	"LogSoftmaxGrad": func(out, g, y []float32) float32 {
		sum := inLanes(len(y), func(lane float32, j int) float32 { return lane + g[j] })
		for j, v := range y {
			out[j] = g[j] - float32(fexp(v)*sum)
		}
		return 0
	},
	"SoftmaxGrad": func(out, g, y []float32) float32 {
		dot := inLanes(len(y), func(lane float32, j int) float32 { return fma(g[j], y[j], lane) })
		for j, v := range y {
			out[j] = float32(v * (g[j] - dot))
		}
		return 0
	},
	"SoftmaxCrossEntropy": func(out, x, _ []float32) float32 {
		m, e, sum := softmaxTerms(x)
		for j := range e {
			out[j] = float32(e[j] * (1 / sum))
		}
		return flog(sum) - (x[1] - m)
	},
	"SoftCrossEntropy": func(out, x, t []float32) float32 {
		m, e, sum := softmaxTerms(x)
		dot := inLanes(len(x), func(lane float32, j int) float32 { return fma(t[j], x[j]-m, lane) })
		mass := inLanes(len(x), func(lane float32, j int) float32 { return lane + t[j] })
		for j := range e {
			out[j] = float32(e[j] * (1 / sum))
		}
		return fma(mass, flog(sum), -dot)
	},
	"BinaryCrossEntropy": func(out, x, t []float32) float32 {
		sum := inLanes(len(x), func(lane float32, j int) float32 {
			tail := fsigmoidTail(x[j])
			u := 1 - tail
			lost := (1 - u) - tail
			return lane + (fma(-x[j], t[j], max(x[j], 0)) - (flog(u) + fma(lost, tail, lost)))
		})
		for j, v := range x {
			out[j] = fsigmoid(v)
		}
		return sum / float32(len(x))
	},
	"MeanSquaredError": func(out, p, t []float32) float32 {
		for j := range p {
			out[j] = (p[j] - t[j]) * (2 * 0.75 / float32(len(p)))
		}
		return inLanes(len(p), func(lane float32, j int) float32 { return fma(p[j]-t[j], p[j]-t[j], lane) }) / float32(len(p))
	},
	"MeanAbsoluteError": func(out, p, t []float32) float32 {
		for j := range p {
			switch d := p[j] - t[j]; {
			case d > 0:
				out[j] = 0.75 / float32(len(p))
			case d < 0:
				out[j] = -0.75 / float32(len(p))
			default:
				out[j] = d
			}
		}
		return inLanes(len(p), func(lane float32, j int) float32 { return lane + fabs(p[j]-t[j]) }) / float32(len(p))
	},
}

func init() {
	elements := map[string]func(x, y float32) float32{
		"Fill":    func(_, _ float32) float32 { return 3 },
		"Copy":    func(x, _ float32) float32 { return x },
		"Scale":   func(x, _ float32) float32 { return 1.7 * x },
		"Axpy":    func(x, _ float32) float32 { return fma(1.7, x, x) },
		"Add":     func(x, y float32) float32 { return x + y },
		"Mul":     func(x, y float32) float32 { return x * y },
		"Maximum": func(x, y float32) float32 { return max(x, y) },
		"Minimum": func(x, y float32) float32 { return min(x, y) },
		"MulAdd":  func(x, y float32) float32 { return fma(x, y, x) },
		"Exp":     func(x, _ float32) float32 { return fexp(x) },
		"Log":     func(x, _ float32) float32 { return flog(x) },
		"Erf":     func(x, _ float32) float32 { return ferf(x) },
	}
	activations := map[string]func(float32) float32{
		"linear":  func(x float32) float32 { return x },
		"relu":    func(x float32) float32 { return max(x, 0) },
		"sigmoid": fsigmoid,
		"tanh":    ftanh,
	}
	slopes := map[string]func(g, y float32) float32{
		"linear": func(g, _ float32) float32 { return g },
		"relu": func(g, y float32) float32 {
			if y <= 0 {
				return 0
			}
			return g
		},
		"sigmoid": func(g, y float32) float32 { return float32(g * float32((1-y)*y)) },
		"tanh":    func(g, y float32) float32 { return float32(g * fma(-y, y, 1)) },
	}
	for act, f := range activations {
		elements["Activate/"+act] = func(x, _ float32) float32 { return f(x) }
		elements["Activate+bias/"+act] = func(x, _ float32) float32 { return f(x + 0.75) }
		elements["ActivateGrad/"+act] = slopes[act]
		elements["ActivateGrad+/"+act] = func(g, y float32) float32 { return slopes[act](g, y) + g }
	}
	for name, f := range elements {
		contracts[name] = func(out, x, y []float32) float32 {
			for j := range x {
				other := float32(0)
				if y != nil {
					other = y[j]
				}
				out[j] = f(x[j], other)
			}
			return 0
		}
	}
	add := func(name, base string, after func(x, y []float32, j int, v, mass float32) float32) {
		contracts[name] = func(out, x, y []float32) float32 {
			loss := contracts[base](out, x, y)
			mass := inLanes(len(y), func(lane float32, j int) float32 { return lane + y[j] })
			for j, v := range out {
				out[j] = after(x, y, j, v, mass)
			}
			return loss
		}
	}
	add("LogSoftmaxGrad+", "LogSoftmaxGrad", func(x, _ []float32, j int, v, _ float32) float32 { return v + x[j] })
	add("SoftmaxGrad+", "SoftmaxGrad", func(x, _ []float32, j int, v, _ float32) float32 { return v + x[j] })
	add("SoftmaxCrossEntropy/grad", "SoftmaxCrossEntropy", func(_, _ []float32, j int, v, _ float32) float32 {
		if j == 1 {
			v--
		}
		return v * 0.75
	})
	contracts["SoftmaxCrossEntropy/probs"] = contracts["SoftmaxCrossEntropy"]
	add("SoftCrossEntropy/grad", "SoftCrossEntropy", func(_, t []float32, j int, v, mass float32) float32 {
		return fma(v, mass, -t[j]) * 0.75
	})
	contracts["SoftCrossEntropy/probs"] = contracts["SoftCrossEntropy"]
	add("BinaryCrossEntropy/grad", "BinaryCrossEntropy", func(x, t []float32, j int, v, _ float32) float32 {
		return (v - t[j]) * (0.75 / float32(len(x)))
	})
	contracts["BinaryCrossEntropy/probs"] = contracts["BinaryCrossEntropy"]
}

// eachSIMD runs a sub-test for every row kernel that has assembly, on every SIMD level.
func eachSIMD(t *testing.T, run func(t *testing.T, table *kernels.Table, k rowKernel)) {
	for _, table := range kernels.Tables()[1:] {
		for _, k := range rowKernels() {
			if !strings.HasPrefix(k.name, "Clipped") {
				t.Run("isa="+table.ISA.String()+"/"+k.name, func(t *testing.T) { run(t, table, k) })
			}
		}
	}
}

func (k rowKernel) requireContract(t *testing.T, table *kernels.Table, in []kernels.Matrix) {
	rows, cols := in[0].Rows, in[0].Cols
	out, loss := copyOf(in[0], in[0].Stride-in[0].Cols), make([]float32, rows)
	require.NoError(t, k.run(table, loss, out, in))
	requireCanaries(t, out)
	want := make([]float32, cols)
	for i := range rows {
		var y []float32
		if k.inputs > 1 {
			y = in[1].Row(i)
		}
		wantLoss := contracts[k.name](want, in[0].Row(i), y)
		if limit := lossLimit(k.name); limit != nil && wantLoss-wantLoss != 0 {
			if w := limit(in[0].Row(i), y); !equal(float32(w), loss[i]) && !(math.Abs(float64(loss[i])/w-1) < 1e-6) {
				require.Failf(t, "not the limit of the loss", "%dx%d, row %d: want %v, got %v", rows, cols, i, w, loss[i])
			}
		} else if !equal(wantLoss, loss[i]) {
			require.Failf(t, "not the contract's loss", "%dx%d, row %d: want %v, got %v", rows, cols, i, wantLoss, loss[i])
		}
		for j, v := range out.Row(i) {
			if !equal(want[j], v) {
				require.Failf(t, "not the contract's bits", "%dx%d, element %d,%d: want %v, got %v, of %v", rows, cols, i, j, want[j], v, in[0].Row(i)[j])
			}
		}
	}
}

// lossLimit returns what a loss is, by its definition in float64, where float32 has no finite value on the way to it.
func lossLimit(kernel string) func(x, y []float32) float64 {
	name, _, _ := strings.Cut(kernel, "/")
	mean := func(term func(x, y float64) float64) func(x, y []float32) float64 {
		return func(x, y []float32) float64 {
			sum := 0.0
			for j := range x {
				sum += term(float64(x[j]), float64(y[j])) / float64(len(x))
			}
			return sum
		}
	}
	return map[string]func(x, y []float32) float64{
		"MeanSquaredError":  mean(func(x, y float64) float64 { return (x - y) * (x - y) }),
		"MeanAbsoluteError": mean(func(x, y float64) float64 { return math.Abs(x - y) }),
		"BinaryCrossEntropy": mean(func(z, y float64) float64 { // -y·log σ(z) - (1-y)·log σ(-z)
			softplus := func(z float64) float64 { return max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) }
			if math.IsInf(y, 0) { // no probability
				return -z * y
			}
			sum := 0.0
			if y != 0 {
				sum += y * softplus(-z)
			}
			if y != 1 {
				sum += (1 - y) * softplus(z)
			}
			return sum
		}),
		"SoftCrossEntropy": func(x, y []float32) float64 {
			top, exps, sum := math.Inf(-1), 0.0, 0.0
			for _, v := range x {
				top = max(top, float64(v))
			}
			for _, v := range x {
				exps += math.Exp(float64(v) - top)
			}
			if math.IsNaN(exps) { // so are all probabilities
				return exps
			}
			for j, v := range x {
				if y[j] != 0 {
					sum += float64(y[j]) * (top - float64(v) + math.Log(exps))
				}
			}
			return sum
		},
	}[name]
}

// equal compares as requireSameBits does.
func equal(a, b float32) bool { return a == b || isNaN(a) && isNaN(b) }

func TestContract(t *testing.T) {
	eachSIMD(t, func(t *testing.T, table *kernels.Table, k rowKernel) {
		for _, cols := range []int{2, 3, 7, 8, 9, 12, 13, 15, 16, 17, 23, 24, 31, 32, 33, 47, 48, 63, 64, 65, 66, 95, 130} {
			r := newRand(uint64(cols))
			for _, rows := range []int{1, 3 + cols%7} {
				in := []kernels.Matrix{r.matrix(rows, cols, 2), r.matrix(rows, cols, 1)}
				require.NoError(t, table.Scale(in[0], in[0], float32(cols)/2))
				k.requireContract(t, table, in)
			}
		}
		if !needsLabel(k.name) {
			for rows := range 40 {
				r := newRand(uint64(rows))
				for _, gap := range []int{0, 2} {
					k.requireContract(t, table, []kernels.Matrix{r.matrix(rows, 1, gap), r.matrix(rows, 1, 0)})
				}
			}
		}
		for _, shape := range [][2]int{{2, 20011}, {20011, 1}, {3001, 7}} { // several calls, whatever the most is that one may do
			if rows, cols := shape[0], shape[1]; cols > 1 || !needsLabel(k.name) {
				k.requireContract(t, table, []kernels.Matrix{newRand(1).matrix(rows, cols, 0), newRand(2).matrix(rows, cols, 0)})
			}
		}
	})
}

// NaN, infinities, the ends of the ranges, denormals and zeros at every place of a row.
func TestContractSpecialValues(t *testing.T) {
	special := []float32{nan, inf, -inf, 0, float32(math.Copysign(0, -1)), 1e-40, -1e-40, math.MaxFloat32, -math.MaxFloat32,
		-87.5, 87.5, -88, 0.625, -104}
	eachSIMD(t, func(t *testing.T, table *kernels.Table, k rowKernel) {
		for _, cols := range []int{10, 37} {
			for place := range cols {
				for s, v := range special {
					r := newRand(uint64(place))
					in := []kernels.Matrix{r.matrix(6, cols, 0), r.matrix(6, cols, 0)}
					in[0].Row(s % 6)[place] = v
					if s%3 == 0 {
						in[1].Row(s % 6)[place] = special[(s+place)%len(special)]
					}
					k.requireContract(t, table, in)
				}
			}
		}
		if !needsLabel(k.name) { // one column
			for place := range 37 {
				for _, v := range special {
					r := newRand(uint64(place))
					in := []kernels.Matrix{r.matrix(37, 1, 0), r.matrix(37, 1, 0)}
					in[0].Data[place] = v
					k.requireContract(t, table, in)
				}
			}
		}
		for _, v := range special { // alone
			for _, cols := range []int{2, 40} {
				in := []kernels.Matrix{kernels.NewMatrix(2, cols), kernels.NewMatrix(2, cols)}
				fill(in[0].Data, v)
				k.requireContract(t, table, in)
			}
		}
	})
}

// The kernels that are no rowKernels.
func TestContractOthers(t *testing.T) {
	for _, table := range kernels.Tables()[1:] {
		t.Run("isa="+table.ISA.String(), func(t *testing.T) {
			for n := 1; n < 140; n += 1 + n/16 {
				r := newRand(uint64(n))
				x, g := r.matrix(5, n, 2), r.matrix(5, n, 0)
				x.Rows = 1 + n%5
				g.Rows = x.Rows
				for act := kernels.Linear; act <= kernels.Tanh; act++ {
					for _, accumulate := range []bool{false, true} {
						dx, dbias := r.matrix(x.Rows, n, 1), r.floats(n)
						before, want := copyOf(dx, 0), append([]float32(nil), dbias...)
						require.NoError(t, table.ActivateGrad(dx, dbias, g, x, act, accumulate))
						for i := range x.Rows {
							for j := range n {
								v := []float32{0}
								contracts["ActivateGrad/"+act.String()](v, g.Row(i)[j:j+1], x.Row(i)[j:j+1])
								want[j] += v[0]
								if accumulate {
									v[0] += before.Row(i)[j]
								}
								require.Equal(t, v[0], dx.Row(i)[j])
							}
						}
						requireSameBits(t, want, dbias)
						requireCanaries(t, dx)
					}
				}
				w, m, v, d := r.floats(n), r.floats(n), r.floats(n), r.floats(n)
				for j := range v {
					v[j] = fabs(v[j])
				}
				const lr, c1, c2, epsilon = 0.1, 0.25, 0.125, 1e-3
				steps := []struct {
					run  func(w, m, v []float32) error
					want func(w, m, v *float32, d float32)
				}{
					{func(w, _, _ []float32) error { return table.SGD(w, d, lr) },
						func(w, _, _ *float32, d float32) { *w = fma(-d, lr, *w) }},
					{func(w, m, _ []float32) error { return table.Momentum(w, m, d, lr, 0.75, false) },
						func(w, m, _ *float32, d float32) {
							*m = fma(*m, 0.75, -float32(d*lr))
							*w += *m
						}},
					{func(w, m, _ []float32) error { return table.Momentum(w, m, d, lr, 0.75, true) },
						func(w, m, _ *float32, d float32) {
							*m = fma(*m, 0.75, -float32(d*lr))
							*w += fma(*m, 0.75, -float32(d*lr))
						}},
					{func(w, m, v []float32) error { return table.Adam(w, m, v, d, lr, 1-c1, 1-c2, epsilon) },
						func(w, m, v *float32, d float32) {
							*m = fma(d-*m, c1, *m)
							*v = fma(fma(d, d, -*v), c2, *v)
							*w -= float32(*m*lr) / (float32(math.Sqrt(float64(*v))) + epsilon)
						}},
					{func(w, _, v []float32) error { return table.RMSprop(w, v, d, lr, 1-c1, epsilon) },
						func(w, _, v *float32, d float32) {
							*v = fma(*v, 1-c1, float32(float32(d*d)*c1))
							*w -= float32(d*lr) / float32(math.Sqrt(float64(*v+epsilon)))
						}},
					{func(w, _, v []float32) error { return table.Adagrad(w, v, d, lr, epsilon) },
						func(w, _, v *float32, d float32) {
							*v = fma(d, d, *v)
							*w -= float32(d*lr) / float32(math.Sqrt(float64(*v+epsilon)))
						}},
				}
				for _, s := range steps {
					w1, m1, v1 := append([]float32(nil), w...), append([]float32(nil), m...), append([]float32(nil), v...)
					w2, m2, v2 := append([]float32(nil), w...), append([]float32(nil), m...), append([]float32(nil), v...)
					require.NoError(t, s.run(w1, m1, v1))
					for j := range d {
						s.want(&w2[j], &m2[j], &v2[j], d[j])
					}
					requireSameBits(t, append(append(w2, m2...), v2...), append(append(w1, m1...), v1...))
				}
			}
		})
	}
}

func needsLabel(kernel string) bool {
	switch kernel {
	case "SoftmaxCrossEntropy/grad", "SoftmaxCrossEntropy/probs", "ClippedCrossEntropy":
		return true
	}
	return false
}
