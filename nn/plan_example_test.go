package nn_test

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"testing/fstest"

	"github.com/espalier-ml/espalier/nn"
)

// newRanker returns a model of two inputs and two outputs with known weights.
func newRanker() *nn.Model {
	user, item := nn.Input("user", 2), nn.Input("item", 2)
	h := nn.Dense(2, nn.ReLU, nn.Name("trunk")).On(nn.Concatenate().On(user, item))
	m, err := nn.NewModel([]*nn.Node{user, item}, []*nn.Node{
		nn.Dense(1, nn.Linear, nn.Name("watch")).On(h),
		nn.Dense(2, nn.Softmax, nn.Name("click")).On(h),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.SetWeights(map[string][]float32{
		"trunk/kernel": {1, 0, 0, 1, 1, 0, 0, 1}, "trunk/bias": {0, 0},
		"watch/kernel": {10, 1}, "watch/bias": {0.5},
		"click/kernel": {0, 0, 0, 0}, "click/bias": {0, 0},
	}); err != nil {
		log.Fatal(err)
	}
	return m
}

func ExampleNewPlan() {
	plan, err := nn.NewPlan(newRanker(), 64)
	if err != nil {
		log.Fatal(err)
	}
	s := plan.NewSession() // one for each goroutine
	copy(s.Input(0), []float32{1, 2})
	copy(s.Input(1), []float32{3, 4})
	if err := s.Run(1); err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Output(0)[:1], s.Output(1)[:2])
	// Output: [46.5] [0.5 0.5]
}

func ExamplePlan_Predict() {
	plan, err := nn.NewPlan(newRanker(), 64)
	if err != nil {
		log.Fatal(err)
	}
	users, items := []float32{1, 2, 1, 2}, []float32{3, 4, 0, 0} // two rows each
	watch, click := make([]float32, 2), make([]float32, 4)
	if err := plan.Predict([][]float32{users, items}, [][]float32{watch, click}, 2); err != nil {
		log.Fatal(err)
	}
	fmt.Println(watch, click)
	// Output: [46.5 12.5] [0.5 0.5 0.5 0.5]
}

func ExampleSession_RunOn() {
	plan, err := nn.NewPlan(newRanker(), 64)
	if err != nil {
		log.Fatal(err)
	}
	s := plan.NewSession()
	watch, click := make([]float32, 1), make([]float32, 2)
	if err := s.RunOn([][]float32{{1, 2}, {3, 4}}, [][]float32{watch, click}, 1); err != nil {
		log.Fatal(err)
	}
	fmt.Println(watch, click)
	// Output: [46.5] [0.5 0.5]
}

func ExamplePlan_Describe() {
	plan, err := nn.NewPlan(newRanker(), 64)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan.InputNames(), plan.OutputNames(), plan.MaxBatch())
	if err := plan.Describe(os.Stderr); err != nil {
		log.Fatal(err)
	}
	// Output: [user item] [watch click] 64
}

func ExampleForServing() {
	var file bytes.Buffer
	if _, err := newRanker().WriteTo(&file); err != nil {
		log.Fatal(err)
	}
	models := fstest.MapFS{"ranker.safetensors": {Data: file.Bytes()}} // or an embed.FS

	m, err := nn.LoadFS(models, "ranker.safetensors", nn.ForServing())
	if err != nil {
		log.Fatal(err)
	}
	plan, err := nn.NewPlan(m, 64)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan.InputFeatures(0), plan.OutputFeatures(1))
	// Output: 2 2
}

// A service takes a new model without a pause.
func ExampleHandle() {
	plan, err := nn.NewPlan(newRanker(), 64)
	if err != nil {
		log.Fatal(err)
	}
	serving := nn.NewHandle(plan)

	better := newRanker()
	if err := better.SetWeights(map[string][]float32{"watch/bias": {100}}); err != nil {
		log.Fatal(err)
	}
	next, err := nn.NewPlan(better, 64, nn.Workers(1))
	if err != nil {
		log.Fatal(err)
	}
	if err := serving.Swap(next); err != nil {
		log.Fatal(err)
	}
	watch, click := make([]float32, 1), make([]float32, 2)
	if err := serving.Predict([][]float32{{1, 2}, {3, 4}}, [][]float32{watch, click}, 1); err != nil {
		log.Fatal(err)
	}
	fmt.Println(watch)
	// Output: [146]
}

// A file from elsewhere may ask for more memory than there should be: the error says how much.
func ExampleMaxBytes() {
	x := nn.Input("x", 1000)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1000, nn.Linear, nn.Name("y")).On(x)})
	if err != nil {
		panic(err)
	}
	var file bytes.Buffer
	if _, err := m.WriteTo(&file); err != nil {
		panic(err)
	}
	_, err = nn.Read(&file, nn.MaxBytes(1<<20))
	fmt.Println(err)
	// Output: nn: Read: has values of 4004000 bytes, MaxBytes allows 1048576
}
