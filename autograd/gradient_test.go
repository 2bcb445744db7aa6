package autograd_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/internal/formula"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

var shapes = [][2]int{{1, 1}, {1, 6}, {5, 1}, {3, 7}, {4, 17}, {2, 33}}

func TestDenseGradients(t *testing.T) {
	sizes := []struct{ m, k, n int }{{1, 1, 1}, {1, 5, 3}, {4, 1, 1}, {3, 7, 5}, {5, 17, 2}, {2, 4, 33}}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, act := range activations {
			for _, bias := range []bool{false, true} {
				for _, s := range sizes {
					for _, gap := range []int{0, 3} {
						name := fmt.Sprintf("op=Dense/act=%v/bias=%v/m=%d/k=%d/n=%d/gap=%d", act, bias, s.m, s.k, s.n, gap)
						t.Run(name, func(t *testing.T) {
							r := newRand(1)
							operands := []kernels.Matrix{r.normal(s.m, s.k, gap), r.normal(s.k, s.n, gap)}
							if bias {
								operands = append(operands, r.normal(1, s.n, gap))
							}
							checkGradients(t, table, func(c calc, p []*ops.Tensor) *ops.Tensor {
								var b *ops.Tensor
								if bias {
									b = p[2]
								}
								return weighted(c, c.Dense(p[0], p[1], b, act))
							}, operands)
						})
					}
				}
			}
		}
	})
}

// A gradientCase is one operation on operands of one shape.
type gradientCase struct {
	op       string
	operands int
	graph    graph
}

func gradientCases(rows, cols int) []gradientCase {
	other := newRand(2).normal(rows, cols, 2)
	one, two := newRand(3).indices(4, 1, rows, 0), newRand(3).indices(2, 2, rows, 1)
	cases := []gradientCase{
		{"Embedding", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Embedding(c.Const(one), p[0])) }},
		{"Embedding/two columns", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Embedding(c.Const(two), p[0])) }},
		{"Embedding/of a result", 1, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, c.Embedding(c.Const(two), c.Softmax(c.Reshape(c.Scale(p[0], 2), rows, cols))))
		}},
		{"LogSoftmax", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.LogSoftmax(p[0])) }},
		{"Sparsemax", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Sparsemax(p[0])) }},
		{"Softmax", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Softmax(p[0])) }},
		{"Concatenate/one", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Concatenate(p[0])) }},
		{"Concatenate/two", 2, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Concatenate(p[0], p[1])) }},
		{"Concatenate/three", 3, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Concatenate(p[0], p[1], p[2])) }},
		{"Concatenate/constant", 1, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, c.Concatenate(c.Const(other), p[0], c.Const(other)))
		}},
		{"Concatenate/same", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Concatenate(p[0], p[0])) }},
		{"Slice/all", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Slice(p[0], 0, cols)) }},
		{"Slice/none", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Slice(p[0], cols, cols)) }},
		{"Slice/first", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Slice(p[0], 0, 1)) }},
		{"Slice/last", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Slice(p[0], cols-1, cols)) }},
		{"Slice/middle", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Slice(p[0], cols/3, cols-cols/3)) }},
		{"Slice/overlapping", 1, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, c.Concatenate(c.Slice(p[0], 0, cols/2+1), c.Slice(p[0], cols/2, cols)))
		}},
		{"Add", 2, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Add(p[0], p[1])) }},
		{"Add/same", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Add(p[0], p[0])) }},
		{"Multiply", 2, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Multiply(p[0], p[1])) }},
		{"Multiply/same", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Multiply(p[0], p[0])) }},
		{"Maximum", 2, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Maximum(p[0], p[1])) }},
		{"Maximum/same", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Maximum(p[0], p[0])) }},
		{"Minimum", 2, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Minimum(p[0], p[1])) }},
		{"Minimum/constant", 1, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, c.Minimum(c.Full(rows, cols, 0.25), p[0]))
		}},
		{"Repeat", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Repeat(p[0], 3)) }},
		{"Repeat/once", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Repeat(p[0], 1)) }},
		{"Scale", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Scale(p[0], -1.7)) }},
		{"Scale/zero", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Scale(p[0], 0)) }},
		{"Sum", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return c.Sum(p[0]) }},
		{"Sum/scaled", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return c.Scale(c.Sum(p[0]), 2.3) }},
		{"Mean", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return c.Mean(p[0]) }},
		{"Mean/scaled", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return c.Scale(c.Mean(p[0]), 2.3) }},
		{"RowSum", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.RowSum(p[0])) }},
		{"Dropout/rate=0", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Dropout(p[0], 0, source(3))) }},
		{"Dropout/rate=0.3", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Dropout(p[0], 0.3, source(3))) }},
		{"Dropout/rate=0.9", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Dropout(p[0], 0.9, source(3))) }},
	}
	for _, act := range activations {
		cases = append(cases, gradientCase{"Activate/act=" + act.String(), 1, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, c.Activate(p[0], act))
		}})
	}
	for _, f := range formula.Unaries {
		cases = append(cases, gradientCase{"Unary/f=" + f.String(), 1, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, c.Unary(p[0], f))
		}})
	}
	return append(append(cases, affineCases(cols)...), customCases(rows, cols)...)
}

