package nn

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// An Initializer gives a parameter the values from which training starts. The random numbers are those of the parameter's
// own name, so other layers do not change them.
type Initializer interface {
	// Fill sets all values of a parameter of the given shape. They are zero before.
	Fill(values []float32, shape Shape, random *rand.Rand)
}

func init() {
	Register("GlorotUniform", glorotUniform{})
	Register("RandomUniform", randomUniform{-0.05, 0.05})
	Register("Zeros", zeros{})
	Register("Ones", ones{})
}

type glorotUniform struct{}

// GlorotUniform draws from U(-l, l), l = sqrt(6 / (fan in + fan out)) (Glorot and Bengio 2010).
func GlorotUniform() Initializer { return glorotUniform{} }

func (glorotUniform) Fill(values []float32, shape Shape, random *rand.Rand) {
	in, out := fans(shape)
	drawUniform(values, random, 0, math.Sqrt(6/float64(in+out)))
}

// fans returns how many inputs a result depends on, and how many results on an input: the last two axes times the window that
// the others are.
func fans(shape Shape) (in, out int) {
	out = shape.Last()
	in = shape.Elements() / out
	if len(shape) > 2 {
		out *= in / shape[len(shape)-2]
	}
	return in, out
}

type randomUniform struct {
	From float64 `json:"minval"`
	To   float64 `json:"maxval"`
}

// RandomUniform draws from U(from, to).
func RandomUniform(from, to float64) Initializer { return randomUniform{from, to} }

func (u randomUniform) Fill(values []float32, _ Shape, random *rand.Rand) {
	drawUniform(values, random, u.From/2+u.To/2, u.To/2-u.From/2)
}

// drawUniform rounds the product, so that machines with fused multiply-add draw the same values.
func drawUniform(values []float32, random *rand.Rand, middle, limit float64) {
	for i := range values {
		values[i] = float32(middle + float64((2*random.Float64()-1)*limit))
	}
}

type zeros struct{}

// Zeros leaves a parameter zero.
func Zeros() Initializer { return zeros{} }

func (zeros) Fill([]float32, Shape, *rand.Rand) {}

type ones struct{}

// Ones sets a parameter to 1.
func Ones() Initializer { return ones{} }

func (ones) Fill(values []float32, _ Shape, _ *rand.Rand) {
	for i := range values {
		values[i] = 1
	}
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}
