//go:build !purego

package kernels

//go:generate go run -C ../gen .

var avx2 = simd{
	isa: AVX2,
	tiles: tiles{
		panel:  16,
		wide:   64,
		byRows: []gemmTile{gemm1x16AVX2, gemm2x16AVX2, gemm3x16AVX2, gemm4x16AVX2, gemm5x16AVX2, gemm6x16AVX2},
		narrow: 8,
		ofNarrow: []gemmTile{gemm1x16AVX2, gemm2x16AVX2, gemm3x16AVX2, gemm4x16AVX2, gemm5x16AVX2, gemm6x16AVX2,
			gemm7x8AVX2, gemm8x8AVX2, gemm9x8AVX2, gemm10x8AVX2, gemm11x8AVX2, gemm12x8AVX2},
		transpose: transpose16AVX2,
		deepest:   512,
		block:     16 << 10,
	},

	fill:                     fillAVX2,
	scale:                    scaleAVX2,
	axpy:                     axpyAVX2,
	add:                      addAVX2,
	mul:                      mulAVX2,
	mulAdd:                   mulAddAVX2,
	exp:                      expAVX2,
	log:                      logAVX2,
	erf:                      erfAVX2,
	gelu:                     geluAVX2,
	geluGrad:                 geluGradAVX2,
	sgd:                      sgdAVX2,
	momentum:                 momentumAVX2,
	nesterov:                 nesterovAVX2,
	adam:                     adamAVX2,
	rmsprop:                  rmspropAVX2,
	rowSum:                   rowSumAVX2,
	colSum:                   colSumAVX2,
	softmax:                  softmaxAVX2,
	logSoftmax:               logSoftmaxAVX2,
	softmaxGrad:              softmaxGradAVX2,
	softmaxCrossEntropy:      softmaxCrossEntropyAVX2,
	softCrossEntropy:         softCrossEntropyAVX2,
	binaryCrossEntropy:       binaryCrossEntropyAVX2,
	binaryCrossEntropyColumn: binaryCrossEntropyColumnAVX2,
	meanSquaredError:         meanSquaredErrorAVX2,
	meanSquaredErrorColumn:   meanSquaredErrorColumnAVX2,
	meanAbsoluteError:        meanAbsoluteErrorAVX2,
	meanAbsoluteErrorColumn:  meanAbsoluteErrorColumnAVX2,
	activate:                 [4]activateFunc{linearAVX2, reluAVX2, sigmoidAVX2, tanhAVX2},
	activateGrad:             [4]activateGradFunc{linearGradAVX2, reluGradAVX2, sigmoidGradAVX2, tanhGradAVX2},
	activateGradBias:         [4]activateGradBiasFunc{linearGradBiasAVX2, reluGradBiasAVX2, sigmoidGradBiasAVX2, tanhGradBiasAVX2},
}

var avx512 = simd{
	isa: AVX512,
	tiles: tiles{
		panel: 32,
		wide:  128,
		byRows: []gemmTile{
			gemm1x32AVX512, gemm2x32AVX512, gemm3x32AVX512, gemm4x32AVX512, gemm5x32AVX512, gemm6x32AVX512, gemm7x32AVX512,
			gemm8x32AVX512, gemm9x32AVX512, gemm10x32AVX512, gemm11x32AVX512, gemm12x32AVX512, gemm13x32AVX512, gemm14x32AVX512,
		},
		transpose: transpose16AVX2,
		deepest:   1024,
		block:     128 << 10,
	},

	fill:                     fillAVX512,
	scale:                    scaleAVX512,
	axpy:                     axpyAVX512,
	add:                      addAVX512,
	mul:                      mulAVX512,
	mulAdd:                   mulAddAVX512,
	exp:                      expAVX512,
	log:                      logAVX512,
	erf:                      erfAVX512,
	gelu:                     geluAVX512,
	geluGrad:                 geluGradAVX512,
	sgd:                      sgdAVX512,
	momentum:                 momentumAVX512,
	nesterov:                 nesterovAVX512,
	adam:                     adamAVX512,
	rmsprop:                  rmspropAVX512,
	rowSum:                   rowSumAVX512,
	colSum:                   colSumAVX512,
	softmax:                  softmaxAVX512,
	logSoftmax:               logSoftmaxAVX512,
	softmaxGrad:              softmaxGradAVX512,
	softmaxCrossEntropy:      softmaxCrossEntropyAVX512,
	softCrossEntropy:         softCrossEntropyAVX512,
	binaryCrossEntropy:       binaryCrossEntropyAVX512,
	binaryCrossEntropyColumn: binaryCrossEntropyColumnAVX512,
	meanSquaredError:         meanSquaredErrorAVX512,
	meanSquaredErrorColumn:   meanSquaredErrorColumnAVX512,
	meanAbsoluteError:        meanAbsoluteErrorAVX512,
	meanAbsoluteErrorColumn:  meanAbsoluteErrorColumnAVX512,
	activate:                 [4]activateFunc{linearAVX512, reluAVX512, sigmoidAVX512, tanhAVX512},
	activateGrad:             [4]activateGradFunc{linearGradAVX512, reluGradAVX512, sigmoidGradAVX512, tanhGradAVX512},
	activateGradBias:         [4]activateGradBiasFunc{linearGradBiasAVX512, reluGradBiasAVX512, sigmoidGradBiasAVX512, tanhGradBiasAVX512},
}

