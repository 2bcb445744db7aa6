package nn_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"math"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/nn"
)

// circle returns points of the unit square's grid, whether each lies in a circle, and its distance from the center.
func circle(side int) nn.Data {
	var points, distances nn.Floats
	var inside nn.Labels
	for i := range side * side {
		x, y := 2*float64(i%side)/float64(side-1)-1, 2*float64(i/side)/float64(side-1)-1
		points = append(points, float32(x), float32(y))
		d := math.Hypot(x, y)
		distances = append(distances, float32(d))
		label := int32(0)
		if d < 0.8 {
			label = 1
		}
		inside = append(inside, label)
	}
	return nn.Data{
		Inputs:  nn.Arrays{"point": points},
		Targets: nn.Arrays{"inside": inside, "distance": distances},
	}
}

// circleModel returns a model for circle that is ready to be trained.
func circleModel() *nn.Model {
	point := nn.Input("point", 2)
	trunk := nn.Dense(16, nn.Tanh, nn.Name("trunk")).On(point)
	inside := nn.Dense(2, nn.Softmax, nn.Name("inside")).On(trunk)
	distance := nn.Dense(1, nn.Linear, nn.Name("distance")).On(trunk)
	m, err := nn.NewModel([]*nn.Node{point}, []*nn.Node{inside, distance}, nn.Seed(1))
	if err != nil {
		log.Fatal(err)
	}
	err = m.Compile(nn.Adam(0.02),
		nn.Losses{"inside": nn.SparseCategoricalCrossentropy(), "distance": nn.MSE()},
		nn.Metrics{"inside": {nn.Accuracy()}})
	if err != nil {
		log.Fatal(err)
	}
	return m
}

