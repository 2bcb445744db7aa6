"""Prints what TensorBoard's own data provider finds in a folder, as JSON: python3 read.py FOLDER."""
import json
import sys

from tensorboard import context
from tensorboard.backend.event_processing import data_provider
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.compat.proto import graph_pb2
from tensorboard.data import provider

multiplexer = plugin_event_multiplexer.EventMultiplexer(
    size_guidance={}, tensor_size_guidance={"scalars": 0, "histograms": 0}
)
multiplexer.AddRunsFromDirectory(sys.argv[1])
multiplexer.Reload()
data = data_provider.MultiplexerDataProvider(multiplexer, sys.argv[1])
where = {"experiment_id": "", "downsample": 1000000}


def by_run(found, convert):
    return {
        run: {tag: [[datum.step, convert(datum)] for datum in values] for tag, values in tags.items()}
        for run, tags in found.items()
    }


ctx = context.RequestContext()
graphs = {}
for run in multiplexer.Runs():
    try:
        text = multiplexer.Graph(run)
    except ValueError:
        continue
    graphs[run] = [[n.name, n.op, *n.input] for n in text.node]
blobs = data.read_blob_sequences(ctx, plugin_name="graphs", **where)
for run, tags in blobs.items():
    for values in tags.values():
        for datum in values:
            graph = graph_pb2.GraphDef.FromString(data.read_blob(ctx, blob_key=datum.values[0].blob_key))
            assert [[n.name, n.op, *n.input] for n in graph.node] == graphs[run]
json.dump(
    {
        "scalars": by_run(data.read_scalars(ctx, plugin_name="scalars", **where), lambda d: d.value),
        "histograms": by_run(
            data.read_tensors(ctx, plugin_name="histograms", **where), lambda d: d.numpy.tolist()
        ),
        "graphs": graphs,
    },
    sys.stdout,
)
