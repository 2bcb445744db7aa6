package nn_test

import (
	"context"
	"fmt"
	"log"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/nn"
)

// A metric of a model is logged like any other one.
func ExampleAUC() {
	x := nn.Input("x", 1)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Sigmoid, nn.Name("late")).On(x)})
	if err != nil {
		log.Fatal(err)
	}
	err = m.Compile(nn.Adam(0.1), nn.Losses{"late": nn.BinaryCrossentropy()}, nn.Metrics{"late": {nn.AUC(nn.Curve("PR"))}})
	if err != nil {
		log.Fatal(err)
	}
	data := nn.Data{
		Inputs:  nn.Arrays{"x": nn.Floats{-2, -1, 1, 2}},
		Targets: nn.Arrays{"late": nn.Floats{0, 0, 1, 1}},
	}
	stop := nn.EarlyStopping{Monitor: "auc", Patience: 20}
	history, err := m.Fit(context.Background(), data, nn.Epochs(50), nn.Callbacks(stop.Callback()))
	if err != nil {
		log.Fatal(err)
	}
	auc := history.Logs["auc"]
	fmt.Printf("%.2f\n", auc[len(auc)-1])
	// Output: 1.00
}

// A meter measures any numbers, also without a model.
func ExampleThresholds() {
	scores, clicked := []float32{0.91, 0.72, 0.6, 0.3}, []float32{1, 1, 0, 1}
	meter, err := nn.AUC(nn.Thresholds(1000)).Start(nn.Output{Shape: nn.Shape{1}, Targets: nn.Probabilities})
	if err != nil {
		log.Fatal(err)
	}
	meter.Add(kernels.MatrixOf(scores, 4, 1), nn.Target{Values: kernels.MatrixOf(clicked, 4, 1)}, nil)
	fmt.Printf("%.3f\n", meter.Value())
	// Output: 0.667
}
