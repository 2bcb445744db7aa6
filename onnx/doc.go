// Package onnx serves and trains on what others have trained: it reads ONNX, the format that PyTorch, TensorFlow, scikit-learn and
// most other frameworks write. It also writes ONNX, for others to run what was trained here.
//
//	m, err := onnx.Load("model.onnx")   // an *nn.Model: it predicts what the original predicts
//	plan, err := nn.NewPlan(m, 64)      // to serve it
//
// The names and the order of inputs and outputs are those of the file. A row of an input or output has the file's shape without
// the axis of the batch, wherever that is. The batch is the axis that the file leaves open, or one of a fixed size where every
// operator leaves the samples on it apart; otherwise the whole graph is one row. A file that leaves the batch open and mixes its
// samples is refused. Other open sizes are said by [InputShape], inputs that must be constants by [InputValue].
//
// # What becomes of a graph
//
// What depends on constants alone is computed while the file is read, and so are all shapes. MatMul, with the Add behind it, and
// Gemm become Dense layers, Conv, BatchNormalization, LayerNormalization, LSTM, GRU, RNN, activations, Softmax, Add, Sub, Mul,
// Concat, Transpose, pooling and lookups of an input's indices the layers of package nn with these names. Their weights train on.
// Nodes that have the same weights share a layer. Everything else that is known becomes a layer of the class ONNXOperator,
// which computes the node itself for each row: it has a gradient if the operator moves elements, is a function of each
// element, a sum, a mean, a MatMul or a Softmax, and otherwise an error of training names it. A layer is named after its node,
// with dots for slashes.
//
// Operators of the versions 1 to 27 are known, as far as they are operators of tensors of numbers, and of ai.onnx.ml those of
// linear models, trees and the scaling before them. Unknown ones are reported together, with the names of their nodes. Numbers
// are float32 between layers, so whole numbers beyond 2^24 are rounded. Outputs that no row of numbers can be are left out:
// samples of RandomNormal and its kind, labels that are strings, and tensors without elements. The file's metadata is that of the
// model.
//
// # What becomes of a model
//
// [Save] and [Write] run the layers of a model once and write down their operations as nodes of operator set 20. Tensors stay in
// the form that ONNX' operators take, images with the channels first and sequences with the steps first, for as long as one
// operation follows another that takes the same. A recurrent layer is one node, but where a mask says which steps count it is
// some nodes for each step.
//
// # Files that are not trusted
//
// No length in a file is believed. Reading takes memory in proportion to the file, whatever it asks for; depth, nodes, axes and
// computed constants have bounds. Data in other files is refused, and no path in a file is followed.
package onnx
