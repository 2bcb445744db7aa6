//go:build peers && cgo && amd64

// Eigen: the networks written by hand, compiled for this machine's own instructions, with sizes that are known when this is
// compiled, that of a batch of one, too. A layer is noalias() = x·W by Eigen's choice of kernel, and one pass for bias and
// activation. All three in one expression, by lazyProduct, were slower in every network.

#include <cstring>

#define Eigen EigenInference // keeps its templates apart from those of ../../peers, compiled for other instructions
#include <eigen3/Eigen/Core>

#include "call.h"

namespace {

template <int Rows, int Cols>
constexpr int order = Cols == 1 && Rows != 1 ? Eigen::ColMajor : Eigen::RowMajor; // the same memory, for a single column

template <int Rows, int Cols>
using matrix = Eigen::Matrix<float, Rows, Cols, order<Rows, Cols>>;
template <int Rows, int Cols>
using operand = Eigen::Map<const matrix<Rows, Cols>, Eigen::AlignedMax>;
template <int Rows, int Cols>
using result = Eigen::Map<matrix<Rows, Cols>, Eigen::AlignedMax>;

template <class T>
void activate(T &&y, enum act act) {
	if (act == ACT_SIGMOID) y = (1 + (-y.array()).exp()).inverse().matrix();
	if (act == ACT_SOFTMAX) {
		for (Eigen::Index i = 0; i < y.rows(); i++) {
			auto row = y.row(i);
			row = (row.array() - row.maxCoeff()).exp().matrix();
			row /= row.sum();
		}
	}
}

// dense computes one layer.
template <int Batch, int In, int Out, enum act Act, class Y, class X>
void dense(Y &&y, const X &x, const problem &q, int layer) {
	operand<In, Out> w(q.w[layer], In, Out);
	Eigen::Map<const Eigen::Matrix<float, 1, Out>, Eigen::AlignedMax> b(q.b[layer]);
	y.noalias() = x * w;
	if constexpr (Act == ACT_RELU) y = (y.rowwise() + b).cwiseMax(0);
	else y.rowwise() += b;
	activate(y, Act);
}

template <int Batch, int Cols>
struct buffer {
	Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic> memory;
	result<Batch, Cols> of(const problem &q) {
		if (memory.size() == 0) memory.resize(q.batch, Cols);
		return {memory.data(), q.batch, Cols};
	}
};

template <int Batch>
struct mt {
	buffer<Batch, 128> h1;
	buffer<Batch, 64> h2;
	void operator()(const problem &q) {
		auto a = h1.of(q);
		auto b = h2.of(q);
		dense<Batch, 20, 128, ACT_RELU>(a, operand<Batch, 20>(q.x[0], q.batch, 20), q, 0);
		dense<Batch, 128, 64, ACT_RELU>(b, a, q, 1);
		dense<Batch, 64, 1, ACT_LINEAR>(result<Batch, 1>(q.y[0], q.batch, 1), b, q, 2);
		dense<Batch, 64, 10, ACT_SOFTMAX>(result<Batch, 10>(q.y[1], q.batch, 10), b, q, 3);
	}
};

// encoders are the layers that mm and mmmt begin with.
template <int Batch>
struct encoders {
	buffer<Batch, 5> narrow[2];
	buffer<Batch, 32> shared[2];
	void operator()(const problem &q) {
		for (int i = 0; i < 2; i++) {
			auto a = narrow[i].of(q);
			dense<Batch, 10, 5, ACT_RELU>(a, operand<Batch, 10>(q.x[i], q.batch, 10), q, i);
			dense<Batch, 5, 32, ACT_RELU>(shared[i].of(q), a, q, 2);
		}
	}
};

template <int Batch>
struct mm {
	encoders<Batch> before;
	buffer<Batch, 32> joined;
	void operator()(const problem &q) {
		before(q);
		auto both = joined.of(q);
		dense<Batch, 32, 16, ACT_RELU>(both.template leftCols<16>(), before.shared[0].of(q), q, 3);
		dense<Batch, 32, 16, ACT_RELU>(both.template rightCols<16>(), before.shared[1].of(q), q, 4);
		dense<Batch, 32, 1, ACT_SIGMOID>(result<Batch, 1>(q.y[0], q.batch, 1), both, q, 5);
	}
};

template <int Batch>
struct mmmt {
	encoders<Batch> before;
	buffer<Batch, 10> branch[2];
	void operator()(const problem &q) {
		before(q);
		auto a = branch[0].of(q), b = branch[1].of(q);
		dense<Batch, 32, 10, ACT_RELU>(a, before.shared[0].of(q), q, 3);
		dense<Batch, 32, 10, ACT_RELU>(b, before.shared[1].of(q), q, 4);
		dense<Batch, 10, 1, ACT_LINEAR>(result<Batch, 1>(q.y[0], q.batch, 1), a, q, 5);
		dense<Batch, 10, 2, ACT_SOFTMAX>(result<Batch, 2>(q.y[1], q.batch, 2), b, q, 6);
	}
};

template <int Batch>
struct large {
	buffer<Batch, 1024> joined, h1;
	buffer<Batch, 512> h2;
	void operator()(const problem &q) {
		auto both = joined.of(q), a = h1.of(q);
		auto b = h2.of(q);
		dense<Batch, 256, 512, ACT_RELU>(both.template leftCols<512>(), operand<Batch, 256>(q.x[0], q.batch, 256), q, 0);
		dense<Batch, 256, 512, ACT_RELU>(both.template rightCols<512>(), operand<Batch, 256>(q.x[1], q.batch, 256), q, 1);
		dense<Batch, 1024, 1024, ACT_RELU>(a, both, q, 2);
		dense<Batch, 1024, 512, ACT_RELU>(b, a, q, 3);
		dense<Batch, 512, 1, ACT_LINEAR>(result<Batch, 1>(q.y[0], q.batch, 1), b, q, 4);
		dense<Batch, 512, 100, ACT_SOFTMAX>(result<Batch, 100>(q.y[1], q.batch, 100), b, q, 5);
	}
};

// tower is one layer after the other, all with ReLU but the last.
template <int Batch, enum act Last, int In, int Out, int... More>
struct tower {
	buffer<Batch, Out> y;
	tower<Batch, Last, Out, More...> rest;
	void operator()(const problem &q) { (*this)(q, operand<Batch, In>(q.x[0], q.batch, In), 0); }
	template <class X>
	void operator()(const problem &q, const X &x, int layer) {
		auto a = y.of(q);
		dense<Batch, In, Out, ACT_RELU>(a, x, q, layer);
		rest(q, a, layer + 1);
	}
};

template <int Batch, enum act Last, int In, int Out>
struct tower<Batch, Last, In, Out> {
	template <class X>
	void operator()(const problem &q, const X &x, int layer) {
		dense<Batch, In, Out, Last>(result<Batch, Out>(q.y[0], q.batch, Out), x, q, layer);
	}
};

template <int Batch>
using dlrm_bottom = tower<Batch, ACT_RELU, 13, 512, 256, 128>;
template <int Batch>
using dlrm_top = tower<Batch, ACT_SIGMOID, 479, 1024, 1024, 512, 256, 1>;
template <int Batch>
using wide_deep = tower<Batch, ACT_SIGMOID, 845, 1024, 512, 256, 1>;
template <int Batch>
using ncf = tower<Batch, ACT_SIGMOID, 256, 256, 128, 64, 1>;

template <class Network>
struct eigen_call {
	call base;
	problem q;
	Network network;

