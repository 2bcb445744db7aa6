//go:build peers && cgo && amd64

// libxsmm: JIT kernels called through their pointers, without dispatch and without checks, with beta = 0. It computes
// column-major products; the transpose of a row-major product is one, with the operands exchanged.
//
//   whole           one kernel for the exact shape of the product: the least overhead that any library can have
//   blocked         batch-reduce kernels of 64 rows, 64 columns and at most 64 deep, which keep a block of the result in
//                   registers over the whole depth; the operands are read where they are
//   blocked packed  the same, with the weights rearranged beforehand into panels of 64 columns
//
// libxsmm 1.17 has no kernels for dX = dY·Wᵀ: W is transposed by libxsmm_otrans in each call. Dense adds a pass over each
// block while it is hot. Two threads share the blocks of a call; one kernel for all runs on one thread.

#include <libxsmm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libxsmm_peer.h"

enum { BLOCK = 64 };

typedef struct {
	peer peer;
	problem q;
	product p;
	const float *b;   // W as the kernels read it: in place, transposed or packed
	float *owned;     // memory of b, if it is not in place
	int transpose;    // transpose W into b in each call
	int ldb, panel;   // elements from row to row of b, and from one panel of columns to the next
	int flags;
	libxsmm_smmfunction whole;
	// Blocks: by full or last rows, by full or last columns.
	int row_blocks, col_blocks;
	unsigned long long steps;
	libxsmm_smmfunction_reducebatch_strd block[2][2];
} xsmm;

static inline void transpose(const xsmm *s) {
	if (s->transpose) libxsmm_otrans(s->owned, s->q.b, sizeof(float), s->q.n, s->q.k, s->q.n, s->q.k);
}

static int64_t run_whole(peer *self, int64_t iterations) {
	const xsmm *s = (xsmm *)self;
	const libxsmm_smmfunction kernel = s->whole;
	const float *a = s->q.a, *b = s->b;
	float *c = s->q.c;
	if (s->q.op == OP_DENSE) {
		return REPEAT(iterations, kernel(b, a, c); bias_relu(c, s->p.rows, s->p.cols, s->p.cols, s->q.bias));
	}
	if (s->transpose) return REPEAT(iterations, transpose(s); kernel(b, a, c));
	return REPEAT(iterations, kernel(b, a, c));
}

static inline void run_block(const xsmm *s, int i, int j) {
	const product *p = &s->p;
	const int row = i * BLOCK, col = j * BLOCK;
	const float *a = s->q.a + (p->transpose_a ? (size_t)row : (size_t)row * p->lda);
	float *c = s->q.c + (size_t)row * p->cols + col;
	const int last_row = i == s->row_blocks - 1, last_col = j == s->col_blocks - 1;
	s->block[last_row][last_col](s->b + (size_t)j * s->panel, a, c, &s->steps);
	if (s->q.op == OP_DENSE) {
		bias_relu(c, last_row ? p->rows - row : BLOCK, last_col ? p->cols - col : BLOCK, p->cols, s->q.bias + col);
	}
}

static void run_blocks(const xsmm *s) {
	transpose(s);
	if (s->q.threads > 1) {
#pragma omp parallel for collapse(2)
		for (int j = 0; j < s->col_blocks; j++)
			for (int i = 0; i < s->row_blocks; i++) run_block(s, i, j);
		return;
	}
	for (int j = 0; j < s->col_blocks; j++)
		for (int i = 0; i < s->row_blocks; i++) run_block(s, i, j);
}

static int64_t run_blocked(peer *self, int64_t iterations) {
	const xsmm *s = (xsmm *)self;
	return REPEAT(iterations, run_blocks(s));
}

static void release(peer *self) {
	free(((xsmm *)self)->owned);
	free(self);
}

