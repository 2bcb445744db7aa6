// What the wrappers of the native peers have in common.
#ifndef CALL_H
#define CALL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum act { ACT_LINEAR, ACT_RELU, ACT_SIGMOID, ACT_SOFTMAX };

enum { MAX_STEPS = 8, MAX_LAYERS = 8, MAX_ENDS = 2, BATCHES = 8 };

typedef struct {
	enum act act;
	int in, out;
	const float *w, *b; // in rows and out columns; neither may be changed
} layer;

// A step makes one value from one other by a layer, or, with CONCAT, from all of ends others.
typedef struct {
	int layer, ends, on[MAX_ENDS];
} step;

enum { CONCAT = -1 };

// A problem has what the Go type has.
typedef struct {
	const char *model;
	int threads, batch;
	int layers, steps, inputs, outputs, losses;
	layer layer[MAX_LAYERS];
	step step[MAX_STEPS];
	int input[MAX_ENDS], output[MAX_ENDS]; // features of inputs, values of outputs
	const float *x[MAX_ENDS];
	const float *target[BATCHES][MAX_ENDS];
	double *loss;
} problem;

// A call is one prepared way of a library. A wrapper puts it first in a structure of its own.
typedef struct call {
	int (*run)(struct call *c, uint32_t *ns, int64_t n); // 0 if all went well
	void (*release)(struct call *c);
} call;

call *train_libtorch_prepare(const problem *q, const char *way);
const char *train_libtorch_version(void);
call *train_eigen_prepare(const problem *q, const char *way);
const char *train_eigen_version(void);

#ifdef __cplusplus
}

#include <time.h>

// each is the timing loop of every peer: it trains n steps and writes how many nanoseconds each takes.
template <class Step>
void each(uint32_t *ns, int64_t n, Step train) {
	auto now = [] {
		timespec t;
		clock_gettime(CLOCK_MONOTONIC, &t);
		return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	};
	int64_t last = now();
	for (int64_t i = 0; i < n; i++) {
		train();
		int64_t time = now(), took = time - last;
		ns[i] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
		last = time;
	}
}
#endif
#endif
