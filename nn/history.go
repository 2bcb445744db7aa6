package nn

import (
	"maps"
	"slices"
)

// Logs are losses and metrics under Keras' names: "loss" for the total; for models of several outputs also
// "label_loss" and "label_accuracy", of one output "accuracy". Validation values start with "val_".
type Logs map[string]float64

// A History holds the logs of every epoch that was completed.
type History struct {
	Epochs []int                // numbers of the epochs, from 0
	Logs   map[string][]float64 // one value per epoch
}

// Names returns the names of the logs in alphabetical order.
func (h *History) Names() []string { return slices.Sorted(maps.Keys(h.Logs)) }
