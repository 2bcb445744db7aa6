package main

import (
	"github.com/espalier-ml/espalier/bench/infer"
	"github.com/espalier-ml/espalier/bench/layer"
	"github.com/espalier-ml/espalier/bench/layer/peers"
)

const layers = "layer"

// layerRows measures rows of layers in this process.
func layerRows(rows []callRow, rounds int) (report, error) {
	c := contest[*layer.Problem, layer.Library]{
		libraries:  append([]layer.Library{layer.Espalier{}}, peers.All()...),
		newProblem: func(r infer.Row) (*layer.Problem, error) { return layer.NewProblem(layer.Row(r)) },
		loops:      func(*layer.Problem) map[string]infer.Call { return nil },
	}
	return c.measure(rows, rounds)
}
