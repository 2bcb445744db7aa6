package nn

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGolden compares the package with numbers that Keras computed in float64: every case in the folder cases of
// ESPALIER_GOLDEN, by default testdata. Nothing about a case is known here; all of it is read from its case.json. With
// ESPALIER_GOLDEN_OUT set, our numbers are written to that folder in the same layout.
func TestGolden(t *testing.T) {
	root := cmp.Or(os.Getenv("ESPALIER_GOLDEN"), "testdata")
	files, err := filepath.Glob(filepath.Join(root, "cases", "*", "case.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files, "no cases in %s", root)
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			g := readCase(t, filepath.Dir(file))
			t.Run("predictions", g.predictions)
			t.Run("gradients", g.gradients)
			t.Run("evaluation", g.evaluation)
			for name := range g.Optimizers {
				for _, batch := range g.Batches {
					key := fmt.Sprintf("%s/b%d", name, batch)
					t.Run("training/"+key, g.training(trainingRun{
						losses: "losses/" + key, weights: "train/" + key, goldenRun: goldenRun{Optimizer: name, Batch: batch},
					}))
				}
			}
			if g.has("fit/") {
				t.Run("fit", g.fit)
			}
			for _, r := range []trainingRun{
				{weights: "loss_weights", goldenRun: g.LossWeightsRun},
				{weights: "sample_weight", goldenRun: g.SampleWeightRun, sampleWeights: true},
				{weights: "class_weight", goldenRun: g.ClassWeightRun},
				{weights: "frozen_trunk", goldenRun: g.FrozenTrunkRun, frozen: true},
			} {
				if r.losses = r.weights + "/losses"; g.has(r.weights + "/step") {
					t.Run(r.weights, g.training(r))
				}
			}
			t.Run("summary", g.summary)
			t.Run("everything compared", func(t *testing.T) {
				require.Empty(t, slices.Sorted(maps.Keys(g.unseen)))
			})
			for _, group := range slices.Sorted(maps.Keys(g.worst)) {
				t.Logf("%-30s at most %5.3f of the tolerance", group, g.worst[group])
			}
			g.write(t)
		})
	}
}

// A goldenCase is one model with its data and the numbers expected of it.
type goldenCase struct {
	ID           string
	Batches      []int
	Loss         byOutput[string]
	Metrics      byOutput[[]string]
	InputNames   []string `json:"input_names"`
	OutputNames  []string `json:"output_names"`
	CountParams  int      `json:"count_params"`
	LogKeys      []string `json:"log_keys"`
	Optimizers   map[string]json.RawMessage
	Keras        json.RawMessage            `json:"keras_json"`
	Summaries    map[string]string          `json:"keras_summary"`
	Float64      map[string]json.RawMessage // numbers that are not tensors
	Spread       map[string]numbers         `json:"float32_spread"` // how far float32 implementations land
	Fingerprints map[string]struct{ At map[int]float64 }

	LossWeightsRun  goldenRun `json:"loss_weights_run"`
	SampleWeightRun goldenRun `json:"sample_weight_run"`
	ClassWeightRun  goldenRun `json:"class_weight_run"`
	FrozenTrunkRun  goldenRun `json:"frozen_trunk_run"`
	FitRun          struct {
		Optimizer       string
		Epochs          int
		BatchSize       int `json:"batch_size"`
		Shuffle         bool
		ValidationSplit float64 `json:"validation_split"`
	} `json:"fit_run"`

	tensors map[string]goldenTensor
	unseen  map[string]bool         // names of numbers not compared yet
	ours    map[string]goldenTensor // what we computed
	logs    map[string]any          // what we computed, for case.json
	worst   map[string]float64      // largest error over tolerance, by group
}

func readCase(t *testing.T, folder string) *goldenCase {
	file, err := os.ReadFile(filepath.Join(folder, "case.json"))
	require.NoError(t, err)
	g := &goldenCase{ours: map[string]goldenTensor{}, logs: map[string]any{}, worst: map[string]float64{}, unseen: map[string]bool{}}
	require.NoError(t, json.Unmarshal(file, g))
	require.NotEmpty(t, g.Batches)
	require.NotEmpty(t, g.Optimizers)
	g.tensors = readGolden(t, filepath.Join(folder, "tensors.safetensors"))
	for name := range g.tensors {
		kind, rest, _ := strings.Cut(name, "/")
		given := kind == "x" || kind == "y" || kind == "init" || kind == "sample_weight" && slices.Contains(g.OutputNames, rest)
		if !given {
			g.unseen[name] = true
		}
	}
	for name := range g.Fingerprints {
		g.unseen[name] = true
	}
	for name := range g.Float64 {
		if name == "fit_history" || name == "evaluate_after_fit" || strings.HasPrefix(name, "test_on_batch_b") {
			g.unseen[name] = true
		}
	}
	return g
}

