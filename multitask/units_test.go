package multitask

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/safetensors"
)

// A unit is a class of LibMTL with its arguments, and what it computed in float64 in four steps.
type unit struct {
	ID, Strategy string
	Kwargs       map[string]any
	Tasks        int
	Grads        string
	Losses       string
	EpochLosses  string `json:"epoch_losses"`
	Epochs       []int
	Combined     []string
	Weights      [][]float64
	After        [][]float64 `json:"own_params_after"`
	Grad         [][]float64 `json:"own_params_grad"`
}

func (u unit) number(t *testing.T, name string) float64 {
	require.Contains(t, u.Kwargs, name)
	return u.Kwargs[name].(float64)
}

// strategies builds what LibMTL calls by a name. The second result is the tolerance of closed forms or inner solvers.
var strategies = map[string]func(*testing.T, unit) (Balancer, float64){
	"EW":       func(*testing.T, unit) (Balancer, float64) { return Sum(), 1e-5 },
	"UW":       func(*testing.T, unit) (Balancer, float64) { return Uncertainty(), 1e-5 },
	"GradNorm": func(t *testing.T, u unit) (Balancer, float64) { return GradNorm(u.number(t, "alpha")), 1e-5 },
	"MGDA": func(t *testing.T, u unit) (Balancer, float64) {
		// LibMTL's solver for two tasks gives none less than 0.001.
		return MGDA(Normalization(u.Kwargs["mgda_gn"].(string))), 1.01e-3
	},
	"DWA":    func(t *testing.T, u unit) (Balancer, float64) { return DWA(u.number(t, "T")), 1e-5 },
	"GLS":    func(*testing.T, unit) (Balancer, float64) { return GeometricMean(), 1e-5 },
	"PCGrad": func(*testing.T, unit) (Balancer, float64) { return PCGradOrdered(), 1e-5 },
	"GradVac": func(t *testing.T, u unit) (Balancer, float64) {
		return GradVacOrdered(u.number(t, "GradVac_beta")), 1e-5
	},
	"IMTL": func(*testing.T, unit) (Balancer, float64) { return IMTL(), 1e-5 },
	"CAGrad": func(t *testing.T, u unit) (Balancer, float64) {
		return CAGrad(u.number(t, "calpha"), int(u.number(t, "rescale"))), 1e-3
	},
	"Aligned_MTL": func(_ *testing.T, u unit) (Balancer, float64) {
		return AlignedMTL(Smallest, filled(nil, u.Tasks, 1)...), 1e-3
	},
	"FAMO": func(t *testing.T, u unit) (Balancer, float64) {
		return FAMO(u.number(t, "FAMO_w_lr"), u.number(t, "FAMO_w_gamma")), 1e-5
	},
	"STCH": func(t *testing.T, u unit) (Balancer, float64) {
		return LogSTCH(u.number(t, "STCH_mu"), int(u.number(t, "STCH_warmup_epoch"))), 1e-5
	},
	"DB_MTL": func(t *testing.T, u unit) (Balancer, float64) {
		return DBMTL(u.number(t, "DB_beta"), u.number(t, "DB_beta_sigma")), 1e-5
	},
	"FairGrad": func(t *testing.T, u unit) (Balancer, float64) { return FairGrad(u.number(t, "FairGrad_alpha")), 1e-3 },
}

// TestUnits compares the methods with what LibMTL computed in float64: every unit of kind mtl_weighting in the folder units of
// ESPALIER_GOLDEN, by default testdata. Nothing about a unit is known here: a strategy that we do not have fails.
func TestUnits(t *testing.T) {
	root := filepath.Join(cmp.Or(os.Getenv("ESPALIER_GOLDEN"), "testdata"), "units", "mtl_weighting")
	text, err := os.ReadFile(root + ".json")
	require.NoError(t, err)
	var all struct{ Tests []unit }
	require.NoError(t, json.Unmarshal(text, &all))
	require.NotEmpty(t, all.Tests)
	file, err := os.ReadFile(root + ".safetensors")
	require.NoError(t, err)
	tensors := readTensors(t, file)
	for _, u := range all.Tests {
		t.Run(u.ID, func(t *testing.T) {
			build, ok := strategies[u.Strategy]
			require.True(t, ok, "no test for strategy %q", u.Strategy)
			b, tolerance := build(t, u)
			u.run(t, b, tolerance, tensors)
		})
	}
}