var amd64Tables = []*Table{avx2.table(), avx512.table()}

func archTables() []*Table { return amd64Tables }

//go:noescape
func gemm1x16AVX2(call *tileCall)

//go:noescape
func gemm2x16AVX2(call *tileCall)

//go:noescape
func gemm3x16AVX2(call *tileCall)

//go:noescape
func gemm4x16AVX2(call *tileCall)

//go:noescape
func gemm5x16AVX2(call *tileCall)

//go:noescape
func gemm6x16AVX2(call *tileCall)

//go:noescape
func gemm7x8AVX2(call *tileCall)

//go:noescape
func gemm8x8AVX2(call *tileCall)

//go:noescape
func gemm9x8AVX2(call *tileCall)

//go:noescape
func gemm10x8AVX2(call *tileCall)

//go:noescape
func gemm11x8AVX2(call *tileCall)

//go:noescape
func gemm12x8AVX2(call *tileCall)

//go:noescape
func gemm1x32AVX512(call *tileCall)

//go:noescape
func gemm2x32AVX512(call *tileCall)

//go:noescape
func gemm3x32AVX512(call *tileCall)

//go:noescape
func gemm4x32AVX512(call *tileCall)

//go:noescape
func gemm5x32AVX512(call *tileCall)

//go:noescape
func gemm6x32AVX512(call *tileCall)

//go:noescape
func gemm7x32AVX512(call *tileCall)

//go:noescape
func gemm8x32AVX512(call *tileCall)

//go:noescape
func gemm9x32AVX512(call *tileCall)

//go:noescape
func gemm10x32AVX512(call *tileCall)

//go:noescape
func gemm11x32AVX512(call *tileCall)

//go:noescape
func gemm12x32AVX512(call *tileCall)

//go:noescape
func gemm13x32AVX512(call *tileCall)

//go:noescape
func gemm14x32AVX512(call *tileCall)

// for p < cols: dst[p][i] = src[i][p] for i < rows (at most 16), and any number for the other i < 16.
//
//go:noescape
func transpose16AVX2(rows, cols int, dst *float32, dstRow int, src *float32, srcRow int)

// fillAVX2: x[j] = v
//
//go:noescape
func fillAVX2(n int, x *float32, v float32)

// scaleAVX2: y[j] = x[j] * alpha
//
//go:noescape
func scaleAVX2(n int, y *float32, x *float32, alpha float32)

// axpyAVX2: y[j] = fma(alpha, x[j], y[j])
//
//go:noescape
func axpyAVX2(n int, y *float32, x *float32, alpha float32)

// addAVX2: y[j] = a[j] + b[j]
//
//go:noescape
func addAVX2(n int, y *float32, a *float32, b *float32)

// mulAVX2: y[j] = a[j] * b[j]
//
//go:noescape
func mulAVX2(n int, y *float32, a *float32, b *float32)

// mulAddAVX2: y[j] = fma(a[j], b[j], y[j])
//
//go:noescape
func mulAddAVX2(n int, y *float32, a *float32, b *float32)

// expAVX2: y[j] = exp(x[j])
//
//go:noescape
func expAVX2(n int, y *float32, x *float32)

// logAVX2: y[j] = log(x[j])
//
//go:noescape
func logAVX2(n int, y *float32, x *float32)

// erfAVX2: y[j] = erf(x[j])
//
//go:noescape
func erfAVX2(n int, y *float32, x *float32)

// geluAVX2: y[j] = gelu(x[j])
//
//go:noescape
func geluAVX2(n int, y *float32, x *float32)