// model returns the case's model with its initial weights.
func (g *goldenCase) model(t *testing.T) *Model {
	m := graphFromKeras(t, g.Keras)
	weights := map[string][]float32{}
	for _, w := range m.Weights() {
		weights[w.Name] = g.tensor(t, "init/"+w.Name).float32s()
	}
	require.NoError(t, m.SetWeights(weights))
	return m
}

// compiled returns the model, compiled with the optimizer of the given name in case.json.
func (g *goldenCase) compiled(t *testing.T, optimizer string, opts ...CompileOption) *Model {
	losses, metrics := Losses{}, Metrics{}
	for _, output := range g.OutputNames {
		name := g.Loss.of(output)
		require.Contains(t, lossesByName, name)
		losses[output] = lossesByName[name]
		for _, name := range g.Metrics.of(output) {
			require.Contains(t, metricsByName, name)
			metrics[output] = append(metrics[output], metricsByName[name])
		}
	}
	m := g.model(t)
	require.NoError(t, m.Compile(g.optimizer(t, optimizer), append(opts, losses, metrics)...))
	return m
}

// optimizer returns the optimizer of a name such as sgd_momentum. A setting that is not known or not supported fails.
func (g *goldenCase) optimizer(t *testing.T, name string) Optimizer {
	require.Contains(t, g.Optimizers, name)
	var settings struct {
		LR, Momentum, Rho, Epsilon float64
		Nesterov, Centered         bool
		Beta1                      float64 `json:"beta_1"`
		Beta2                      float64 `json:"beta_2"`
	}
	d := json.NewDecoder(bytes.NewReader(g.Optimizers[name]))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&settings), name)
	algorithm, _, _ := strings.Cut(name, "_")
	switch algorithm {
	case "sgd":
		return set(SGD(settings.LR), func(o *SGDOptimizer) { o.Momentum, o.Nesterov = settings.Momentum, settings.Nesterov })
	case "adam":
		return set(Adam(settings.LR), func(o *AdamOptimizer) {
			o.Beta1, o.Beta2, o.Epsilon = settings.Beta1, settings.Beta2, settings.Epsilon
		})
	case "rmsprop":
		return set(RMSprop(settings.LR), func(o *RMSpropOptimizer) {
			o.Rho, o.Epsilon, o.Momentum, o.Centered = settings.Rho, settings.Epsilon, settings.Momentum, settings.Centered
		})
	}
	require.Fail(t, "unknown optimizer "+name)
	return nil
}

// data returns rows from (included) to (excluded).
func (g *goldenCase) data(t *testing.T, from, to int) Data {
	d := Data{Inputs: Arrays{}, Targets: Arrays{}}
	for _, name := range g.InputNames {
		d.Inputs[name] = Floats(g.tensor(t, "x/"+name).rows(from, to).float32s())
	}
	for _, name := range g.OutputNames {
		y := g.tensor(t, "y/"+name).rows(from, to)
		if d.Targets[name] = Floats(y.float32s()); y.dtype == "I32" {
			labels := make(Labels, len(y.values))
			for i, v := range y.values {
				labels[i] = int32(v)
			}
			d.Targets[name] = labels
		}
	}
	return d
}

func (g *goldenCase) rows(t *testing.T) int { return g.tensor(t, "x/"+g.InputNames[0]).shape[0] }

// middle is the batch size of the runs that do not name one.
func (g *goldenCase) middle() int { return g.Batches[len(g.Batches)/2] }

func (g *goldenCase) predictions(t *testing.T) {
	m := g.model(t)
	require.ElementsMatch(t, g.InputNames, m.InputNames())
	require.ElementsMatch(t, g.OutputNames, m.OutputNames())
	predictions, err := m.Predict(g.data(t, 0, g.rows(t)).Inputs)
	require.NoError(t, err)
	for name, p := range predictions {
		g.compare(t, "predict/"+name, p.Rows, float64s(p.Data))
	}
	for _, rows := range []int{1, 5, g.rows(t)} {
		requireServed(t, m, g.data(t, 0, rows).Inputs)
	}
}

