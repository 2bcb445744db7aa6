// Glosses trains one network with two inputs, a text and a table, and two tasks on nouns of a dictionary: what kind of thing does
// a definition define, and how special is it?
//
//	go run -C examples ./glosses
//
// An embedding and a GRU read the definition, a dense layer what else is known of the noun. Both meet below the two heads. A tenth
// of the nouns is not looked at before the end; the network that is tested and asked then has been saved and loaded.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/nn"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	var o options
	flag.StringVar(&o.out, "out", filepath.Join("glosses", "out"), "write the network to this `folder`")
	flag.IntVar(&o.epochs, "epochs", 10, "train for at most this `many` epochs")
	flag.Uint64Var(&o.seed, "seed", 1, "`seed` of the split, the weights and the order of the nouns")
	flag.Parse()
	nouns, err := readNouns(strings.NewReader(glossesTSV))
	if err == nil {
		_, err = run(ctx, o, nouns, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "glosses:", err)
		os.Exit(1)
	}
}

type options struct {
	out    string
	epochs int
	seed   uint64
}

// questions are about definitions that were made up.
var questions = []noun{
	{gloss: "a small furry animal with whiskers that is kept as a pet and hunts mice", table: common},
	{gloss: "someone who repairs shoes", table: common},
	{gloss: "a machine that turns steam into motion", table: common},
	{gloss: "the state of being late for work", table: common},
	{gloss: "a city in the north of France", table: []float32{1, 0, 0, 0, 0, 1}},
	{gloss: "a tall evergreen tree with edible nuts", table: common},
	{gloss: "the act of forgetting to water a plant", table: common},
}

var common = []float32{1, 0, 0, 0, 0, 0} // one word and no more known of it

// run trains a network, saves it, loads it and returns the logs of its test.
func run(ctx context.Context, o options, nouns []noun, w io.Writer) (nn.Logs, error) {
	if len(nouns) < 20 {
		return nil, fmt.Errorf("%d nouns are too few", len(nouns))
	}
	nouns = slices.Clone(nouns)
	rand.New(rand.NewPCG(o.seed, 0)).Shuffle(len(nouns), func(i, j int) { nouns[i], nouns[j] = nouns[j], nouns[i] })
	tenth := len(nouns) / 10
	test, validation, training := nouns[:tenth], nouns[tenth:2*tenth], nouns[2*tenth:]
	vocabulary := newVocabulary(training)

	m, err := newModel(o.seed, vocabulary, training)
	if err != nil {
		return nil, err
	}
	if err := m.Summary(w); err != nil {
		return nil, err
	}
	_, err = m.Fit(ctx, vocabulary.data(training), nn.Epochs(o.epochs), nn.BatchSize(32), nn.Seed(o.seed), nn.Workers(runtime.GOMAXPROCS(0)),
		nn.ValidationData(vocabulary.data(validation)), nn.Verbose(w),
		nn.Callbacks(nn.EarlyStopping{Patience: 2, RestoreBest: true}.Callback()))
	if err != nil {
		return nil, err
	}

	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(o.out, "glosses.safetensors")
	if err := m.Save(path); err != nil {
		return nil, err
	}
	if m, err = nn.Load(path); err != nil {
		return nil, err
	}
	logs, err := m.Evaluate(ctx, vocabulary.data(test))
	if err != nil {
		return nil, err
	}
	category, depth := baselines(training, test)
	fmt.Fprintf(w, "\nsaved as %s and loaded; of %d nouns it has not seen:\n", path, len(test))
	fmt.Fprintf(w, "category: %.1f %% right; always the most frequent one: %.1f %%\n", 100*logs["category_accuracy"], 100*category)
	fmt.Fprintf(w, "depth: off by %.2f steps; always the mean: %.2f\n\n", logs["depth_mae"], depth)
	return logs, ask(m, vocabulary, w)
}

// newModel returns the network: an encoder of texts beside one of tables, and two heads.
func newModel(seed uint64, v vocabulary, training []noun) (*nn.Model, error) {
	var tables nn.Floats
	var sum float64
	for _, n := range training {
		tables, sum = append(tables, n.table...), sum+float64(n.depth)
	}
	gloss, table := nn.Input("gloss", length), nn.Input("table", len(columns))

	text := nn.Embedding(unknown+1+len(v), 48, nn.MaskZero()).On(gloss)
	text = nn.GRU(64, nn.Name("reader")).On(nn.Dropout(0.3).On(text))
	facts := nn.Dense(16, nn.ReLU, nn.Name("facts")).On(nn.Normalization(nn.Adapt(tables)).On(table))
	h := nn.Dense(64, nn.ReLU, nn.Name("both")).On(nn.Concatenate().On(text, facts))
	h = nn.Dropout(0.3).On(h)
	category := nn.Dense(len(categories), nn.Softmax, nn.Name("category")).On(h)
	depth := nn.Dense(1, nn.Linear, nn.Name("depth"), nn.BiasInitializer(nn.Constant(sum/float64(len(training))))).On(h)

	m, err := nn.NewModel([]*nn.Node{gloss, table}, []*nn.Node{category, depth}, nn.Seed(seed))
	if err != nil {
		return nil, err
	}
	return m, m.Compile(nn.Adam(2e-3),
		nn.Losses{"category": nn.SparseCategoricalCrossentropy(), "depth": nn.MSE()},
		nn.LossWeights{"depth": 0.2},
		nn.Metrics{"category": {nn.Accuracy()}, "depth": {nn.MAE()}})
}

// baselines returns how often the most frequent category is right, and how far off the mean depth is, on average.
func baselines(training, test []noun) (accuracy, off float64) {
	counts, sum := make([]int, len(categories)), 0.0
	for _, n := range training {
		counts[n.category]++
		sum += float64(n.depth)
	}
	mean, frequent := sum/float64(len(training)), slices.Index(counts, slices.Max(counts))
	for _, n := range test {
		if n.category == frequent {
			accuracy++
		}
		off += math.Abs(float64(n.depth) - mean)
	}
	return accuracy / float64(len(test)), off / float64(len(test))
}

// ask serves the questions from a plan and prints the answers.
func ask(m *nn.Model, v vocabulary, w io.Writer) error {
	plan, err := nn.NewPlan(m, len(questions))
	if err != nil {
		return err
	}
	inputs := v.data(questions).Inputs
	chances, depths := make([]float32, len(questions)*len(categories)), make([]float32, len(questions))
	if err := plan.Predict([][]float32{inputs["gloss"].(nn.Floats), inputs["table"].(nn.Floats)}, [][]float32{chances, depths}, len(questions)); err != nil {
		return err
	}
	for i, q := range questions {
		row := chances[i*len(categories):][:len(categories)]
		likely := slices.Max(row)
		fmt.Fprintf(w, "%-75s %s (%.0f %%), %.1f steps below \"entity\"\n", q.gloss, categories[slices.Index(row, likely)], 100*likely, depths[i])
	}
	return nil
}