// geluGradAVX2: g = dy[j] * the derivative of gelu(x[j]); dx[j] = g, or dx[j] += g if add is not 0
//
//go:noescape
func geluGradAVX2(n int, dx *float32, dy *float32, x *float32, add int)

// sgdAVX2: w[j] = fma(-g[j], lr, w[j])
//
//go:noescape
func sgdAVX2(n int, w *float32, grad *float32, lr float32)

// momentumAVX2: v[j] = fma(v[j], momentum, -g[j]*lr); w[j] += v[j]
//
//go:noescape
func momentumAVX2(n int, w *float32, v *float32, grad *float32, lr, momentum float32)

// nesterovAVX2: v[j] = fma(v[j], momentum, -g[j]*lr); w[j] += fma(v[j], momentum, -g[j]*lr)
//
//go:noescape
func nesterovAVX2(n int, w *float32, v *float32, grad *float32, lr, momentum float32)

// adamAVX2: m[j] = fma(g[j]-m[j], c1, m[j]); v[j] = fma(fma(g[j], g[j], -v[j]), c2, v[j]); w[j] -= m[j]*alpha / (sqrt(v[j])+epsilon)
//
//go:noescape
func adamAVX2(n int, w *float32, m *float32, v *float32, grad *float32, alpha, c1, c2, epsilon float32)

// rmspropAVX2: v[j] = fma(v[j], rho, g[j]*g[j]*c); w[j] -= g[j]*lr / sqrt(v[j]+epsilon)
//
//go:noescape
func rmspropAVX2(n int, w *float32, v *float32, grad *float32, lr, rho, c, epsilon float32)

// linearAVX2: y[i,j] = x[i,j] + bias[j]; bias may be nil
//
//go:noescape
func linearAVX2(rows, cols int, y *float32, yRow int, x *float32, xRow int, bias *float32)

// reluAVX2: y[i,j] = max(x[i,j]+bias[j], 0); bias may be nil
//
//go:noescape
func reluAVX2(rows, cols int, y *float32, yRow int, x *float32, xRow int, bias *float32)

// sigmoidAVX2: y[i,j] = sigmoid(x[i,j] + bias[j]); bias may be nil
//
//go:noescape
func sigmoidAVX2(rows, cols int, y *float32, yRow int, x *float32, xRow int, bias *float32)

// tanhAVX2: y[i,j] = tanh(x[i,j] + bias[j]); bias may be nil
//
//go:noescape
func tanhAVX2(rows, cols int, y *float32, yRow int, x *float32, xRow int, bias *float32)

// linearGradAVX2: g = dy[i,j]; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func linearGradAVX2(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int)

// linearGradBiasAVX2: g = dy[i,j]; dbias[j] += g; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func linearGradBiasAVX2(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int, dbias *float32)

// reluGradAVX2: g = dy[i,j] where !(y[i,j] <= 0), else 0; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func reluGradAVX2(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int)

// reluGradBiasAVX2: g = dy[i,j] where !(y[i,j] <= 0), else 0; dbias[j] += g; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func reluGradBiasAVX2(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int, dbias *float32)

// sigmoidGradAVX2: g = dy[i,j] * ((1-y[i,j]) * y[i,j]); dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func sigmoidGradAVX2(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int)

// sigmoidGradBiasAVX2: g = dy[i,j] * ((1-y[i,j]) * y[i,j]); dbias[j] += g; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func sigmoidGradBiasAVX2(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int, dbias *float32)

// tanhGradAVX2: g = dy[i,j] * fma(-y[i,j], y[i,j], 1); dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func tanhGradAVX2(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int)

// tanhGradBiasAVX2: g = dy[i,j] * fma(-y[i,j], y[i,j], 1); dbias[j] += g; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func tanhGradBiasAVX2(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int, dbias *float32)

// rowSumAVX2: dst[i] = sum of x[i,j] over j, in 16 lanes
//
//go:noescape
func rowSumAVX2(rows, cols int, dst *float32, x *float32, xRow int)

// colSumAVX2: dst[j] += sum of x[i,j] over i
//
//go:noescape
func colSumAVX2(rows, cols int, dst *float32, x *float32, xRow int)

// softmaxAVX2: y[i,j] = exp(x[i,j]-max) / Σ exp(x[i,j]-max) over j
//
//go:noescape
func softmaxAVX2(rows, cols int, y *float32, yRow int, x *float32, xRow int)