static int prepare_whole(xsmm *s) {
	const float alpha = 1, beta = 0;
	const int prefetch = LIBXSMM_PREFETCH_NONE;
	const product *p = &s->p;
	s->whole = libxsmm_smmdispatch(p->cols, p->rows, p->depth, &s->ldb, &p->lda, &p->cols, &alpha, &beta, &s->flags,
	                               &prefetch);
	s->peer.run = run_whole;
	return s->whole != NULL;
}

// pack rearranges W into panels of 64 columns, the last one narrower, all with rows of 64.
static void pack(xsmm *s) {
	const int k = s->p.depth, n = s->p.cols;
	s->owned = aligned_alloc(64, (size_t)s->col_blocks * BLOCK * k * sizeof(float));
	for (int j = 0; j < n; j += BLOCK) {
		const int width = n - j < BLOCK ? n - j : BLOCK;
		for (int q = 0; q < k; q++)
			memcpy(s->owned + (size_t)j * k + (size_t)q * BLOCK, s->q.b + (size_t)q * n + j, width * sizeof(float));
	}
	s->b = s->owned;
	s->ldb = BLOCK;
	s->panel = BLOCK * k;
}

static int prepare_blocked(xsmm *s, int packed) {
	const product *p = &s->p;
	s->row_blocks = (p->rows + BLOCK - 1) / BLOCK;
	s->col_blocks = (p->cols + BLOCK - 1) / BLOCK;
	if (s->row_blocks * s->col_blocks == 1 && p->depth <= BLOCK) return 0; // that is the whole kernel
	if (packed) pack(s);
	int deep = p->depth < BLOCK ? p->depth : BLOCK;
	while (p->depth % deep != 0) deep--;
	s->steps = p->depth / deep;
	const float alpha = 1, beta = 0;
	const int prefetch = LIBXSMM_PREFETCH_NONE;
	const int stride_b = deep * s->ldb * (int)sizeof(float);
	const int stride_a = deep * (p->transpose_a ? p->lda : 1) * (int)sizeof(float);
	for (int last_row = 0; last_row < 2; last_row++) {
		for (int last_col = 0; last_col < 2; last_col++) {
			const int rows = last_row ? p->rows - (s->row_blocks - 1) * BLOCK : BLOCK;
			const int cols = last_col ? p->cols - (s->col_blocks - 1) * BLOCK : BLOCK;
			libxsmm_smmfunction_reducebatch_strd f = libxsmm_smmdispatch_reducebatch_strd(
			    cols, rows, deep, stride_b, stride_a, &s->ldb, &p->lda, &p->cols, &alpha, &beta, &s->flags, &prefetch);
			if (f == NULL) return 0;
			s->block[last_row][last_col] = f;
		}
	}
	s->peer.run = run_blocked;
	return 1;
}

peer *libxsmm_prepare(const problem *q, const char *way) {
	const int packed = strcmp(way, "blocked packed") == 0;
	if (!is_product(q) || (packed && !q->packed)) return NULL;
	xsmm *s = calloc(1, sizeof *s);
	s->peer.release = release;
	s->q = *q;
	s->p = product_of(q);
	s->b = q->b;
	s->ldb = s->p.ldb;
	s->panel = BLOCK;
	if (s->p.transpose_b) {
		s->transpose = 1;
		s->owned = aligned_alloc(64, ((size_t)q->k * q->n * sizeof(float) + 63) / 64 * 64);
		s->b = s->owned;
		s->ldb = s->p.cols;
	}
	// Exchanged operands: our A is the second one of the kernels.
	s->flags = s->p.transpose_a ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE;
	if (strcmp(way, "whole") == 0 ? prepare_whole(s) : prepare_blocked(s, packed)) return &s->peer;
	release(&s->peer);
	return NULL;
}

const char *libxsmm_version(void) {
	static char text[128];
	libxsmm_init();
	snprintf(text, sizeof text, "%s (%s)", LIBXSMM_VERSION, libxsmm_get_target_arch());
	return text;
}
