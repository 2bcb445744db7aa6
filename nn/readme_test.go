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

func TestReadme(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	require.NoError(t, err)
	source, err := os.ReadFile("readme_test.go")
	require.NoError(t, err)
	_, shown, _ := strings.Cut(string(readme), "```go\n")
	shown, _, found := strings.Cut(shown, "```")
	require.True(t, found, "README.md has a Go block")
	_, run, _ := strings.Cut(string(source), "// README: from here\n")
	run, _, found = strings.Cut(run, "\t// README: to here")
	require.True(t, found)
	require.Equal(t, strings.ReplaceAll(run, "\n\t", "\n")[1:], shown)
}