// logSoftmaxAVX2: y[i,j] = (x[i,j]-max) - log Σ exp(x[i,j]-max) over j
//
//go:noescape
func logSoftmaxAVX2(rows, cols int, y *float32, yRow int, x *float32, xRow int)

// softmaxGradAVX2: dx[i,j] = y[i,j] * (dy[i,j] - Σ dy[i,j]*y[i,j] over j), or dx[i,j] += that if add is not 0
//
//go:noescape
func softmaxGradAVX2(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int)

// softmaxCrossEntropyAVX2: p = softmax(logits[i]); loss[i] = -log p[labels[i]]; probs[i] = p; grad[i] = (p - onehot(labels[i])) * weights[i]
//
//go:noescape
func softmaxCrossEntropyAVX2(rows, cols int, loss *float32, probs *float32, probsRow int, grad *float32, gradRow int, logits *float32, logitsRow int, labels *int32, weights *float32, weightStep int)

// softCrossEntropyAVX2: p = softmax(logits[i]); loss[i] = -Σ targets[i] * log p; probs[i] = p; grad[i] = (p * Σ targets[i] - targets[i]) * weights[i]
//
//go:noescape
func softCrossEntropyAVX2(rows, cols int, loss *float32, probs *float32, probsRow int, grad *float32, gradRow int, logits *float32, logitsRow int, targets *float32, targetsRow int, weights *float32, weightStep int)

// binaryCrossEntropyAVX2: z, t = logits[i,j], targets[i,j]; loss[i] = mean of max(z,0) - z*t + log1p(exp(-|z|)); probs[i,j] = sigmoid(z); grad[i,j] = (sigmoid(z) - t) * weights[i] / n
//
//go:noescape
func binaryCrossEntropyAVX2(rows, cols int, loss *float32, probs *float32, probsRow int, grad *float32, gradRow int, logits *float32, logitsRow int, targets *float32, targetsRow int, weights *float32, weightStep int, n float32)

// binaryCrossEntropyColumnAVX2: z, t = logits[i], targets[i]; loss[i] = max(z,0) - z*t + log1p(exp(-|z|)); probs[i] = sigmoid(z); grad[i] = (sigmoid(z) - t) * weights[i]
//
//go:noescape
func binaryCrossEntropyColumnAVX2(n int, loss *float32, probs *float32, grad *float32, logits *float32, targets *float32, weights *float32)

// meanSquaredErrorAVX2: d = pred[i,j] - targets[i,j]; loss[i] = mean of d*d; grad[i,j] = d * 2 * weights[i] / n
//
//go:noescape
func meanSquaredErrorAVX2(rows, cols int, loss *float32, grad *float32, gradRow int, pred *float32, predRow int, targets *float32, targetsRow int, weights *float32, weightStep int, n float32)

// meanSquaredErrorColumnAVX2: d = pred[i] - targets[i]; loss[i] = d*d; grad[i] = d * 2 * weights[i]
//
//go:noescape
func meanSquaredErrorColumnAVX2(n int, loss *float32, grad *float32, pred *float32, targets *float32, weights *float32)

// meanAbsoluteErrorAVX2: d = pred[i,j] - targets[i,j]; loss[i] = mean of |d|; grad[i,j] = sign(d) * weights[i] / n
//
//go:noescape
func meanAbsoluteErrorAVX2(rows, cols int, loss *float32, grad *float32, gradRow int, pred *float32, predRow int, targets *float32, targetsRow int, weights *float32, weightStep int, n float32)

// meanAbsoluteErrorColumnAVX2: d = pred[i] - targets[i]; loss[i] = |d|; grad[i] = sign(d) * weights[i]
//
//go:noescape
func meanAbsoluteErrorColumnAVX2(n int, loss *float32, grad *float32, pred *float32, targets *float32, weights *float32)

// fillAVX512: x[j] = v
//
//go:noescape
func fillAVX512(n int, x *float32, v float32)

// scaleAVX512: y[j] = x[j] * alpha
//
//go:noescape
func scaleAVX512(n int, y *float32, x *float32, alpha float32)

// axpyAVX512: y[j] = fma(alpha, x[j], y[j])
//
//go:noescape
func axpyAVX512(n int, y *float32, x *float32, alpha float32)

// addAVX512: y[j] = a[j] + b[j]
//
//go:noescape
func addAVX512(n int, y *float32, a *float32, b *float32)

// mulAVX512: y[j] = a[j] * b[j]
//
//go:noescape
func mulAVX512(n int, y *float32, a *float32, b *float32)

