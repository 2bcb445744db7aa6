//go:build peers && cgo && amd64

// oneDNN: primitives, created once, with their argument list built once and executed through the C entry, which spares the
// map that the C++ one builds for each call.
//
//   sgemm                  dnnl_sgemm on the row-major operands; dense adds a pass
//   matmul                 plain layouts; transposed operands by their strides; dense by bias and eltwise post-op
//   inner_product          the same by the primitive meant for a dense layer, and its backward primitives
//   ... packed             weights in format_tag::any, reordered beforehand to what the primitive asks for
//   softmax                softmax forward
//   logsoftmax             cross-entropy: log-softmax forward, from which the losses are picked, then log-softmax backward
//                          from a gradient of -1 at each label, written beforehand
//   logsoftmax + exp       cross-entropy: the same forward, then the exp primitive, less 1 at each label

#include <dnnl.hpp>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "onednn.h"

using namespace dnnl;
using dim = memory::dim;
using dt = memory::data_type;
using tag = memory::format_tag;

namespace {

const engine &cpu() {
	static engine e(engine::kind::cpu, 0);
	return e;
}

// One primitive with the arguments that it is executed with.
struct step {
	primitive prim;
	std::vector<memory> memories; // keeps alive what args points to
	std::vector<dnnl_exec_arg_t> args;

	void add(int name, memory m) {
		memories.push_back(m);
		args.push_back({name, m.get()});
	}
	int run(dnnl_stream_t s) const { return dnnl_primitive_execute(prim.get(), s, (int)args.size(), args.data()); }
};

struct onednn {
	peer base;
	problem q;
	stream s{cpu()};
	std::vector<step> steps;
	std::vector<float> dense_labels, log_probs;

	// matrix describes a row-major matrix, or the transpose of one.
	static memory::desc matrix(dim rows, dim cols, bool transposed = false) {
		return transposed ? memory::desc({rows, cols}, dt::f32, memory::dims{1, rows})
		                  : memory::desc({rows, cols}, dt::f32, memory::dims{cols, 1});
	}
	static memory at(const memory::desc &d, const float *data) { return memory(d, cpu(), const_cast<float *>(data)); }

	// reordered returns plain data in the layout that a primitive asks for.
	memory reordered(const memory::desc &plain, const float *data, const memory::desc &wanted) {
		memory from = at(plain, data);
		if (plain == wanted) return from;
		memory to(wanted, cpu());
		reorder(from, to).execute(s, from, to);
		s.wait();
		return to;
	}

	primitive_attr epilogue() const {
		primitive_attr attr;
		if (q.op == OP_DENSE) {
			post_ops relu;
			relu.append_eltwise(1, algorithm::eltwise_relu, 0, 0);
			attr.set_post_ops(relu);
		}
		return attr;
	}

	void matmul_step(bool packed) {
		const product p = product_of(&q);
		auto src = matrix(p.rows, p.depth, p.transpose_a), weights = matrix(p.depth, p.cols, p.transpose_b);
		auto dst = matrix(p.rows, p.cols), bias = matrix(1, p.cols);
		auto wanted = packed ? memory::desc({p.depth, p.cols}, dt::f32, tag::any) : weights;
		auto d = q.op == OP_DENSE ? matmul::desc(src, wanted, bias, dst) : matmul::desc(src, wanted, dst);
		auto pd = matmul::primitive_desc(d, epilogue(), cpu());
		step t{matmul(pd), {}, {}};
		t.add(DNNL_ARG_SRC, at(src, q.a));
		t.add(DNNL_ARG_WEIGHTS, reordered(weights, q.b, pd.weights_desc()));
		if (q.op == OP_DENSE) t.add(DNNL_ARG_BIAS, at(bias, q.bias));
		t.add(DNNL_ARG_DST, at(dst, q.c));
		steps.push_back(t);
	}

