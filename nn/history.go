package nn

import (
	"maps"
	"math"
	"slices"
)

// Logs are losses and metrics under Keras' names: "loss" for the total; for models of several outputs also
// "label_loss" and "label_accuracy", of one output "accuracy". Validation values start with "val_".
type Logs map[string]float64

// A History holds the logs of every epoch that was completed, those that callbacks add included.
type History struct {
	Epochs []int                // numbers of the epochs, from 0
	Logs   map[string][]float64 // one value per epoch that has the log: those of validation may come every other epoch
}

// Names returns the names of the logs in alphabetical order.
func (h *History) Names() []string { return slices.Sorted(maps.Keys(h.Logs)) }

// Last returns the log of the last epoch, NaN if there is none of that name.
func (h *History) Last(name string) float64 {
	v := h.Logs[name]
	if len(v) == 0 {
		return math.NaN()
	}
	return v[len(v)-1]
}
