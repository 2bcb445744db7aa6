package nn

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/espalier-ml/espalier/internal/portable"
)

// An Initializer gives a parameter the values from which training starts. The random numbers are those of the parameter's
// own name, so other layers do not change them.
//
// An initializer that does not fit all shapes has Check(Shape) error, too.
type Initializer interface {
	// Fill sets all values of a parameter of the given shape. They are zero before.
	Fill(values []float32, shape Shape, random *rand.Rand)
}

func init() {
	Register("GlorotUniform", glorotUniform{})
	Register("GlorotNormal", glorotNormal{})
	Register("HeUniform", heUniform{})
	Register("HeNormal", heNormal{})
	Register("LecunUniform", lecunUniform{})
	Register("LecunNormal", lecunNormal{})
	Register("VarianceScaling", varianceScaling{Scale: 1, Mode: "fan_in", Distribution: "truncated_normal"})
	Register("RandomUniform", randomUniform{From: -0.05, To: 0.05})
	Register("RandomNormal", randomNormal{Deviation: 0.05})
	Register("TruncatedNormal", truncatedNormal{Deviation: 0.05})
	Register("Orthogonal", orthogonal{Gain: 1})
	Register("Identity", identityMatrix{Gain: 1})
	Register("Constant", constant{})
	Register("Zeros", zeros{})
	Register("Ones", ones{})
}

// seeded is the configuration of what is random: with a seed of Keras, the numbers are those of the seed, not of the name.
type seeded struct {
	Seed *int64 `json:"seed"`
}

func (s seeded) source(random *rand.Rand) *rand.Rand {
	if s.Seed == nil {
		return random
	}
	return rand.New(rand.NewPCG(uint64(*s.Seed), hash("initializer")))
}

// fans is the configuration of an initializer that depends on the numbers of inputs and outputs of a unit.
type fans struct {
	seeded
	InputAxes  []int `json:"input_axes"` // of both or of none
	OutputAxes []int `json:"output_axes"`
}

// Check reports axes that the shape does not have.
func (f fans) Check(shape Shape) error {
	for _, axis := range slices.Concat(f.InputAxes, f.OutputAxes) {
		if axis < -len(shape) || axis >= len(shape) {
			return fmt.Errorf("axis %d of an initializer, shape %s has %d to %d", axis, shape, -len(shape), len(shape)-1)
		}
	}
	return nil
}

// of returns the numbers of inputs and outputs. A shape of more than two axes is that of a convolution.
func (f fans) of(shape Shape) (in, out float64) {
	if f.InputAxes != nil && f.OutputAxes != nil {
		size := func(axes []int) float64 {
			n := 1
			for _, axis := range axes {
				n *= shape[(axis+len(shape))%len(shape)]
			}
			return float64(n)
		}
		return size(f.InputAxes), size(f.OutputAxes)
	}
	n := len(shape)
	if n == 1 {
		return float64(shape[0]), float64(shape[0])
	}
	field := shape[:n-2].Elements()
	return float64(shape[n-2] * field), float64(shape[n-1] * field)
}

// scale draws numbers of the variance scale/n, where n is the fan of the mode.
func (f fans) scale(values []float32, shape Shape, random *rand.Rand, scale float64, mode, distribution string) {
	in, out := f.of(shape)
	n := in
	switch mode {
	case "fan_out":
		n = out
	case "fan_avg":
		n = (in + out) / 2
	}
	n = max(1, n)
	random = f.source(random)
	switch distribution {
	case "uniform":
		drawUniform(values, random, 0, math.Sqrt(3*scale/n))
	case "untruncated_normal":
		drawNormal(values, random, 0, math.Sqrt(scale/n), math.Inf(1))
	default:
		// The deviation of a normal distribution that ends at 2 is smaller by this factor.
		drawNormal(values, random, 0, math.Sqrt(scale/n)/0.87962566103423978, 2)
	}
}

type varianceScaling struct {
	fans
	Scale        float64 `json:"scale"`
	Mode         string  `json:"mode"`
	Distribution string  `json:"distribution"`
}

// VarianceScaling draws numbers of the variance scale/n. By mode n is the number of inputs of a unit ("fan_in"), of units
// ("fan_out") or their mean ("fan_avg"); the distribution is "uniform", "truncated_normal", which ends at two deviations,
// or "untruncated_normal".
func VarianceScaling(scale float64, mode, distribution string) Initializer {
	return varianceScaling{Scale: scale, Mode: mode, Distribution: distribution}
}

