package main

import "slices"

// descriptions lists the kernels that every level has besides its products.
func descriptions() []description {
	return slices.Concat(
		elementwise(), functions(), unaries(), optimizers(), activating(), reductions(),
		[]description{softmax(), logSoftmax(), softmaxGrad()},
		[]description{softmaxCrossEntropy(), softCrossEntropy(), binaryCrossEntropy(), binaryCrossEntropyColumn()},
		regressions(), longRows(), layerNorms(),
	)
}
