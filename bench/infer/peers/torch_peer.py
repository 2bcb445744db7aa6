# PyTorch, as child.go asks for it: the network as a Module, in inference_mode, called from Python ("eager"), and traced,
# frozen and run through optimize_for_inference ("jit").
import json
import sys
import time

import torch


class Network(torch.nn.Module):
    def __init__(self, spec, parameters):
        super().__init__()
        self.spec = spec
        self.layers = torch.nn.ModuleList()
        for layer in spec["layers"]:
            linear = torch.nn.Linear(layer["in"], layer["out"])
            linear.weight = torch.nn.Parameter(next(parameters).reshape(layer["in"], layer["out"]).t().contiguous())
            linear.bias = torch.nn.Parameter(next(parameters))
            self.layers.append(linear)
        self.acts = [layer["act"] for layer in spec["layers"]]
        self.steps = [(step["layer"], step["on"]) for step in spec["steps"]]
        self.outputs = spec["outputs"]

    def forward(self, *inputs):
        values = list(inputs)
        for layer, on in self.steps:
            if layer < 0:
                values.append(torch.cat([values[v] for v in on], 1))
                continue
            y = self.layers[layer](values[on[0]])
            act = self.acts[layer]
            if act == "relu":
                y = torch.relu(y)
            elif act == "sigmoid":
                y = torch.sigmoid(y)
            elif act == "softmax":
                y = torch.softmax(y, 1)
            values.append(y)
        return tuple(values[v] for v in self.outputs)


def prepare(spec):
    torch.set_num_threads(spec["threads"])
    with open(spec["file"], "rb") as f:
        data = torch.frombuffer(bytearray(f.read()), dtype=torch.float32)
    sizes = []
    for layer in spec["layers"]:
        sizes += [layer["in"] * layer["out"], layer["out"]]
    sizes += [spec["batch"] * features for features in spec["inputs"]]
    parts = [part.clone() for part in data.split(sizes)]
    weights = 2 * len(spec["layers"])
    network = Network(spec, iter(parts[:weights])).eval()
    inputs = [x.reshape(spec["batch"], features) for x, features in zip(parts[weights:], spec["inputs"])]
    # Tracing and freezing want gradients to be off, not the inference mode, whose tensors freezing cannot copy.
    with torch.no_grad():
        traced = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(network, inputs)))
        for _ in range(3):  # its profiling runs
            traced(*inputs)
    return {"eager": network, "jit": traced}, inputs


def run(network, inputs, calls):
    clock = time.perf_counter_ns
    ns = [0] * calls
    last = clock()
    for i in range(calls):
        network(*inputs)
        now = clock()
        ns[i] = now - last
        last = now
    return ns


def main():
    networks, inputs = {}, []
    torch.set_num_interop_threads(1)
    for line in sys.stdin:
        question = json.loads(line)
        answer = {}
        try:
            with torch.inference_mode():
                if "run" in question:
                    answer["ns"] = run(networks[question["way"]], inputs, question["run"])
                elif "fetch" in question:
                    outputs = networks[question["way"]](*inputs)
                    answer["outputs"] = [y.flatten().tolist() for y in outputs]
            if "prepare" in question:
                networks, inputs = prepare(question["prepare"])
                answer["ways"] = list(networks)
            elif not answer:
                answer["version"] = torch.__version__
        except Exception as error:
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)


main()
