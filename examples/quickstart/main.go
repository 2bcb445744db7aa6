// Quickstart trains a model with two inputs and two outputs, and serves it.
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/espalier-ml/espalier/nn"
)

func main() {
	// 2,000 visits of a shop, made up: two numbers about the customer, three about the page, whether they bought, and for how much.
	var customers, pages, amounts nn.Floats
	var bought nn.Labels
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		c, p := random.Float32(), random.Float32()
		customers = append(customers, c, random.Float32())
		pages = append(pages, p, random.Float32(), random.Float32())
		amounts = append(amounts, 2*c+p)
		if c*p > 0.25 {
			bought = append(bought, 1)
		} else {
			bought = append(bought, 0)
		}
	}

	// The model: an encoder for each input, a trunk, two heads.
	customer, page := nn.Input("customer", 2), nn.Input("page", 3)
	both := nn.Concatenate().On(nn.Dense(16, nn.ReLU).On(customer), nn.Dense(16, nn.ReLU).On(page))
	trunk := nn.Dense(32, nn.ReLU, nn.Name("trunk")).On(both)
	buys := nn.Dense(1, nn.Sigmoid, nn.Name("buys")).On(trunk)
	amount := nn.Dense(1, nn.Linear, nn.Name("amount")).On(trunk)
	m, err := nn.NewModel([]*nn.Node{customer, page}, []*nn.Node{buys, amount})
	check(err)

	// Training: a loss and metrics for each head.
	check(m.Compile(nn.Adam(0.01),
		nn.Losses{"buys": nn.BinaryCrossentropy(), "amount": nn.MSE()},
		nn.Metrics{"buys": {nn.Accuracy()}, "amount": {nn.MAE()}}))
	data := nn.Data{
		Inputs:  nn.Arrays{"customer": customers, "page": pages},
		Targets: nn.Arrays{"buys": bought, "amount": amounts},
	}
	history, err := m.Fit(context.Background(), data, nn.Epochs(30), nn.ValidationSplit(0.2))
	check(err)
	fmt.Printf("of visits it has not seen, it is right about %.0f %%\n", 100*history.Last("val_buys_accuracy"))

	// Serving: a plan answers in well under a microsecond, from any goroutine, without allocating.
	plan, err := nn.NewPlan(m, 64)
	check(err)
	chance, euros := make([]float32, 1), make([]float32, 1)
	check(plan.Predict([][]float32{{0.6, 0.5}, {0.44, 0.1, 0.2}}, [][]float32{chance, euros}, 1))
	fmt.Printf("this one buys with %.0f %%, for %.1f euros\n", 100*chance[0], euros[0])
}

func check(err error) {
	if err != nil {
		log.Fatal(err) // it names the layer, the input or the file, and what would be valid
	}
}
