# PyTorch, as child.go asks for it: the network as a Module, called eagerly, with the losses on logits and gradients that
# begin as None. Way "Adam" is the optimizer's plain loop, "foreach" its loops in C++, and in "one tensor" all parameters and
# their gradients are views of one tensor each, over which it runs once.
import json
import sys
import time

import torch
from torch.nn import functional


class Network(torch.nn.Module):
    def __init__(self, spec, parameters):
        super().__init__()
        self.layers = torch.nn.ModuleList()
        for layer in spec["layers"]:
            linear = torch.nn.Linear(layer["in"], layer["out"])
            weight = next(parameters).reshape(layer["in"], layer["out"]).t()
            linear.weight = torch.nn.Parameter(weight.clone(memory_format=torch.contiguous_format))
            linear.bias = torch.nn.Parameter(next(parameters).clone())
            self.layers.append(linear)
        self.relu = [layer["act"] == "relu" for layer in spec["layers"]]
        self.steps = [(step["layer"], step["on"]) for step in spec["steps"]]
        self.outputs = spec["outputs"]

    def forward(self, *inputs):
        values = list(inputs)
        for layer, on in self.steps:
            if layer < 0:
                values.append(torch.cat([values[v] for v in on], 1))
                continue
            y = self.layers[layer](values[on[0]])
            values.append(torch.relu(y) if self.relu[layer] else y)
        return [values[v] for v in self.outputs]


LOSSES = {
    "linear": functional.mse_loss,
    "sigmoid": functional.binary_cross_entropy_with_logits,
    "softmax": functional.cross_entropy,
}


class Training:
    def __init__(self, way, spec, parameters, inputs, targets):
        self.network = Network(spec, iter(parameters))
        self.inputs, self.targets = inputs, targets
        self.criteria = [LOSSES[act] for act in heads(spec)]
        optimized = list(self.network.parameters())
        self.grads = None
        if way == "one tensor":
            optimized = [self.flatten(optimized)]
        self.adam = torch.optim.Adam(optimized, lr=1e-3, betas=(0.9, 0.999), eps=1e-7, foreach=way == "foreach")
        self.losses = [0.0] * spec["losses"]
        self.done = 0

    def flatten(self, parameters):
        everything = torch.cat([p.detach().flatten() for p in parameters])
        self.grads = torch.zeros_like(everything)
        at = 0
        for p in parameters:
            p.data = everything[at : at + p.numel()].view_as(p)
            p.grad = self.grads[at : at + p.numel()].view_as(p)
            at += p.numel()
        everything.requires_grad_().grad = self.grads
        return everything

    def step(self):
        outputs = self.network(*self.inputs)
        targets = self.targets[self.done % len(self.targets)]
        loss = sum(f(y, t) for f, y, t in zip(self.criteria, outputs, targets))
        if self.grads is None:
            self.adam.zero_grad(set_to_none=True)
        else:
            self.grads.zero_()
        loss.backward()
        self.adam.step()
        self.losses[self.done % len(self.losses)] = loss.item()
        self.done += 1

    def run(self, steps):
        clock = time.perf_counter_ns
        ns = [0] * steps
        last = clock()
        for i in range(steps):
            self.step()
            now = clock()
            ns[i] = now - last
            last = now
        return ns


def heads(spec):
    return [spec["layers"][spec["steps"][v - len(spec["inputs"])]["layer"]]["act"] for v in spec["outputs"]]


def prepare(spec):
    torch.set_num_threads(spec["threads"])
    with open(spec["file"], "rb") as f:
        data = torch.frombuffer(bytearray(f.read()), dtype=torch.float32)
    rows, acts = spec["batch"], heads(spec)
    sizes = []
    for layer in spec["layers"]:
        sizes += [layer["in"] * layer["out"], layer["out"]]
    sizes += [rows * features for features in spec["inputs"]]
    sizes += [rows] * (spec["batches"] * len(acts))
    parts = [part.clone() for part in data.split(sizes)]
    count = 2 * len(spec["layers"])
    parameters, parts = parts[:count], parts[count:]
    inputs = [parts.pop(0).reshape(rows, features) for features in spec["inputs"]]
    targets = []
    for _ in range(spec["batches"]):
        batch = [parts.pop(0) for _ in acts]
        targets.append([t.long() if act == "softmax" else t.reshape(rows, 1) for act, t in zip(acts, batch)])
    return {way: Training(way, spec, parameters, inputs, targets) for way in ["Adam", "foreach", "one tensor"]}


def main():
    ways = {}
    torch.set_num_interop_threads(1)
    for line in sys.stdin:
        question = json.loads(line)
        answer = {}
        try:
            if "run" in question:
                answer["ns"] = ways[question["way"]].run(question["run"])
            elif "fetch" in question:
                answer["losses"] = ways[question["way"]].losses
            elif "prepare" in question:
                ways = prepare(question["prepare"])
                answer["ways"] = list(ways)
            else:
                answer["version"] = torch.__version__
        except Exception as error:
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)


main()
