package nn

import (
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// attends is what all classes of attention have in common.
type attends struct {
	Rate   float64 `json:"dropout"`
	Causal bool    `json:"use_causal_mask"`
}

// A CausalMaskOption keeps an attention from what comes later.
type CausalMaskOption struct{}

// CausalMask lets element t of the query of an attention see elements 0 to t only, as what predicts a sequence from its beginning
// must. (In Keras it is an argument of the call.) Layers of other classes do not take it.
func CausalMask() CausalMaskOption { return CausalMaskOption{} }

func (CausalMaskOption) applyLayer(l *Layer) {
	configure(l, "CausalMask", func(a interface{ attention() *attends }) { a.attention().Causal = true })
}

// An AttentionDropoutOption is the share of an attention's weights that training drops.
type AttentionDropoutOption float64

// AttentionDropout makes training drop each weight of an attention, which is what a query takes of a value, with probability rate
// and scale the others by 1/(1-rate). Layers of other classes do not take it.
func AttentionDropout(rate float64) AttentionDropoutOption { return AttentionDropoutOption(rate) }

func (o AttentionDropoutOption) applyLayer(l *Layer) {
	configure(l, "AttentionDropout", func(a interface{ attention() *attends }) { a.attention().Rate = float64(o) })
}

func (a *attends) attention() *attends { return a }

// check reports inputs other than query [queries, ...], value [keys, ...] and, if there is one, key [keys, ...].
func (a *attends) check(b *Builder, in []Shape) (query, value, key Shape, ok bool) {
	if !(a.Rate >= 0 && a.Rate < 1) {
		b.Errorf("dropout %v is not in [0, 1)", a.Rate)
	}
	if len(in) < 2 || len(in) > 3 {
		b.Errorf("called on %d nodes, takes query, value and, if it is not the value, key", len(in))
		return
	}
	query, value, key = in[0], in[1], in[len(in)-1]
	for i, s := range in {
		if len(s) < 2 {
			b.Errorf("input %d has shape %s, must be a sequence of vectors", i, s)
			return
		}
	}
	if vectors(value) != vectors(key) {
		b.Errorf("the value has shape %s, the key %s: they must have as many vectors", value, key)
	}
	return query, value, key, true
}

// vectors returns the number of vectors along the last axis.
func vectors(s Shape) int { return s.Elements() / s.Last() }

// weights returns the weights [samples·queries, heads·keys] of scores, which are masked and become their softmax.
func (a *attends) weights(c *Call, scores, queries, keys *ops.Tensor, heads int, w ops.Band) *ops.Tensor {
	if a.Causal {
		w.After = 0
	}
	if queries != nil || keys != nil || w.Before >= 0 || w.After >= 0 {
		scores = c.MaskScores(scores, queries, keys, c.In(0).Rows, heads, w)
	}
	y := c.Softmax(c.Reshape(scores, scores.Rows*heads, scores.Cols/heads))
	if c.Training() && a.Rate > 0 {
		y = c.Dropout(y, a.Rate, c.Random())
	}
	return c.Reshape(y, scores.Rows, scores.Cols)
}

var everything = ops.Band{Before: -1, After: -1}

type attention struct {
	attends
	UseScale  bool   `json:"use_scale"`
	ScoreMode string `json:"score_mode"`
}

const (
	dotScores    = "dot"
	concatScores = "concat"
)

func init() { Register("Attention", attention{ScoreMode: dotScores}) }

// Attention gives each vector of the query a mean of the vectors of the value, with weights that are the softmax of scores: how
// much the query is like the key that belongs to the value. It is called on a query [queries, features], a value [keys, size]
// and, if it is not the value itself, a key [keys, features]; the result is [queries, size]. A score is the inner product of
// query and key (Luong, Pham and Manning 2015, arXiv:1508.04025); see [UseScale] and [ConcatScores] for others.
//
// What the mask of the value leaves out has no weight, and what that of the query leaves out is zero in the result, see [Masker].
func Attention(opts ...LayerOption) *Layer { return New(&attention{ScoreMode: dotScores}, opts...) }

// A UseScaleOption says whether scores are scaled.
type UseScaleOption bool

// UseScale says whether an [Attention] or [AdditiveAttention] has a weight "scale" that is trained: one number, from 1, which
// multiplies the scores of an Attention, or one for each feature of an AdditiveAttention. The former has none by default, the
// latter has one. Layers of other classes do not take it.
func UseScale(use bool) UseScaleOption { return UseScaleOption(use) }

func (o UseScaleOption) applyLayer(l *Layer) {
	configure(l, "UseScale", func(k interface{ useScale(bool) }) { k.useScale(bool(o)) })
}

func (a *attention) useScale(use bool) { a.UseScale = use }

// A ConcatScoresOption makes scores of sums.
type ConcatScoresOption struct{}

// ConcatScores makes the scores of an [Attention] sums over tanh(scale·(query + key)) times a weight "concat_score_weight", one
// number which is trained from 1, as Keras' score_mode "concat". Layers of other classes do not take it.
func ConcatScores() ConcatScoresOption { return ConcatScoresOption{} }

func (ConcatScoresOption) applyLayer(l *Layer) {
	configure(l, "ConcatScores", func(a *attention) { a.ScoreMode = concatScores })
}

func (a *attention) Build(b *Builder, in []Shape) Shape {
	query, value, key, ok := a.check(b, in)
	if !ok {
		return in[0]
	}
	if a.ScoreMode != dotScores && a.ScoreMode != concatScores {
		b.Errorf("score mode %q: valid are %q", a.ScoreMode, []string{dotScores, concatScores})
	}
	if a.UseScale {
		b.Param("scale", Shape{1}, Ones())
	}
	if a.ScoreMode == concatScores {
		b.Param("concat_score_weight", Shape{1}, Ones())
	}
	return attended(b, query, value, key)
}

// attended returns the shape of what queries take of values, and reports keys that are not like the queries.
func attended(b *Builder, query, value, key Shape) Shape {
	if query.Last() != key.Last() {
		b.Errorf("the query has shape %s, the key %s: their vectors must have one size", query, key)
	}
	return append(append(Shape{}, query[:len(query)-1]...), value.Last())
}

func (a *attention) Forward(c *Call) *ops.Tensor {
	query, key := c.Vectors(0), c.Vectors(c.Len()-1)
	var scores *ops.Tensor
	switch {
	case a.ScoreMode == dotScores:
		if a.UseScale {
			query = c.times(query, c.Param(0))
		}
		scores = c.MatMul(query, key, c.In(0).Rows, 1, true)
	default:
		if a.UseScale {
			query, key = c.times(query, c.Param(0)), c.times(key, c.Param(0))
		}
		scores = c.pairScores(query, key, c.Repeat(c.Param(len(c.params)-1), query.Cols))
	}
	return a.attend(c, scores)
}

// times returns x times a parameter of one element.
func (c *Call) times(x, factor *ops.Tensor) *ops.Tensor {
	return c.Reshape(c.Dense(c.Reshape(x, x.Rows*x.Cols, 1), factor, nil, kernels.Linear), x.Rows, x.Cols)
}

// attend returns what queries take of values, from their scores for the keys.
func (a *attends) attend(c *Call, scores *ops.Tensor) *ops.Tensor {
	value := c.Vectors(1)
	y := c.MatMul(a.weights(c, scores, nil, c.Mask(1), 1, everything), value, c.In(0).Rows, 1, false)
	if m := c.Mask(0); m != nil {
		y = c.MaskRows(y, c.Reshape(m, y.Rows, 1))
	}
	return c.Samples(y)
}

// Mask is that of the query.
func (a *attends) Mask(c *Call) *ops.Tensor { return c.Mask(0) }

// pairScores returns Σ weights·tanh(query + key) for each pair: weights is [1, features].
func (c *Call) pairScores(query, key, weights *ops.Tensor) *ops.Tensor {
	samples := c.In(0).Rows
	pairs := c.AddPairs(query, key, samples, kernels.Tanh)
	keys := key.Rows / samples
	return c.Reshape(c.Dense(pairs, c.Reshape(weights, weights.Cols, 1), nil, kernels.Linear), query.Rows, keys)
}

type additiveAttention struct {
	attends
	UseScale bool `json:"use_scale"`
}

func init() { Register("AdditiveAttention", additiveAttention{UseScale: true}) }

// AdditiveAttention is [Attention] with the scores of Bahdanau, Cho and Bengio 2014 (arXiv:1409.0473): the sum over
// scale·tanh(query + key), with a weight "scale" for each feature, which starts Glorot uniform, unless [UseScale] says no.
func AdditiveAttention(opts ...LayerOption) *Layer {
	return New(&additiveAttention{UseScale: true}, opts...)
}

func (a *additiveAttention) useScale(use bool) { a.UseScale = use }

func (a *additiveAttention) Build(b *Builder, in []Shape) Shape {
	query, value, key, ok := a.check(b, in)
	if !ok {
		return in[0]
	}
	if a.UseScale {
		b.Param("scale", Shape{query.Last()}, GlorotUniform())
	}
	return attended(b, query, value, key)
}

func (a *additiveAttention) Forward(c *Call) *ops.Tensor {
	query, key := c.Vectors(0), c.Vectors(c.Len()-1)
	if a.UseScale {
		return a.attend(c, c.pairScores(query, key, c.Param(0)))
	}
	return a.attend(c, c.pairScores(query, key, c.Full(1, query.Cols, 1)))
}
