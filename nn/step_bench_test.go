package nn

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/espalier-ml/espalier/autograd"
	"github.com/espalier-ml/espalier/kernels"
)

// BenchmarkStep is TrainOnBatch with Adam: forward, losses, backward and update. GFLOP/s are those of the products: twice
// the weights of each call of a layer per row forward, and as much again for each of its two gradients.
func BenchmarkStep(b *testing.B) {
	for _, s := range servedModels[:4] {
		for _, table := range kernels.Tables() {
			for _, run := range []struct{ batch, workers int }{{32, 1}, {256, 1}, {32, 2}, {256, 2}} {
				batch := run.batch
				if run.workers > 1 && s.name != "large" {
					continue // nothing is large enough to be shared
				}
				m, err := s.build()
				if err != nil {
					b.Fatal(err)
				}
				data := trainingData(b, m, Adam(1e-3), batch)
				m.trainer.table = table
				m.trainer.runner.tape = autograd.NewTape(table)
				b.Run(fmt.Sprintf("lib=espalier/model=%s/isa=%s/batch=%d/workers=%d", s.name, table.ISA, batch, run.workers), func(b *testing.B) {
					defer m.trainer.share(run.workers)()
					b.ReportAllocs()
					for b.Loop() {
						if _, err := m.TrainOnBatch(data); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(stepFLOPs(m, batch)/float64(b.Elapsed().Nanoseconds())*float64(b.N), "GFLOP/s")
				})
			}
		}
	}
}

// trainingData compiles a model of servedModels[:4] and returns one batch for it.
func trainingData(tb testing.TB, m *Model, optimizer Optimizer, rows int) Data {
	losses := map[string]Loss{"value": MSE(), "label": SparseCategoricalCrossentropy(), "click": BinaryCrossentropy()}
	metrics := map[string]Metric{"value": MAE(), "label": Accuracy(), "click": Accuracy()}
	l, measured := Losses{}, Metrics{}
	data := Data{Inputs: Arrays{}, Targets: Arrays{}}
	random := rand.New(rand.NewPCG(30, 0))
	for _, n := range m.inputs {
		x := make(Floats, rows*n.features())
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
		data.Inputs[n.layer.name] = x
	}
	for _, n := range m.outputs {
		name := n.layer.name
		l[name], measured[name] = losses[name], []Metric{metrics[name]}
		y, labels := make(Floats, rows), make(Labels, rows)
		for i := range rows {
			y[i], labels[i] = float32(i%2), int32(i%n.features())
		}
		if data.Targets[name] = y; losses[name].Targets() == Classes {
			data.Targets[name] = labels
		}
	}
	if err := m.Compile(optimizer, l, measured); err != nil {
		tb.Fatal(err)
	}
	return data
}

// stepFLOPs counts the products of a step. The first layers need no gradient of their inputs.
func stepFLOPs(m *Model, rows int) float64 {
	sum := 0
	for _, n := range m.nodes {
		for _, p := range n.layer.params {
			if len(p.shape) == 1 {
				continue
			}
			products := 3
			if isSource(n.in[0]) {
				products = 2
			}
			sum += 2 * products * rows * p.shape[0] * p.shape[1]
		}
	}
	return float64(sum)
}
