"""Loads weights that Espalier wrote into modules of PyTorch and prints what they predict: see TestPyTorchLoads."""

import json
import struct
import sys

import torch
from torch import nn

with open(sys.argv[1], "rb") as f:
    header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
    data = f.read()
state = {}
for name, t in header.items():
    if name != "__metadata__":
        begin, end = t["data_offsets"]
        state[name] = torch.frombuffer(bytearray(data[begin:end]), dtype=torch.float32).reshape(t["shape"])


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)

    def forward(self, x):
        return self.last(self.norm(torch.relu(self.first(x))))


model = Model()
model.load_state_dict(state)
model.eval()
print(json.dumps(model(torch.tensor([[1.0, -2, 3, -4, 5]]))[0].tolist()))
