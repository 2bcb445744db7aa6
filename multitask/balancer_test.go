package multitask

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A problem is a random Jacobian of a random kind.
type problem struct {
	kind     string
	jacobian [][]float64
	losses   []float64
}

var problemKinds = []string{"normal", "scales", "deficient", "duplicate", "conflict", "zero row", "zero", "huge", "tiny", "aligned"}

func randomProblem(r *rand.Rand) problem {
	m, n := 2+r.IntN(7), 1+r.IntN(12)
	p := problem{kind: problemKinds[r.IntN(len(problemKinds))]}
	rows := func(scale func() float64) {
		p.jacobian = make([][]float64, m)
		for i := range p.jacobian {
			s := scale()
			for range n {
				p.jacobian[i] = append(p.jacobian[i], float64(float32(s*r.NormFloat64())))
			}
		}
	}
	one := func() float64 { return 1 }
	switch p.kind {
	case "scales":
		rows(func() float64 { return math.Pow(10, 4*r.NormFloat64()) })
	case "huge":
		rows(func() float64 { return 1e30 })
	case "tiny":
		rows(func() float64 { return 1e-30 })
	case "zero":
		rows(func() float64 { return 0 })
	case "deficient":
		n = 1 + r.IntN(2)
		rows(one)
	default:
		rows(one)
	}
	switch i := 1 + r.IntN(m-1); p.kind {
	case "duplicate":
		copy(p.jacobian[i], p.jacobian[0])
	case "conflict":
		for k, v := range p.jacobian[0] {
			p.jacobian[i][k] = -v
		}
	case "zero row":
		clear(p.jacobian[i])
	case "aligned":
		for i, row := range p.jacobian {
			for k := range row {
				row[k] = float64(i+1) * p.jacobian[0][k]
			}
		}
	}
	for range m {
		p.losses = append(p.losses, math.Abs(r.NormFloat64())*math.Pow(10, float64(r.IntN(3))))
	}
	if r.IntN(4) == 0 {
		p.losses[0] = 0
	}
	return p
}

// fill writes the problem as a step with tasks in an order, and all gradients times a scale.
func (p problem) fill(s *Step, order []int, scale float64) {
	m := len(order)
	s.Losses, s.Jacobian, s.Gramian = make([]float64, m), make([][]float32, m), make([]float64, m*m)
	for i, from := range order {
		s.Losses[i] = p.losses[from]
		for _, v := range p.jacobian[from] {
			s.Jacobian[i] = append(s.Jacobian[i], float32(v*scale))
		}
	}
	Gramian(s.Gramian, s.Jacobian)
	epoch := make([]float64, m)
	for i, v := range s.Losses {
		epoch[i] = v / 2
	}
	s.Epochs = [][]float64{s.Losses, epoch, epoch, s.Losses, epoch}
}

// result returns the gradient in float64.
func result(b Balancer, s *Step) []float64 {
	g := make([]float64, len(s.Jacobian[0]))
	for k := range g {
		if b.Needs() == FromJacobian {
			g[k] = float64(s.Gradient[k])
			continue
		}
		for i, w := range s.Weights {
			g[k] += w * float64(s.Jacobian[i][k])
		}
	}
	return g
}

// size bounds the terms that a result is the sum of.
func size(b Balancer, s *Step) float64 {
	sum := 0.0
	for i := range s.Losses {
		w := 1.0
		if b.Needs() != FromJacobian {
			w = math.Abs(s.Weights[i])
		}
		sum += w * math.Sqrt(s.Gramian[i*len(s.Losses)+i])
	}
	return sum
}

// nonConflicting are the methods in whose result no task gets worse, with the part of the trace times its weight that UPGrad
// and DualProj may take.
var nonConflicting = map[string]struct {
	b     func() Balancer
	slack float64
}{
	"UPGrad":   {func() Balancer { return UPGrad() }, 1e-4},
	"DualProj": {func() Balancer { return DualProj() }, 1e-4},
	"MGDA":     {func() Balancer { return MGDA(Plain) }, 0},
	"CAGrad":   {func() Balancer { return CAGrad(1, 0) }, 0},
	"NashMTL":  {func() Balancer { return NashMTL(0) }, 1e-9},
	"FairGrad": {func() Balancer { return FairGrad(2) }, 1e-9},
}

// degrees are the powers of the gradients' scale that a result is proportional to.
var degrees = map[string]float64{
	"Sum": 1, "Mean": 1, "PCGradOrdered": 1, "GradVacOrdered": 1, "UPGrad": 1, "DualProj": 1, "MGDA": 1, "CAGrad": 1, "AlignedMTL": 1,
	"IMTL-G": 1, "ConFIG": 1, "FairGrad": 0, "TrimmedMean": 1, "Krum": 1, "SDMGrad": 1,
}

