"""Writes tower and reranker as ONNX: `export_networks.py FOLDER`, after `networks.json` and its .f32 files.

The tower is an MLP over [batch, dims]. The reranker takes one user [1, dims] and item ordinals [candidates] and gives the best k
with their values: item rows, pairs, network, value formula and top-k are one graph, so that a call crosses into the runtime once.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

folder = Path(sys.argv[1])
facts = json.loads((folder / "networks.json").read_text())
dims, items, k = facts["dims"], facts["items"], facts["k"]


def floats(name, *shape):
    return np.fromfile(folder / f"{name}.f32", dtype="<f4").reshape(shape)


def layers(network, sizes):
    """Weights of the layers of one network, [outputs, inputs] and [outputs]."""
    pairs = zip(sizes, sizes[1:])
    return [
        (floats(f"{network}.{i}.weight", outputs, inputs), floats(f"{network}.{i}.bias", outputs))
        for i, (inputs, outputs) in enumerate(pairs)
    ]


class Graph:
    """Nodes and constants, each output named after its node."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, op, name, *inputs, outputs=1, **attributes):
        names = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name, **attributes))
        return names[0] if outputs == 1 else names

    def mlp(self, name, x, network):
        for i, (weight, bias) in enumerate(network):
            own = f"{name}.{i}"
            weights = [self.constant(f"{own}.weight", weight), self.constant(f"{own}.bias", bias)]
            x = self.node("Gemm", own, x, *weights, transB=1)
            if i + 1 < len(network):
                x = self.node("Relu", f"{own}.relu", x)
        return x

    def save(self, name, inputs, outputs):
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.checker.check_model(model)
        onnx.save(model, folder / f"{name}.onnx")


def floats_of(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def integers_of(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.INT64, shape)


def export_tower():
    graph = Graph()
    last = graph.mlp("layers", "features", layers("tower", facts["tower"]))
    graph.node("Identity", "embedding", last)
    graph.save("tower", [floats_of("features", "batch", dims)], [floats_of("embedding", "batch", dims)])


def export_reranker():
    graph = Graph()
    table = graph.constant("table", floats("items", items, dims))
    rows = graph.node("Gather", "rows", table, "ids", axis=0)
    logits = graph.mlp("layers", pairs_of(graph, rows), layers("rerank", facts["rerank"]))
    column = graph.constant("column", np.array([dims, 1], dtype=np.int64))
    scores = graph.node("MatMul", "scores", rows, graph.node("Reshape", "user_column", "user", column))
    # 4 * score + sigmoid(click) + 0.5 * sigmoid(like), as the model file has it.
    share = graph.constant("share", np.array([[1.0], [0.5]], dtype=np.float32))
    tasks = graph.node("MatMul", "tasks", graph.node("Sigmoid", "probabilities", logits), share)
    four = graph.constant("four", np.float32(4))
    values = graph.node("Add", "values", graph.node("Mul", "weighted", scores, four), tasks)
    flat = graph.node("Reshape", "flat", values, graph.constant("all", np.array([-1], dtype=np.int64)))
    best, places = graph.node("TopK", "top", flat, graph.constant("k", np.array([k], dtype=np.int64)), outputs=2)
    graph.node("Identity", "best_values", best)
    graph.node("Gather", "best_ids", "ids", places)
    graph.save(
        "rerank",
        [floats_of("user", 1, dims), integers_of("ids", "candidates")],
        [integers_of("best_ids", k), floats_of("best_values", k)],
    )


def pairs_of(graph, rows):
    """[candidates, 3 * dims]: user, item, user * item."""
    users = graph.node("Expand", "users", "user", graph.node("Shape", "shape", rows))
    return graph.node("Concat", "pairs", users, rows, graph.node("Mul", "products", rows, "user"), axis=1)


export_tower()
export_reranker()
