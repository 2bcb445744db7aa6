package onnx

import (
	"math"
	"slices"

	"github.com/espalier-ml/espalier/internal/portable"
)

// runLoss is NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: x is [batch, classes, ...], labels [batch, ...].
func runLoss(c *call) {
	x, labels := c.arg(0), c.arg(1)
	if len(x.shape) < 2 || !slices.Equal(labels.shape, slices.Delete(slices.Clone(x.shape), 1, 2)) {
		c.fail("labels %v do not fit %v", labels.shape, x.shape)
	}
	classes, inner := x.shape[1], product(x.shape[2:])
	all := []*tensor{x, labels}
	var weight *tensor
	if c.has(2) {
		weight = c.channels(classes, 2)[0]
		all = append(all, weight)
	}
	reduction := c.text("reduction", "mean")
	if !slices.Contains([]string{"none", "sum", "mean"}, reduction) {
		c.fail("reduction %q is unknown: valid are none, sum and mean", reduction)
	}
	shape := labels.shape
	if reduction != "none" {
		shape = nil
	}
	y := c.result(0, x.elem, shape)
	var shown *tensor
	if c.op == "SoftmaxCrossEntropyLoss" && c.wants(1) {
		shown = c.result(1, x.elem, x.shape)
	}
	if !c.compute(y, max(1, x.len()/max(1, y.len())), all...) || shown != nil && !c.compute(shown, 1, all...) {
		return
	}
	logs := x.data()
	if c.op == "SoftmaxCrossEntropyLoss" {
		logs = make([]float64, len(logs))
		lanes(x.shape, 1, func(l lane) {
			top, sum := math.Inf(-1), 0.0
			for i := range l.n {
				top = max(top, x.data()[l.at(i)])
			}
			for i := range l.n {
				sum += portable.Exp(x.data()[l.at(i)] - top)
			}
			for i := range l.n {
				logs[l.at(i)] = x.data()[l.at(i)] - top - portable.Log(sum)
			}
		})
		if shown != nil {
			copy(shown.values, logs)
		}
	}
	ignored := c.attribute("ignore_index", kindInt)
	sum, total := 0.0, 0.0
	for i, label := range labels.data() {
		w, loss := 0.0, 0.0
		if ignored == nil || label != float64(ignored.i) {
			k := c.index(label, classes)
			if w = 1; weight != nil {
				w = weight.data()[k]
			}
			loss = -logs[(i/inner*classes+k)*inner+i%inner] * w
		}
		if sum, total = sum+loss, total+w; reduction == "none" {
			y.values[i] = loss
		}
	}
	switch reduction {
	case "sum":
		y.values[0] = sum
	case "mean":
		y.values[0] = sum / total
	}
}