func TestProperties(t *testing.T) {
	n := 1_000
	if os.Getenv("ESPALIER_LONG") != "" {
		n = 10_000
	}
	r := rand.New(rand.NewPCG(16, 1))
	s := &Step{}
	for i := range n {
		p := randomProblem(r)
		m := len(p.losses)
		identity, order := make([]int, m), r.Perm(m)
		for k := range identity {
			identity[k] = k
		}
		s.Seed = r.Uint64()
		for name, c := range nonConflicting {
			b := c.b()
			p.fill(s, identity, 1)
			require.NoError(t, b.Balance(s))
			trace := 0.0
			for k := range m {
				trace += s.Gramian[k*m+k]
			}
			for k := range m {
				gain, noise := 0.0, 0.0
				for j, w := range s.Weights {
					gain += s.Gramian[k*m+j] * w
					noise += math.Abs(s.Gramian[k*m+j] * w)
				}
				require.GreaterOrEqual(t, gain, -c.slack*trace*s.Weights[k]*1.001-1e-7*noise, "%d: %s, %s, task %d, %v", i, name, p.kind, k, s.Weights)
			}
		}
		for _, name := range Names() {
			if name == "Krum" && m < 3 {
				continue
			}
			label := fmt.Sprintf("%d: %s of %d tasks, %s", i, name, m, p.kind)
			run := func(order []int, scale float64) (Balancer, []float64) {
				b, err := New(name)
				require.NoError(t, err)
				p.fill(s, order, scale)
				require.NoError(t, b.Balance(s), label)
				require.NoError(t, b.Balance(s), label) // with a state, too
				g := result(b, s)
				require.True(t, finiteAll(s.Weights), "%s: weights %v", label, s.Weights)
				require.True(t, finiteAll(g), "%s: gradient %v", label, g)
				return b, g
			}
			b, have := run(identity, 1)
			tolerance := 1e-6 * size(b, s)
			switch name {
			case "IMTL-G", "IMTL", "ConFIG", "NashMTL", "FairGrad", "AlignedMTL": // not continuous where gradients are dependent
				if p.kind != "normal" || len(p.jacobian[0]) < m+3 {
					continue
				}
			case "Random", "PCGrad", "GradVac", "GradDrop", "PCGradOrdered", "GradVacOrdered", "Krum": // the order counts, in Krum where two scores are equal
				tolerance = math.Inf(1)
			}
			if name == "SDMGrad" { // its steps are long: they make rounding errors larger, not smaller
				tolerance *= 1e4
			}
			_, permuted := run(order, 1)
			require.LessOrEqual(t, dist(have, permuted), tolerance, "%s, permuted", label)
			if degree, ok := degrees[name]; ok && p.kind != "huge" && p.kind != "tiny" {
				const scale = 1 << 10
				b, scaled := run(identity, scale)
				for k := range scaled {
					scaled[k] /= math.Pow(scale, degree)
				}
				require.LessOrEqual(t, dist(have, scaled), 1e-6*size(b, s)/math.Pow(scale, degree)+1e-30, "%s, scaled", label)
			}
		}
	}
}

// TestOptimal holds the solvers against other points of their feasible sets: none may be better.
func TestOptimal(t *testing.T) {
	r := rand.New(rand.NewPCG(16, 2))
	s := &Step{}
	for range 300 {
		p := randomProblem(r)
		m := len(p.losses)
		order := r.Perm(m)
		p.fill(s, order, 1)
		if s.Gramian[0] == 0 || p.kind == "scales" {
			continue
		}
		form := func(w []float64) float64 {
			v := make([]float64, m)
			multiply(v, s.Gramian, w)
			return dot(v, w)
		}
		mean := make([]float64, m)
		for i := range mean {
			mean[i] = 1 / float64(m)
		}
		top := 0.0
		for i := range m {
			top = max(top, s.Gramian[i*m+i])
		}
		require.NoError(t, MGDA(Plain).Balance(s))
		shortest := form(s.Weights)
		require.NoError(t, CAGrad(0.5, 0).Balance(s))
		gains := make([]float64, m)
		multiply(gains, s.Gramian, s.Weights)
		least := math.Inf(1)
		for _, g := range gains {
			least = min(least, g)
		}
		radius := 0.5 * math.Sqrt(form(mean))
		for range 50 {
			w := make([]float64, m)
			for i := range w {
				w[i] = r.ExpFloat64() * float64(r.IntN(2))
			}
			sum := 0.0
			for _, v := range w {
				sum += v
			}
			if sum == 0 {
				continue
			}
			d := make([]float64, m)
			for i := range w {
				w[i] /= sum
				d[i] = r.NormFloat64()
			}
			require.LessOrEqual(t, shortest, form(w)+1e-9*top)
			if length := math.Sqrt(form(d)); length > 1e-6*math.Sqrt(top) && dot(s.Weights, s.Weights) > 0 {
				for i := range d {
					d[i] = mean[i] + d[i]*radius/length
				}
				multiply(gains, s.Gramian, d)
				worst := math.Inf(1)
				for _, g := range gains {
					worst = min(worst, g)
				}
				require.GreaterOrEqual(t, least, worst-1e-7*top, "CAGrad: %s", p.kind)
			}
		}
	}
}

