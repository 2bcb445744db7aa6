package nn_test

import (
	"fmt"

	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/plan"
)

// NewPlan records a model on the recorder of package plan. What writes a model in another format has one of its own.
func ExampleModel_Record() {
	x := nn.Input("features", 2)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Sigmoid, nn.Name("click")).On(x)})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := plan.NewRecorder()
	if err := m.Record(r); err != nil {
		fmt.Println(err)
		return
	}
	p, err := r.Plan(plan.Config{MaxBatch: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.InputNames(), p.OutputNames())
	// Output: [features] [click]
}