func (g *goldenCase) gradients(t *testing.T) {
	for _, rows := range g.Batches {
		m := g.compiled(t, slices.Sorted(maps.Keys(g.Optimizers))[0])
		b := &batch{size: rows}
		for b, err := range b.batches(g.data(t, 0, rows).chunks(m)) {
			require.NoError(t, err)
			total, err := m.trainer.forward(b, true, 0, nil, mustTally(m.trainer))
			require.NoError(t, err)
			require.NoError(t, m.trainer.runner.tape.Backward(total))
		}
		for i, w := range m.Weights() {
			g.compare(t, fmt.Sprintf("grad/b%d/%s", rows, w.Name), w.Shape[0], float64s(m.trainer.runner.tape.Grad(m.trainer.runner.params[i]).Data))
		}
	}
}

// evaluation compares what Keras calls test_on_batch, at the initial weights.
func (g *goldenCase) evaluation(t *testing.T) {
	for name := range g.Float64 {
		if size, ok := strings.CutPrefix(name, "test_on_batch_b"); ok {
			rows, err := strconv.Atoi(size)
			require.NoError(t, err)
			logs, err := g.compiled(t, slices.Sorted(maps.Keys(g.Optimizers))[0]).Evaluate(context.Background(), g.data(t, 0, rows), BatchSize(rows))
			require.NoError(t, err)
			g.compareLogs(t, name, logs.lists())
		}
	}
}

func (g *goldenCase) fit(t *testing.T) {
	run := g.FitRun
	batch := BatchSize(cmp.Or(run.BatchSize, g.middle()))
	m := g.compiled(t, cmp.Or(run.Optimizer, "adam"))
	data := g.data(t, 0, g.rows(t))
	history, err := m.Fit(context.Background(), data, batch, Epochs(run.Epochs), Shuffle(run.Shuffle), ValidationSplit(run.ValidationSplit))
	require.NoError(t, err)
	g.compareLogs(t, "fit_history", history.Logs)
	g.compareWeights(t, "fit", m)
	logs, err := m.Evaluate(context.Background(), data, batch)
	require.NoError(t, err)
	g.compareLogs(t, "evaluate_after_fit", logs.lists())
}

// A trainingRun trains batch by batch. Step t, from 1, takes the next batch of full rows, from the first again after the
// last.
type trainingRun struct {
	goldenRun
	losses        string // tensor of the logs before each update, if there is one
	weights       string // the weights are in <weights>/step<t>/
	sampleWeights bool
	frozen        bool // all but the outputs
}

func (g *goldenCase) training(r trainingRun) func(t *testing.T) {
	return func(t *testing.T) {
		optimizer := "adam"
		if r.sampleWeights || r.ClassWeight != nil {
			optimizer = "sgd"
		}
		m := g.compiled(t, cmp.Or(r.Optimizer, optimizer), r.LossWeights)
		if r.frozen {
			g.freezeTrunk(t, m)
		}
		snapshots := g.steps(t, r.weights)
		steps := slices.Max(snapshots)
		expected, logged := g.tensors[r.losses]
		if logged {
			steps = max(steps, expected.shape[0])
		}
		size := cmp.Or(r.Batch, g.middle())
		batches := g.rows(t) / size
		var losses []float64
		for step := 1; step <= steps; step++ {
			from := (step - 1) % batches * size
			data := g.data(t, from, from+size)
			if r.sampleWeights {
				data.SampleWeights = map[string][]float32{}
				for _, name := range g.OutputNames {
					data.SampleWeights[name] = g.tensor(t, "sample_weight/"+name).rows(from, from+size).float32s()
				}
			}
			logs := g.trainOnBatch(t, m, data, size, r.ClassWeight)
			require.ElementsMatch(t, g.LogKeys, slices.Collect(maps.Keys(logs)))
			for _, name := range g.LogKeys {
				losses = append(losses, logs[name])
			}
			if slices.Contains(snapshots, step) {
				g.compareWeights(t, fmt.Sprintf("%s/step%d", r.weights, step), m)
			}
		}
		if logged {
			g.compare(t, r.losses, steps, losses)
		}
	}
}

