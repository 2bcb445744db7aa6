package nn_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// The program that README.md shows. TestReadme keeps the two equal.
func Example() {
	x, c, labels, values := shop()
	// README: from here
	features, history := nn.Input("features", 32), nn.Input("context", 8)
	trunk := nn.Dense(64, nn.ReLU, nn.Name("trunk")).On(nn.Concatenate().On(features, history))
	label := nn.Dense(10, nn.Softmax, nn.Name("label")).On(trunk)
	value := nn.Dense(1, nn.Linear, nn.Name("value")).On(trunk)
	m, err := nn.NewModel([]*nn.Node{features, history}, []*nn.Node{label, value})
	if err != nil {
		log.Fatal(err) // names the layer and says what would fit
	}
	err = m.Compile(nn.Adam(1e-3),
		nn.Losses{"label": nn.SparseCategoricalCrossentropy(), "value": nn.MSE()},
		nn.Metrics{"label": {nn.Accuracy()}, "value": {nn.MAE()}})
	if err != nil {
		log.Fatal(err)
	}
	data := nn.Data{
		Inputs:  nn.Arrays{"features": nn.Floats(x), "context": nn.Floats(c)},
		Targets: nn.Arrays{"label": nn.Labels(labels), "value": nn.Floats(values)},
	}
	logs, err := m.Fit(context.Background(), data, nn.Epochs(20), nn.BatchSize(64), nn.ValidationSplit(0.2))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("accuracy %.2f\n", logs.Logs["val_label_accuracy"][19])
	// README: to here

	// Output: accuracy 1.00
}

// shop generates customers whose label and value depend on both inputs.
func shop() (x, c []float32, labels []int32, values []float32) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		label := random.IntN(10)
		for j := range 32 {
			v := float32(random.NormFloat64()) * 0.5
			if j == label {
				v += 4
			}
			x = append(x, v)
		}
		sum := float32(0)
		for range 8 {
			v := float32(random.NormFloat64())
			c, sum = append(c, v), sum+v
		}
		labels, values = append(labels, int32(label)), append(values, sum/8+float32(label)/10)
	}
	return x, c, labels, values
}

// The second program that README.md shows: it serves the model of the first.
func Example_serve() {
	x, c, _, _ := shop()
	m := newShopModel()
	// README: from here
	plan, err := nn.NewPlan(m, 256) // m may be from nn.LoadFS(files, "model.safetensors", nn.ForServing())
	if err != nil {
		log.Fatal(err)
	}
	rows := 3
	labels, values := make([]float32, rows*10), make([]float32, rows)
	err = plan.Predict([][]float32{x, c}, [][]float32{labels, values}, rows) // from any goroutine
	if err != nil {
		log.Fatal(err)
	}

	s := plan.NewSession() // or this, at most speed: one goroutine's memory
	copy(s.Input(0), x[:32])
	copy(s.Input(1), c[:8])
	err = s.Run(1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Output(1)[0] == values[0]) // the same bits in any batch
	// README: to here

	// Output: true
}

func newShopModel() *nn.Model {
	features, history := nn.Input("features", 32), nn.Input("context", 8)
	trunk := nn.Dense(64, nn.ReLU, nn.Name("trunk")).On(nn.Concatenate().On(features, history))
	m, err := nn.NewModel([]*nn.Node{features, history}, []*nn.Node{
		nn.Dense(10, nn.Softmax, nn.Name("label")).On(trunk), nn.Dense(1, nn.Linear, nn.Name("value")).On(trunk)})
	if err != nil {
		log.Fatal(err)
	}
	return m
}

func TestReadme(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	require.NoError(t, err)
	source, err := os.ReadFile("readme_test.go")
	require.NoError(t, err)
	programs := strings.Split(string(source), "\t// README: from here\n")[1:]
	blocks := strings.Split(string(readme), "```go\n")[1:]
	require.Len(t, blocks, 2)
	for i, block := range blocks {
		shown, _, _ := strings.Cut(block, "```")
		run, _, found := strings.Cut(programs[i], "\t// README: to here")
		require.True(t, found)
		require.Equal(t, strings.ReplaceAll("\n"+run, "\n\t", "\n")[1:], shown)
	}
}
