// Tables trains a model on a file of comma-separated values, and answers requests with it:
//
//	go run -C examples ./tables                        # trains, and saves the model with everything that reads its records
//	go run -C examples ./tables -serve localhost:8080  # another process, which needs that file alone
//	curl -d '{"island": "Dream", "bill_length_mm": 46.5, "flipper_length_mm": 192, "sex": null, "year": 2009}' localhost:8080
//
// The answer is the species of a penguin and its weight in grams, from one network.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/prep"
)

func main() {
	table := flag.String("table", filepath.Join("penguins", "penguins.csv"), "train on this `file`")
	model := flag.String("model", filepath.Join("tables", "out", "penguins.safetensors"), "the `file` of the model")
	serve := flag.String("serve", "", "do not train, answer requests at this `address`")
	flag.Parse()
	var err error
	if *serve == "" {
		err = train(*table, *model, os.Stdout)
	} else {
		var h http.Handler
		if h, err = handler(*model); err == nil {
			fmt.Println("answering at http://" + *serve)
			err = http.ListenAndServe(*serve, h)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tables:", err)
		os.Exit(1)
	}
}

// number is a column of numbers that may have gaps.
func number(name string) *prep.Feature {
	return prep.Column(name, &prep.Imputer{Strategy: prep.Median, AddIndicator: true}, &prep.RobustScaler{SmoothClip: 3}).Optional()
}

// category is a column of texts or numbers that may have gaps.
func category(name string) *prep.Feature {
	return prep.Column(name, &prep.Imputer{Strategy: prep.Constant, FillValue: "unknown"}, &prep.StringLookup{OutputMode: prep.OneHot})
}

// train makes a model of a table.
func train(table, path string, w io.Writer) error {
	pipeline, err := prep.New(
		prep.Input("penguin", number("bill_length_mm"), number("bill_depth_mm"), number("flipper_length_mm"),
			category("island"), category("sex"), category("year")),
		prep.Target("species", prep.Column("species", &prep.LabelEncoder{})),
		prep.Target("grams", prep.Column("body_mass_g", &prep.Normalization{}).Optional()))
	if err != nil {
		return err
	}
	rows := prep.CSV(table, prep.Gaps("NA"))
	if err := pipeline.Fit(rows); err != nil {
		return err
	}
	if err := pipeline.Describe(w); err != nil {
		return err
	}
	data, err := pipeline.Data(rows)
	if err != nil {
		return err
	}
	metadata, err := pipeline.Metadata()
	if err != nil {
		return err
	}
	width, err := pipeline.Width("penguin")
	if err != nil {
		return err
	}
	penguin := nn.Input("penguin", width)
	trunk := nn.Dense(32, nn.ReLU).On(penguin)
	species, grams := nn.Dense(3, nn.Softmax, nn.Name("species")).On(trunk), nn.Dense(1, nn.Linear, nn.Name("grams")).On(trunk)
	m, err := nn.NewModel([]*nn.Node{penguin}, []*nn.Node{species, grams}, metadata, nn.Seed(1))
	if err != nil {
		return err
	}
	err = m.Compile(nn.Adam(0.01), nn.Losses{"species": nn.SparseCategoricalCrossentropy(), "grams": nn.MSE()}, nn.Metrics{"species": {nn.Accuracy()}})
	if err != nil {
		return err
	}
	history, err := m.Fit(context.Background(), data, nn.Epochs(30))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\naccuracy of the species, on the rows it was trained on: %.3f\n", history.Last("species_accuracy"))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return m.Save(path)
}

// handler answers a JSON object, or a list of them, with a list.
func handler(path string) (http.Handler, error) {
	predictor, err := prep.Load(path, 64)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		records := make([]any, 1)
		if err == nil {
			if bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) {
				err = json.Unmarshal(body, &records)
			} else {
				err = json.Unmarshal(body, &records[0])
			}
		}
		var answer prep.Answer
		if err == nil {
			err = predictor.Predict(&answer, records...)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest) // it names the column, and what would be valid
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(&answer) // an error is the client's, who has gone
	}), nil
}
