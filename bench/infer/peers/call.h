// What the wrappers of the native peers have in common.
#ifndef CALL_H
#define CALL_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

enum act { ACT_LINEAR, ACT_RELU, ACT_SIGMOID, ACT_SOFTMAX };

enum { MAX_STEPS = 8, MAX_LAYERS = 8, MAX_ENDS = 2 };

// A step is to = act(from·w + b) over the rows of a batch. Strides are in elements.
typedef struct {
	enum act act;
	int in, out;
	int from_stride, to_stride;
	const float *from, *w, *b;
	float *to;
} step;

// A problem has what the Go type has; values that are joined are already side by side.
typedef struct {
	const char *model;
	int threads, batch;
	int steps, inputs, outputs;
	step step[MAX_STEPS];
	const float *w[MAX_LAYERS], *b[MAX_LAYERS];
	float *x[MAX_ENDS], *y[MAX_ENDS];
	int x_width[MAX_ENDS], y_width[MAX_ENDS];
	const void *onnx;
	size_t onnx_size;
} problem;

// A call is one prepared way of a library. A wrapper puts it first in a structure of its own.
typedef struct call {
	int (*run)(struct call *c, uint32_t *ns, int64_t n); // 0 if all went well
	void (*release)(struct call *c);
} call;

static inline int64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// EACH is the timing loop of every peer: it writes how many nanoseconds each of n executions of a statement takes.
#define EACH(ns, n, ...)                                          \
	do {                                                          \
		int64_t last_ = now();                                    \
		for (int64_t i_ = 0; i_ < (n); i_++) {                    \
			__VA_ARGS__;                                          \
			int64_t now_ = now();                                 \
			int64_t took_ = now_ - last_;                         \
			(ns)[i_] = took_ < UINT32_MAX ? (uint32_t)took_ : UINT32_MAX; \
			last_ = now_;                                         \
		}                                                         \
	} while (0)

// mallocs returns how often this thread has asked the C library for memory.
int64_t mallocs(void);

call *infer_onnxruntime_prepare(const problem *q, const char *way);
const char *infer_onnxruntime_version(void);
call *infer_xnnpack_prepare(const problem *q, const char *way);
call *infer_eigen_prepare(const problem *q, const char *way);
const char *infer_eigen_version(void);

#ifdef __cplusplus
}
#endif
#endif