// trainOnBatch takes one step. Class weights are an option of Fit alone, as in Keras' own use of them.
func (g *goldenCase) trainOnBatch(t *testing.T, m *Model, data Data, rows int, classWeight map[int]float64) Logs {
	if classWeight == nil {
		logs, err := m.TrainOnBatch(data)
		require.NoError(t, err)
		return logs
	}
	require.Len(t, g.OutputNames, 1, "class weights are for models of one output")
	history, err := m.Fit(context.Background(), data, BatchSize(rows), Shuffle(false), ClassWeight(g.OutputNames[0], classWeight))
	require.NoError(t, err)
	logs := Logs{}
	for name, values := range history.Logs {
		logs[name] = values[0]
	}
	return logs
}

// freezeTrunk freezes all layers but the outputs.
func (g *goldenCase) freezeTrunk(t *testing.T, m *Model) {
	var trainable []string
	for _, l := range m.Layers() {
		l.SetTrainable(slices.Contains(g.OutputNames, l.Name()))
	}
	for _, w := range m.Weights() {
		if w.layer.Trainable() {
			trainable = append(trainable, w.Name)
		}
	}
	if stored, ok := g.Float64["frozen_trunk_trainable"]; ok {
		var expected []string
		require.NoError(t, json.Unmarshal(stored, &expected))
		require.ElementsMatch(t, expected, trainable)
	}
}

func (g *goldenCase) summary(t *testing.T) {
	require.Equal(t, g.CountParams, g.model(t).CountParams())
	g.logs["count_params"] = g.model(t).CountParams()
	for key, expected := range g.Summaries {
		number, variant, _ := strings.Cut(key, "_")
		width, err := strconv.Atoi(number)
		require.NoError(t, err)
		m := g.model(t)
		opts := []SummaryOption{SummaryWidth(width)}
		if strings.HasPrefix(variant, "show_trainable") {
			opts = append(opts, SummaryTrainable())
			freezeFirst(m, strings.Count(expected, "│    N    │"))
		}
		var text strings.Builder
		require.NoError(t, m.Summary(&text, opts...))
		require.Equal(t, expected, text.String(), key)
	}
}

// freezeFirst freezes the first n layers that have weights.
func freezeFirst(m *Model, n int) {
	for _, l := range m.Layers() {
		if l.paramCount() > 0 && n > 0 {
			l.SetTrainable(false)
			n--
		}
	}
}