func (u unit) run(t *testing.T, b Balancer, tolerance float64, tensors map[string][]float64) {
	m := u.Tasks
	losses, grads, epochs := tensors[u.Losses], tensors[u.Grads], tensors[u.EpochLosses]
	require.NotEmpty(t, u.Combined)
	n := len(grads) / m / len(u.Combined)
	s := &Step{Gramian: make([]float64, m*m)}
	for step := range u.Combined {
		s.Losses = losses[step*m:][:m]
		s.Epochs = nil
		for e := range u.Epochs[step] {
			means := make([]float64, m)
			for i := range means {
				means[i] = epochs[i*len(epochs)/m+e]
			}
			s.Epochs = append(s.Epochs, means)
		}
		jacobian := grads[step*m*n:][:m*n]
		s.Jacobian = make([][]float32, m)
		largest := 1.0
		for i := range m {
			for k := range n {
				v := jacobian[i*n+k]
				s.Jacobian[i] = append(s.Jacobian[i], float32(v))
				largest = max(largest, math.Abs(v))
			}
			for j := range m {
				s.Gramian[i*m+j] = dot(jacobian[i*n:][:n], jacobian[j*n:][:n])
			}
		}
		require.NoError(t, b.Balance(s))
		have := apply(s, b, jacobian, n)
		want := tensors[u.Combined[step]]
		require.Len(t, want, n)
		if mgda, ok := b.(*mgda); ok && mgda.Normalize == ByNorm && dist(have, want) > tolerance*largest {
			// LibMTL's steps may end before the shortest mean. Every other mean d of the gradients has |d - d*|² ≤ |d|² -
			// |d*|².
			sub := weigh([]float64{1, -1}, append(slices.Clone(have), want...), n)
			require.LessOrEqual(t, dot(sub, sub), dot(want, want)-dot(have, have))
			continue
		}
		for k := range want {
			require.InDelta(t, want[k], have[k], tolerance*largest, "step %d, gradient %d", step, k)
		}
		if w := u.Weights[step]; w != nil && b.Needs() != FromJacobian && dist(weigh(w, jacobian, n), want) < 1e-9*largest {
			for i := range w { // LibMTL reports the weights of the gradient, which some of its classes do not
				require.InDelta(t, w[i], s.Weights[i], tolerance*max(1, math.Abs(w[i]))*1.01, "step %d, weight %d of %v, have %v", step, i, w, s.Weights)
			}
		}
		if l, ok := b.(Learner); ok {
			grad := make([]float64, m)
			l.Gradient(grad, s)
			for i, g := range grad {
				if u.Grad[step] != nil {
					require.InDelta(t, u.Grad[step][i], g, tolerance*largest, "step %d, parameter %d", step, i)
				}
				l.Parameters()[i] -= 0.1 * g
				require.InDelta(t, u.After[step][i], l.Parameters()[i], tolerance*largest)
			}
		}
		if f, ok := b.(*famo); ok && step > 0 {
			for i, v := range f.Logits {
				require.InDelta(t, u.After[step-1][i], v, tolerance)
			}
		}
	}
}

// apply returns the gradient of the shared layers that an answer stands for.
func apply(s *Step, b Balancer, jacobian []float64, n int) []float64 {
	if b.Needs() != FromJacobian {
		return weigh(s.Weights, jacobian, n)
	}
	g := make([]float64, n)
	for k, v := range s.Gradient {
		g[k] = float64(v)
	}
	return g
}

func weigh(w, jacobian []float64, n int) []float64 {
	g := make([]float64, n)
	for i, v := range w {
		for k := range n {
			g[k] += v * jacobian[i*n+k]
		}
	}
	return g
}

func dist(a, b []float64) float64 {
	d := 0.0
	for i, v := range a {
		d = max(d, math.Abs(v-b[i]))
	}
	return d
}

// readTensors returns the float64 numbers of a safetensors file.
func readTensors(t *testing.T, file []byte) map[string][]float64 {
	t.Helper()
	header, err := safetensors.ReadHeader(bytes.NewReader(file))
	require.NoError(t, err)
	h, err := safetensors.ParseHeader(header)
	require.NoError(t, err)
	tensors := map[string][]float64{}
	for _, info := range h.Tensors {
		require.Equal(t, "F64", info.DType, info.Name)
		values := make([]float64, (info.End-info.Begin)/8)
		_, err := binary.Decode(file[int64(len(header))+info.Begin:], binary.LittleEndian, values)
		require.NoError(t, err)
		tensors[info.Name] = values
	}
	return tensors
}
