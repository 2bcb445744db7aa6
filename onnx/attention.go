package onnx

import (
	"math"
	"slices"

	"github.com/espalier-ml/espalier/internal/portable"
)

// runAttention is scaled dot-product attention (operator set 23): queries, keys and values are [batch, heads, steps, size], or
// [batch, steps, heads·size] with the heads as attributes.
func runAttention(c *call) {
	heads := func(i int, name string) (*tensor, [4]int) { // batch, heads, steps, size
		x := c.arg(i)
		switch len(x.shape) {
		case 4:
			return x, [4]int(x.shape)
		case 3:
			n := c.integer(name, 0)
			if n < 1 || x.shape[2]%n != 0 {
				c.fail("%s is %d for an input %d of shape %v", name, n, i, x.shape)
			}
			return x, [4]int{x.shape[0], n, x.shape[1], x.shape[2] / n}
		}
		c.fail("input %d has shape %v, must have 3 or 4 axes", i, x.shape)
		return nil, [4]int{}
	}
	q, qs := heads(0, "q_num_heads")
	k, ks := heads(1, "kv_num_heads")
	v, vs := heads(2, "kv_num_heads")
	if ks[0] != qs[0] || vs[0] != qs[0] || ks[1] != vs[1] || ks[2] != vs[2] || ks[3] != qs[3] || ks[1] < 1 || qs[1]%ks[1] != 0 {
		c.fail("queries %v, keys %v and values %v do not fit together", q.shape, k.shape, v.shape)
	}
	past := 0
	all := []*tensor{q, k, v}
	if c.has(4) != c.has(5) {
		c.fail("has only one of past_key and past_value")
	}
	if c.has(4) {
		pk, pv := c.argOf(4, 4), c.argOf(5, 4)
		past = pk.shape[2]
		if !slices.Equal(pk.shape, []int{ks[0], ks[1], past, ks[3]}) || !slices.Equal(pv.shape, []int{vs[0], vs[1], past, vs[3]}) {
			c.fail("past_key %v and past_value %v do not fit keys %v and values %v", pk.shape, pv.shape, k.shape, v.shape)
		}
		all = append(all, pk, pv)
	}
	total := past + ks[2]
	batch, queries := qs[0], qs[2]
	scoreShape := []int{batch, qs[1], queries, total}
	var mask *tensor
	if c.has(3) {
		mask = c.in[3]
		all = append(all, mask)
		padded := slices.Clone(mask.shape)
		if len(padded) > 0 && padded[len(padded)-1] < total { // what is not masked does not count
			padded[len(padded)-1] = total
		}
		if !slices.Equal(c.broadcast(&tensor{shape: scoreShape}, &tensor{shape: padded}), scoreShape) || len(padded) == 0 {
			c.fail("mask %v does not fit the scores %v", mask.shape, scoreShape)
		}
	}
	var valid *tensor
	if c.has(6) {
		if valid = c.in[6]; !slices.Equal(valid.shape, []int{batch}) {
			c.fail("nonpad_kv_seqlen has shape %v for a batch of %d", valid.shape, batch)
		}
		all = append(all, valid)
	}
	shape := []int{batch, qs[1], queries, vs[3]}
	if len(q.shape) == 3 {
		shape = []int{batch, queries, qs[1] * vs[3]}
	}
	y := c.result(0, q.elem, shape)
	pk, pv := c.result(1, k.elem, []int{batch, ks[1], total, ks[3]}), c.result(2, v.elem, []int{batch, vs[1], total, vs[3]})
	shown := c.result(3, q.elem, scoreShape)
	if !c.compute(y, total, all...) || !c.compute(pk, 1, all...) || !c.compute(pv, 1, all...) || !c.compute(shown, qs[3], all...) {
		return
	}
	// row returns a vector of an input of 3 or 4 axes.
	row := func(x *tensor, s [4]int, b, h, t int) []float64 {
		at := ((b*s[1]+h)*s[2] + t) * s[3]
		if len(x.shape) == 3 {
			at = ((b*s[2]+t)*s[1] + h) * s[3]
		}
		return x.data()[at : at+s[3]]
	}
	join := func(to *tensor, x *tensor, s [4]int, before int) {
		for b := range batch {
			for h := range s[1] {
				for t := range total {
					at := to.values[((b*s[1]+h)*total+t)*s[3]:]
					if t < past {
						copy(at[:s[3]], c.in[before].data()[((b*s[1]+h)*past+t)*s[3]:])
					} else {
						copy(at[:s[3]], row(x, s, b, h, t-past))
					}
				}
			}
		}
	}
	join(pk, k, ks, 4)
	join(pv, v, vs, 5)
	scale := c.float("scale", 1/math.Sqrt(float64(qs[3])))
	softcap, mode, causal := c.float("softcap", 0), c.integer("qk_matmul_output_mode", 0), c.flag("is_causal")
	var maskStrides []int
	if mask != nil {
		maskStrides = spread(mask.shape, scoreShape)
	}
	scores := make([]float64, total)
	for b := range batch {
		for h := range qs[1] {
			g := h / (qs[1] / ks[1])
			for t := range queries {
				show := shown.values[((b*qs[1]+h)*queries+t)*total:][:total]
				from := row(q, qs, b, h, t)
				for j := range scores {
					key, sum := pk.values[((b*ks[1]+g)*total+j)*ks[3]:], 0.0
					for i, f := range from {
						sum += float64(f * key[i])
					}
					scores[j] = sum * scale
				}
				if mode == 0 {
					copy(show, scores)
				}
				if softcap > 0 {
					for j, s := range scores {
						scores[j] = softcap * tanh(s/softcap)
					}
				}
				if mode == 1 {
					copy(show, scores)
				}
				for j := range scores {
					offset := past
					if valid != nil {
						if j >= whole(valid.data()[b]) {
							scores[j] = math.Inf(-1)
						}
						offset = whole(valid.data()[b]) - queries
					}
					if causal && j > t+offset {
						scores[j] = math.Inf(-1)
					}
					if mask == nil {
						continue
					}
					if n := mask.shape[len(mask.shape)-1]; n < total && j >= n && n != 1 {
						scores[j] = math.Inf(-1)
						continue
					}
					at := b*maskStrides[0] + h*maskStrides[1] + t*maskStrides[2] + j*maskStrides[3]
					switch m := mask.data()[at]; {
					case mask.elem != typeBool:
						scores[j] += m
					case m == 0:
						scores[j] = math.Inf(-1)
					}
				}
				if mode == 2 {
					copy(show, scores)
				}
				top, sum := math.Inf(-1), 0.0
				for _, s := range scores {
					top = max(top, s)
				}
				for j, s := range scores {
					if scores[j] = portable.Exp(s - top); math.IsInf(top, -1) {
						scores[j] = 0
					}
					sum += scores[j]
				}
				for j := range scores {
					if sum != 0 {
						scores[j] /= sum
					}
				}
				if mode == 3 {
					copy(show, scores)
				}
				to := y.values[((b*qs[1]+h)*queries+t)*vs[3]:]
				if len(q.shape) == 3 {
					to = y.values[((b*queries+t)*qs[1]+h)*vs[3]:]
				}
				for j, s := range scores {
					value := pv.values[((b*vs[1]+g)*total+j)*vs[3]:]
					for i := range vs[3] {
						to[i] += float64(s * value[i])
					}
				}
			}
		}
	}
}
