package multitask_test

import (
	"encoding/json"
	"fmt"

	"github.com/espalier-ml/espalier/multitask"
)

// From the losses: the weights of the total loss.
func ExampleBalancer() {
	s := &multitask.Step{Losses: []float64{1, 4}, Seed: 1}
	s.Epochs = [][]float64{{2, 5}, {1, 4.5}} // the first task learns faster
	for _, b := range []multitask.Balancer{
		multitask.Sum(), multitask.Mean(), multitask.Constant(1, 0.25), multitask.DWA(2), multitask.GeometricMean(),
		multitask.ScaleInvariant(), multitask.FAMO(0.025, 0.001), multitask.STCH(1, nil, nil), multitask.LogSTCH(1, 4),
		multitask.COSMOS(1, 0.5, 0.5), multitask.PBI(5, nil, nil), multitask.Random(),
	} {
		if err := b.Balance(s); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%-14s %.3f\n", b.Name(), s.Weights)
	}
	// Output:
	// Sum            [1.000 1.000]
	// Mean           [0.500 0.500]
	// Constant       [1.000 0.250]
	// DWA            [0.900 1.100]
	// GeometricMean  [1.000 0.250]
	// ScaleInvariant [1.000 0.250]
	// FAMO           [0.800 0.200]
	// STCH           [0.091 0.409]
	// LogSTCH        [1.000 0.250]
	// COSMOS         [0.379 0.530]
	// PBI            [-2.828 4.243]
	// Random         [0.203 0.797]
}

// Learned weights: an optimizer steps the parameters along with the model.
func ExampleLearner() {
	s := &multitask.Step{Losses: []float64{1, 4}, Gramian: []float64{1, 0, 0, 100}, Epochs: [][]float64{{2, 5}}}
	grad := make([]float64, 2)
	for _, b := range []multitask.Learner{multitask.Uncertainty(), multitask.IMTLL(), multitask.IMTL(), multitask.GradNorm(1.5)} {
		for range 50 {
			if err := b.Balance(s); err != nil {
				fmt.Println(err)
				return
			}
			b.Gradient(grad, s)
			for i, g := range grad {
				b.Parameters()[i] -= 0.01 * g
			}
		}
		fmt.Printf("%-11s %.3f\n", b.Name(), s.Weights)
	}
	// Output:
	// Uncertainty [0.722 0.370]
	// IMTL-L      [1.000 0.460]
	// IMTL        [0.821 0.082]
	// GradNorm    [1.646 0.354]
}

// From the gradients of the shared layers: weights that follow from their products.
func ExampleGramian() {
	jacobian := [][]float32{{-4, 1, 1}, {6, 1, 1}, {1, 2, 0}}
	s := &multitask.Step{Losses: []float64{1, 1, 1}, Gramian: make([]float64, 9), Seed: 1}
	multitask.Gramian(s.Gramian, jacobian)
	for _, b := range []multitask.Balancer{
		multitask.UPGrad(), multitask.DualProj(), multitask.MGDA(multitask.Plain), multitask.CAGrad(0.5, 0), multitask.PCGrad(), multitask.PCGradOrdered(),
		multitask.GradVac(0.5), multitask.GradVacOrdered(0.5), multitask.IMTLG(), multitask.ConFIG(), multitask.AlignedMTL(multitask.Median),
		multitask.NashMTL(1), multitask.FairGrad(1), multitask.Krum(0, 2), multitask.CRMOGM(multitask.UPGrad(), 0.9),
		// These two want the products of two independent batches' gradients.
		multitask.MoDo(0.1, 0.1), multitask.SDMGrad(0.3, 20),
	} {
		if err := b.Balance(s); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%-14s %.3f\n", b.Name(), s.Weights)
	}
	// Output:
	// UPGrad         [0.778 0.526 0.333]
	// DualProj       [0.444 0.333 0.333]
	// MGDA           [0.600 0.400 0.000]
	// CAGrad         [0.545 0.333 0.333]
	// PCGrad         [2.333 1.495 1.400]
	// PCGradOrdered  [2.333 1.579 1.000]
	// GradVac        [2.333 1.495 1.400]
	// GradVacOrdered [2.333 1.579 1.000]
	// IMTL-G         [0.888 0.704 -0.592]
	// ConFIG         [1.656 1.312 -1.104]
	// AlignedMTL     [0.457 0.311 0.224]
	// NashMTL        [0.309 0.187 0.185]
	// FairGrad       [0.535 0.324 0.320]
	// Krum           [0.500 0.500 0.000]
	// CR-MOGM        [0.778 0.526 0.333]
	// MoDo           [0.783 0.000 0.217]
	// SDMGrad        [0.077 0.846 0.077]
}

// From the gradients themselves: the gradient of the shared layers.
func ExampleStep() {
	s := &multitask.Step{Losses: []float64{1, 2, 4}, Jacobian: [][]float32{{-4, 1, 1}, {6, 1, 1}, {1, 2, 0}}, Seed: 1}
	for _, b := range []multitask.Balancer{
		multitask.GradDrop(0, 0, 0.5), multitask.TrimmedMean(1), multitask.DBMTL(0.9, 0.5), multitask.ExcessMTL(1, 0),
		multitask.MoCo(multitask.MoCoRates{Beta: 0.5, BetaDecay: 0.5, Gamma: 0.1, GammaDecay: 0.5}),
	} {
		if err := b.Balance(s); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%-11s %.3f\n", b.Name(), s.Gradient)
	}
	// Output:
	// GradDrop    [7.000 4.000 2.000]
	// TrimmedMean [1.000 1.000 1.000]
	// DB-MTL      [0.203 0.548 0.169]
	// ExcessMTL   [4.786 1.006 0.994]
	// MoCo        [0.428 0.638 0.097]
}

// A method by name, saved and resumed.
func ExampleNew() {
	fmt.Println(len(multitask.Names()), "methods")
	b, err := multitask.New("GradVac")
	if err != nil {
		fmt.Println(err)
		return
	}
	s := &multitask.Step{Losses: []float64{1, 1}, Gramian: []float64{1, 0.5, 0.5, 1}}
	if err := b.Balance(s); err != nil {
		fmt.Println(err)
		return
	}
	file, err := json.Marshal(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(file))
	resumed, err := multitask.New(b.Name())
	if err == nil {
		err = json.Unmarshal(file, resumed)
	}
	fmt.Println(resumed.Name(), resumed.Needs() == multitask.FromGramian, err)
	// Output:
	// 38 methods
	// {"beta":0.5,"cosines":[0,0.25,0.25,0]}
	// GradVac true <nil>
}
