package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/espalier-ml/espalier/examples/internal/chart"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/nn"
)

// A score is how good a model is on some flights.
type score struct {
	entropy float64 // of late: mean cross-entropy
	auc     float64 // of late
	mae     float64 // of delay, in minutes
}

// A checkpoint is how training was doing at one moment.
type checkpoint struct {
	epoch      float64
	speed      float64 // rows per second of training since the checkpoint before
	training   score   // means since then, without an AUC
	validation score
}

const checkpoints = 5 // in an epoch

// A result is what a training led to.
type result struct {
	options
	model       *nn.Model
	trained     int // rows of an epoch
	seconds     float64
	checkpoints []checkpoint
	validated   int
	tested      int
	test        score
	lateShare   float64 // of the test flights
	ofMean      float64 // MAE of telling every test flight the training flights' mean
	ofMedian    float64
	memory      uint64 // bytes
}

// train fits a model to a part of the flights, watches it on another and tests it on the rest.
func train(ctx context.Context, f *flights, o options, w io.Writer) (*result, error) {
	training, validation, test := f.split(o.seed)
	e := f.encode(training)
	m, err := newModel(e.vectors, o.seed)
	if err != nil {
		return nil, err
	}
	if err := m.Summary(w); err != nil {
		return nil, err
	}
	r := &result{options: o, model: m, trained: len(training), validated: len(validation), tested: len(test)}
	fmt.Fprintf(w, "\n%17s  %20s  %10s  %21s\n", "", "late: cross-entropy", "AUC", "delay: MAE in minutes")
	fmt.Fprintf(w, "%6s  %9s  %8s  %10s  %10s  %9s  %10s\n", "epoch", "rows/s", "training", "validation", "validation", "training", "validation")
	watch := r.watch(func() (score, error) { return judge(m, f, e, validation) }, e, w)
	if _, err := m.Fit(ctx, f.stream(training, e, o.seed), nn.Epochs(o.epochs), nn.BatchSize(o.batch),
		nn.Seed(o.seed), nn.Shuffle(false), nn.Callbacks(watch)); err != nil {
		return nil, err
	}

	if r.test, err = judge(m, f, e, test); err != nil {
		return nil, err
	}
	for _, row := range test {
		d := float64(f.delay[row])
		r.ofMean += math.Abs(d-e.mean) / float64(len(test))
		r.ofMedian += math.Abs(d-e.median) / float64(len(test))
		if f.late(row) {
			r.lateShare += 1 / float64(len(test))
		}
	}
	r.memory = peakMemory()
	return r, nil
}

// watch returns a callback that adds and prints the checkpoints. Judging does not count as time of training.
func (r *result) watch(judge func() (score, error), e *encoding, w io.Writer) nn.Callback {
	batches := (r.trained + r.batch - 1) / r.batch
	var began time.Time
	var seconds float64 // of training in this epoch
	var before struct{ rows, seconds, entropy, mae float64 }
	return nn.Callback{
		Begin: func(nn.Progress) error {
			began = time.Now()
			return nil
		},
		BatchEnd: func(p nn.Progress) error {
			if p.Batch*checkpoints/batches == (p.Batch+1)*checkpoints/batches {
				return nil
			}
			seconds += time.Since(began).Seconds()
			now := before // sums over the epoch so far
			now.rows = float64(min((p.Batch+1)*r.batch, r.trained))
			now.seconds, now.entropy, now.mae = seconds, p.Logs["late_loss"]*now.rows, p.Logs["delay_loss"]*e.sd*now.rows
			rows := now.rows - before.rows
			c := checkpoint{
				epoch:    float64(p.Epoch) + now.rows/float64(r.trained),
				speed:    rows / (now.seconds - before.seconds),
				training: score{entropy: (now.entropy - before.entropy) / rows, mae: (now.mae - before.mae) / rows},
			}
			if before = now; p.Batch == batches-1 {
				r.seconds += seconds
				seconds = 0
				before.rows, before.seconds, before.entropy, before.mae = 0, 0, 0, 0
			}
			var err error
			if c.validation, err = judge(); err != nil {
				return err
			}
			r.checkpoints = append(r.checkpoints, c)
			c.print(w)
			began = time.Now()
			return nil
		},
	}
}

// judge lets the model tell about flights that it has not learned from.
func judge(m *nn.Model, f *flights, e *encoding, rows []int32) (score, error) {
	var s score
	auc, err := nn.AUC(nn.Thresholds(10_000)).Start(nn.Output{Shape: nn.Shape{1}, Targets: nn.Probabilities})
	if err != nil {
		return s, err
	}
	for some := range slices.Chunk(rows, chunk) {
		out, err := m.Predict(f.data(some, e).Inputs)
		if err != nil {
			return s, err
		}
		late := make([]float32, len(some))
		for i, row := range some {
			p := min(max(float64(out["late"].Row(i)[0]), 1e-7), 1-1e-7) // as the loss of Keras does
			if f.late(row) {
				late[i] = 1
				s.entropy -= math.Log(p)
			} else {
				s.entropy -= math.Log(1 - p)
			}
			s.mae += math.Abs(e.minutes(out["delay"].Row(i)[0]) - float64(f.delay[row]))
		}
		auc.Add(out["late"], nn.Target{Values: kernels.MatrixOf(late, len(some), 1)}, nil)
	}
	n := float64(len(rows))
	s.entropy, s.auc, s.mae = s.entropy/n, auc.Value(), s.mae/n
	return s, nil
}

func (c checkpoint) print(w io.Writer) {
	fmt.Fprintf(w, "%6.1f  %9s  %8.4f  %10.4f  %10.4f  %9.2f  %10.2f\n", c.epoch, chart.Thousands(c.speed),
		c.training.entropy, c.validation.entropy, c.validation.auc, c.training.mae, c.validation.mae)
}

// speed returns the rows per second of training.
func (r *result) speed() float64 { return float64(r.trained) * float64(r.epochs) / r.seconds }

func (r *result) print(w io.Writer) {
	fmt.Fprintf(w, "\n%d x %s flights in %.1f s: %s rows per second, 3,000,000 in %.1f s. At most %d MB of memory.\n", r.epochs,
		chart.Thousands(float64(r.trained)), r.seconds, chart.Thousands(r.speed()), 3e6/r.speed(), r.memory>>20)
	fmt.Fprintf(w, "On %s other flights:\n", chart.Thousands(float64(r.tested)))
	fmt.Fprintf(w, "  late   AUC %.3f (a constant has 0.500; %.1f %% are late)\n", r.test.auc, 100*r.lateShare)
	fmt.Fprintf(w, "  delay  MAE %.2f min (the mean has %.2f, the best constant, the median, %.2f)\n", r.test.mae, r.ofMean, r.ofMedian)
}

// peakMemory returns the most bytes that the program has had in memory: all of it where Linux tells, else what Go's
// runtime has asked for.
func peakMemory() uint64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		var kB uint64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kB); err == nil {
			return kB << 10
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys
}