// has reports whether there are tensors under a prefix.
func (g *goldenCase) has(prefix string) bool {
	for name := range g.tensors {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// steps returns the steps after which the golden weights are known.
func (g *goldenCase) steps(t *testing.T, prefix string) []int {
	var steps []int
	for name := range g.unseen {
		if rest, ok := strings.CutPrefix(name, prefix+"/step"); ok {
			number, _, _ := strings.Cut(rest, "/")
			step, err := strconv.Atoi(number)
			require.NoError(t, err, name)
			steps = append(steps, step)
		}
	}
	require.NotEmpty(t, steps, prefix)
	return steps
}

func (g *goldenCase) tensor(t *testing.T, name string) goldenTensor {
	require.Contains(t, g.tensors, name)
	return g.tensors[name]
}

// compareWeights compares the weights that are known under a prefix. Those of frozen layers are not stored: they must be
// the initial ones.
func (g *goldenCase) compareWeights(t *testing.T, prefix string, m *Model) {
	for _, w := range m.Weights() {
		if !w.layer.Trainable() {
			require.Equal(t, g.tensor(t, "init/"+w.Name).float32s(), w.Data, "%s is frozen", w.Name)
			continue
		}
		g.compare(t, prefix+"/"+w.Name, w.Shape[0], float64s(w.Data))
	}
}

// tolerance returns how far a number of a golden tensor may be missed: about the rounding of float32 at the largest value
// of the tensor, and four times what float32 implementations of Keras miss it by. Losses have that spread by step.
func (g *goldenCase) tolerance(name string, largest float64, row int) float64 {
	relative := 2e-6
	if strings.HasPrefix(name, "predict/") {
		relative = 1e-6
	}
	base := 1e-6 + relative*largest
	if isLosses(name) {
		bucket, _ := slices.BinarySearch([]int{1, 2, 10}, row+1) // one spread each up to steps 1, 2, 10 and 100
		if spread := g.Spread[name]; spread != nil {
			return base + 4*spread[bucket]
		}
		return base
	}
	parts := strings.Split(name, "/")
	n := 2
	switch parts[0] {
	case "train":
		n = 4
	case "predict", "fit":
		n = 1
	}
	if spread := g.Spread[strings.Join(parts[:n], "/")]; spread != nil {
		return base + 4*spread[0]
	}
	return base
}

// logTolerance is that of numbers in case.json.
func (g *goldenCase) logTolerance(expected float64) float64 {
	spread := 0.0
	if s := g.Spread["fit"]; s != nil {
		spread = slices.Max(s)
	}
	return 1e-5*math.Abs(expected) + 1e-6 + 4*spread + 1e-5
}

func isLosses(name string) bool {
	return strings.HasPrefix(name, "losses/") || strings.HasSuffix(name, "/losses")
}

// compare compares a tensor of ours, of the given number of rows, with the golden one or with its stored samples.
func (g *goldenCase) compare(t *testing.T, name string, rows int, values []float64) {
	g.ours[name] = goldenTensor{dtype: "F64", shape: []int{rows, len(values) / max(rows, 1)}, values: slices.Clone(values)}
	delete(g.unseen, name)
	if f, ok := g.Fingerprints[name]; ok {
		for i, expected := range f.At {
			require.Less(t, i, len(values), name)
			g.check(t, name, i, values[i], expected, g.tolerance(name, 0.5, 0)) // 0.5: 2e-6 in all
		}
		return
	}
	golden := g.tensor(t, name)
	require.Len(t, values, len(golden.values), name)
	largest := 0.0
	for _, v := range golden.values {
		if a := math.Abs(v); a <= math.MaxFloat64 { // finite
			largest = max(largest, a)
		}
	}
	columns := len(values) / max(1, golden.shape[0])
	var flips []int // accuracies that differ: rows whose best classes are almost equal
	for i, v := range values {
		if isLosses(name) && strings.HasSuffix(g.LogKeys[i%columns], "accuracy") {
			if math.Abs(v-golden.values[i]) > 1e-5 {
				flips = append(flips, i)
			}
			continue
		}
		g.check(t, name, i, v, golden.values[i], g.tolerance(name, largest, i/columns))
	}
	if allowed := max(1, 0.03*float64(golden.shape[0])); float64(len(flips)) > allowed {
		t.Errorf("%s: accuracy differs at %d of %d steps, more than %.0f: %v", name, len(flips), golden.shape[0], allowed, flips)
	}
}

// compareLogs compares logs, a list per name, with those that case.json has under key.
func (g *goldenCase) compareLogs(t *testing.T, key string, logs map[string][]float64) {
	delete(g.unseen, key)
	var golden map[string]numbers
	require.NoError(t, json.Unmarshal(g.Float64[key], &golden), key)
	require.Equal(t, slices.Sorted(maps.Keys(golden)), slices.Sorted(maps.Keys(logs)), key)
	g.logs[key] = logs
	if key != "fit_history" {
		single := map[string]float64{}
		for name, values := range logs {
			single[name] = values[0]
		}
		g.logs[key] = single
	}
	for name, values := range logs {
		require.Len(t, values, len(golden[name]), "%s %s", key, name)
		for i, v := range values {
			g.check(t, key+"/"+name, i, v, golden[name][i], g.logTolerance(golden[name][i]))
		}
	}
}

// check holds a number to its tolerance and keeps the worst.
func (g *goldenCase) check(t *testing.T, name string, i int, ours, golden, tolerance float64) {
	difference := math.Abs(ours - golden)
	if math.IsNaN(ours) && math.IsNaN(golden) || ours == golden {
		difference = 0
	}
	group, _, _ := strings.Cut(name, "/")
	g.worst[group] = max(g.worst[group], difference/tolerance)
	if !(difference <= tolerance) {
		t.Errorf("%s[%d] is %v, Keras has %v: they differ by %.2g, the tolerance is %.2g", name, i, ours, golden, difference, tolerance)
	}
}

// write writes what we computed to the folder that ESPALIER_GOLDEN_OUT names.
func (g *goldenCase) write(t *testing.T) {
	root := os.Getenv("ESPALIER_GOLDEN_OUT")
	if root == "" {
		return
	}
	folder := filepath.Join(root, "cases", g.ID)
	require.NoError(t, os.MkdirAll(folder, 0o755))
	logs, err := json.MarshalIndent(g.logs, "", " ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "case.json"), logs, 0o644))
	writeGolden(t, filepath.Join(folder, "tensors.safetensors"), g.ours)
}

// lists returns each log as a list of one, as a History has it.
func (l Logs) lists() map[string][]float64 {
	lists := map[string][]float64{}
	for name, v := range l {
		lists[name] = []float64{v}
	}
	return lists
}
