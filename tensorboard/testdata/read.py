"""Prints what TensorBoard's own data provider finds in a folder, as JSON: python3 read.py FOLDER."""
import json
import sys

from tensorboard import context
from tensorboard.backend.event_processing import data_provider
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.compat.proto import graph_pb2

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


def nodes(datum):
    graph = graph_pb2.GraphDef.FromString(data.read_blob(ctx, blob_key=datum.values[0].blob_key))
    return [[node.name, node.op, *node.input] for node in graph.node]


ctx = context.RequestContext()
graphs = data.read_blob_sequences(ctx, plugin_name="graphs", **where)
json.dump(
    {
        "scalars": by_run(data.read_scalars(ctx, plugin_name="scalars", **where), lambda d: d.value),
        "histograms": by_run(
            data.read_tensors(ctx, plugin_name="histograms", **where), lambda d: d.numpy.tolist()
        ),
        "graphs": {run: nodes(values[0]) for run, tags in graphs.items() for values in tags.values()},
    },
    sys.stdout,
)
