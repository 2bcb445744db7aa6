package nn

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// A moved is a window with the numbers that Keras' documentation gives it, worked out by hand: rows and columns.
type moved struct{ in, size, stride, dilation, before, out [2]int }

// each calls do with the values of all channels under each element of the window at each place, or nil outside.
func (m moved) each(x []float64, channels int, do func(place, element int, v []float64)) {
	for place := range m.out[0] * m.out[1] {
		for e := range m.size[0] * m.size[1] {
			i := place/m.out[1]*m.stride[0] + e/m.size[1]*m.dilation[0] - m.before[0]
			j := place%m.out[1]*m.stride[1] + e%m.size[1]*m.dilation[1] - m.before[1]
			if i < 0 || i >= m.in[0] || j < 0 || j >= m.in[1] {
				do(place, e, nil)
				continue
			}
			at := (i*m.in[1] + j) * channels
			do(place, e, x[at:at+channels])
		}
	}
}

// conv computes groups of filters.
func (m moved) conv(x, kernel, bias []float64, channels, filters, groups int) []float64 {
	y := make([]float64, m.out[0]*m.out[1]*filters)
	for i := range y {
		if bias != nil {
			y[i] = bias[i%filters]
		}
	}
	m.each(x, channels, func(place, e int, v []float64) {
		for f := range filters {
			group, in := f/(filters/groups), channels/groups
			for c := range in {
				if v != nil {
					y[place*filters+f] += v[group*in+c] * kernel[(e*in+c)*filters+f]
				}
			}
		}
	})
	return y
}

// depthwise computes n results for each channel.
func (m moved) depthwise(x, kernel, bias []float64, channels, n int) []float64 {
	y := make([]float64, m.out[0]*m.out[1]*channels*n)
	for i := range y {
		if bias != nil {
			y[i] = bias[i%(channels*n)]
		}
	}
	m.each(x, channels, func(place, e int, v []float64) {
		for c := range v {
			for i := range n {
				y[(place*channels+c)*n+i] += v[c] * kernel[(e*channels+c)*n+i]
			}
		}
	})
	return y
}

// pool computes the mean of what is there, or the largest.
func (m moved) pool(x []float64, channels int, average bool) []float64 {
	y, n := make([]float64, m.out[0]*m.out[1]*channels), make([]float64, m.out[0]*m.out[1])
	m.each(x, channels, func(place, _ int, v []float64) {
		for c, v := range v {
			if p := &y[place*channels+c]; average {
				*p += v
			} else if n[place] == 0 {
				*p = v
			} else {
				*p = max(*p, v)
			}
		}
		if v != nil {
			n[place]++
		}
	})
	for i := range y {
		if average {
			y[i] /= n[i/channels]
		}
	}
	return y
}

var (
	one     = [2]int{1, 1}
	same3x3 = moved{[2]int{4, 3}, [2]int{3, 3}, one, one, one, [2]int{4, 3}}
	pool2x2 = moved{[2]int{5, 4}, [2]int{2, 2}, [2]int{2, 2}, one, [2]int{}, [2]int{2, 2}}
	// 5 rows in windows of 2 with strides of 2 need one more: it lies behind.
	pooledSame = moved{[2]int{5, 4}, [2]int{2, 2}, [2]int{2, 2}, one, [2]int{}, [2]int{3, 2}}
)

// inputs is a want that needs no parameters.
func inputs(f func(x []float64) []float64) func([][]float64, map[string][]float64) []float64 {
	return func(in [][]float64, _ map[string][]float64) []float64 { return f(in[0]) }
}

func init() { layerCases = append(layerCases, windowCases...) }