// mulAddAVX512: y[j] = fma(a[j], b[j], y[j])
//
//go:noescape
func mulAddAVX512(n int, y *float32, a *float32, b *float32)

// expAVX512: y[j] = exp(x[j])
//
//go:noescape
func expAVX512(n int, y *float32, x *float32)

// logAVX512: y[j] = log(x[j])
//
//go:noescape
func logAVX512(n int, y *float32, x *float32)

// erfAVX512: y[j] = erf(x[j])
//
//go:noescape
func erfAVX512(n int, y *float32, x *float32)

// geluAVX512: y[j] = gelu(x[j])
//
//go:noescape
func geluAVX512(n int, y *float32, x *float32)

// geluGradAVX512: g = dy[j] * the derivative of gelu(x[j]); dx[j] = g, or dx[j] += g if add is not 0
//
//go:noescape
func geluGradAVX512(n int, dx *float32, dy *float32, x *float32, add int)

// sgdAVX512: w[j] = fma(-g[j], lr, w[j])
//
//go:noescape
func sgdAVX512(n int, w *float32, grad *float32, lr float32)

// momentumAVX512: v[j] = fma(v[j], momentum, -g[j]*lr); w[j] += v[j]
//
//go:noescape
func momentumAVX512(n int, w *float32, v *float32, grad *float32, lr, momentum float32)

// nesterovAVX512: v[j] = fma(v[j], momentum, -g[j]*lr); w[j] += fma(v[j], momentum, -g[j]*lr)
//
//go:noescape
func nesterovAVX512(n int, w *float32, v *float32, grad *float32, lr, momentum float32)

// adamAVX512: m[j] = fma(g[j]-m[j], c1, m[j]); v[j] = fma(fma(g[j], g[j], -v[j]), c2, v[j]); w[j] -= m[j]*alpha / (sqrt(v[j])+epsilon)
//
//go:noescape
func adamAVX512(n int, w *float32, m *float32, v *float32, grad *float32, alpha, c1, c2, epsilon float32)

// rmspropAVX512: v[j] = fma(v[j], rho, g[j]*g[j]*c); w[j] -= g[j]*lr / sqrt(v[j]+epsilon)
//
//go:noescape
func rmspropAVX512(n int, w *float32, v *float32, grad *float32, lr, rho, c, epsilon float32)

// linearAVX512: y[i,j] = x[i,j] + bias[j]; bias may be nil
//
//go:noescape
func linearAVX512(rows, cols int, y *float32, yRow int, x *float32, xRow int, bias *float32)

// reluAVX512: y[i,j] = max(x[i,j]+bias[j], 0); bias may be nil
//
//go:noescape
func reluAVX512(rows, cols int, y *float32, yRow int, x *float32, xRow int, bias *float32)

// sigmoidAVX512: y[i,j] = sigmoid(x[i,j] + bias[j]); bias may be nil
//
//go:noescape
func sigmoidAVX512(rows, cols int, y *float32, yRow int, x *float32, xRow int, bias *float32)

// tanhAVX512: y[i,j] = tanh(x[i,j] + bias[j]); bias may be nil
//
//go:noescape
func tanhAVX512(rows, cols int, y *float32, yRow int, x *float32, xRow int, bias *float32)

// linearGradAVX512: g = dy[i,j]; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func linearGradAVX512(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int)

// linearGradBiasAVX512: g = dy[i,j]; dbias[j] += g; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func linearGradBiasAVX512(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int, dbias *float32)

// reluGradAVX512: g = dy[i,j] where !(y[i,j] <= 0), else 0; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func reluGradAVX512(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int)

// reluGradBiasAVX512: g = dy[i,j] where !(y[i,j] <= 0), else 0; dbias[j] += g; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func reluGradBiasAVX512(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int, dbias *float32)

// sigmoidGradAVX512: g = dy[i,j] * ((1-y[i,j]) * y[i,j]); dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func sigmoidGradAVX512(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int)

// sigmoidGradBiasAVX512: g = dy[i,j] * ((1-y[i,j]) * y[i,j]); dbias[j] += g; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func sigmoidGradBiasAVX512(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int, dbias *float32)

// tanhGradAVX512: g = dy[i,j] * fma(-y[i,j], y[i,j], 1); dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func tanhGradAVX512(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int)

// tanhGradBiasAVX512: g = dy[i,j] * fma(-y[i,j], y[i,j], 1); dbias[j] += g; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func tanhGradBiasAVX512(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int, dbias *float32)

