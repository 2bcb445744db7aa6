// Eigen: c.noalias() = a * b on row-major Maps, transposed where the op says so, which it inlines and blocks by itself; dense
// adds one pass that joins bias and ReLU. Its widest instructions are fixed when it is compiled: eigen_avx2.cpp and
// eigen_avx512.cpp include this file after choosing theirs, and name the namespace anew so that the linker keeps their
// templates apart.

#include "eigen.h"

#if !defined EIGEN_VECTORIZE_FMA || defined __AVX512F__ != defined EIGEN_VECTORIZE_AVX512
#error "Eigen was not compiled for the instructions that this file chose"
#endif

namespace {

using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using operand = Eigen::Map<const matrix, Eigen::Aligned64>;
using result = Eigen::Map<matrix, Eigen::Aligned64>;

struct product_peer {
	peer base;
	problem q;
};

int64_t run(peer *self, int64_t iterations) {
	const problem &q = reinterpret_cast<product_peer *>(self)->q;
	switch (q.op) {
	case OP_INPUT_GRAD: {
		operand a(q.a, q.m, q.n), b(q.b, q.k, q.n);
		result c(q.c, q.m, q.k);
		return REPEAT(iterations, c.noalias() = a * b.transpose());
	}
	case OP_WEIGHT_GRAD: {
		operand a(q.a, q.m, q.k), b(q.b, q.m, q.n);
		result c(q.c, q.k, q.n);
		return REPEAT(iterations, c.noalias() = a.transpose() * b);
	}
	default: {
		operand a(q.a, q.m, q.k), b(q.b, q.k, q.n);
		result c(q.c, q.m, q.n);
		if (q.op == OP_FORWARD) return REPEAT(iterations, c.noalias() = a * b);
		Eigen::Map<const Eigen::Matrix<float, 1, Eigen::Dynamic>, Eigen::Aligned64> bias(q.bias, q.n);
		return REPEAT(iterations, c.noalias() = a * b; c = (c.rowwise() + bias).cwiseMax(0));
	}
	}
}

void release(peer *self) { delete reinterpret_cast<product_peer *>(self); }

peer *prepare(const problem *q) {
	if (!is_product(q)) return nullptr;
	Eigen::setNbThreads(q->threads);
	return &(new product_peer{{run, release}, *q})->base;
}

} // namespace