func TestGradients(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, s := range shapes {
			for _, gap := range []int{0, 3} {
				for _, c := range gradientCases(s[0], s[1]) {
					t.Run(fmt.Sprintf("op=%s/%s/gap=%d", c.op, shapeName(s[0], s[1]), gap), func(t *testing.T) {
						r := newRand(4)
						var operands []kernels.Matrix
						for range c.operands {
							operands = append(operands, r.normal(s[0], s[1], gap))
						}
						checkGradients(t, table, c.graph, operands)
					})
				}
			}
		}
	})
}

func TestReshapeGradients(t *testing.T) {
	cases := []struct{ m, n, rows, cols, gap int }{
		{1, 1, 1, 1, 0}, {1, 1, 1, 1, 3}, {1, 6, 6, 1, 0}, {1, 6, 2, 3, 3}, {3, 4, 4, 3, 0}, {3, 4, 1, 12, 0}, {3, 4, 3, 4, 2},
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, s := range cases {
			t.Run(fmt.Sprintf("op=Reshape/%s/to=%dx%d/gap=%d", shapeName(s.m, s.n), s.rows, s.cols, s.gap), func(t *testing.T) {
				checkGradients(t, table, func(c calc, p []*ops.Tensor) *ops.Tensor {
					return weighted(c, c.Reshape(p[0], s.rows, s.cols))
				}, []kernels.Matrix{newRand(5).normal(s.m, s.n, s.gap)})
			})
		}
	})
}

func TestLossGradients(t *testing.T) {
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, name := range losses {
			for _, s := range shapes {
				for _, gap := range []int{0, 3} {
					for _, given := range []bool{false, true} {
						for _, up := range []float32{1, -2.5, 0} {
							full := fmt.Sprintf("op=%s/%s/gap=%d/weights=%v/upstream=%v", name, shapeName(s[0], s[1]), gap, given, up)
							t.Run(full, func(t *testing.T) {
								r := newRand(6)
								y := target{labels: r.labels(s[0], s[1]), values: r.positive(s[0], s[1], gap)}
								if given {
									y.weights = r.weights(s[0])
								}
								x := r.normal(s[0], s[1], gap)
								if strings.HasPrefix(name, "Clipped") {
									x = r.positive(s[0], s[1], gap)
								}
								checkGradients(t, table, func(c calc, p []*ops.Tensor) *ops.Tensor {
									loss := lossOf(c, name, p[0], y)
									if up != 1 {
										loss = c.Scale(loss, up)
									}
									return loss
								}, []kernels.Matrix{x})
							})
						}
					}
				}
			}
		}
	})
}

// No gradient passes a clipped probability.
func TestClippedGradients(t *testing.T) {
	y := target{labels: []int32{0, 1}, values: kernels.MatrixOf([]float32{0.5, 0.2, 0.3, 0.1, 0.7, 0.2}, 2, 3)}
	cases := []struct {
		op   string
		x    []float32
		zero []int // elements of the gradient
	}{
		{"ClippedCrossEntropy", []float32{-0.2, 0.5, 0.7, 0.3, 0.3, 0.4}, []int{0, 1, 2}},
		{"ClippedSoftCrossEntropy", []float32{-0.2, 0.5, 0.7, 0.3, 0.3, 0.4}, nil},
		{"ClippedBinaryCrossEntropy", []float32{-0.2, 0.5, 1.2, 0.3, 0.3, 0.4}, []int{0, 2}},
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, c := range cases {
			t.Run("op="+c.op+"/"+shapeName(2, 3), func(t *testing.T) {
				operands := []kernels.Matrix{kernels.MatrixOf(c.x, 2, 3)}
				g := func(k calc, p []*ops.Tensor) *ops.Tensor { return lossOf(k, c.op, p[0], y) }
				checkGradients(t, table, g, operands)
				tape, _, params := onFresh(t, table, g, operands, 1)
				for _, j := range c.zero {
					require.Zero(t, tape.Grad(params[0]).Data[j])
				}
			})
		}
	})
}

