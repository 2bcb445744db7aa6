package onnx

import "slices"

// An operator is how a node is computed, and where its result has the batch.
type operator struct {
	run   func(c *call)
	batch func(b *batching) bool
}

// operators are all that are known, those of another domain than ONNX' own under domain.name.
var operators map[string]operator

func init() {
	operators = map[string]operator{
		"Where": {runWhere, elementwise}, "Cast": {runCast, elementwise}, "CastLike": {runCast, likeFirst}, "Dropout": {runDropout, likeFirst},

		"ArgMax": {runArg, along(func(c *call) []int { return []int{c.oneAxis(0)} })},
		"ArgMin": {runArg, along(func(c *call) []int { return []int{c.oneAxis(0)} })},
		"CumSum": {runCumSum, along(func(c *call) []int { return []int{c.cumSumAxis()} })},
		"TopK":   {runTopK, along(lastAxis)}, "LpNormalization": {runLpNormalization, along(lastAxis)},
		"MeanVarianceNormalization": {runMeanVariance, along(func(c *call) []int {
			if axes := c.integers("axes"); axes != nil {
				return c.axes(axes, len(c.arg(0).shape))
			}
			return []int{0, 2, 3}
		})},

		"Reshape": {runReshape, regrouped}, "Flatten": {runFlatten, regrouped}, "Squeeze": {runSqueeze, regrouped}, "Unsqueeze": {runUnsqueeze, regrouped},
		"Transpose": {runTranspose, func(b *batching) bool {
			b.all(slices.Index(b.permutation(), b.at[0]))
			return true
		}},
		"Expand": {runExpand, expanded}, "Tile": {runTile, along(func(c *call) (axes []int) {
			for i, n := range c.constants(1) {
				if n != 1 {
					axes = append(axes, i)
				}
			}
			return axes
		})},
		"Concat": {runConcat, joined},
		"Split":  {runSplit, along(func(c *call) []int { return []int{c.oneAxis(0)} })},
		"Slice": {runSlice, along(func(c *call) (axes []int) {
			for i, k := range c.cuts() {
				if k != (cut{0, 1, c.arg(0).shape[i]}) {
					axes = append(axes, i)
				}
			}
			return axes
		})},
		"Gather": {runGather, gathered}, "GatherElements": {run: runGatherElements}, "GatherND": {run: runGatherND},
		"ScatterElements": {run: runScatterElements}, "ScatterND": {run: runScatterND},
		"Pad": {runPad, along(func(c *call) (axes []int) {
			before, behind := c.pads()
			for i := range before {
				if before[i] != 0 || behind[i] != 0 {
					axes = append(axes, i)
				}
			}
			return axes
		})},
		"Trilu": {runTrilu, along(func(c *call) []int { n := len(c.arg(0).shape); return []int{n - 2, n - 1} })},
		"OneHot": {runOneHot, func(b *batching) bool {
			at := b.at[0]
			if at >= b.axis(b.integer("axis", -1), len(b.arg(0).shape)+1) {
				at++
			}
			b.all(at)
			return b.only(0)
		}},
		"Shape": {run: runShape}, "Size": {run: runSize}, "Constant": {run: runConstant}, "ConstantOfShape": {run: runConstantOfShape}, "Range": {run: runRange},

		"MatMul": {runMatMul, matrices},
		"Gemm": {runGemm, func(b *batching) bool {
			b.all(0)
			return b.at[0] == 0 && !b.flag("transA") && b.only(0)
		}},

		"Conv": {runConv, firstAxis}, "ConvTranspose": {runConvTranspose, firstAxis}, "AveragePool": {runPool, firstAxis}, "MaxPool": {runPool, func(b *batching) bool {
			return firstAxis(b) && !b.wants(1) // which counts through the batch
		}},
		"GlobalAveragePool": {runGlobalPool, firstAxis}, "GlobalMaxPool": {runGlobalPool, firstAxis},
		"BatchNormalization": {runBatchNormalization, firstAxis}, "InstanceNormalization": {runInstanceNormalization, firstAxis}, "GroupNormalization": {runGroupNormalization, firstAxis},
		"LayerNormalization": {runLayerNormalization, belowAxis}, "RMSNormalization": {runLayerNormalization, belowAxis},
		"LSTM": {runRecurrent, sequences}, "GRU": {runRecurrent, sequences}, "RNN": {runRecurrent, sequences},
		"Attention":                 {runAttention, allFirst},
		"NegativeLogLikelihoodLoss": {runLoss, losses}, "SoftmaxCrossEntropyLoss": {runLoss, losses},
	}
	for name := range unaries {
		operators[name] = operator{runUnary, likeFirst}
	}
	for name := range binaries {
		operators[name] = operator{runBinary, elementwise}
	}
	for _, name := range []string{"L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"} {
		operators["Reduce"+name] = operator{runReduce, along(func(c *call) []int { return c.reduceAxes() })}
	}
	for _, name := range []string{"Softmax", "LogSoftmax", "Hardmax"} {
		operators[name] = operator{runSoftmax, along(func(c *call) (axes []int) {
			x := c.arg(0)
			if c.version >= 13 {
				return lastAxis(c)
			}
			for i := c.axis(c.integer("axis", 1), max(1, len(x.shape))); i < len(x.shape); i++ {
				axes = append(axes, i)
			}
			return axes
		})}
	}
	for name, o := range map[string]operator{
		"Scaler":                 {runScaler, func(b *batching) bool { b.all(b.at[0]); return b.at[0] < len(b.in[0].shape)-1 }},
		"Normalizer":             {runNormalizer, firstAxis2},
		"ArrayFeatureExtractor":  {runArrayFeatureExtractor, func(b *batching) bool { b.all(b.at[0]); return b.at[0] < len(b.in[0].shape)-1 && b.only(0) }},
		"ZipMap":                 {runZipMap, likeFirst},
		"LinearRegressor":        {runLinearRegressor, firstAxis2},
		"LinearClassifier":       {runLinearClassifier, firstAxis2},
		"TreeEnsembleClassifier": {runTreeEnsemble, firstAxis2},
		"TreeEnsembleRegressor":  {runTreeEnsemble, firstAxis2},
	} {
		operators["ai.onnx.ml."+name] = o
	}
}

func lastAxis(c *call) []int { return []int{c.oneAxis(-1)} }
