//go:build !purego

package kernels

//go:generate go run -C ../gen .

var neon = simd{
	isa: NEON,
	tiles: tiles{
		panel:     16,
		wide:      64,
		byRows:    []gemmTile{gemm1x16NEON, gemm2x16NEON, gemm3x16NEON, gemm4x16NEON, gemm5x16NEON, gemm6x16NEON},
		transpose: transpose16NEON,
		deepest:   256,
		block:     32 << 10,
	},

	exp:                      expNEON,
	log:                      logNEON,
	erf:                      erfNEON,
	gelu:                     geluNEON,
	geluGrad:                 geluGradNEON,
	fill:                     fillNEON,
	scale:                    scaleNEON,
	axpy:                     axpyNEON,
	add:                      addNEON,
	mul:                      mulNEON,
	mulAdd:                   mulAddNEON,
	sgd:                      sgdNEON,
	momentum:                 momentumNEON,
	nesterov:                 nesterovNEON,
	adam:                     adamNEON,
	rmsprop:                  rmspropNEON,
	rowSum:                   rowSumNEON,
	colSum:                   colSumNEON,
	softmax:                  softmaxNEON,
	logSoftmax:               logSoftmaxNEON,
	softmaxGrad:              softmaxGradNEON,
	softmaxCrossEntropy:      softmaxCrossEntropyNEON,
	softCrossEntropy:         softCrossEntropyNEON,
	binaryCrossEntropy:       binaryCrossEntropyNEON,
	binaryCrossEntropyColumn: binaryCrossEntropyColumnNEON,
	meanSquaredError:         meanSquaredErrorNEON,
	meanSquaredErrorColumn:   meanSquaredErrorColumnNEON,
	meanAbsoluteError:        meanAbsoluteErrorNEON,
	meanAbsoluteErrorColumn:  meanAbsoluteErrorColumnNEON,
	activate:                 [4]activateFunc{linearNEON, reluNEON, sigmoidNEON, tanhNEON},
	activateGrad:             [4]activateGradFunc{linearGradNEON, reluGradNEON, sigmoidGradNEON, tanhGradNEON},
	activateGradBias:         [4]activateGradBiasFunc{linearGradBiasNEON, reluGradBiasNEON, sigmoidGradBiasNEON, tanhGradBiasNEON},
}

var arm64Tables = []*Table{neon.table()}

func archTables() []*Table { return arm64Tables }

//go:noescape
func gemm1x16NEON(call *tileCall)

//go:noescape
func gemm2x16NEON(call *tileCall)

//go:noescape
func gemm3x16NEON(call *tileCall)

//go:noescape
func gemm4x16NEON(call *tileCall)

//go:noescape
func gemm5x16NEON(call *tileCall)

//go:noescape
func gemm6x16NEON(call *tileCall)

// for p < cols: dst[p][i] = src[i][p] for i < rows (at most 16), and any number for the other i < 16.
//
//go:noescape
func transpose16NEON(rows, cols int, dst *float32, dstRow int, src *float32, srcRow int)

// fillNEON: x[j] = v
//
//go:noescape
func fillNEON(n int, x *float32, v float32)

// scaleNEON: y[j] = x[j] * alpha
//
//go:noescape
func scaleNEON(n int, y *float32, x *float32, alpha float32)

// axpyNEON: y[j] = fma(alpha, x[j], y[j])
//
//go:noescape
func axpyNEON(n int, y *float32, x *float32, alpha float32)

// addNEON: y[j] = a[j] + b[j]
//
//go:noescape
func addNEON(n int, y *float32, a *float32, b *float32)

// mulNEON: y[j] = a[j] * b[j]
//
//go:noescape
func mulNEON(n int, y *float32, a *float32, b *float32)

// mulAddNEON: y[j] = fma(a[j], b[j], y[j])
//
//go:noescape
func mulAddNEON(n int, y *float32, a *float32, b *float32)

// expNEON: y[j] = exp(x[j])
//
//go:noescape
func expNEON(n int, y *float32, x *float32)

// logNEON: y[j] = log(x[j])
//
//go:noescape
func logNEON(n int, y *float32, x *float32)

