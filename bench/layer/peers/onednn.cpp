//go:build peers && cgo && amd64

// oneDNN: one convolution primitive on images as they lie, its weights reordered beforehand to what it asks for.

#include <dnnl.hpp>

#include <cstdio>
#include <vector>

#include "onednn.h"

using namespace dnnl;
using dt = memory::data_type;
using tag = memory::format_tag;

namespace {

struct onednn {
	call base;
	engine cpu{engine::kind::cpu, 0};
	stream s{cpu};
	convolution_forward prim;
	std::vector<memory> memories;
	std::vector<dnnl_exec_arg_t> args;

	void add(int name, memory m) {
		memories.push_back(m);
		args.push_back({name, m.get()});
	}
	memory at(const memory::desc &d, const float *data) { return memory(d, cpu, const_cast<float *>(data)); }

	void make(const convolution &c) {
		memory::dims image{c.batch, c.channels, c.size, c.size}, result{c.batch, c.filters, c.size, c.size};
		memory::dims kernel{c.filters, c.channels, c.window, c.window}, pad{c.window / 2, c.window / 2};
		memory::desc x(image, dt::f32, tag::nhwc), y(result, dt::f32, tag::nhwc), b({c.filters}, dt::f32, tag::a);
		memory::desc plain(kernel, dt::f32, tag::hwio), any(kernel, dt::f32, tag::any);
		convolution_forward::desc d(prop_kind::forward_inference, algorithm::convolution_auto, x, any, b, y, {1, 1}, pad, pad);
		convolution_forward::primitive_desc pd(d, cpu);
		memory from = at(plain, c.w), to(pd.weights_desc(), cpu);
		reorder(from, to).execute(s, from, to);
		s.wait();
		prim = convolution_forward(pd);
		add(DNNL_ARG_SRC, at(x, c.x));
		add(DNNL_ARG_WEIGHTS, to);
		add(DNNL_ARG_BIAS, at(b, c.b));
		add(DNNL_ARG_DST, at(y, c.y));
	}
};

int run(call *c, uint32_t *ns, int64_t n) {
	auto *o = reinterpret_cast<onednn *>(c);
	dnnl_stream_t s = o->s.get();
	int failed = 0;
	EACH(ns, n, failed |= dnnl_primitive_execute(o->prim.get(), s, (int)o->args.size(), o->args.data()));
	return failed;
}

void release(call *c) { delete reinterpret_cast<onednn *>(c); }

} // namespace

call *layer_onednn_prepare(const convolution *c) {
	auto *o = new onednn;
	o->base.run = run;
	o->base.release = release;
	try {
		o->make(*c);
	} catch (const error &e) {
		fprintf(stderr, "onednn: %s\n", e.what());
		delete o;
		return NULL;
	}
	return &o->base;
}

const char *layer_onednn_version(void) {
	static char text[64];
	const dnnl_version_t *v = dnnl_version();
	snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
	return text;
}
