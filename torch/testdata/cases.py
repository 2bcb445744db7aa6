"""Writes the cases of testdata/torch with PyTorch: python3 cases.py, in this folder. Each case has the form that testdata/real has:
a file of weights, what to build for it, and inputs with the outputs that PyTorch computes for them."""

import io
import json
import os
import struct
import zipfile

import numpy
import torch
from torch import nn

torch.manual_seed(15)


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, t in tensors.items():
        b = t.detach().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(b)]}
        data += b
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def case(name, module, steps, x, file="model.pt", save=None, forward=None, **more):
    """x is one input of several rows; save writes the state dict."""
    folder = os.path.join("torch", name)
    os.makedirs(folder, exist_ok=True)
    module.eval()
    for p in module.parameters():
        p.requires_grad = False
        if p.dim() == 1:  # biases and the like that are not all zero or one
            p += 0.1 * torch.randn(p.shape)
    for b in module.buffers():
        if b.dtype == torch.float32:
            b += 0.5 * torch.rand(b.shape)
    path = os.path.join(folder, file)
    (save or (lambda state, path: torch.save(state, path)))(module.state_dict(), path)
    with torch.no_grad():
        y = (forward or module)(x)
    write_safetensors(os.path.join(folder, "io.safetensors"), {"b/input/input": x, "b/output/output": y})
    with open(os.path.join(folder, "case.json"), "w") as f:
        json.dump({"id": name, "file": file, "expect": "load", "architecture": steps, "groups": ["b"],
                   "inputs": [{"name": "input", "shape": [None, *x.shape[1:]]}], "outputs": [{"name": "output"}], **more}, f, indent=1)
        f.write("\n")


def refused(name, save):
    folder = os.path.join("torch", name)
    os.makedirs(folder, exist_ok=True)
    save(os.path.join(folder, "model.pt"))
    with open(os.path.join(folder, "case.json"), "w") as f:
        json.dump({"id": name, "file": "model.pt", "expect": "refuse"}, f)
        f.write("\n")


def first(module):
    return lambda x: module(x)[0]


def mlp():
    return nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 2, bias=False))


def mlp_steps(prefix=""):
    return [["linear", prefix + "0"], ["relu"], ["linear", prefix + "2"], ["tanh"], ["linear", prefix + "4"]]


class Named(nn.Module):
    def __init__(self, **modules):
        super().__init__()
        for name, m in modules.items():
            setattr(self, name, m)


rows = torch.randn(4, 3)
case("linear", mlp(), mlp_steps(), rows)
case("checkpoint", mlp(), mlp_steps(), rows, state_dict_under="model_state_dict",
     save=lambda state, path: torch.save({"epoch": 3, "best": 0.5, "tags": ["a", ("b", None, True)], "model_state_dict": state,
                                          "optimizer": {"state": {0: {"step": torch.tensor(7), "exp_avg": torch.zeros(2, 2)}}}}, path))
case("legacy", mlp(), mlp_steps(), rows, save=lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False))
case("protocol4", mlp(), mlp_steps(), rows, save=lambda state, path: torch.save(state, path, pickle_protocol=4))
for dtype in ("half", "bfloat16", "double"):
    m = mlp()
    m.load_state_dict({k: getattr(v, dtype)().float() for k, v in m.state_dict().items()})
    for p in m.parameters():
        p.requires_grad = False
    case(dtype, m, mlp_steps(), rows, save=lambda state, path, dtype=dtype: torch.save({k: getattr(v, dtype)() for k, v in state.items()}, path),
         forward=lambda x, m=m, dtype=dtype: [m.load_state_dict({k: getattr(v, dtype)().float() for k, v in m.state_dict().items()}), m(x)][1])


def strided(state, path):
    """Every tensor is a view of one storage, the matrices by columns."""
    flat, at, views = torch.empty(sum(v.numel() for v in state.values()) + 1), 1, {}
    for k, v in state.items():
        part = flat[at:at + v.numel()]
        at += v.numel()
        view = part.view(v.shape[::-1]).t() if v.dim() == 2 else part
        view.copy_(v)
        views[k] = view
    torch.save(views, path)


def big_endian(state, path):
    """What a machine of the other byte order would write."""
    b = io.BytesIO()
    torch.save(state, b)
    with zipfile.ZipFile(b) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, numpy.frombuffer(data, "<f4").astype(">f4").tobytes() if "/data/" in name else data)
        new.writestr(name.split("/")[0] + "/byteorder", "big")


case("strided", mlp(), mlp_steps(), rows, save=strided)
case("bigendian", mlp(), mlp_steps(), rows, save=big_endian)
case("norms", nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.PReLU(8), nn.LayerNorm(8), nn.GroupNorm(2, 8)),
     [["linear", "0"], ["batch_norm", "1"], ["prelu", "2"], ["layer_norm", "3"], ["group_norm", "4", 2]], rows)
m = Named(table=nn.Embedding(11, 4), rnn=nn.LSTM(4, 3, num_layers=2, batch_first=True))
case("lstm", m, [["embedding", "table"], ["lstm", "rnn"], ["lstm", "rnn[1]"]], torch.randint(0, 11, (4, 6)).float(), forward=lambda x, m=m: m.rnn(m.table(x.long()))[0])
series = torch.randn(4, 6, 3)
m = nn.GRU(3, 4, batch_first=True)
case("gru", m, [["gru", ""]], series, forward=first(m))
m = nn.GRU(3, 4, batch_first=True, bias=False)
case("gru-nobias", m, [["gru", ""]], series, forward=first(m))
m = nn.RNN(3, 4, batch_first=True)
case("rnn", m, [["rnn", ""]], series, forward=first(m))
m = Named(both=nn.LSTM(3, 2, batch_first=True, bidirectional=True))
case("bidirectional", m, [["bidirectional_lstm", "both"]], series, forward=first(m.both))
m = Named(attn=nn.MultiheadAttention(6, 2, batch_first=True), out=nn.Linear(6, 2))
case("attention", m, [["attention", "attn", 2], ["linear", "out"]], torch.randn(3, 5, 6), forward=lambda x, m=m: m.out(m.attn(x, x, x)[0]))
case("conv1d", nn.Sequential(nn.Conv1d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(24, 2)),
     [["conv1d", "0", 1], ["relu"], ["flatten"], ["linear", "3"]], series.transpose(1, 2).contiguous())
case("conv2d", nn.Sequential(nn.Conv2d(2, 4, (2, 3), bias=False), nn.BatchNorm2d(4), nn.Conv2d(4, 8, 2, groups=4), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 3 * 2, 3)),
     [["conv2d", "0", 0], ["batch_norm", "1"], ["depthwise_conv2d", "2"], ["relu"], ["flatten"], ["linear", "5"]], torch.randn(2, 2, 5, 5))
refused("module", lambda path: torch.save(mlp(), path))
refused("torchscript", lambda path: torch.jit.script(nn.Linear(2, 2)).save(path))
refused("size", lambda path: torch.save({"x": torch.zeros(1).shape}, path))
