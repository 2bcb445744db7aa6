// What the wrappers of the native peers have in common.
#ifndef PEER_H
#define PEER_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

enum op { OP_FORWARD, OP_INPUT_GRAD, OP_WEIGHT_GRAD, OP_DENSE, OP_SOFTMAX, OP_CROSS_ENTROPY };

// A problem is a row with its operands, as in the Go type. X is m by k, W k by n, Y m by n, all row-major and contiguous.
typedef struct {
	enum op op;
	int m, k, n;
	int threads, packed;
	int avx512; // whether more than AVX2 is allowed
	const float *a, *b, *bias;
	const int32_t *labels;
	float *c, *loss;
} problem;

// A peer is one prepared call of a library. A wrapper puts it first in a structure of its own.
typedef struct peer {
	int64_t (*run)(struct peer *p, int64_t iterations); // returns nanoseconds, or -1 if a call failed
	void (*release)(struct peer *p);
} peer;

// A product is what a problem asks of a BLAS: C[rows, cols] = A·B over depth, with A and B read transposed or not.
typedef struct {
	int rows, cols, depth;
	int lda, ldb; // elements from row to row as they are stored
	int transpose_a, transpose_b;
} product;

static inline int is_product(const problem *q) { return q->op <= OP_DENSE; }

static inline product product_of(const problem *q) {
	product p = {q->m, q->n, q->k, q->k, q->n, 0, 0};
	if (q->op == OP_INPUT_GRAD) {
		product dx = {q->m, q->k, q->n, q->n, q->n, 0, 1};
		p = dx;
	} else if (q->op == OP_WEIGHT_GRAD) {
		product dw = {q->k, q->n, q->m, q->k, q->n, 1, 0};
		p = dw;
	}
	return p;
}

static inline int64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// REPEAT is the timing loop of every peer: the nanoseconds that a statement takes, that many times in a row.
#define REPEAT(iterations, ...)                          \
	({                                                   \
		int64_t start_ = now();                          \
		for (int64_t left_ = (iterations); left_ > 0; left_--) { \
			__VA_ARGS__;                                 \
		}                                                \
		now() - start_;                                  \
	})

// bias_relu computes c = max(c + bias, 0): the pass that dense needs after a library without epilogue.
void bias_relu(float *c, int rows, int cols, int stride, const float *bias);

#ifdef __cplusplus
}
#endif
#endif
