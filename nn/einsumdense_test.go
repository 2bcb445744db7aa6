package nn

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// einsumOf adds up the products of every assignment of indices to the letters of an equation without a batch axis.
func einsumOf(equation string, size map[rune]int, x, w []float64) (y []float64) {
	left, result, _ := strings.Cut(equation, "->")
	input, kernel, _ := strings.Cut(left, ",")
	var letters []rune
	for _, a := range result + input + kernel {
		if !slices.Contains(letters, a) {
			letters = append(letters, a)
		}
	}
	index := map[rune]int{}
	at := func(axes string) (i int) {
		for _, a := range axes {
			i = i*size[a] + index[a]
		}
		return i
	}
	n := 1
	for _, a := range result {
		n *= size[a]
	}
	y = make([]float64, n)
	var walk func(i int)
	walk = func(i int) {
		if i == len(letters) {
			y[at(result)] += x[at(input)] * w[at(kernel)]
			return
		}
		for index[letters[i]] = range size[letters[i]] {
			walk(i + 1)
		}
	}
	walk(0)
	return y
}

// An einsumCase has its equation twice: as the layer gets it and without batch axis and dots.
type einsumCase struct {
	equation, plain  string
	in, out          Shape
	bias             string
	kernel, biasSize Shape
	of               Shape // sizes of the letters of plain: a, b, ...
}

// Equations of Keras' tests and layers. The shapes of kernel and bias are facts of Keras' einsum_dense_test.py where it has them.
var einsums = []einsumCase{
	{"ab,bc->ac", "b,bc->c", Shape{3}, Shape{4}, "", Shape{3, 4}, nil, Shape{0, 3, 4}},
	{"ab,bc->ac", "b,bc->c", Shape{3}, Shape{4}, "c", Shape{3, 4}, Shape{4}, Shape{0, 3, 4}},
	{"ab, cb -> ac", "b,cb->c", Shape{3}, Shape{4}, "c", Shape{4, 3}, Shape{4}, Shape{0, 3, 4}},
	{"abc,cd->abd", "bc,cd->bd", Shape{2, 3}, Shape{0, 4}, "d", Shape{3, 4}, Shape{4}, Shape{0, 2, 3, 4}},
	{"abc,cd->abd", "bc,cd->bd", Shape{2, 3}, Shape{0, 4}, "bd", Shape{3, 4}, Shape{2, 4}, Shape{0, 2, 3, 4}},
	{"abc,cd->abd", "bc,cd->bd", Shape{2, 3}, Shape{0, 4}, "b", Shape{3, 4}, Shape{2, 1}, Shape{0, 2, 3, 4}},
	{"abc,cde->abde", "bc,cde->bde", Shape{2, 2}, Shape{0, 3, 4}, "d", Shape{2, 3, 4}, Shape{3, 1}, Shape{0, 2, 2, 3, 4}},
	{"abc,cde->abde", "bc,cde->bde", Shape{7, 2}, Shape{7, 3, 4}, "be", Shape{2, 3, 4}, Shape{7, 1, 4}, Shape{0, 7, 2, 3, 4}},
	{"abc,cde->abde", "bc,cde->bde", Shape{2, 2}, Shape{0, 3, 4}, "ed", Shape{2, 3, 4}, Shape{3, 4}, Shape{0, 2, 2, 3, 4}},
	{"abcd,cde->abe", "bcd,cde->be", Shape{2, 3, 2}, Shape{0, 4}, "e", Shape{3, 2, 4}, Shape{4}, Shape{0, 2, 3, 2, 4}},
	{"BFNH,NHD->BFD", "fnh,nhd->fd", Shape{3, 2, 3}, Shape{3, 4}, "D", Shape{2, 3, 4}, Shape{4}, Shape{'d' - 'a': 4, 'f' - 'a': 3, 'n' - 'a': 2, 'h' - 'a': 3}},
	{"ibd,nd->ibn", "bd,nd->bn", Shape{2, 1}, Shape{2, 2}, "", Shape{2, 1}, nil, Shape{'b' - 'a': 2, 'd' - 'a': 1, 'n' - 'a': 2}},
	{"...x,xy->...y", "abx,xy->aby", Shape{2, 3, 2}, Shape{4}, "y", Shape{2, 4}, Shape{4}, Shape{0: 2, 'b' - 'a': 3, 'x' - 'a': 2, 'y' - 'a': 4}},
	{"...x,xy->...y", "x,xy->y", Shape{3}, Shape{4}, "y", Shape{3, 4}, Shape{4}, Shape{'x' - 'a': 3, 'y' - 'a': 4}},
	{"...bc,bc->...b", "bc,bc->b", Shape{3, 4}, Shape{3}, "b", Shape{3, 4}, Shape{3}, Shape{0, 3, 4}},
	{"abc,bcd->abd", "bc,bcd->bd", Shape{3, 2}, Shape{0, 4}, "d", Shape{3, 2, 4}, Shape{4}, Shape{0, 3, 2, 4}},
	{"abcd,ce->aecbd", "bcd,ce->ecbd", Shape{2, 3, 2}, Shape{4, 3, 0, 2}, "e", Shape{3, 4}, Shape{4, 1, 1, 1}, Shape{0, 2, 3, 2, 4}},
	{"bc...,cd->bd...", "cxy,cd->dxy", Shape{1, 2, 3}, Shape{4}, "d", Shape{1, 4}, Shape{4, 1, 1}, Shape{'c' - 'a': 1, 'd' - 'a': 4, 'x' - 'a': 2, 'y' - 'a': 3}},
	{"bc...,cde->bde...", "cx,cde->dex", Shape{1, 2}, Shape{3, 4}, "e", Shape{1, 3, 4}, Shape{4, 1}, Shape{'c' - 'a': 1, 'd' - 'a': 3, 'e' - 'a': 4, 'x' - 'a': 2}},
	{"ab,c->abc", "b,c->bc", Shape{2}, Shape{2, 3}, "", Shape{3}, nil, Shape{0, 2, 3}},
}

