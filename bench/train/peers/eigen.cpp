//go:build peers && cgo && amd64

// Eigen: mt written by hand, compiled for this machine's own instructions. Parameters, their gradients and the means of these
// lie in one array each, in the same order, so that Adam is one loop; both heads are one product; bias and ReLU are one pass
// over a product, as is ReLU's gradient.

#include <cmath>
#include <cstring>

#define Eigen EigenTraining // keeps its templates apart from those of ../../peers, compiled for other instructions
#include <eigen3/Eigen/Core>

#include "call.h"

namespace {

constexpr int IN = 20, H1 = 128, H2 = 64, CLASSES = 10, HEADS = 1 + CLASSES;

template <int Cols>
using rows = Eigen::Matrix<float, Eigen::Dynamic, Cols, Eigen::RowMajor>;
template <int Rows, int Cols>
using matrix = Eigen::Map<Eigen::Matrix<float, Rows, Cols, Eigen::RowMajor>, Eigen::AlignedMax>;

// Where each parameter begins: at a multiple of an array's length, with zeros up to the next one.
constexpr int CHUNK = 16;
constexpr int padded(int n) { return (n + CHUNK - 1) / CHUNK * CHUNK; }
constexpr int W1 = 0, B1 = W1 + padded(IN * H1), W2 = B1 + padded(H1), B2 = W2 + padded(H1 * H2), W3 = B2 + padded(H2),
              B3 = W3 + padded(H2 * HEADS), SIZE = B3 + padded(HEADS);

struct mt {
	call base = {run, release};
	problem q;
	int64_t done = 0;
	Eigen::ArrayXf params, grads, m, v;
	rows<IN> x;
	rows<H1> h1, dh1;
	rows<H2> h2, dh2;
	rows<HEADS> z, dz;

	explicit mt(const problem *p) : q(*p) {
		for (auto *a : {&params, &grads, &m, &v}) *a = Eigen::ArrayXf::Zero(SIZE);
		x = Eigen::Map<const rows<IN>>(q.x[0], q.batch, IN);
		h1.resize(q.batch, H1);
		h2.resize(q.batch, H2);
		z.resize(q.batch, HEADS);
		dh1 = h1, dh2 = h2, dz = z;
		memcpy(&params[W1], q.layer[0].w, sizeof(float) * IN * H1);
		memcpy(&params[B1], q.layer[0].b, sizeof(float) * H1);
		memcpy(&params[W2], q.layer[1].w, sizeof(float) * H1 * H2);
		memcpy(&params[B2], q.layer[1].b, sizeof(float) * H2);
		for (int i = 0; i < H2; i++) {
			params[W3 + HEADS * i] = q.layer[2].w[i];
			memcpy(&params[W3 + HEADS * i + 1], q.layer[3].w + CLASSES * i, sizeof(float) * CLASSES);
		}
		params[B3] = q.layer[2].b[0];
		memcpy(&params[B3 + 1], q.layer[3].b, sizeof(float) * CLASSES);
	}

	template <int Rows, int Cols>
	static matrix<Rows, Cols> part(Eigen::ArrayXf &of, int at) { return matrix<Rows, Cols>(&of[at]); }

	void forward() {
		h1.noalias() = x * part<IN, H1>(params, W1);
		h1 = (h1.rowwise() + part<1, H1>(params, B1)).cwiseMax(0);
		h2.noalias() = h1 * part<H1, H2>(params, W2);
		h2 = (h2.rowwise() + part<1, H2>(params, B2)).cwiseMax(0);
		z.noalias() = h2 * part<H2, HEADS>(params, W3);
		z.rowwise() += part<1, HEADS>(params, B3);
	}

	// loss leaves the gradients of the heads' sums in dz.
	float loss(const float *value, const float *label) {
		float squares = 0, entropy = 0, scale = 1 / float(q.batch);
		for (int i = 0; i < q.batch; i++) {
			float difference = z(i, 0) - value[i];
			squares += difference * difference;
			Eigen::Array<float, 1, CLASSES> shifted = z.row(i).tail<CLASSES>().array();
			shifted -= shifted.maxCoeff();
			Eigen::Array<float, 1, CLASSES> e = shifted.exp();
			float sum = e.sum();
			entropy += std::log(sum) - shifted[int(label[i])];
			dz(i, 0) = 2 * scale * difference;
			dz.row(i).tail<CLASSES>() = (e * (scale / sum)).matrix();
			dz(i, 1 + int(label[i])) -= scale;
		}
		return scale * (squares + entropy);
	}

	void backward() {
		part<H2, HEADS>(grads, W3).noalias() = h2.transpose() * dz;
		part<1, HEADS>(grads, B3) = dz.colwise().sum();
		dh2.noalias() = dz * part<H2, HEADS>(params, W3).transpose();
		dh2 = (h2.array() > 0).select(dh2, 0);
		part<H1, H2>(grads, W2).noalias() = h1.transpose() * dh2;
		part<1, H2>(grads, B2) = dh2.colwise().sum();
		dh1.noalias() = dh2 * part<H1, H2>(params, W2).transpose();
		dh1 = (h1.array() > 0).select(dh1, 0);
		part<IN, H1>(grads, W1).noalias() = x.transpose() * dh1;
		part<1, H1>(grads, B1) = dh1.colwise().sum();
	}

	void adam(double step) {
		const float a = float(1e-3 * std::sqrt(1 - std::pow(0.999, step)) / (1 - std::pow(0.9, step)));
		using chunk = Eigen::Array<float, CHUNK, 1>;
		using chunks = Eigen::Map<chunk, Eigen::AlignedMax>;
		for (int i = 0; i < SIZE; i += CHUNK) {
			const chunk g = chunks(&grads[i]);
			chunks mi(&m[i]), vi(&v[i]), w(&params[i]);
			mi += (g - mi) * float(1 - 0.9);
			vi += (g * g - vi) * float(1 - 0.999);
			w -= a * mi / (vi.sqrt() + 1e-7f);
		}
	}

	static int run(call *c, uint32_t *ns, int64_t n) {
		auto *s = reinterpret_cast<mt *>(c);
		Eigen::setNbThreads(s->q.threads);
		each(ns, n, [s] {
			const float *const *target = s->q.target[s->done % BATCHES];
			s->forward();
			s->q.loss[s->done % s->q.losses] = s->loss(target[0], target[1]);
			s->backward();
			s->adam(double(++s->done));
		});
		return 0;
	}
	static void release(call *c) { delete reinterpret_cast<mt *>(c); }
};

} // namespace

call *train_eigen_prepare(const problem *q, const char *way) {
	return strcmp(q->model, "mt") ? nullptr : &(new mt(q))->base;
}

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *train_eigen_version(void) {
	return TEXT(EIGEN_WORLD_VERSION) "." TEXT(EIGEN_MAJOR_VERSION) "." TEXT(EIGEN_MINOR_VERSION);
}