// consumers lists every way an operation can write the gradient of x, a matrix of positive values.
func consumers(rows, cols int) []gradientCase {
	r := newRand(8)
	data, bias := r.positive(rows, cols, 1), r.normal(1, cols, 0)
	in, left := r.normal(cols, 2, 0), r.normal(3, rows, 0)
	y := target{labels: r.labels(rows, cols), values: r.positive(rows, cols, 0)}
	cases := []gradientCase{
		{"Dense/x", 1, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, c.Dense(p[0], c.Const(in), nil, kernels.Tanh))
		}},
		{"Dense/w", 1, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, c.Dense(c.Const(left), p[0], c.Const(bias), kernels.Sigmoid))
		}},
		{"Reshape", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Reshape(p[0], cols*rows, 1)) }},
		{"Reshape/same", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Reshape(p[0], rows, cols)) }},
		{"Add/both", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Add(p[0], p[0])) }},
		{"Add/left", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Add(p[0], c.Const(data))) }},
		{"Add/right", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Add(c.Const(data), p[0])) }},
		{"Add/scaled", 1, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, c.Add(p[0], c.Scale(c.Activate(p[0], kernels.Linear), 3)))
		}},
		{"Multiply/both", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Multiply(p[0], p[0])) }},
		{"Multiply/left", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return c.Sum(c.Multiply(p[0], c.Const(data))) }},
		{"Multiply/right", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return c.Sum(c.Multiply(c.Const(data), p[0])) }},
		{"Concatenate/other", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Concatenate(c.Const(data), p[0])) }},
		{"Slice", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Slice(p[0], cols/2, cols)) }},
	}
	if rows == 1 {
		cases = append(cases, gradientCase{"Dense/b", 1, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, c.Dense(c.Const(left), c.Const(data), p[0], kernels.Tanh))
		}})
	}
	if rows == cols {
		cases = append(cases,
			gradientCase{"Dense/xw", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return weighted(c, c.Dense(p[0], p[0], nil, kernels.Tanh)) }},
			gradientCase{"Dense/xw/add", 1, func(c calc, p []*ops.Tensor) *ops.Tensor {
				return weighted(c, c.Add(p[0], c.Dense(p[0], p[0], nil, kernels.Linear)))
			}})
	}
	if rows == 1 && cols == 1 {
		cases = append(cases,
			gradientCase{"Dense/xwb", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return c.Dense(p[0], p[0], p[0], kernels.Tanh) }},
			gradientCase{"itself", 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return p[0] }})
	}
	for _, g := range gradientCases(rows, cols) {
		if g.operands == 1 {
			cases = append(cases, g)
		}
	}
	for _, name := range losses {
		cases = append(cases, gradientCase{name, 1, func(c calc, p []*ops.Tensor) *ops.Tensor { return lossOf(c, name, p[0], y) }})
	}
	return cases
}

