// Package nn is the Keras functional API in Go: networks with several inputs and several outputs, trained and used
// inside the process.
//
// A graph is built by calling layers on nodes, as in Keras:
//
//	x, c := nn.Input("features", 32), nn.Input("context", 8)
//	h := nn.Dense(64, nn.ReLU, nn.Name("trunk")).On(nn.Concatenate().On(x, c))
//	label := nn.Dense(10, nn.Softmax, nn.Name("label")).On(h)
//	value := nn.Dense(1, nn.Linear, nn.Name("value")).On(h)
//	m, err := nn.NewModel([]*nn.Node{x, c}, []*nn.Node{label, value})
//
// A layer called on several nodes shares its weights between the calls. Errors of construction stay with the node and
// all arrive together at [NewModel], each with its layer's name. Outputs, losses, metrics, data and weights are matched
// by name; a wrong name is an error that lists the valid ones.
//
// What the package does not have, a program adds: a type that implements [Kind], [ActivationFunction], [Initializer], [Loss],
// [Metric], [Optimizer] or [Schedule] and is registered with [Register] trains, saves, loads and serves like those here.
//
// Formulas, names and logs are those of Keras 3: losses are means over the batch, logged losses of single outputs are
// not scaled by their loss weight, logs of an epoch are means over its samples, layers are named dense, dense_1, ... in
// the order of their creation.
//
// Everything random comes from a seed and everything is summed in one fixed order, so the same seed and data give the
// same weights, to the last bit.
//
// One call at a time trains a model: Fit, TrainOnBatch and Compile are [ErrBusy] while another of them works on it.
// [Model.Predict] and [Model.Evaluate] may run in several goroutines while nothing trains the model, and in callbacks of
// its Fit. Models that share layers share weights, so they count as one for all of this, but ErrBusy does not see it.
package nn
