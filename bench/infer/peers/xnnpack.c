//go:build peers && cgo && amd64

// XNNPACK: operators created and set up once, then run one after the other: fully_connected with weights that it packs
// and ReLU as the clamp in its kernel, softmax and sigmoid in place. Strides join values without a copy.

#include <math.h>
#include <pthreadpool.h>
#include <stdlib.h>
#include <xnnpack.h>

#include "call.h"

typedef struct {
	call call;
	problem q;
	xnn_operator_t op[2 * MAX_STEPS]; // for each step a product, and an activation or NULL
} xnnpack;

static int setup(xnnpack *s, pthreadpool_t pool) {
	int failed = 0;
	for (int i = 0; i < s->q.steps; i++) {
		const step *t = &s->q.step[i];
		xnn_operator_t activation = s->op[2 * i + 1];
		failed |= xnn_setup_fully_connected_nc_f32(s->op[2 * i], s->q.batch, t->from, t->to, pool);
		if (t->act == ACT_SOFTMAX) failed |= xnn_setup_softmax_nc_f32(activation, s->q.batch, t->to, t->to, pool);
		if (t->act == ACT_SIGMOID) failed |= xnn_setup_sigmoid_nc_f32(activation, s->q.batch, t->to, t->to, pool);
	}
	return failed;
}

// The threads exist only here: they would go on spinning for milliseconds, at the cost of the next library.
static int run(call *c, uint32_t *ns, int64_t n) {
	xnnpack *s = (xnnpack *)c;
	pthreadpool_t pool = s->q.threads > 1 ? pthreadpool_create(s->q.threads) : NULL; // NULL is the calling thread
	int failed = setup(s, pool);
	xnn_operator_t list[2 * MAX_STEPS];
	int operators = 0;
	for (int i = 0; i < 2 * s->q.steps; i++) {
		if (s->op[i] != NULL) list[operators++] = s->op[i];
	}
	EACH(ns, n, for (int i = 0; i < operators; i++) failed |= xnn_run_operator(list[i], pool));
	if (pool != NULL) pthreadpool_destroy(pool);
	return failed;
}

static void release(call *c) {
	xnnpack *s = (xnnpack *)c;
	for (int i = 0; i < 2 * MAX_STEPS; i++) xnn_delete_operator(s->op[i]);
	free(s);
}

static int create(const step *t, xnn_operator_t *product, xnn_operator_t *activation) {
	int failed = xnn_create_fully_connected_nc_f32(t->in, t->out, t->from_stride, t->to_stride, t->w, t->b,
	                                               t->act == ACT_RELU ? 0 : -INFINITY, INFINITY,
	                                               XNN_FLAG_TRANSPOSE_WEIGHTS, product);
	if (t->act == ACT_SOFTMAX) failed |= xnn_create_softmax_nc_f32(t->out, t->to_stride, t->to_stride, 0, activation);
	if (t->act == ACT_SIGMOID) failed |= xnn_create_sigmoid_nc_f32(t->out, t->to_stride, t->to_stride, 0, activation);
	return failed;
}

call *infer_xnnpack_prepare(const problem *q, const char *way) {
	if (xnn_initialize(NULL) != xnn_status_success) return NULL;
	xnnpack *s = calloc(1, sizeof *s);
	s->call.run = run;
	s->call.release = release;
	s->q = *q;
	int failed = 0;
	for (int i = 0; i < q->steps; i++) failed |= create(&q->step[i], &s->op[2 * i], &s->op[2 * i + 1]);
	if (failed) {
		release(&s->call);
		return NULL;
	}
	return &s->call;
}