var windowCases = []layerCase{
	{
		name: "Conv1D/causal",
		make: func(o ...LayerOption) *Layer { return Conv1D(4, 3, Tanh, append(o, Causal, DilationRate(2))...) },
		in:   []Shape{{6, 2}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			m := moved{[2]int{1, 6}, [2]int{1, 3}, one, [2]int{1, 2}, [2]int{0, 4}, [2]int{1, 6}}
			return eachValue(m.conv(in[0], p["kernel"], p["bias"], 2, 4, 1), math.Tanh)
		},
		wrong: [][]Shape{{{6, 2}, {6, 2}}, {{6}}, {{6, 2, 1}}},
	},
	{
		name: "Conv1D/one step",
		make: func(o ...LayerOption) *Layer { return Conv1D(4, 1, Softmax, append(o, NoBias())...) },
		in:   []Shape{{3, 2}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			return softmaxOf(denseOf(in[0], p["kernel"], nil, 2, 4), 4)
		},
		wrong: [][]Shape{{{3}}},
	},
	{
		name: "Conv2D/same",
		make: func(o ...LayerOption) *Layer { return Conv2D(3, [2]int{3, 3}, Tanh, append(o, Same)...) },
		in:   []Shape{{4, 3, 2}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			return eachValue(same3x3.conv(in[0], p["kernel"], p["bias"], 2, 3, 1), math.Tanh)
		},
		wrong: [][]Shape{{{4, 3}}, {{4, 3, 2}, {4, 3, 2}}},
	},
	{
		name: "Conv2D/groups with strides",
		make: func(o ...LayerOption) *Layer {
			return Conv2D(4, [2]int{2, 3}, Linear, append(o, Groups(2), Strides(2, 1))...)
		},
		in: []Shape{{5, 4, 2}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			m := moved{[2]int{5, 4}, [2]int{2, 3}, [2]int{2, 1}, one, [2]int{}, [2]int{2, 2}}
			return m.conv(in[0], p["kernel"], p["bias"], 2, 4, 2)
		},
		wrong: [][]Shape{{{5, 4, 3}}, {{1, 4, 2}}, {{5, 2, 2}}},
	},
	{
		name: "DepthwiseConv1D",
		make: func(o ...LayerOption) *Layer { return DepthwiseConv1D(2, GELU, append(o, Strides(2))...) },
		in:   []Shape{{5, 3}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			m := moved{[2]int{1, 5}, [2]int{1, 2}, [2]int{1, 2}, one, [2]int{}, [2]int{1, 2}}
			return eachValue(m.depthwise(in[0], p["kernel"], p["bias"], 3, 1), func(v float64) float64 { return v * (1 + math.Erf(v/math.Sqrt2)) / 2 })
		},
		wrong: [][]Shape{{{5}}, {{1, 3}}},
	},
	{
		name: "DepthwiseConv2D/multiplier",
		make: func(o ...LayerOption) *Layer {
			return DepthwiseConv2D([2]int{3, 3}, Sigmoid, append(o, Same, DepthMultiplier(2))...)
		},
		in: []Shape{{4, 3, 2}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			return eachValue(same3x3.depthwise(in[0], p["kernel"], p["bias"], 2, 2), func(v float64) float64 { return 1 / (1 + math.Exp(-v)) })
		},
		wrong: [][]Shape{{{4, 3}}},
	},
	{
		name: "SeparableConv1D",
		make: func(o ...LayerOption) *Layer { return SeparableConv1D(2, 3, Linear, append(o, NoBias())...) },
		in:   []Shape{{5, 3}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			m := moved{[2]int{1, 5}, [2]int{1, 3}, one, one, [2]int{}, [2]int{1, 3}}
			return denseOf(m.depthwise(in[0], p["depthwise_kernel"], nil, 3, 1), p["pointwise_kernel"], nil, 3, 2)
		},
		wrong: [][]Shape{{{5}}, {{2, 3}}},
	},
	{
		name: "SeparableConv2D/multiplier",
		make: func(o ...LayerOption) *Layer {
			return SeparableConv2D(3, [2]int{3, 3}, Tanh, append(o, Same, DepthMultiplier(2))...)
		},
		in: []Shape{{4, 3, 2}},
		want: func(in [][]float64, p map[string][]float64) []float64 {
			x := same3x3.depthwise(in[0], p["depthwise_kernel"], nil, 2, 2)
			return eachValue(denseOf(x, p["pointwise_kernel"], p["bias"], 4, 3), math.Tanh)
		},
		wrong: [][]Shape{{{4, 3}}},
	},
	{
		name: "MaxPooling1D/strides",
		make: func(o ...LayerOption) *Layer { return MaxPooling1D(3, append(o, Strides(1), Same)...) },
		in:   []Shape{{4, 2}},
		want: inputs(func(x []float64) []float64 {
			return moved{[2]int{1, 4}, [2]int{1, 3}, one, one, [2]int{0, 1}, [2]int{1, 4}}.pool(x, 2, false)
		}),
		wrong: [][]Shape{{{4}}},
	},
	{
		name:  "MaxPooling2D",
		make:  func(o ...LayerOption) *Layer { return MaxPooling2D([2]int{2, 2}, o...) },
		in:    []Shape{{5, 4, 3}},
		want:  inputs(func(x []float64) []float64 { return pool2x2.pool(x, 3, false) }),
		wrong: [][]Shape{{{5, 4}}, {{1, 4, 3}}},
	},
	{
		name: "AveragePooling1D",
		make: func(o ...LayerOption) *Layer { return AveragePooling1D(2, o...) },
		in:   []Shape{{5, 2}},
		want: inputs(func(x []float64) []float64 {
			return moved{[2]int{1, 5}, [2]int{1, 2}, [2]int{1, 2}, one, [2]int{}, [2]int{1, 2}}.pool(x, 2, true)
		}),
		wrong: [][]Shape{{{5}}, {{1, 2}}},
	},
	{
		name:  "AveragePooling2D/same",
		make:  func(o ...LayerOption) *Layer { return AveragePooling2D([2]int{2, 2}, append(o, Same)...) },
		in:    []Shape{{5, 4, 3}},
		want:  inputs(func(x []float64) []float64 { return pooledSame.pool(x, 3, true) }),
		wrong: [][]Shape{{{5, 4}}},
	},
	globalCase("GlobalMaxPooling1D", GlobalMaxPooling1D, Shape{4, 3}, false),
	globalCase("GlobalAveragePooling1D", GlobalAveragePooling1D, Shape{4, 3}, true),
	globalCase("GlobalMaxPooling2D", GlobalMaxPooling2D, Shape{2, 2, 3}, false),
	globalCase("GlobalAveragePooling2D", func(o ...LayerOption) *Layer { return GlobalAveragePooling2D(append(o, KeepDims())...) }, Shape{2, 3, 2}, true),
	{
		name:  "ZeroPadding1D",
		make:  func(o ...LayerOption) *Layer { return ZeroPadding1D(1, 2, o...) },
		in:    []Shape{{2, 2}},
		want:  inputs(func(x []float64) []float64 { return append(append(make([]float64, 2), x...), 0, 0, 0, 0) }),
		wrong: [][]Shape{{{2}}},
	},
	{
		name: "ZeroPadding2D",
		make: func(o ...LayerOption) *Layer { return ZeroPadding2D([2][2]int{{1, 0}, {0, 2}}, o...) },
		in:   []Shape{{2, 1, 2}},
		want: inputs(func(x []float64) []float64 {
			return []float64{0, 0, 0, 0, 0, 0, x[0], x[1], 0, 0, 0, 0, x[2], x[3], 0, 0, 0, 0}
		}),
		wrong: [][]Shape{{{2, 2}}},
	},
	{
		name:  "Cropping1D",
		make:  func(o ...LayerOption) *Layer { return Cropping1D(1, 2, o...) },
		in:    []Shape{{5, 2}},
		want:  inputs(func(x []float64) []float64 { return x[2:6] }),
		wrong: [][]Shape{{{5}}, {{3, 2}}},
	},
	{
		name:  "Cropping2D",
		make:  func(o ...LayerOption) *Layer { return Cropping2D([2][2]int{{1, 0}, {0, 1}}, o...) },
		in:    []Shape{{3, 2, 2}},
		want:  inputs(func(x []float64) []float64 { return []float64{x[4], x[5], x[8], x[9]} }),
		wrong: [][]Shape{{{3, 2}}, {{1, 2, 2}}},
	},
	{
		name: "UpSampling1D",
		make: func(o ...LayerOption) *Layer { return UpSampling1D(3, o...) },
		in:   []Shape{{2, 2}},
		want: inputs(func(x []float64) []float64 {
			return []float64{x[0], x[1], x[0], x[1], x[0], x[1], x[2], x[3], x[2], x[3], x[2], x[3]}
		}),
		wrong: [][]Shape{{{2}}},
	},
	{
		name: "UpSampling2D",
		make: func(o ...LayerOption) *Layer { return UpSampling2D([2]int{3, 2}, o...) },
		in:   []Shape{{2, 2, 2}},
		want: inputs(func(x []float64) (y []float64) {
			for i := range 6 {
				for j := range 4 {
					y = append(y, x[(i/3*2+j/2)*2:][:2]...)
				}
			}
			return y
		}),
		wrong: [][]Shape{{{2, 2}}},
	},
	{
		name: "UpSampling2D/bilinear",
		make: func(o ...LayerOption) *Layer { return UpSampling2D([2]int{3, 2}, append(o, Bilinear())...) },
		in:   []Shape{{3, 2, 2}},
		want: inputs(func(x []float64) (y []float64) {
			// between returns which two of n values lie around place i of size·n, and how far the second one counts.
			between := func(i, size, n int) (a, b int, t float64) {
				at := min(max((float64(i)+0.5)/float64(size)-0.5, 0), float64(n-1))
				a = int(at)
				return a, min(a+1, n-1), at - float64(a)
			}
			for i := range 9 {
				for j := range 4 {
					for c := range 2 {
						top, bottom, s := between(i, 3, 3)
						left, right, t := between(j, 2, 2)
						at := func(i, j int) float64 { return x[(i*2+j)*2+c] }
						y = append(y, (1-s)*((1-t)*at(top, left)+t*at(top, right))+s*((1-t)*at(bottom, left)+t*at(bottom, right)))
					}
				}
			}
			return y
		}),
		wrong: [][]Shape{{{3, 2}}},
	},
}