	static int run(call *c, uint32_t *ns, int64_t n) {
		auto *s = reinterpret_cast<eigen_call *>(c);
		Eigen::setNbThreads(s->q.threads);
		EACH(ns, n, s->network(s->q));
		return 0;
	}
	static void release(call *c) { delete reinterpret_cast<eigen_call *>(c); }
	static call *create(const problem *q) {
		auto *s = new eigen_call;
		s->base = {run, release};
		s->q = *q;
		return &s->base;
	}
};

template <template <int> class Network>
call *batched(const problem *q) {
	if (q->batch == 1) return eigen_call<Network<1>>::create(q);
	return eigen_call<Network<Eigen::Dynamic>>::create(q);
}

} // namespace

call *infer_eigen_prepare(const problem *q, const char *way) {
	if (!strcmp(q->model, "mt")) return batched<mt>(q);
	if (!strcmp(q->model, "mm")) return batched<mm>(q);
	if (!strcmp(q->model, "mmmt")) return batched<mmmt>(q);
	if (!strcmp(q->model, "large")) return batched<large>(q);
	if (!strcmp(q->model, "dlrm-bottom")) return batched<dlrm_bottom>(q);
	if (!strcmp(q->model, "dlrm-top")) return batched<dlrm_top>(q);
	if (!strcmp(q->model, "wide-deep")) return batched<wide_deep>(q);
	if (!strcmp(q->model, "ncf")) return batched<ncf>(q);
	return nullptr;
}

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *infer_eigen_version(void) {
	return TEXT(EIGEN_WORLD_VERSION) "." TEXT(EIGEN_MAJOR_VERSION) "." TEXT(EIGEN_MINOR_VERSION);
}