func (e *einsumCase) layerCase(act ActivationKind) layerCase {
	size := map[rune]int{}
	for i, n := range e.of {
		size['a'+rune(i)] = n
	}
	_, result, _ := strings.Cut(e.plain, "->")
	biasAxes := strings.ToLower(e.bias)
	return layerCase{
		name: fmt.Sprintf("EinsumDense/%s/%s/%s", e.equation, e.bias, act),
		make: func(o ...LayerOption) *Layer {
			return EinsumDense(e.equation, e.out, act, append(o, BiasAxes(e.bias))...)
		},
		in: []Shape{e.in},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			y := einsumOf(e.plain, size, in[0], p["kernel"])
			if biasAxes != "" {
				var kept string
				for _, a := range result {
					if strings.ContainsRune(biasAxes, a) {
						kept += string(a)
					}
				}
				one := map[rune]int{'1': 1}
				for a, n := range size {
					one[a] = n
				}
				ones := make([]float64, len(y))
				for i := range ones {
					ones[i] = 1
				}
				for i, v := range einsumOf(result+","+kept+"->"+result, one, ones, p["bias"]) {
					y[i] += v
				}
			}
			switch act {
			case Softmax:
				return softmaxOf(y, size[[]rune(result)[len(result)-1]])
			case ReLU:
				return eachValue(y, func(v float64) float64 { return max(v, 0) })
			}
			return y
		},
		wrong: [][]Shape{{e.in, e.in}, {append(Shape{2, 2, 2}, e.in...)}},
	}
}

// Few of the equations are among layerCases: TestEinsumDense has all of them.
var (
	einsumDenseCase      = einsums[1].layerCase(ReLU)
	einsumDenseKeptCase  = einsums[15].layerCase(Softmax)
	einsumDenseMovedCase = einsums[16].layerCase(Linear)
)