func globalCase(name string, layer func(...LayerOption) *Layer, in Shape, average bool) layerCase {
	channels := in.Last()
	return layerCase{
		name: name,
		make: layer,
		in:   []Shape{in},
		want: inputs(func(x []float64) []float64 {
			n := [2]int{1, len(x) / channels}
			return moved{n, n, one, one, [2]int{}, one}.pool(x, channels, average)
		}),
		wrong: [][]Shape{{{4}}, {{2, 2, 2, 2}}},
	}
}

// What a file says that we do not do is an error, and what Keras writes in several ways is one thing.
func TestWindowConfigs(t *testing.T) {
	build := func(class, config string, in ...int) (Shape, error) {
		k, err := newObject[Kind](class, []byte(config))
		if err != nil {
			return nil, err
		}
		n := New(k).On(Input("", in...))
		return n.Shape(), n.err
	}
	for _, c := range []struct {
		class, config string
		in, want      Shape
	}{
		{"Conv2D", `{"filters":3,"kernel_size":2}`, Shape{4, 5, 1}, Shape{3, 4, 3}},
		{"Conv2D", `{"filters":3,"kernel_size":[2,3],"strides":[1,2],"data_format":"channels_last","dilation_rate":[1,1],"groups":1}`, Shape{4, 5, 1}, Shape{3, 2, 3}},
		{"Conv1D", `{"filters":3,"kernel_size":[2],"padding":"causal","strides":2}`, Shape{5, 1}, Shape{3, 3}},
		{"MaxPooling2D", `{}`, Shape{4, 5, 2}, Shape{2, 2, 2}},
		{"MaxPooling2D", `{"pool_size":3,"strides":null,"padding":"same","data_format":null}`, Shape{4, 5, 2}, Shape{2, 2, 2}},
		{"AveragePooling1D", `{"pool_size":3,"strides":1}`, Shape{4, 2}, Shape{2, 2}},
		{"GlobalMaxPooling2D", `{"keepdims":true}`, Shape{4, 5, 2}, Shape{1, 1, 2}},
		{"ZeroPadding1D", `{"padding":[1,2]}`, Shape{4, 2}, Shape{7, 2}},
		{"ZeroPadding2D", `{"padding":[1,2]}`, Shape{4, 4, 2}, Shape{6, 8, 2}},
		{"ZeroPadding2D", `{"padding":[[1,2],[3,4]]}`, Shape{4, 4, 2}, Shape{7, 11, 2}},
		{"ZeroPadding2D", `{"padding":2}`, Shape{4, 4, 2}, Shape{8, 8, 2}},
		{"ZeroPadding1D", `{"padding":2}`, Shape{4, 2}, Shape{8, 2}},
		{"Cropping2D", `{"cropping":[[1,2],[0,0]]}`, Shape{4, 4, 2}, Shape{1, 4, 2}},
		{"UpSampling2D", `{"size":3,"interpolation":"bilinear"}`, Shape{2, 1, 2}, Shape{6, 3, 2}},
	} {
		shape, err := build(c.class, c.config, c.in...)
		require.NoError(t, err, "%s %s", c.class, c.config)
		require.Equal(t, c.want, shape, "%s %s", c.class, c.config)
	}
	for _, c := range []struct{ class, config, err string }{
		{"Conv2D", `{"filters":3,"kernel_size":2,"data_format":"channels_first"}`, `"channels_first" is not supported`},
		{"Conv2D", `{"filters":3,"kernel_size":2,"data_format":"last"}`, `unknown data_format "last": valid is "channels_last"`},
		{"Conv2D", `{"filters":3,"kernel_size":[2]}`, `must be one or a list of 2`},
		{"Conv2D", `{"filters":3,"kernel_size":"a"}`, `config: `},
		{"Conv2D", `{"filters":3,"kernel_size":2,"padding":"causal"}`, `padding "causal" is not valid: use "valid" or "same", or "causal" for Conv1D`},
		{"Conv2D", `{"filters":3,"kernel_size":0}`, `a window of size 0`},
		{"Conv2D", `{"filters":0,"kernel_size":1}`, `has 0 filters`},
		{"Conv2D", `{"filters":3,"kernel_size":1,"groups":0}`, `for 0 groups`},
		{"DepthwiseConv2D", `{"kernel_size":1,"depth_multiplier":0}`, `depth multiplier of 0`},
		{"SeparableConv2D", `{"filters":0,"kernel_size":1}`, `has 0 filters`},
		{"MaxPooling2D", `{"padding":"full"}`, `padding "full" is not valid`},
		{"MaxPooling2D", `{"pool_size":5}`, `reaches over 5 positions`},
		{"GlobalMaxPooling2D", `{"data_format":"channels_first"}`, `is not supported`},
		{"ZeroPadding2D", `{"padding":[1,2,3]}`, `is no number, pair or`},
		{"ZeroPadding2D", `{"padding":[[-1,0],[0,0]]}`, `valid are 0 to`},
		{"Cropping2D", `{"cropping":[[2,2],[0,0]]}`, `nothing is left`},
		{"UpSampling2D", `{"interpolation":"bicubic"}`, `unknown interpolation "bicubic": valid are "nearest" and "bilinear"`},
		{"UpSampling2D", `{"size":0}`, `size 0 of an axis of 4`},
	} {
		_, err := build(c.class, c.config, 4, 4, 2)
		require.ErrorContains(t, err, c.err, "%s %s", c.class, c.config)
	}
	for _, l := range []*Layer{Dense(1, Linear, Same), Dense(1, Linear, Strides(1)), MaxPooling1D(2, DilationRate(1)), Dense(1, Linear, KeepDims()),
		Dense(1, Linear, Groups(2)), Conv1D(1, 1, Linear, DepthMultiplier(2)), Conv1D(1, 1, Linear, Bilinear()), Conv2D(1, [2]int{1, 1}, Linear, Strides(1, 2, 3))} {
		require.Error(t, l.On(Input("", 4, 4)).err, l.Class())
	}
}