	// inner_product_step sees W, which is k by n, as the transpose of its own n by k weights.
	void inner_product_step(bool packed) {
		auto x = matrix(q.m, q.k), w = matrix(q.n, q.k, true), y = matrix(q.m, q.n);
		auto wanted = packed ? memory::desc({q.n, q.k}, dt::f32, tag::any) : w;
		memory::desc bias({q.n}, dt::f32, tag::a);
		auto forward = q.op == OP_DENSE ? inner_product_forward::desc(prop_kind::forward_inference, x, wanted, bias, y)
		                                : inner_product_forward::desc(prop_kind::forward_inference, x, wanted, y);
		auto pd = inner_product_forward::primitive_desc(forward, epilogue(), cpu());
		step t;
		if (q.op == OP_INPUT_GRAD) {
			auto back = inner_product_backward_data::primitive_desc({x, w, y}, cpu(), pd);
			t.prim = inner_product_backward_data(back);
			t.add(DNNL_ARG_DIFF_DST, at(y, q.a));
			t.add(DNNL_ARG_WEIGHTS, at(w, q.b));
			t.add(DNNL_ARG_DIFF_SRC, at(x, q.c));
		} else if (q.op == OP_WEIGHT_GRAD) {
			auto back = inner_product_backward_weights::primitive_desc({x, w, y}, cpu(), pd);
			t.prim = inner_product_backward_weights(back);
			t.add(DNNL_ARG_SRC, at(x, q.a));
			t.add(DNNL_ARG_DIFF_DST, at(y, q.b));
			t.add(DNNL_ARG_DIFF_WEIGHTS, at(w, q.c));
		} else {
			t.prim = inner_product_forward(pd);
			t.add(DNNL_ARG_SRC, at(x, q.a));
			t.add(DNNL_ARG_WEIGHTS, reordered(w, q.b, pd.weights_desc()));
			if (q.op == OP_DENSE) t.add(DNNL_ARG_BIAS, at(bias, q.bias));
			t.add(DNNL_ARG_DST, at(y, q.c));
		}
		steps.push_back(t);
	}

	void softmax_step() {
		auto rows = matrix(q.m, q.n);
		auto pd = softmax_forward::primitive_desc({prop_kind::forward_inference, rows, 1}, cpu());
		step t{softmax_forward(pd), {}, {}};
		t.add(DNNL_ARG_SRC, at(rows, q.a));
		t.add(DNNL_ARG_DST, at(rows, q.c));
		steps.push_back(t);
	}

