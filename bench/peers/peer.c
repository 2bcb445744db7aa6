//go:build peers && cgo && amd64

#include "peer.h"

__attribute__((target("avx2,fma"), optimize("O3"))) void bias_relu(float *restrict c, int rows, int cols, int stride,
                                                                   const float *restrict bias) {
	for (int i = 0; i < rows; i++) {
		float *row = c + (size_t)i * stride;
		for (int j = 0; j < cols; j++) {
			float v = row[j] + bias[j];
			row[j] = v > 0 ? v : 0;
		}
	}
}