// erfNEON: y[j] = erf(x[j])
//
//go:noescape
func erfNEON(n int, y *float32, x *float32)

// geluNEON: y[j] = gelu(x[j])
//
//go:noescape
func geluNEON(n int, y *float32, x *float32)

// geluGradNEON: g = dy[j] * the derivative of gelu(x[j]); dx[j] = g, or dx[j] += g if add is not 0
//
//go:noescape
func geluGradNEON(n int, dx *float32, dy *float32, x *float32, add int)

// sgdNEON: w[j] = fma(-g[j], lr, w[j])
//
//go:noescape
func sgdNEON(n int, w *float32, grad *float32, lr float32)

// momentumNEON: v[j] = fma(v[j], momentum, -g[j]*lr); w[j] += v[j]
//
//go:noescape
func momentumNEON(n int, w *float32, v *float32, grad *float32, lr, momentum float32)

// nesterovNEON: v[j] = fma(v[j], momentum, -g[j]*lr); w[j] += fma(v[j], momentum, -g[j]*lr)
//
//go:noescape
func nesterovNEON(n int, w *float32, v *float32, grad *float32, lr, momentum float32)

// adamNEON: m[j] = fma(g[j]-m[j], c1, m[j]); v[j] = fma(fma(g[j], g[j], -v[j]), c2, v[j]); w[j] -= m[j]*alpha / (sqrt(v[j])+epsilon)
//
//go:noescape
func adamNEON(n int, w *float32, m *float32, v *float32, grad *float32, alpha, c1, c2, epsilon float32)

// rmspropNEON: v[j] = fma(v[j], rho, g[j]*g[j]*c); w[j] -= g[j]*lr / sqrt(v[j]+epsilon)
//
//go:noescape
func rmspropNEON(n int, w *float32, v *float32, grad *float32, lr, rho, c, epsilon float32)

// linearNEON: y[i,j] = x[i,j] + bias[j]; bias may be nil
//
//go:noescape
func linearNEON(rows, cols int, y *float32, yRow int, x *float32, xRow int, bias *float32)

// reluNEON: y[i,j] = max(x[i,j]+bias[j], 0); bias may be nil
//
//go:noescape
func reluNEON(rows, cols int, y *float32, yRow int, x *float32, xRow int, bias *float32)

// sigmoidNEON: y[i,j] = sigmoid(x[i,j] + bias[j]); bias may be nil
//
//go:noescape
func sigmoidNEON(rows, cols int, y *float32, yRow int, x *float32, xRow int, bias *float32)

// tanhNEON: y[i,j] = tanh(x[i,j] + bias[j]); bias may be nil
//
//go:noescape
func tanhNEON(rows, cols int, y *float32, yRow int, x *float32, xRow int, bias *float32)

// linearGradNEON: g = dy[i,j]; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func linearGradNEON(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int)

// linearGradBiasNEON: g = dy[i,j]; dbias[j] += g; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func linearGradBiasNEON(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int, dbias *float32)

// reluGradNEON: g = dy[i,j] where !(y[i,j] <= 0), else 0; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func reluGradNEON(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int)

// reluGradBiasNEON: g = dy[i,j] where !(y[i,j] <= 0), else 0; dbias[j] += g; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func reluGradBiasNEON(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int, dbias *float32)

// sigmoidGradNEON: g = dy[i,j] * ((1-y[i,j]) * y[i,j]); dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func sigmoidGradNEON(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int)

// sigmoidGradBiasNEON: g = dy[i,j] * ((1-y[i,j]) * y[i,j]); dbias[j] += g; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func sigmoidGradBiasNEON(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int, dbias *float32)

// tanhGradNEON: g = dy[i,j] * fma(-y[i,j], y[i,j], 1); dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func tanhGradNEON(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int)

// tanhGradBiasNEON: g = dy[i,j] * fma(-y[i,j], y[i,j], 1); dbias[j] += g; dx[i,j] = g, or dx[i,j] += g if add is not 0
//
//go:noescape
func tanhGradBiasNEON(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int, dbias *float32)

// rowSumNEON: dst[i] = sum of x[i,j] over j, in 16 lanes
//
//go:noescape
func rowSumNEON(rows, cols int, dst *float32, x *float32, xRow int)