// TestResume saves every method after half of its steps, and goes on from the file with the same bits.
func TestResume(t *testing.T) {
	p := problem{losses: []float64{1, 2, 3}, jacobian: [][]float64{{1, 2, 3}, {-3, 1, 1}, {0.5, -1, 0.25}}}
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			b, err := New(name)
			require.NoError(t, err)
			require.Equal(t, name, b.Name())
			s := &Step{}
			p.fill(s, []int{0, 1, 2}, 1)
			epochs := s.Epochs
			step := func(b Balancer, i int) ([]float64, []float32) {
				for k := range p.losses {
					s.Losses[k] = float64(k+1) + 0.1*math.Abs(math.Sin(float64(i*k+i)))
				}
				s.Epochs, s.Seed = epochs[:min(i, len(epochs))], uint64(i)
				s.Gramian[1] = -1 + 0.1*float64(i)
				s.Gramian[3] = s.Gramian[1]
				require.NoError(t, b.Balance(s))
				if l, ok := b.(Learner); ok {
					grad := make([]float64, 3)
					l.Gradient(grad, s)
					for k := range grad {
						l.Parameters()[k] -= 0.1 * grad[k]
					}
				}
				return append([]float64(nil), s.Weights...), append([]float32(nil), s.Gradient...)
			}
			for i := range 5 {
				step(b, i)
			}
			text, err := json.Marshal(b)
			require.NoError(t, err)
			c, err := New(name)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(text, c))
			for i := 5; i < 10; i++ {
				w, g := step(b, i)
				// Both go on from the same numbers.
				v, h := step(c, i)
				require.Equal(t, w, v)
				require.Equal(t, g, h)
			}
		})
	}
}

// TestAllocations: a steady step allocates nothing.
func TestAllocations(t *testing.T) {
	r := rand.New(rand.NewPCG(16, 4))
	p := randomProblem(r)
	for len(p.losses) < 4 {
		p = randomProblem(r)
	}
	order := r.Perm(len(p.losses))
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			b, err := New(name)
			require.NoError(t, err)
			s := &Step{}
			p.fill(s, order, 1)
			grad := make([]float64, len(order))
			require.Zero(t, testing.AllocsPerRun(10, func() {
				if err := b.Balance(s); err != nil {
					panic(err)
				}
				if l, ok := b.(Learner); ok {
					l.Gradient(grad, s)
				}
			}))
		})
	}
}