// Each equation beside the sum that defines it, on a tape and in a plan, with the shapes of Keras' weights.
func TestEinsumDense(t *testing.T) {
	for i := range einsums {
		e := &einsums[i]
		for _, act := range []ActivationKind{Linear, Softmax} {
			c := e.layerCase(act)
			t.Run(c.name, func(t *testing.T) {
				m := c.model(t, 1)
				require.Equal(t, e.kernel, m.Weights()[0].Shape)
				if e.bias != "" {
					require.Equal(t, e.biasSize, m.Weights()[1].Shape)
				}
				requireValues(t, &c, m)
			})
		}
	}
}

func TestEinsumDenseErrors(t *testing.T) {
	for _, c := range []struct {
		equation string
		out      []int
		bias     string
		want     string
	}{
		{"ab", []int{4}, "", `must be of the form "ab,bc->ac"`},
		{"ab->ac", []int{4}, "", `must be of the form "ab,bc->ac"`},
		{"abc,bd->ad", []int{4}, "", "axis c is neither in the kernel nor in the result"},
		{"abc,cd->abd", []int{2}, "", "output shape [2] has fewer axes than the result"},
		{"abc,cd->abd", []int{0, 4, 5}, "", "output shape [0 4 5] has more axes than the result"},
		{"abc,cd->abd", []int{5, 4}, "", "axis b has 2 elements in the input and 5 in the output shape"},
		{"abc,cd->abd", []int{2, 0}, "", "axis d is not in the input, so that the output shape must say how many elements it has"},
		{"abc,cd->abd", []int{2, -1}, "", "axis d is not in the input"},
		{"abc,c->abd", []int{2, 4}, "", "axis d is neither in the input nor in the kernel"},
		{"abc,cde->abd", []int{2, 4}, "", "axis e of the kernel is neither in the input nor in the result"},
		{"abc,cd->bad", []int{2, 4}, "", "the first axis of the input, that of the batch, must be the first one of the result"},
		{"abc,acd->abd", []int{2, 4}, "", "the first axis of the input, that of the batch, must be the first one of the result"},
		{"abb,bd->ad", []int{4}, "", `has "b", must have letters, each once, in a term`},
		{"ab1,1d->abd", []int{2, 4}, "", `has "1", must have letters`},
		{"ab,bd->ad", []int{4}, "", `the input has 3 axes with that of the batch, which are not those of "ab"`},
		{"abcd,de->abce", []int{2, 3, 4}, "", `the input has 3 axes with that of the batch, which are not those of "abcd"`},
		{"...c,cd->ad", []int{4}, "", "the first axis of the input, that of the batch"},
		{"a...c,cd->ad", []int{4}, "", "... must be in the input and in the result"},
		{"abc,cd->abd", []int{2, 4}, "c", "bias axis c is not in the result"},
		{"abc,cd->abd", []int{2, 4}, "a", "bias axis a is not in the result"},
		{"abc,bc->a", nil, "", "shape has no dimensions"},
		{"abc,->abc", []int{2, 3}, "", "shape has no dimensions"},
		{"abc,cd->abd", []int{2, 1 << 30}, "", "has more than 2147483647 elements"},
		{"", []int{4}, "", "must be of the form"},
		{"....,->...", []int{4}, "", "must have letters"},
	} {
		n := EinsumDense(c.equation, c.out, Linear, BiasAxes(c.bias)).On(Input("x", 2, 3))
		require.ErrorContains(t, n.err, fmt.Sprintf("equation %q of an input (2, 3): ", c.equation))
		require.ErrorContains(t, n.err, c.want, c.equation)
	}
	require.ErrorContains(t, Flatten(BiasAxes("c")).On(Input("x", 2)).err, "does not take BiasAxes")
}

// A kernel starts with the fans of the axes that are summed over and of the others.
func TestEinsumDenseStart(t *testing.T) {
	x := Input("x", 5, 6, 7)
	m, err := NewModel([]*Node{x}, []*Node{EinsumDense("abcd,cde->abe", []int{0, 8}, Linear).On(x)})
	require.NoError(t, err)
	largest := float32(0)
	for _, v := range m.Weights()[0].Data {
		largest = max(largest, v)
	}
	require.InDelta(t, 0.3464, largest, 0.005) // √(6/(42+8))
}
