//go:build peers && cgo && amd64

// libtorch: the network of Linear modules called eagerly, with the losses on logits. Way "Adam" is torch::optim::Adam on the
// modules' parameters, whose gradients begin as none. In way "Adam on one tensor" the parameters and their gradients are
// views of one tensor each, which spares the optimizer all but one of its loops: the C++ library has no fused Adam for
// processors, and its foreach functions loop there.

#include <torch/torch.h>

#include <cstring>
#include <iostream>

#include "call.h"

namespace {

using torch::Tensor;

struct network : torch::nn::Module {
	std::vector<torch::nn::Linear> linear;
	std::vector<enum act> act;
	std::vector<step> steps;

	explicit network(const problem &q) : steps(q.step, q.step + q.steps) {
		torch::NoGradGuard constant;
		for (int i = 0; i < q.layers; i++) {
			const layer &l = q.layer[i];
			linear.push_back(register_module("layer" + std::to_string(i), torch::nn::Linear(l.in, l.out)));
			linear[i]->weight.copy_(torch::from_blob(const_cast<float *>(l.w), {l.in, l.out}).t());
			linear[i]->bias.copy_(torch::from_blob(const_cast<float *>(l.b), {l.out}));
			act.push_back(l.act);
		}
	}

	// forward adds the steps' values to those of the inputs; outputs are before their activation.
	void forward(std::vector<Tensor> &values) {
		for (const step &s : steps) {
			if (s.layer == CONCAT) {
				values.push_back(torch::cat({values[s.on[0]], values[s.on[1]]}, 1));
				continue;
			}
			Tensor y = linear[s.layer]->forward(values[s.on[0]]);
			values.push_back(act[s.layer] == ACT_RELU ? torch::relu(y) : y);
		}
	}
};

struct torch_call {
	call base = {run, release};
	problem q;
	network net;
	std::unique_ptr<torch::optim::Adam> adam;
	Tensor grads; // all of them, if they are one tensor
	std::vector<Tensor> x;
	Tensor target[BATCHES][MAX_ENDS];
	int64_t done = 0;

	torch_call(const problem *p, bool one) : q(*p), net(*p) {
		for (int i = 0; i < q.inputs; i++) {
			x.push_back(torch::from_blob(const_cast<float *>(q.x[i]), {q.batch, q.input[i]}).clone());
		}
		for (int b = 0; b < BATCHES; b++) {
			for (int o = 0; o < q.outputs; o++) {
				Tensor t = torch::from_blob(const_cast<float *>(q.target[b][o]), {q.batch});
				target[b][o] = head(o) == ACT_SOFTMAX ? t.to(torch::kLong) : t.clone().unsqueeze(1);
			}
		}
		auto options = torch::optim::AdamOptions(1e-3).betas({0.9, 0.999}).eps(1e-7);
		adam = std::make_unique<torch::optim::Adam>(one ? std::vector<Tensor>{flatten()} : net.parameters(), options);
	}

	enum act head(int o) const { return q.layer[q.step[q.output[o] - q.inputs].layer].act; }

	// flatten makes the parameters and their gradients views of one tensor each, and returns that of the parameters.
	Tensor flatten() {
		torch::NoGradGuard constant;
		int64_t size = 0;
		for (const Tensor &p : net.parameters()) size += p.numel();
		Tensor all = torch::empty(size);
		grads = torch::zeros(size);
		int64_t at = 0;
		for (Tensor &p : net.parameters()) {
			all.slice(0, at, at + p.numel()).copy_(p.flatten());
			p.set_data(all.slice(0, at, at + p.numel()).view_as(p));
			p.mutable_grad() = grads.slice(0, at, at + p.numel()).view_as(p);
			at += p.numel();
		}
		all.requires_grad_().mutable_grad() = grads;
		return all;
	}

	void train() {
		std::vector<Tensor> values = x;
		net.forward(values);
		Tensor loss;
		for (int o = 0; o < q.outputs; o++) {
			const Tensor &y = values[q.output[o]], &t = target[done % BATCHES][o];
			Tensor part = head(o) == ACT_SOFTMAX   ? torch::cross_entropy_loss(y, t)
			              : head(o) == ACT_SIGMOID ? torch::binary_cross_entropy_with_logits(y, t)
			                                       : torch::mse_loss(y, t);
			loss = o == 0 ? part : loss + part;
		}
		if (grads.defined()) grads.zero_();
		else net.zero_grad(true);
		loss.backward();
		adam->step();
		q.loss[done++ % q.losses] = loss.item<float>();
	}

	static int run(call *c, uint32_t *ns, int64_t n) {
		auto *s = reinterpret_cast<torch_call *>(c);
		try {
			torch::set_num_threads(s->q.threads);
			each(ns, n, [s] { s->train(); });
		} catch (const std::exception &e) {
			std::cerr << "libtorch: " << e.what() << std::endl;
			return 1;
		}
		return 0;
	}
	static void release(call *c) { delete reinterpret_cast<torch_call *>(c); }
};

} // namespace

call *train_libtorch_prepare(const problem *q, const char *way) {
	try {
		return &(new torch_call(q, !strcmp(way, "Adam on one tensor")))->base;
	} catch (const std::exception &e) {
		std::cerr << "libtorch: " << e.what() << std::endl;
		return nullptr;
	}
}

const char *train_libtorch_version(void) { return TORCH_VERSION; }
