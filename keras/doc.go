// Package keras loads models that Keras saved, and saves models for Keras:
//
//	m, err := keras.Load("model.keras") // or "model.h5"
//	y, err := m.Predict(nn.Arrays{"features": x})
//	err = keras.Save(m, "trained.keras")
//
// [Load] reads .keras files of Keras 3 and of TF-Keras 2.12 to 2.15, and .h5 files of Keras 1, 2 and 3, whatever their names end
// in: models that are Functional or Sequential, models within models, and layers that are called several times. Inputs and outputs
// keep their names and their order. A Sequential that has no input layer gets an input named after its first layer, as dense_input;
// outputs that are a dictionary are named by its keys, in their order. A slash in a name becomes a dot.
//
// The model is compiled if nn has all that it was compiled with, and with a file of Keras 3 the optimizer goes on from its state;
// otherwise it is not compiled, and serves all the same.
//
// # What is refused
//
// What is not known is an error, never another result: one error lists every layer and every field that is not known, with its
// path. A layer of your own is loaded if a [nn.Kind] is registered under its registered_name, "package>Class", before:
// see [nn.Register]. Lambda layers hold Python code, subclassed models have no graph in the file, and TensorFlow's SavedModel is a
// graph of other operations: the error says what to do. So do those for layers that prepare data, and for reduced precision. An
// axis of any size, as None steps of a sequence, needs a size: see [InputShape].
//
// A file is never trusted: nothing in it is executed, no path in it leads anywhere, and its sizes are bounded by that of the file.
//
// # What Keras means
//
// Functions and fields mean what they meant to the version that wrote the file: Keras 1 and 2 call another function hard_sigmoid
// than Keras 3. A program that uses such a model in files of package nn imports this package, which registers that function. Keras 3
// has no name for it, so [Save] refuses the model.
package keras