// A tensor that two operations use gets the sum of both gradients, whichever of them writes first and however it does.
func TestAccumulation(t *testing.T) {
	sources := []struct {
		name string
		make func(c calc, p *ops.Tensor) *ops.Tensor
	}{
		{"Param", func(c calc, p *ops.Tensor) *ops.Tensor { return p }},
		{"Sigmoid", func(c calc, p *ops.Tensor) *ops.Tensor { return c.Activate(p, kernels.Sigmoid) }},
		{"Gelu", func(c calc, p *ops.Tensor) *ops.Tensor { return c.Unary(p, gelu) }},
		{"Scale", func(c calc, p *ops.Tensor) *ops.Tensor { return c.Scale(p, 0.5) }},
		{"Add", func(c calc, p *ops.Tensor) *ops.Tensor { return c.Add(c.Scale(p, 0.25), p) }},
		{"AddSame", func(c calc, p *ops.Tensor) *ops.Tensor { return c.Scale(c.Add(p, p), 0.5) }},
		{"Concatenate", func(c calc, p *ops.Tensor) *ops.Tensor {
			_, cols := shapeOf(p)
			return c.Slice(c.Concatenate(p, p), 0, cols)
		}},
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, s := range [][2]int{{1, 1}, {1, 2}, {2, 1}, {2, 2}} {
			x := []kernels.Matrix{newRand(9).positive(s[0], s[1], 0)}
			all := consumers(s[0], s[1])
			for _, source := range sources {
				want := make([][]float64, len(all))
				for i, a := range all {
					_, grads := gradients(func(c calc, p []*ops.Tensor) *ops.Tensor {
						return a.graph(c, []*ops.Tensor{source.make(c, p[0])})
					}, x)
					want[i] = grads[0]
				}
				tape := autograd.NewTape(table)
				for i, a := range all {
					t.Run(fmt.Sprintf("source=%s/%s/second=%s", source.name, shapeName(s[0], s[1]), a.op), func(t *testing.T) {
						for j, b := range all {
							tape.Reset()
							c := tape
							p := tape.Param(x[0])
							h := []*ops.Tensor{source.make(c, p)}
							first := a.graph(c, h)
							loss := c.Add(first, b.graph(c, h))
							require.NoError(t, tape.Backward(loss))
							sum := make([]float64, len(want[i]))
							for k := range sum {
								sum[k] = want[i][k] + want[j][k]
							}
							requireNear(t, sum, values(tape.Grad(p)), tolerance, "first="+b.op)
						}
					})
				}
			}
		}
	})
}

func TestGraphs(t *testing.T) {
	r := newRand(10)
	labels := target{labels: r.labels(4, 3), weights: r.weights(4)}
	numbers := target{values: r.normal(4, 1, 0)}
	pixels := target{values: r.normal(4, 3, 0)}
	cases := []struct {
		name     string
		operands [][2]int
		graph    graph
	}{
		{"diamond", [][2]int{{4, 3}, {3, 3}, {3, 3}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			h := c.Activate(p[0], kernels.Tanh)
			left, right := c.Dense(h, p[1], nil, kernels.Sigmoid), c.Dense(h, p[2], nil, kernels.Tanh)
			return weighted(c, c.Multiply(left, right))
		}},
		{"residual", [][2]int{{4, 3}, {3, 3}, {1, 3}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			h := c.Add(p[0], c.Dense(p[0], p[1], p[2], kernels.Tanh))
			h = c.Add(c.Dense(h, p[1], p[2], kernels.Tanh), h)
			return lossOf(c, "MeanSquaredError", h, pixels)
		}},
		{"shared weights", [][2]int{{4, 3}, {4, 3}, {3, 3}, {1, 3}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			left, right := c.Dense(p[0], p[2], p[3], kernels.Tanh), c.Dense(p[1], p[2], p[3], kernels.Tanh)
			return weighted(c, c.Concatenate(left, right))
		}},
		{"weights applied to their own result", [][2]int{{4, 3}, {3, 3}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return weighted(c, c.Dense(c.Dense(p[0], p[1], nil, kernels.Sigmoid), p[1], nil, kernels.Sigmoid))
		}},
		{"two heads", [][2]int{{4, 5}, {5, 6}, {1, 6}, {6, 3}, {1, 3}, {6, 1}, {1, 1}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			trunk := c.Dropout(c.Dense(p[0], p[1], p[2], kernels.Tanh), 0.25, source(11))
			label := lossOf(c, "SoftmaxCrossEntropy", c.Dense(trunk, p[3], p[4], kernels.Linear), labels)
			number := lossOf(c, "MeanSquaredError", c.Dense(trunk, p[5], p[6], kernels.Linear), numbers)
			return c.Add(c.Scale(label, 0.3), c.Scale(number, 0.7))
		}},
		{"two losses of one result", [][2]int{{4, 3}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			h := c.Scale(p[0], 0.5)
			return c.Add(lossOf(c, "SoftmaxCrossEntropy", h, labels), c.Scale(lossOf(c, "MeanSquaredError", h, pixels), 2))
		}},
		{"two inputs", [][2]int{{4, 2}, {4, 3}, {5, 3}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			x := c.Concatenate(p[0], c.Activate(p[1], kernels.ReLU))
			return lossOf(c, "MeanAbsoluteError", c.Softmax(c.Dense(x, p[2], nil, kernels.Linear)), pixels)
		}},
		{"loss of a loss", [][2]int{{4, 3}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			l := lossOf(c, "MeanSquaredError", p[0], pixels)
			return c.Add(c.Multiply(l, l), c.Add(l, c.Add(l, l)))
		}},
		{"reshaped features", [][2]int{{4, 6}, {3, 2}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			h := c.Dense(c.Reshape(p[0], 8, 3), p[1], nil, kernels.Tanh)
			h = c.Reshape(h, 4, 4)
			return weighted(c, c.Multiply(c.Softmax(h), h))
		}},
		{"gate", [][2]int{{4, 6}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			return c.Mean(c.RowSum(c.Multiply(c.Slice(p[0], 0, 3), c.Activate(c.Slice(p[0], 3, 6), kernels.Sigmoid))))
		}},
		{"branch off the path", [][2]int{{4, 3}, {3, 2}}, func(c calc, p []*ops.Tensor) *ops.Tensor {
			h := c.Activate(p[0], kernels.Tanh)
			y := c.Dense(h, p[1], nil, kernels.Tanh)
			lossOf(c, "MeanSquaredError", h, pixels)
			c.Sum(c.Softmax(y))
			return weighted(c, y)
		}},
	}
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		for _, g := range cases {
			t.Run(g.name, func(t *testing.T) {
				r := newRand(12)
				var operands []kernels.Matrix
				for _, s := range g.operands {
					operands = append(operands, r.normal(s[0], s[1], 0))
				}
				checkGradients(t, table, g.graph, operands)
			})
		}
	})
}