func (v varianceScaling) Check(shape Shape) error {
	switch {
	case !(v.Scale > 0 && v.Scale <= math.MaxFloat32):
		return fmt.Errorf("VarianceScaling: scale %v must be finite and positive", v.Scale)
	case !slices.Contains([]string{"fan_in", "fan_out", "fan_avg"}, v.Mode):
		return fmt.Errorf("VarianceScaling: unknown mode %q: valid are %q", v.Mode, []string{"fan_in", "fan_out", "fan_avg"})
	case !slices.Contains([]string{"uniform", "truncated_normal", "untruncated_normal", "normal"}, v.Distribution):
		return fmt.Errorf("VarianceScaling: unknown distribution %q: valid are %q", v.Distribution, []string{"uniform", "truncated_normal", "untruncated_normal"})
	}
	return v.fans.Check(shape)
}

func (v varianceScaling) Fill(values []float32, shape Shape, random *rand.Rand) {
	v.scale(values, shape, random, v.Scale, v.Mode, v.Distribution)
}

type (
	glorotUniform struct{ fans }
	glorotNormal  struct{ fans }
	heUniform     struct{ fans }
	heNormal      struct{ fans }
	lecunUniform  struct{ fans }
	lecunNormal   struct{ fans }
)

// GlorotUniform draws from U(-l, l), l = sqrt(6 / (fan in + fan out)) (Glorot and Bengio 2010).
func GlorotUniform() Initializer { return glorotUniform{} }

// GlorotNormal draws from a normal distribution of the variance 2 / (fan in + fan out) that ends at two deviations (Glorot
// and Bengio 2010).
func GlorotNormal() Initializer { return glorotNormal{} }

// HeUniform draws from U(-l, l), l = sqrt(6 / fan in) (He and others 2015, arXiv:1502.01852): for layers with ReLU.
func HeUniform() Initializer { return heUniform{} }

// HeNormal draws from a normal distribution of the variance 2 / fan in that ends at two deviations (He and others 2015,
// arXiv:1502.01852): for layers with ReLU.
func HeNormal() Initializer { return heNormal{} }

// LecunUniform draws from U(-l, l), l = sqrt(3 / fan in) (LeCun and others 1998).
func LecunUniform() Initializer { return lecunUniform{} }

// LecunNormal draws from a normal distribution of the variance 1 / fan in that ends at two deviations (LeCun and others
// 1998): for layers with SELU.
func LecunNormal() Initializer { return lecunNormal{} }

func (g glorotUniform) Fill(values []float32, shape Shape, random *rand.Rand) {
	g.scale(values, shape, random, 1, "fan_avg", "uniform")
}

func (g glorotNormal) Fill(values []float32, shape Shape, random *rand.Rand) {
	g.scale(values, shape, random, 1, "fan_avg", "truncated_normal")
}

func (h heUniform) Fill(values []float32, shape Shape, random *rand.Rand) {
	h.scale(values, shape, random, 2, "fan_in", "uniform")
}

func (h heNormal) Fill(values []float32, shape Shape, random *rand.Rand) {
	h.scale(values, shape, random, 2, "fan_in", "truncated_normal")
}

func (l lecunUniform) Fill(values []float32, shape Shape, random *rand.Rand) {
	l.scale(values, shape, random, 1, "fan_in", "uniform")
}

func (l lecunNormal) Fill(values []float32, shape Shape, random *rand.Rand) {
	l.scale(values, shape, random, 1, "fan_in", "truncated_normal")
}

type randomUniform struct {
	seeded
	From float64 `json:"minval"`
	To   float64 `json:"maxval"`
}

// RandomUniform draws from U(from, to).
func RandomUniform(from, to float64) Initializer { return randomUniform{From: from, To: to} }

func (u randomUniform) Check(Shape) error { return checkFinite("RandomUniform", u.From, u.To) }

// checkFinite reports numbers that float32 does not have.
func checkFinite(class string, values ...float64) error {
	for _, v := range values {
		if !(math.Abs(v) <= math.MaxFloat32) {
			return fmt.Errorf("%s: %v must be finite in float32", class, v)
		}
	}
	return nil
}

func (u randomUniform) Fill(values []float32, _ Shape, random *rand.Rand) {
	drawUniform(values, u.source(random), u.From/2+u.To/2, u.To/2-u.From/2)
}

type randomNormal struct {
	seeded
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"stddev"`
}

// RandomNormal draws from a normal distribution.
func RandomNormal(mean, deviation float64) Initializer {
	return randomNormal{Mean: mean, Deviation: deviation}
}

func (n randomNormal) Check(Shape) error { return checkFinite("RandomNormal", n.Mean, n.Deviation) }

func (n randomNormal) Fill(values []float32, _ Shape, random *rand.Rand) {
	drawNormal(values, n.source(random), n.Mean, n.Deviation, math.Inf(1))
}

type truncatedNormal struct {
	seeded
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"stddev"`
}