func TestErrors(t *testing.T) {
	_, err := New("Upgrad")
	require.ErrorContains(t, err, `unknown balancer "Upgrad", have ["AlignedMTL" `)
	two := []float64{1, 2}
	gram := []float64{1, 0, 0, 1}
	for name, c := range map[string]struct {
		b    Balancer
		s    Step
		want string
	}{
		"no losses":   {Sum(), Step{}, "multitask: Sum: a step has no losses"},
		"NaN":         {Sum(), Step{Losses: []float64{1, math.NaN()}}, "the loss of task 1 is NaN"},
		"Gramian":     {UPGrad(), Step{Losses: two, Gramian: gram[:3]}, "the Gramian of 2 tasks has 3 numbers, want 4"},
		"infinite":    {UPGrad(), Step{Losses: two, Gramian: []float64{1, math.Inf(1), 0, 1}}, "tasks 0 and 1 have the product +Inf"},
		"preference":  {UPGrad(1, 2, 3), Step{Losses: two, Gramian: gram}, "a step has 2 tasks, the method was given or began with 3"},
		"rows":        {TrimmedMean(0), Step{Losses: two, Jacobian: [][]float32{{1}}}, "the Jacobian has 1 rows for 2 tasks"},
		"columns":     {TrimmedMean(0), Step{Losses: two, Jacobian: [][]float32{{1}, {1, 2}}}, "the gradient of task 1 has 2 numbers, that of task 0 1"},
		"trim":        {TrimmedMean(1), Step{Losses: two, Jacobian: [][]float32{{1}, {1}}}, "2 tasks, want at least 3"},
		"Krum":        {Krum(0, 1), Step{Losses: two, Gramian: gram}, "Krum: 2 tasks, want at least 3"},
		"epochs":      {DWA(2), Step{Losses: two, Epochs: [][]float64{{1}}}, "epoch 0 has the losses of 1 tasks, want 2"},
		"temperature": {DWA(0), Step{Losses: two}, "temperature 0 is not above 0"},
		"negative":    {GeometricMean(), Step{Losses: []float64{1, -1}}, "the loss of task 1 is -1, below 0"},
		"minimum":     {FAMO(0.1, 0, 1, 3), Step{Losses: two}, "the loss 2 of task 1 is below its minimum 3"},
		"mu":          {STCH(0, nil, nil), Step{Losses: two}, "mu 0 is not above 0"},
		"lambda":      {COSMOS(-1), Step{Losses: two}, "lambda -1 is below 0"},
		"theta":       {PBI(-1, nil, nil), Step{Losses: two}, "theta -1 must not be below 0"},
		"normalize":   {MGDA("max"), Step{Losses: two, Gramian: gram}, `unknown normalization "max", have ["none" "l2" "loss" "loss+"]`},
		"scale":       {AlignedMTL("max"), Step{Losses: two, Gramian: gram}, `unknown scale "max", have ["min" "median" "rmse"]`},
		"c":           {CAGrad(-1, 0), Step{Losses: two, Gramian: gram}, "c -1 must be at least 0"},
		"alpha":       {FairGrad(0), Step{Losses: two, Gramian: gram}, "alpha 0 must be from 0.1 to 10"},
		"beta":        {GradVac(2), Step{Losses: two, Gramian: gram}, "beta 2 must be from 0 to 1"},
		"gamma":       {MoDo(0, 0), Step{Losses: two, Gramian: gram}, "gamma 0 must be above 0"},
		"steps":       {SDMGrad(1, 0), Step{Losses: two, Gramian: gram}, "the steps 0 be from 1 to 10000"},
		"leak":        {GradDrop(0, 2), Step{Losses: two, Jacobian: [][]float32{{1}, {1}}}, "the leak 2 of task 1 is not from 0 to 1"},
		"state":       {&famo{First: []float64{1}}, Step{Losses: two}, "a step has 2 tasks, the method was given or began with 1"},
		"baseline":    {&excessMTL{Baseline: []float64{1}}, Step{Losses: two}, "given or began with 1"},
		"state rows":  {&moco{tracked: tracked{Rows: [][]float32{{1, 2}}}}, Step{Losses: two, Jacobian: [][]float32{{1}, {1}}}, "the state has 1, task 0 of 2"},
		"goals":       {&gradVac{Cosines: []float64{1, 2, 3}}, Step{Losses: two, Gramian: gram}, "the goals 4 numbers, have 3"},
		"no inner":    {&crmogm{}, Step{Losses: two}, "there is no method to smooth"},
		"inner":       {CRMOGM(GradDrop(), 0.5), Step{Losses: two, Jacobian: [][]float32{{1}, {1}}}, "and GradDrop give weights"},
	} {
		t.Run(name, func(t *testing.T) { require.ErrorContains(t, c.b.Balance(&c.s), c.want) })
	}
}

// TestBits holds a hash of what all methods answer to random problems: it is the same on every machine.
func TestBits(t *testing.T) {
	r := rand.New(rand.NewPCG(16, 5))
	hash := fnv.New64a()
	s := &Step{}
	for range 50 {
		p := randomProblem(r)
		order := r.Perm(len(p.losses))
		if p.kind == "scales" {
			continue // made with math.Pow
		}
		for _, name := range Names() {
			if name == "Krum" && len(order) < 3 {
				continue
			}
			b, err := New(name)
			require.NoError(t, err)
			p.fill(s, order, 1)
			for s.Seed = range 3 {
				require.NoError(t, b.Balance(s))
				require.NoError(t, binary.Write(hash, binary.LittleEndian, s.Weights))
				require.NoError(t, binary.Write(hash, binary.LittleEndian, s.Gradient))
			}
		}
	}
	require.Equal(t, "cdeec7c93bb6a39a", fmt.Sprintf("%x", hash.Sum64()))
}
