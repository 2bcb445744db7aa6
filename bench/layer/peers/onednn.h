// A convolution with padding and bias, NHWC: images of size x size pixels, a kernel of [window, window, channels, filters].
#ifndef ONEDNN_H
#define ONEDNN_H

#include "../../infer/peers/call.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
	int batch, size, channels, filters, window;
	const float *x, *w, *b;
	float *y;
} convolution;

call *layer_onednn_prepare(const convolution *c);
const char *layer_onednn_version(void);

#ifdef __cplusplus
}
#endif
#endif
