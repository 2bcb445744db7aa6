package nn

import (
	"bytes"
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"
	"weak"

	"github.com/stretchr/testify/require"
)

// servedPlan returns a plan of a model whose only output is v.
func servedPlan(t testing.TB, v float32, opts ...PlanOption) *Plan {
	x := Input("x", 3)
	m, err := NewModel([]*Node{x}, []*Node{Dense(2, Linear, Name("y")).On(x)})
	require.NoError(t, err)
	require.NoError(t, m.SetWeights(map[string][]float32{"y/kernel": make([]float32, 6), "y/bias": {v, v}}))
	p, err := NewPlan(m, 4, opts...)
	require.NoError(t, err)
	return p
}

// While plans are swapped each call has the answer of one of them, and the old ones go.
func TestHandle(t *testing.T) {
	h := NewHandle(servedPlan(t, 0))
	first := weak.Make(h.Plan())
	var stop atomic.Bool
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			in, out := [][]float32{make([]float32, 9)}, [][]float32{make([]float32, 6)}
			last := float32(0)
			for !stop.Load() {
				if err := h.Predict(in, out, 3); err != nil {
					t.Error(err)
					return
				}
				for _, v := range out[0] {
					if v != out[0][0] || v < last {
						t.Errorf("got %v after %v", out[0], last)
						return
					}
				}
				last = out[0][0]
			}
		})
	}
	for i := range 300 {
		require.NoError(t, h.Swap(servedPlan(t, float32(i+1))))
	}
	stop.Store(true)
	callers.Wait()
	for i := 0; first.Value() != nil && i < 100; i++ {
		runtime.GC()
	}
	require.Nil(t, first.Value(), "the first plan is still there")
}

func TestHandleErrors(t *testing.T) {
	h := NewHandle(servedPlan(t, 1))
	before := h.Plan()
	require.EqualError(t, h.Swap(nil), "plan: Handle.Swap: the plan is nil")
	x, z := Input("x", 3), Input("z", 3)
	for want, build := range map[string]func() (*Model, error){
		`plan: Handle.Swap: inputs are "z" (3), must be "x" (3)`:  func() (*Model, error) { return NewModel([]*Node{z}, []*Node{Dense(2, Linear, Name("y")).On(z)}) },
		`plan: Handle.Swap: outputs are "y" (5), must be "y" (2)`: func() (*Model, error) { return NewModel([]*Node{x}, []*Node{Dense(5, Linear, Name("y")).On(x)}) },
	} {
		m, err := build()
		require.NoError(t, err)
		p, err := NewPlan(m, 1)
		require.NoError(t, err)
		require.EqualError(t, h.Swap(p), want)
		require.Same(t, before, h.Plan())
	}
}

// The workers of a plan end when nobody holds it.
func TestPlanWorkersEnd(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 5 {
		require.NoError(t, servedPlan(t, 1, Workers(3)).NewSession().Run(1))
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
}

// A file becomes a plan that has the bits of the loaded model, whether it was trained or not.
func TestForServing(t *testing.T) {
	eachServed(t, func(t *testing.T, m *Model) {
		for _, trained := range []bool{false, true} {
			if trained {
				losses := Losses{}
				for _, n := range m.outputs {
					if losses[n.layer.name] = nil; len(n.shape) == 1 {
						losses[n.layer.name] = MSE()
					}
				}
				require.NoError(t, m.Compile(Adam(0.1), losses))
			}
			var file bytes.Buffer
			_, err := m.WriteTo(&file)
			require.NoError(t, err)
			_, inputs := inputsOf(m, 3)
			want, err := NewPlan(m, 3)
			require.NoError(t, err)
			run := func(p *Plan, err error) [][]float32 {
				require.NoError(t, err)
				var outputs [][]float32
				for i := range p.OutputNames() {
					outputs = append(outputs, make([]float32, 3*p.OutputFeatures(i)))
				}
				require.NoError(t, p.Predict(inputs, outputs, 3))
				return outputs
			}
			all := run(want, nil)
			require.Equal(t, all, run(parsePlan(file.Bytes(), 3)))
			served, err := LoadFS(fstest.MapFS{"m": {Data: file.Bytes()}}, "m", ForServing())
			require.NoError(t, err)
			require.Equal(t, all, run(NewPlan(served, 2)))
			_, err = served.Evaluate(context.Background(), Data{})
			require.ErrorIs(t, err, ErrNotCompiled)
			_, err = parsePlan(file.Bytes()[:file.Len()-1], 3)
			require.ErrorContains(t, err, "nn: Read: ")
			file.Bytes()[file.Len()-1] ^= 1
			_, err = parsePlan(file.Bytes(), 3)
			require.ErrorContains(t, err, "is damaged")
		}
	})
	_, err := Load("testdata/none", ForServing())
	require.ErrorContains(t, err, `nn: Load "testdata/none": open testdata/none`)
}

// RunOn leaves the session's own memory alone, and Run finds it again.
func TestRunOn(t *testing.T) {
	eachServed(t, func(t *testing.T, m *Model) {
		p, err := NewPlan(m, 8)
		require.NoError(t, err)
		s := p.NewSession()
		for _, rows := range []int{8, 1, 5} {
			arrays, inputs := inputsOf(m, rows)
			want, err := m.Predict(arrays)
			require.NoError(t, err)
			var outputs [][]float32
			for i := range p.OutputNames() {
				outputs = append(outputs, make([]float32, rows*p.OutputFeatures(i)))
				for j := range s.Output(i) {
					s.Output(i)[j] = 7
				}
			}
			require.NoError(t, s.RunOn(inputs, outputs, rows))
			for i, name := range p.OutputNames() {
				requireBits(t, want[name].Data, outputs[i], "%d rows, output %q", rows, name)
				for _, v := range s.Output(i) {
					require.Equal(t, float32(7), v, "output %q", name)
				}
			}
			for i, x := range inputs {
				copy(s.Input(i), x)
			}
			require.NoError(t, s.Run(rows))
			for i, name := range p.OutputNames() {
				requireBits(t, want[name].Data, s.Output(i)[:len(outputs[i])], "%d rows, Run, output %q", rows, name)
			}
			require.Zero(t, testing.AllocsPerRun(10, func() { _ = s.RunOn(inputs, outputs, rows) }))
			require.Error(t, s.RunOn(inputs, outputs, rows+1))
			require.Error(t, s.RunOn(inputs[1:], outputs, rows))
			require.Error(t, s.RunOn(inputs, outputs, 0))
		}
	})
}
