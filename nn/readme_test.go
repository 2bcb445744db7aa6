package nn_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/nn"
)

// The program that README.md shows under Serving, with the model of its first one.
func Example_serve() {
	m := newShop()
	customers, pages := make([]float32, 3*2), make([]float32, 3*3)
	for i := range customers {
		customers[i] = float32(i) / 8
	}
	// README: from here
	plan, err := nn.NewPlan(m, 256) // m may be from nn.LoadFS(files, "shop.safetensors", nn.ForServing())
	check(err)
	const rows = 3
	chances, euros := make([]float32, rows), make([]float32, rows)
	check(plan.Predict([][]float32{customers, pages}, [][]float32{chances, euros}, rows)) // from any goroutine

	s := plan.NewSession() // or the fastest way: the memory of one goroutine
	copy(s.Input(0), customers[:2])
	copy(s.Input(1), pages[:3])
	check(s.Run(1))
	fmt.Println(s.Output(1)[0] == euros[0]) // a row has the same bits in any batch
	// README: to here

	// Output: true
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func newShop() *nn.Model {
	customer, page := nn.Input("customer", 2), nn.Input("page", 3)
	trunk := nn.Dense(32, nn.ReLU).On(nn.Concatenate().On(nn.Dense(16, nn.ReLU).On(customer), nn.Dense(16, nn.ReLU).On(page)))
	m, err := nn.NewModel([]*nn.Node{customer, page}, []*nn.Node{
		nn.Dense(1, nn.Sigmoid, nn.Name("buys")).On(trunk), nn.Dense(1, nn.Linear, nn.Name("amount")).On(trunk)})
	check(err)
	return m
}

// The programs of README.md are those that run: the first one is examples/quickstart, the second one an example of this file.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	require.NoError(t, err)
	first, err := os.ReadFile(filepath.Join("..", "examples", "quickstart", "main.go"))
	require.NoError(t, err)
	source, err := os.ReadFile("readme_test.go")
	require.NoError(t, err)
	_, second, _ := strings.Cut(string(source), "\t// README: from here\n")
	second, _, _ = strings.Cut(second, "\t// README: to here")
	blocks := strings.Split(string(readme), "```go\n")[1:]
	require.Len(t, blocks, 2)
	for i, want := range []string{string(first), strings.ReplaceAll("\n"+second, "\n\t", "\n")[1:]} {
		shown, _, _ := strings.Cut(blocks[i], "```")
		require.Equal(t, want, shown)
	}
}
