package multitask

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAlignedScales: with the unit vectors as preferences AlignedMTL makes gradients that are orthogonal, with the chosen
// scale as their square.
func TestAlignedScales(t *testing.T) {
	s := &Step{Losses: make([]float64, 3), Gramian: []float64{4, 1, 1, 1, 4, 1, 1, 1, 4}} // eigenvalues 3, 3 and 6
	for scale, want := range map[Scale]float64{Smallest: 3, Median: 3, RMSE: 4} {
		rows := make([][]float64, 3)
		for i := range rows {
			p := make([]float64, 3)
			p[i] = 1
			require.NoError(t, AlignedMTL(scale, p...).Balance(s))
			rows[i] = append(rows[i], s.Weights...)
		}
		v := make([]float64, 3)
		for i, a := range rows {
			multiply(v, s.Gramian, a)
			for j, b := range rows {
				if i == j {
					require.InDelta(t, want, dot(v, b), 1e-12, scale)
				} else {
					require.InDelta(t, 0, dot(v, b), 1e-12, scale)
				}
			}
		}
	}
	s = &Step{Losses: make([]float64, 4), Gramian: []float64{1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 5, 0, 0, 0, 0, 9}}
	require.NoError(t, AlignedMTL(Median).Balance(s))
	require.InDelta(t, math.Sqrt2/4, s.Weights[0], 1e-12) // the lower of the two in the middle
}

// TestMoCo works two steps of orthogonal gradients out by hand.
func TestMoCo(t *testing.T) {
	b := MoCo(MoCoRates{Beta: 0.5, BetaDecay: 0.5, Gamma: 0.1, GammaDecay: 0.5, Rho: 0.2})
	s := &Step{Losses: []float64{1, 2}, Jacobian: [][]float32{{3, 0}, {0, 4}}}
	require.NoError(t, b.Balance(s))
	share := 1 / (1 + math.Exp(-0.1*(1*0.5-0.25*0.5))) // y is 0.5 and 1 long, and rho does not tell equal weights apart
	require.InDelta(t, 0.5*share, float64(s.Gradient[0]), 1e-6)
	require.InDelta(t, 1-share, float64(s.Gradient[1]), 1e-6)

	require.NoError(t, b.Balance(s))
	beta, gamma := 0.5/math.Sqrt2, 0.1/math.Sqrt2
	y := []float64{0.5 + beta*0.5, 1 + beta}
	x := share - gamma*(y[0]*y[0]+0.2)*share
	z := 1 - share - gamma*(y[1]*y[1]+0.2)*(1-share)
	share = 1 / (1 + math.Exp(z-x))
	require.InDelta(t, y[0]*share, float64(s.Gradient[0]), 1e-6)
	require.InDelta(t, y[1]*(1-share), float64(s.Gradient[1]), 1e-6)
}

func TestMoDo(t *testing.T) {
	b := MoDo(0.1, 0.5)
	s := &Step{Losses: make([]float64, 2), Gramian: []float64{4, 1, 0, 1}}
	require.NoError(t, b.Balance(s)) // λ - 0.1·(Aλ + λ/2) is 0.225 and 0.425; 0.175 each is missing to 1
	require.InDeltaSlice(t, []float64{0.4, 0.6}, s.Weights, 1e-12)
	require.NoError(t, b.Balance(s)) // 0.4 - 0.1·(2.2+0.2), 0.6 - 0.1·(0.6+0.3): 0.16 and 0.51
	require.InDeltaSlice(t, []float64{0.325, 0.675}, s.Weights, 1e-12)
}

func TestProject(t *testing.T) { // the first two are TorchJD's
	for _, c := range [][2][]float64{
		{{0.5, 0.1, 0.1}, {0.6, 0.2, 0.2}}, {{1, 0, -0.5}, {1, 0, 0}}, {{-1, -2}, {1, 0}}, {{7}, {1}}, {{2, 2, 1}, {0.5, 0.5, 0}},
	} {
		project(c[0], make([]float64, len(c[0])))
		require.InDeltaSlice(t, c[1], c[0], 1e-12)
	}
}

func TestCRMOGM(t *testing.T) {
	b := CRMOGM(MGDA(Plain), 0.75)
	s := &Step{Losses: make([]float64, 2), Gramian: []float64{1, 0, 0, 1}}
	require.NoError(t, b.Balance(s))
	require.InDeltaSlice(t, []float64{0.5, 0.5}, s.Weights, 1e-12)
	s.Gramian = []float64{1, 0, 0, 3} // 0.75 and 0.25
	require.NoError(t, b.Balance(s))
	require.InDeltaSlice(t, []float64{0.5625, 0.4375}, s.Weights, 1e-12)
}