func ExampleModel_Fit() {
	m := circleModel()
	history, err := m.Fit(context.Background(), circle(20), nn.Epochs(60), nn.BatchSize(50), nn.Seed(1))
	if err != nil {
		log.Fatal(err)
	}
	loss := history.Logs["loss"]
	fmt.Println(history.Names())
	fmt.Println(len(loss), "epochs, loss fell to a fifth:", loss[59] < loss[0]/5)

	y, err := m.Predict(nn.Arrays{"point": nn.Floats{0, 0, 0.9, 0.9}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("center inside: %.0f, corner inside: %.0f\n", y["inside"].Row(0)[1], y["inside"].Row(1)[1])
	// Output:
	// [distance_loss inside_accuracy inside_loss loss]
	// 60 epochs, loss fell to a fifth: true
	// center inside: 1, corner inside: 0
}

func ExampleModel_Evaluate() {
	m := circleModel()
	before, err := m.Evaluate(context.Background(), circle(11))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := m.Fit(context.Background(), circle(20), nn.Epochs(60), nn.BatchSize(50)); err != nil {
		log.Fatal(err)
	}
	after, err := m.Evaluate(context.Background(), circle(11))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("better on other points:", after["loss"] < before["loss"] && after["inside_accuracy"] > 0.9)
	// Output: better on other points: true
}

// A training loop of one's own.
func ExampleModel_TrainOnBatch() {
	m, d := circleModel(), circle(10)
	first := 0.0
	for step := range 200 {
		logs, err := m.TrainOnBatch(d)
		if err != nil {
			log.Fatal(err)
		}
		if step == 0 {
			first = logs["loss"]
		} else if logs["loss"] < first/2 {
			fmt.Println("the loss has halved")
			return
		}
	}
	// Output: the loss has halved
}

// Data that does not fit in memory comes in chunks; batches run across their borders.
func ExampleStream() {
	all := circle(20)
	points, inside, distances := all.Inputs["point"].(nn.Floats), all.Targets["inside"].(nn.Labels), all.Targets["distance"].(nn.Floats)
	stream := nn.Stream(func() iter.Seq2[nn.Data, error] {
		return func(yield func(nn.Data, error) bool) {
			const rows = 90
			for from := 0; from < len(inside); from += rows { // in earnest, read from a file here
				to := min(from+rows, len(inside))
				chunk := nn.Data{
					Inputs:  nn.Arrays{"point": points[2*from : 2*to]},
					Targets: nn.Arrays{"inside": inside[from:to], "distance": distances[from:to]},
				}
				if !yield(chunk, nil) {
					return
				}
			}
		}
	})
	var batches int
	count := nn.Callback{BatchEnd: func(nn.Progress) error { batches++; return nil }}
	history, err := circleModel().Fit(context.Background(), stream, nn.Epochs(2), nn.BatchSize(50), nn.Callbacks(count))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(batches, "batches, loss fell:", history.Logs["loss"][1] < history.Logs["loss"][0])
	// Output: 16 batches, loss fell: true
}

// Chunks that take time to read are read while the model trains on the one before.
func ExampleStream_Prefetch() {
	stream := nn.Stream(func() iter.Seq2[nn.Data, error] {
		return func(yield func(nn.Data, error) bool) {
			for range 5 {
				if !yield(circle(10), nil) { // in earnest, read and decode a file here
					return
				}
			}
		}
	})
	history, err := circleModel().Fit(context.Background(), stream.Prefetch(), nn.Epochs(2))
	fmt.Println(len(history.Epochs), "epochs", err)
	// Output: 2 epochs <nil>
}

// Where does the time of a training step go?
func ExampleProfile() {
	var table strings.Builder
	_, err := circleModel().Fit(context.Background(), circle(20), nn.Profile(&table))
	if err != nil {
		log.Fatal(err)
	}
	for _, line := range strings.Split(table.String(), "\n") {
		if _, name, ok := strings.Cut(line, "%  "); ok {
			fmt.Println(name)
		}
	}
	// Output:
	// layer "trunk" (Dense)
	// layer "inside" (Dense)
	// layer "distance" (Dense)
	// losses and metrics
	// update
	// data
	// callbacks
}

// Two workers share what is large; the result is the same.
func ExampleWorkers() {
	data := circle(20)
	one, two := circleModel(), circleModel()
	for workers, m := range map[int]*nn.Model{1: one, 2: two} {
		if _, err := m.Fit(context.Background(), data, nn.Workers(workers)); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(slices.Equal(one.Weights()[0].Data, two.Weights()[0].Data))
	// Output: true
}

// Training that leaves the range of numbers is an error that a program can tell from others, such as to try a lower rate.
func ExampleErrNonFinite() {
	for _, rate := range []float64{1e30, 0.1} {
		m := circleModel()
		if err := m.SetLearningRate(rate); err != nil {
			log.Fatal(err)
		}
		_, err := m.Fit(context.Background(), circle(20))
		fmt.Println(rate, errors.Is(err, nn.ErrNonFinite))
	}
	// Output:
	// 1e+30 true
	// 0.1 false
}

// While one call trains a model, others that would train it are errors; Evaluate is not.
func ExampleErrBusy() {
	data := circle(10)
	_, err := circleModel().Fit(context.Background(), data, nn.Callbacks(nn.Callback{EpochEnd: func(p nn.Progress) error {
		_, err := p.Model.Evaluate(context.Background(), data)
		fmt.Println(err)
		_, err = p.Model.TrainOnBatch(data)
		fmt.Println(errors.Is(err, nn.ErrBusy))
		return nil
	}}))
	fmt.Println(err)
	// Output:
	// <nil>
	// true
	// <nil>
}

func ExampleErrNotCompiled() {
	x := nn.Input("x", 2)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(1, nn.Linear).On(x)})
	if err != nil {
		log.Fatal(err)
	}
	_, err = m.Fit(context.Background(), nn.Data{})
	fmt.Println(errors.Is(err, nn.ErrNotCompiled))
	// Output: true
}

// A callback computes a log of its own, which another one watches.
func ExampleCallback_logs() {
	test := circle(11)
	hits := nn.Callback{
		Logs: []string{"hits"},
		EpochEnd: func(p nn.Progress) error {
			y, err := p.Model.Predict(test.Inputs)
			if err != nil {
				return err
			}
			for i, label := range test.Targets["inside"].(nn.Labels) {
				if y["inside"].Row(i)[label] > 0.5 {
					p.Logs["hits"]++
				}
			}
			return nil
		},
	}
	stop := nn.EarlyStopping{Monitor: "hits", Mode: "max", Patience: 10, RestoreBest: true}.Callback()
	m := circleModel()
	history, err := m.Fit(context.Background(), circle(20), nn.Epochs(1000), nn.Callbacks(hits, stop))
	fmt.Println("stopped early:", len(history.Epochs) < 1000, err)
	// Output: stopped early: true <nil>
}

func ExampleCallback() {
	report := nn.Callback{
		Begin: func(p nn.Progress) error {
			fmt.Println("at most", p.Epochs, "epochs of", p.Batches, "batches")
			return nil
		},
		EpochEnd: func(p nn.Progress) error {
			if p.Logs["val_inside_accuracy"] > 0.8 {
				return nn.ErrStop // not an error: Fit ends early
			}
			return nil
		},
	}
	history, err := circleModel().Fit(context.Background(), circle(20), nn.Epochs(500), nn.BatchSize(50),
		nn.ValidationData(circle(11)), nn.Callbacks(report))
	fmt.Println("stopped early:", len(history.Epochs) < 500, err)
	// Output:
	// at most 500 epochs of 8 batches
	// stopped early: true <nil>
}