// colSumNEON: dst[j] += sum of x[i,j] over i
//
//go:noescape
func colSumNEON(rows, cols int, dst *float32, x *float32, xRow int)

// softmaxNEON: y[i,j] = exp(x[i,j]-max) / Σ exp(x[i,j]-max) over j
//
//go:noescape
func softmaxNEON(rows, cols int, y *float32, yRow int, x *float32, xRow int)

// logSoftmaxNEON: y[i,j] = (x[i,j]-max) - log Σ exp(x[i,j]-max) over j
//
//go:noescape
func logSoftmaxNEON(rows, cols int, y *float32, yRow int, x *float32, xRow int)

// softmaxGradNEON: dx[i,j] = y[i,j] * (dy[i,j] - Σ dy[i,j]*y[i,j] over j), or dx[i,j] += that if add is not 0
//
//go:noescape
func softmaxGradNEON(rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int)

// softmaxCrossEntropyNEON: p = softmax(logits[i]); loss[i] = -log p[labels[i]]; probs[i] = p; grad[i] = (p - onehot(labels[i])) * weights[i]
//
//go:noescape
func softmaxCrossEntropyNEON(rows, cols int, loss *float32, probs *float32, probsRow int, grad *float32, gradRow int, logits *float32, logitsRow int, labels *int32, weights *float32, weightStep int)

// softCrossEntropyNEON: p = softmax(logits[i]); loss[i] = -Σ targets[i] * log p; probs[i] = p; grad[i] = (p * Σ targets[i] - targets[i]) * weights[i]
//
//go:noescape
func softCrossEntropyNEON(rows, cols int, loss *float32, probs *float32, probsRow int, grad *float32, gradRow int, logits *float32, logitsRow int, targets *float32, targetsRow int, weights *float32, weightStep int)

// binaryCrossEntropyNEON: z, t = logits[i,j], targets[i,j]; loss[i] = mean of max(z,0) - z*t + log1p(exp(-|z|)); probs[i,j] = sigmoid(z); grad[i,j] = (sigmoid(z) - t) * weights[i] / n
//
//go:noescape
func binaryCrossEntropyNEON(rows, cols int, loss *float32, probs *float32, probsRow int, grad *float32, gradRow int, logits *float32, logitsRow int, targets *float32, targetsRow int, weights *float32, weightStep int, n float32)

// binaryCrossEntropyColumnNEON: z, t = logits[i], targets[i]; loss[i] = max(z,0) - z*t + log1p(exp(-|z|)); probs[i] = sigmoid(z); grad[i] = (sigmoid(z) - t) * weights[i]
//
//go:noescape
func binaryCrossEntropyColumnNEON(n int, loss *float32, probs *float32, grad *float32, logits *float32, targets *float32, weights *float32)

// meanSquaredErrorNEON: d = pred[i,j] - targets[i,j]; loss[i] = mean of d*d; grad[i,j] = d * 2 * weights[i] / n
//
//go:noescape
func meanSquaredErrorNEON(rows, cols int, loss *float32, grad *float32, gradRow int, pred *float32, predRow int, targets *float32, targetsRow int, weights *float32, weightStep int, n float32)

// meanSquaredErrorColumnNEON: d = pred[i] - targets[i]; loss[i] = d*d; grad[i] = d * 2 * weights[i]
//
//go:noescape
func meanSquaredErrorColumnNEON(n int, loss *float32, grad *float32, pred *float32, targets *float32, weights *float32)

// meanAbsoluteErrorNEON: d = pred[i,j] - targets[i,j]; loss[i] = mean of |d|; grad[i,j] = sign(d) * weights[i] / n
//
//go:noescape
func meanAbsoluteErrorNEON(rows, cols int, loss *float32, grad *float32, gradRow int, pred *float32, predRow int, targets *float32, targetsRow int, weights *float32, weightStep int, n float32)

// meanAbsoluteErrorColumnNEON: d = pred[i] - targets[i]; loss[i] = |d|; grad[i] = sign(d) * weights[i]
//
//go:noescape
func meanAbsoluteErrorColumnNEON(n int, loss *float32, grad *float32, pred *float32, targets *float32, weights *float32)