	void logsoftmax_steps(bool backward) {
		auto rows = matrix(q.m, q.n);
		log_probs.resize((size_t)q.m * q.n);
		auto pd = logsoftmax_forward::primitive_desc({prop_kind::forward_training, rows, 1}, cpu());
		step f{logsoftmax_forward(pd), {}, {}};
		f.add(DNNL_ARG_SRC, at(rows, q.a));
		f.add(DNNL_ARG_DST, at(rows, log_probs.data()));
		steps.push_back(f);
		if (!backward) {
			auto exp = eltwise_forward::primitive_desc({prop_kind::forward_inference, algorithm::eltwise_exp, rows}, cpu());
			step e{eltwise_forward(exp), {}, {}};
			e.add(DNNL_ARG_SRC, at(rows, log_probs.data()));
			e.add(DNNL_ARG_DST, at(rows, q.c));
			steps.push_back(e);
			return;
		}
		dense_labels.resize((size_t)q.m * q.n);
		for (int i = 0; i < q.m; i++) dense_labels[(size_t)i * q.n + q.labels[i]] = -1;
		auto back = logsoftmax_backward::primitive_desc({rows, rows, 1}, cpu(), pd);
		step b{logsoftmax_backward(back), {}, {}};
		b.add(DNNL_ARG_DST, at(rows, log_probs.data()));
		b.add(DNNL_ARG_DIFF_DST, at(rows, dense_labels.data()));
		b.add(DNNL_ARG_DIFF_SRC, at(rows, q.c));
		steps.push_back(b);
	}
};

int64_t run_primitive(peer *self, int64_t iterations) {
	auto *o = reinterpret_cast<onednn *>(self);
	const step &t = o->steps[0];
	dnnl_stream_t s = o->s.get();
	int failed = 0;
	int64_t ns = REPEAT(iterations, failed |= t.run(s));
	return failed ? -1 : ns;
}

template <bool backward> int64_t run_logsoftmax(peer *self, int64_t iterations) {
	auto *o = reinterpret_cast<onednn *>(self);
	const problem &q = o->q;
	dnnl_stream_t s = o->s.get();
	int failed = 0;
	int64_t ns = REPEAT(
	    iterations, failed |= o->steps[0].run(s);
	    for (int i = 0; i < q.m; i++) q.loss[i] = -o->log_probs[(size_t)i * q.n + q.labels[i]];
	    failed |= o->steps[1].run(s);
	    if (!backward) for (int i = 0; i < q.m; i++) q.c[(size_t)i * q.n + q.labels[i]] -= 1);
	return failed ? -1 : ns;
}

int64_t run_sgemm(peer *self, int64_t iterations) {
	const problem &q = reinterpret_cast<onednn *>(self)->q;
	const product p = product_of(&q);
	const char ta = p.transpose_a ? 'T' : 'N', tb = p.transpose_b ? 'T' : 'N';
	int failed = 0;
	int64_t ns = REPEAT(
	    iterations,
	    failed |= dnnl_sgemm(ta, tb, p.rows, p.cols, p.depth, 1, q.a, p.lda, q.b, p.ldb, 0, q.c, p.cols);
	    if (q.op == OP_DENSE) bias_relu(q.c, q.m, q.n, q.n, q.bias));
	return failed ? -1 : ns;
}

void release(peer *self) { delete reinterpret_cast<onednn *>(self); }

} // namespace

peer *onednn_prepare(const problem *q, const char *way) {
	auto *o = new onednn;
	o->q = *q;
	o->base.release = release;
	o->base.run = run_primitive;
	std::string what = way;
	const bool packed = what.size() > 7 && what.substr(what.size() - 7) == " packed";
	if (packed) what.resize(what.size() - 7);
	bool has = is_product(q) && (!packed || q->packed);
	try {
		if (what == "softmax") {
			has = q->op == OP_SOFTMAX;
			if (has) o->softmax_step();
		} else if (what == "logsoftmax" || what == "logsoftmax + exp") {
			const bool backward = what == "logsoftmax";
			has = q->op == OP_CROSS_ENTROPY;
			if (has) o->logsoftmax_steps(backward);
			o->base.run = backward ? run_logsoftmax<true> : run_logsoftmax<false>;
		} else if (what == "sgemm") {
			o->base.run = run_sgemm;
		} else if (has && what == "matmul") {
			o->matmul_step(packed);
		} else if (has && what == "inner_product") {
			o->inner_product_step(packed);
		}
	} catch (const error &e) {
		if (e.status != dnnl_unimplemented) fprintf(stderr, "onednn %s: %s\n", way, e.what());
		has = false;
	}
	if (!has) {
		delete o;
		return NULL;
	}
	return &o->base;
}

const char *onednn_version(void) {
	static char text[128];
	const char *isa = "other";
	switch (dnnl_get_effective_cpu_isa()) {
	case dnnl_cpu_isa_avx2: isa = "avx2"; break;
	case dnnl_cpu_isa_avx2_vnni: isa = "avx2_vnni"; break;
	case dnnl_cpu_isa_avx512_core: isa = "avx512_core"; break;
	case dnnl_cpu_isa_avx512_core_vnni: isa = "avx512_core_vnni"; break;
	case dnnl_cpu_isa_avx512_core_bf16: isa = "avx512_core_bf16"; break;
	case dnnl_cpu_isa_avx512_core_amx: isa = "avx512_core_amx"; break;
	default: break;
	}
	const dnnl_version_t *v = dnnl_version();
	snprintf(text, sizeof text, "%d.%d.%d (%s)", v->major, v->minor, v->patch, isa);
	return text;
}
