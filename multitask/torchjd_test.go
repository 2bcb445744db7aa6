package multitask

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

var torchJDJacobians = map[string][][]float32{
	"base":    {{-4, 1, 1}, {6, 1, 1}},
	"krum":    {{1, 1, 1}, {1, 0, 1}, {75, -666, 23}, {1, 2, 3}, {2, 0, 1}},
	"trimmed": {{1e11, 3}, {1, -1e11}, {-1e10, 1e10}, {2, 2}},
}

// TestTorchJD compares the methods with the values that TorchJD's own tests expect, to their tolerance, 1e-4.
func TestTorchJD(t *testing.T) {
	text, err := os.ReadFile("testdata/torchjd.json")
	require.NoError(t, err)
	var cases []struct {
		Name, Jacobian  string
		Options         json.RawMessage
		Losses          []float64
		Epochs          [][]float64
		Gramians        [][]float64
		Vector, Weights []float64
		Total           *float64
	}
	require.NoError(t, json.Unmarshal(text, &cases))
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			b, err := New(c.Name)
			require.NoError(t, err)
			if c.Options != nil {
				require.NoError(t, json.Unmarshal(c.Options, b))
			}
			s := &Step{Losses: c.Losses, Epochs: c.Epochs, Jacobian: torchJDJacobians[c.Jacobian]}
			if c.Jacobian != "" {
				m := len(s.Jacobian)
				s.Losses = make([]float64, m)
				gram := make([]float64, m*m)
				Gramian(gram, s.Jacobian)
				c.Gramians = append(c.Gramians, gram)
			}
			if len(c.Gramians) == 0 {
				require.NoError(t, b.Balance(s))
			}
			for _, s.Gramian = range c.Gramians {
				s.Losses = make([]float64, int(math.Sqrt(float64(len(s.Gramian)))))
				require.NoError(t, b.Balance(s))
			}
			for i, w := range c.Weights {
				require.InDelta(t, w, s.Weights[i], 1e-4, "weight %d", i)
			}
			if c.Vector != nil && b.Needs() != FromJacobian {
				s.Gradient = make([]float32, len(c.Vector))
				combine(s.Gradient, s.Jacobian, s.Weights)
			}
			for k, v := range c.Vector {
				require.InDelta(t, v, float64(s.Gradient[k]), 1e-4, "vector %d", k)
			}
			if c.Total != nil { // of the first degree: the sum of the weighted losses
				require.InDelta(t, *c.Total, dot(s.Weights, s.Losses), 1e-4)
			}
		})
	}
}

// TestExcessMTL compares three steps with the formula of the paper, worked out by hand as TorchJD's tests do.
func TestExcessMTL(t *testing.T) {
	first, second := [][]float32{{2, 0}, {1, 0}}, [][]float32{{1, 0}, {2, 0}}
	s := &Step{Losses: []float64{1, 1}}
	shares := func(b Balancer, j [][]float32) []float64 {
		s.Jacobian = j
		require.NoError(t, b.Balance(s))
		return b.(*excessMTL).Shares
	}
	b := ExcessMTL(1, 0)
	w := shares(b, first)
	share := 1 / (1 + math.Exp(-1)) // e²/(e²+e)
	require.InDeltaSlice(t, []float64{share, 1 - share}, w, 1e-6)
	x, y := share*math.Exp(1/(2*math.Sqrt(5))), (1-share)*math.Exp(4/math.Sqrt(5))
	require.InDeltaSlice(t, []float64{x / (x + y), y / (x + y)}, shares(b, second), 1e-6)
	require.InDelta(t, (x+2*y)/(x+y), float64(s.Gradient[0]), 1e-6)

	b = ExcessMTL(1, 2)
	shares(b, first)
	require.InDeltaSlice(t, []float64{0.5, 0.5}, shares(b, second), 1e-12)
	r5 := math.Sqrt(5)
	x, y = math.Exp(4/3.0/((2+1/r5)/2)), math.Exp(1/math.Sqrt(6)/((1+4/r5)/2))
	require.InDeltaSlice(t, []float64{x / (x + y), y / (x + y)}, shares(b, first), 1e-6)
}

// TestTotals holds the weights of the methods that have a total loss against its derivatives by central differences.
func TestTotals(t *testing.T) {
	p, ideal := []float64{0.5, 0.3, 0.2}, []float64{0.1, 0.2, 0.3}
	length := func(v ...float64) float64 { return math.Sqrt(dot(v, v)) }
	for name, c := range map[string]struct {
		b     Balancer
		total func(l []float64) float64
	}{
		"GeometricMean":  {GeometricMean(), func(l []float64) float64 { return math.Cbrt(l[0] * l[1] * l[2]) }},
		"ScaleInvariant": {ScaleInvariant(), func(l []float64) float64 { return math.Log(l[0] * l[1] * l[2]) }},
		"Uncertainty": {Uncertainty(), func(l []float64) float64 {
			return (l[0]+l[1]+l[2])/(2*math.Exp(-0.5)) - 0.75
		}},
		"IMTL-L": {&imtll{p}, func(l []float64) float64 {
			return math.Exp(0.5)*l[0] + math.Exp(0.3)*l[1] + math.Exp(0.2)*l[2] - 1
		}},
		"STCH": {STCH(0.3, p, ideal), func(l []float64) float64 {
			sum := 0.0
			for i, v := range l {
				sum += math.Exp(p[i] * (v - ideal[i]) / 0.3)
			}
			return 0.3 * math.Log(sum)
		}},
		"COSMOS": {COSMOS(2, p...), func(l []float64) float64 {
			return dot(p, l) - 2*dot(p, l)/length(p...)/length(l...)
		}},
		"PBI": {PBI(5, p, ideal), func(l []float64) float64 {
			f := []float64{l[0] - ideal[0], l[1] - ideal[1], l[2] - ideal[2]}
			d := dot(f, p) / length(p...)
			for i := range f {
				f[i] -= d * p[i] / length(p...)
			}
			return d + 5*length(f...)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			losses := []float64{1, 2, 4}
			s := &Step{Losses: losses}
			require.NoError(t, c.b.Balance(s))
			for i := range losses {
				at := func(d float64) float64 {
					l := append([]float64(nil), losses...)
					l[i] += d
					return c.total(l)
				}
				require.InDelta(t, (at(1e-5)-at(-1e-5))/2e-5, s.Weights[i], 1e-8, "task %d", i)
			}
		})
	}
}

// TestRandomMeans holds methods of chance against their expectations.
func TestRandomMeans(t *testing.T) {
	const n = 20_000
	drop, rlw := GradDrop(), Random()
	s := &Step{Losses: []float64{1, 1}, Jacobian: [][]float32{{3, -1}, {-1, -1}}}
	sum := [2]float64{}
	weights := [2]float64{}
	for i := range n {
		s.Seed = rand.New(rand.NewPCG(1, uint64(i))).Uint64()
		require.NoError(t, drop.Balance(s))
		sum[0] += float64(s.Gradient[0])
		require.Equal(t, float32(-2), s.Gradient[1])
		require.NoError(t, rlw.Balance(s))
		require.InDelta(t, 1, s.Weights[0]+s.Weights[1], 1e-12)
		weights[0] += s.Weights[0]
		weights[1] += (s.Weights[0] - 0.5) * (s.Weights[0] - 0.5)
	}
	require.InDelta(t, 3*0.75-1*0.25, sum[0]/n, 0.05)
	require.InDelta(t, 0.5, weights[0]/n, 0.01)
	require.InDelta(t, 0.068419, weights[1]/n, 0.003) // the variance of 1/(1+e^x), x normal of variance 2
}