// rowSumAVX512: dst[i] = sum of x[i,j] over j, in 16 lanes
//
//go:noescape
func rowSumAVX512(rows, cols int, dst *float32, x *float32, xRow int)

// colSumAVX512: dst[j] += sum of x[i,j] over i
//
//go:noescape
func colSumAVX512(rows, cols int, dst *float32, x *float32, xRow int)

// softmaxAVX512: y[i,j] = exp(x[i,j]-max) / Σ exp(x[i,j]-max) over j
//
//go:noescape
func softmaxAVX512(rows, cols int, y *float32, yRow int, x *float32, xRow int)

// logSoftmaxAVX512: y[i,j] = (x[i,j]-max) - log Σ exp(x[i,j]-max) over j
//
//go:noescape
func logSoftmaxAVX512(rows, cols int, y *float32, yRow int, x *float32, xRow int)

// softmaxGradAVX512: dx[i,j] = y[i,j] * (dy[i,j] - Σ dy[i,j]*y[i,j] over j), or dx[i,j] += that if add is not 0
//
//go:noescape
func softmaxGradAVX512(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int)

// softmaxCrossEntropyAVX512: p = softmax(logits[i]); loss[i] = -log p[labels[i]]; probs[i] = p; grad[i] = (p - onehot(labels[i])) * weights[i]
//
//go:noescape
func softmaxCrossEntropyAVX512(rows, cols int, loss *float32, probs *float32, probsRow int, grad *float32, gradRow int, logits *float32, logitsRow int, labels *int32, weights *float32, weightStep int)

// softCrossEntropyAVX512: p = softmax(logits[i]); loss[i] = -Σ targets[i] * log p; probs[i] = p; grad[i] = (p * Σ targets[i] - targets[i]) * weights[i]
//
//go:noescape
func softCrossEntropyAVX512(rows, cols int, loss *float32, probs *float32, probsRow int, grad *float32, gradRow int, logits *float32, logitsRow int, targets *float32, targetsRow int, weights *float32, weightStep int)

// binaryCrossEntropyAVX512: z, t = logits[i,j], targets[i,j]; loss[i] = mean of max(z,0) - z*t + log1p(exp(-|z|)); probs[i,j] = sigmoid(z); grad[i,j] = (sigmoid(z) - t) * weights[i] / n
//
//go:noescape
func binaryCrossEntropyAVX512(rows, cols int, loss *float32, probs *float32, probsRow int, grad *float32, gradRow int, logits *float32, logitsRow int, targets *float32, targetsRow int, weights *float32, weightStep int, n float32)

// binaryCrossEntropyColumnAVX512: z, t = logits[i], targets[i]; loss[i] = max(z,0) - z*t + log1p(exp(-|z|)); probs[i] = sigmoid(z); grad[i] = (sigmoid(z) - t) * weights[i]
//
//go:noescape
func binaryCrossEntropyColumnAVX512(n int, loss *float32, probs *float32, grad *float32, logits *float32, targets *float32, weights *float32)

// meanSquaredErrorAVX512: d = pred[i,j] - targets[i,j]; loss[i] = mean of d*d; grad[i,j] = d * 2 * weights[i] / n
//
//go:noescape
func meanSquaredErrorAVX512(rows, cols int, loss *float32, grad *float32, gradRow int, pred *float32, predRow int, targets *float32, targetsRow int, weights *float32, weightStep int, n float32)

// meanSquaredErrorColumnAVX512: d = pred[i] - targets[i]; loss[i] = d*d; grad[i] = d * 2 * weights[i]
//
//go:noescape
func meanSquaredErrorColumnAVX512(n int, loss *float32, grad *float32, pred *float32, targets *float32, weights *float32)

// meanAbsoluteErrorAVX512: d = pred[i,j] - targets[i,j]; loss[i] = mean of |d|; grad[i,j] = sign(d) * weights[i] / n
//
//go:noescape
func meanAbsoluteErrorAVX512(rows, cols int, loss *float32, grad *float32, gradRow int, pred *float32, predRow int, targets *float32, targetsRow int, weights *float32, weightStep int, n float32)

// meanAbsoluteErrorColumnAVX512: d = pred[i] - targets[i]; loss[i] = |d|; grad[i] = sign(d) * weights[i]
//
//go:noescape
func meanAbsoluteErrorColumnAVX512(n int, loss *float32, grad *float32, pred *float32, targets *float32, weights *float32)
