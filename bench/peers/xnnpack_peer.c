//go:build peers && cgo && amd64

// XNNPACK: operators created and set up once, then run: fully_connected, whose weights it always packs, with the bias in
// front and the clamp of ReLU in the kernel, hence packed rows only; and softmax. It cannot be held to AVX2: where it would
// use AVX-512, it stays out of the rows of AVX2.

#include <cpuinfo.h>
#include <math.h>
#include <pthreadpool.h>
#include <stdlib.h>
#include <string.h>
#include <xnnpack.h>

#include "xnnpack_peer.h"

typedef struct {
	peer peer;
	xnn_operator_t op;
	problem q;
} xnnpack;

static int setup(const xnnpack *s, pthreadpool_t pool) {
	const problem *q = &s->q;
	return q->op == OP_SOFTMAX ? xnn_setup_softmax_nc_f32(s->op, q->m, q->a, q->c, pool)
	                           : xnn_setup_fully_connected_nc_f32(s->op, q->m, q->a, q->c, pool);
}

// The threads exist only here: they would go on spinning for milliseconds, at the cost of the next library.
static int64_t run(peer *self, int64_t iterations) {
	const xnnpack *s = (xnnpack *)self;
	pthreadpool_t pool = s->q.threads > 1 ? pthreadpool_create(s->q.threads) : NULL; // NULL is the calling thread
	int failed = setup(s, pool) | xnn_run_operator(s->op, pool);
	int64_t ns = REPEAT(iterations, failed |= xnn_run_operator(s->op, pool));
	if (pool != NULL) pthreadpool_destroy(pool);
	return failed ? -1 : ns;
}

static void release(peer *self) {
	xnn_delete_operator(((xnnpack *)self)->op);
	free(self);
}

static enum xnn_status create(const problem *q, const char *way, xnn_operator_t *op) {
	if (strcmp(way, "softmax") == 0) {
		if (q->op != OP_SOFTMAX) return xnn_status_invalid_parameter;
		return xnn_create_softmax_nc_f32(q->n, q->n, q->n, 0, op);
	}
	if (!q->packed || (q->op != OP_FORWARD && q->op != OP_DENSE)) return xnn_status_invalid_parameter;
	return xnn_create_fully_connected_nc_f32(q->k, q->n, q->k, q->n, q->b, q->bias, q->op == OP_DENSE ? 0 : -INFINITY,
	                                         INFINITY, XNN_FLAG_TRANSPOSE_WEIGHTS, op);
}

peer *xnnpack_prepare(const problem *q, const char *way) {
	if (xnn_initialize(NULL) != xnn_status_success || (cpuinfo_has_x86_avx512f() && !q->avx512)) return NULL;
	xnn_operator_t op;
	if (create(q, way, &op) != xnn_status_success) return NULL;
	xnnpack *s = malloc(sizeof *s);
	s->peer.run = run;
	s->peer.release = release;
	s->op = op;
	s->q = *q;
	return &s->peer;
}