// TruncatedNormal draws from a normal distribution, and again where a number is more than two deviations from the mean. So
// the deviation of the numbers is 0.88 times the one given.
func TruncatedNormal(mean, deviation float64) Initializer {
	return truncatedNormal{Mean: mean, Deviation: deviation}
}

func (n truncatedNormal) Check(Shape) error {
	return checkFinite("TruncatedNormal", n.Mean, n.Deviation)
}

func (n truncatedNormal) Fill(values []float32, _ Shape, random *rand.Rand) {
	drawNormal(values, n.source(random), n.Mean, n.Deviation, 2)
}

// drawUniform rounds the product, so that machines with fused multiply-add draw the same values.
func drawUniform(values []float32, random *rand.Rand, middle, limit float64) {
	for i := range values {
		values[i] = float32(middle + float64((2*random.Float64()-1)*limit))
	}
}

// drawNormal draws normal numbers of at most limit deviations by Marsaglia's polar method. The logarithm is that of package
// portable: the normal numbers of package rand use package math, and can differ between machines.
func drawNormal(values []float32, random *rand.Rand, mean, deviation, limit float64) {
	for i := 0; i < len(values); {
		x, y := 2*random.Float64()-1, 2*random.Float64()-1
		s := float64(x*x) + float64(y*y)
		if s >= 1 || s == 0 {
			continue
		}
		factor := math.Sqrt(-2 * portable.Log(s) / s)
		for _, v := range [2]float64{x * factor, y * factor} {
			if math.Abs(v) <= limit && i < len(values) {
				values[i] = float32(mean + float64(v*deviation))
				i++
			}
		}
	}
}

type orthogonal struct {
	seeded
	Gain float64 `json:"gain"`
}

// Orthogonal is gain times a random matrix whose columns, or rows if these are fewer, are orthogonal and of length 1 (Saxe,
// McClelland and Ganguli 2014). Of more than two axes all but the last are the rows.
func Orthogonal(gain float64) Initializer { return orthogonal{Gain: gain} }

func (o orthogonal) Check(shape Shape) error {
	if len(shape) < 2 {
		return fmt.Errorf("Orthogonal needs at least two axes, the shape is %s", shape)
	}
	return checkFinite("Orthogonal", o.Gain)
}

// Fill makes random vectors orthogonal, one after the other, which leaves them as uniform as Keras' QR decomposition. Doing
// it twice makes up for what rounding leaves.
func (o orthogonal) Fill(values []float32, shape Shape, random *rand.Rand) {
	random = o.source(random)
	cols := shape.Last()
	rows := len(values) / cols
	n, length, along, across := cols, rows, cols, 1 // vectors, their length, steps within one and to the next
	if rows < cols {
		n, length, along, across = rows, cols, 1, cols
	}
	v, draw := make([]float64, n*length), make([]float32, length)
	for i := range n {
		u := v[i*length : (i+1)*length]
		for square := 0.0; square < 1e-6; { // else of its direction little would be left
			drawNormal(draw, random, 0, 1, math.Inf(1))
			for k, d := range draw {
				u[k] = float64(d)
			}
			normalize(u)
			for range 2 {
				for j := range i {
					w := v[j*length : (j+1)*length]
					dot := dot64(u, w)
					for k := range u {
						u[k] -= float64(dot * w[k])
					}
				}
			}
			square = dot64(u, u)
		}
		normalize(u)
		for k, x := range u {
			values[i*across+k*along] = float32(o.Gain * x)
		}
	}
}

func normalize(u []float64) {
	norm := math.Sqrt(dot64(u, u))
	for k := range u {
		u[k] /= norm
	}
}

func dot64(a, b []float64) float64 {
	sum := 0.0
	for k := range a {
		sum += float64(a[k] * b[k])
	}
	return sum
}

type identityMatrix struct {
	Gain float64 `json:"gain"`
}

// IdentityMatrix is gain times the identity matrix.
func IdentityMatrix(gain float64) Initializer { return identityMatrix{gain} }

func (n identityMatrix) Check(shape Shape) error {
	if len(shape) != 2 {
		return fmt.Errorf("Identity needs two axes, the shape is %s", shape)
	}
	return checkFinite("Identity", n.Gain)
}

func (n identityMatrix) Fill(values []float32, shape Shape, _ *rand.Rand) {
	cols := shape.Last()
	for i := range min(cols, len(values)/cols) {
		values[i*cols+i] = float32(n.Gain)
	}
}

type constant struct {
	Value float64 `json:"value"`
}

// Constant sets a parameter to value.
func Constant(value float64) Initializer { return constant{value} }

func (c constant) Check(Shape) error { return checkFinite("Constant", c.Value) }

func (c constant) Fill(values []float32, _ Shape, _ *rand.Rand) {
	for i := range values {
		values[i] = float32(c.Value)
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
