//go:build peers && cgo && amd64

// OpenBLAS: cblas_sgemm on the row-major operands, read transposed where the op says so, with beta = 0; cblas_sgemv for one
// row, which spares the packing of sgemm. It can neither keep packed weights nor fuse an epilogue, so dense adds one pass
// over the result, which is as hot as it can be.

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openblas.h"

typedef struct {
	peer peer;
	problem q;
} openblas;

static inline void epilogue(const problem *q) {
	if (q->op == OP_DENSE) bias_relu(q->c, q->m, q->n, q->n, q->bias);
}

static int64_t run_sgemm(peer *self, int64_t iterations) {
	const problem *q = &((openblas *)self)->q;
	const product p = product_of(q);
	const CBLAS_TRANSPOSE ta = p.transpose_a ? CblasTrans : CblasNoTrans, tb = p.transpose_b ? CblasTrans : CblasNoTrans;
	return REPEAT(iterations, cblas_sgemm(CblasRowMajor, ta, tb, p.rows, p.cols, p.depth, 1, q->a, p.lda, q->b, p.ldb, 0,
	                                      q->c, p.cols);
	              epilogue(q));
}

static int64_t run_sgemv(peer *self, int64_t iterations) {
	const problem *q = &((openblas *)self)->q;
	const CBLAS_TRANSPOSE t = q->op == OP_INPUT_GRAD ? CblasNoTrans : CblasTrans;
	return REPEAT(iterations, cblas_sgemv(CblasRowMajor, t, q->k, q->n, 1, q->b, q->n, q->a, 1, 0, q->c, 1); epilogue(q));
}

static void release(peer *self) { free(self); }

peer *openblas_prepare(const problem *q, const char *way) {
	if (!is_product(q)) return NULL;
	const int gemv = strcmp(way, "sgemv") == 0;
	if (gemv && (q->m != 1 || q->op == OP_WEIGHT_GRAD)) return NULL;
	openblas *s = malloc(sizeof *s);
	s->peer.run = gemv ? run_sgemv : run_sgemm;
	s->peer.release = release;
	s->q = *q;
	return &s->peer;
}

const char *openblas_version(void) {
	static char text[256];
	char name[64] = "", number[64] = "";
	sscanf(openblas_get_config(), "%63s %63s", name, number);
	snprintf(text, sizeof text, "%s (%s, %d threads)", number, openblas_get_corename(), openblas_get_num_threads());
	return text;
}