func TestGradientReachesOnlyWhatLeadsToTheLoss(t *testing.T) {
	r := newRand(13)
	x, used, unused := r.normal(4, 3, 0), r.normal(3, 2, 0), r.normal(3, 2, 0)
	eachTable(t, func(t *testing.T, table *kernels.Table) {
		t.Run("branch", func(t *testing.T) {
			tape := autograd.NewTape(table)
			c, w, v := tape.Const(x), tape.Param(used), tape.Param(unused)
			idle := tape.Param(unused)
			h := tape.Dense(c, w, nil, kernels.Tanh)
			tape.Mean(tape.Add(h, tape.Dense(c, v, nil, kernels.Tanh)))
			require.NoError(t, tape.Backward(tape.Mean(h)))
			require.NotNil(t, tape.Grad(w).Data)
			for _, x := range []*autograd.Tensor{c, v, idle} {
				require.Equal(t, kernels.Matrix{}, tape.Grad(x))
			}
		})
		t.Run("inner loss", func(t *testing.T) { // what comes after the loss does not count
			tape := autograd.NewTape(table)
			w := tape.Param(used)
			loss := tape.Sum(w)
			tape.Scale(loss, 100)
			require.NoError(t, tape.Backward(loss))
			require.Equal(t, []float32{1, 1, 1, 1, 1, 1}, tape.Grad(w).Data)
		})
		t.Run("loss is a parameter", func(t *testing.T) {
			tape := autograd.NewTape(table)
			p := tape.Param(kernels.MatrixOf([]float32{3}, 1, 1))
			require.NoError(t, tape.Backward(p))
			require.Equal(t, []float32{1}, tape.Grad(p).Data)
		})
		t.Run("no parameters", func(t *testing.T) {
			tape := autograd.NewTape(table)
			c := tape.Const(x)
			require.NoError(t, tape.Backward(tape.Mean(c)))
			require.Equal(t, kernels.Matrix{}, tape.Grad(c))
		})
		t.Run("probabilities", func(t *testing.T) {
			tape := autograd.NewTape(table)
			p := tape.Param(x)
			loss, probs := tape.SoftmaxCrossEntropy(p, []int32{0, 1, 2, 0}, nil)
			require.Equal(t, bitsOf(tape.Softmax(p).Data), bitsOf(probs.Data))
			require.NoError(t, tape.Backward(tape.Add(tape.Scale(loss, 0), tape.Sum(probs))))
			require.Equal(t, kernels.Matrix{}, tape.Grad(probs))
			for _, g := range tape.Grad(p).Data {
				require.Zero(t, g)
			}
		})
	})
}
