package onnx

import (
	"math"
	"slices"
)

// Normalizations: by given or by computed means and variances.

// channels checks vectors with an element for each channel.
func (c *call) channels(n int, inputs ...int) []*tensor {
	var y []*tensor
	for _, i := range inputs {
		if x := c.arg(i); !slices.Equal(x.shape, []int{n}) {
			c.fail("input %d has shape %v, must have %d elements", i, x.shape, n)
		}
		y = append(y, c.arg(i))
	}
	return y
}

func runBatchNormalization(c *call) {
	x := c.arg(0)
	if len(x.shape) < 2 {
		c.fail("input 0 has shape %v, must have batch and channels", x.shape)
	}
	if c.flag("training_mode") {
		c.fail("is in training mode: export the model for inference")
	}
	p := c.channels(x.shape[1], 1, 2, 3, 4)
	y := c.result(0, x.elem, x.shape)
	if !c.compute(y, 2, append(p, x)...) {
		return
	}
	epsilon, inner := c.float("epsilon", 1e-5), product(x.shape[2:])
	for i, v := range x.data() {
		k := i / inner % x.shape[1]
		y.values[i] = float64((v-p[2].data()[k])/math.Sqrt(p[3].data()[k]+epsilon)*p[0].data()[k]) + p[1].data()[k]
	}
}

// standardize makes the mean of n elements 0 and their variance 1, or, without a mean, their mean square 1.
func standardize(y, x []float64, epsilon float64, centred bool) (mean, inverse float64) {
	if centred {
		for _, v := range x {
			mean += v
		}
		mean /= float64(len(x))
	}
	variance := 0.0
	for _, v := range x {
		d := v - mean
		variance += float64(d * d)
	}
	inverse = 1 / math.Sqrt(variance/float64(len(x))+epsilon)
	for i, v := range x {
		y[i] = (v - mean) * inverse
	}
	return mean, inverse
}

func runInstanceNormalization(c *call) {
	x, space := c.images()
	p := c.channels(x.shape[1], 1, 2)
	y := c.result(0, x.elem, x.shape)
	if !c.compute(y, 4, append(p, x)...) {
		return
	}
	n := product(space)
	for i := range product(x.shape[:2]) {
		part := y.values[i*n : (i+1)*n]
		standardize(part, x.data()[i*n:(i+1)*n], c.float("epsilon", 1e-5), true)
		for j, v := range part {
			part[j] = float64(v*p[0].data()[i%x.shape[1]]) + p[1].data()[i%x.shape[1]]
		}
	}
}

func runGroupNormalization(c *call) {
	x, _ := c.images()
	groups := c.integer("num_groups", 0)
	if groups < 1 || x.shape[1]%groups != 0 {
		c.fail("has %d groups for %d channels", groups, x.shape[1])
	}
	each := x.shape[1]
	if c.version < 21 {
		each = groups
	}
	p := c.channels(each, 1, 2)
	y := c.result(0, x.elem, x.shape)
	if !c.compute(y, 4, append(p, x)...) {
		return
	}
	n, inner := product(x.shape[1:])/groups, product(x.shape[2:])
	for i := range x.shape[0] * groups {
		part := y.values[i*n : (i+1)*n]
		standardize(part, x.data()[i*n:(i+1)*n], c.float("epsilon", 1e-5), true)
		for j, v := range part {
			k := i % groups
			if each != groups {
				k = (i*n + j) / inner % x.shape[1]
			}
			part[j] = float64(v*p[0].data()[k]) + p[1].data()[k]
		}
	}
}

func runLayerNormalization(c *call) {
	x, scale := c.arg(0), c.arg(1)
	axis := c.oneAxis(-1)
	centred := c.op == "LayerNormalization"
	params := []*tensor{x, scale}
	if centred && c.has(2) {
		params = append(params, c.in[2])
	}
	for _, p := range params[1:] {
		if s := c.broadcast(x, p); !slices.Equal(s, x.shape) {
			c.fail("scale %v does not fit %v", p.shape, x.shape)
		}
	}
	y := c.result(0, x.elem, x.shape)
	ones := slices.Clone(x.shape)
	for i := axis; i < len(ones); i++ {
		ones[i] = 1
	}
	mean, inverse := c.result(1, typeFloat, ones), c.result(2, typeFloat, ones)
	if !c.compute(y, 4, params...) || !c.compute(mean, 1, params...) || !c.compute(inverse, 1, params...) {
		return
	}
	n := product(x.shape[axis:])
	for i := range mean.values {
		mean.values[i], inverse.values[i] = standardize(y.values[i*n:(i+1)*n], x.data()[i*n:(i+1)*n], c.float("epsilon", 1e-5), centred)
	}
	walk(y.shape, spread(scale.shape, y.shape), func(i, at int) { y.values[i] *= scale.data()[at] })
	if len(params) == 3 {
		walk(y.shape, spread(params[2].shape, y.shape), func(i, at int) { y.values[i] += params[2].data()[at] })
	}
}

func runMeanVariance(c *call) {
	x, axes := c.arg(0), c.integers("axes")
	if axes == nil {
		axes = []int{0, 2, 3}
	}
	axes = c.axes(axes, len(x.shape))
	y := c.result(0, x.elem, x.shape)
	if !c.compute(y, 4, x) {
		return
	}
	ones, _ := reduced(x.shape, axes, true)
	s, n := spread(ones, x.shape), product(ones)
	mean, square := make([]float64, n), make([]float64, n)
	count := float64(x.len() / max(1, n))
	walk(x.shape, s, func(i, at int) { mean[at] += x.data()[i] / count })
	walk(x.shape, s, func(i, at int) {
		d := x.data()[i] - mean[at]
		square[at] += float64(d*d) / count
	})
	walk(x.shape, s, func(i, at int) { y.values[i] = (x.data()[i] - mean[at]) / (math.Sqrt(square[at]) + 1e-9) })
}
