"""Writes the ONNX models of the tests, each with inputs and what onnxruntime answers: python make.py FOLDER (onnx, onnxruntime, numpy).

Nodes are as PyTorch's exporters write them: `nn.Linear` as Gemm, or as MatMul and Add behind other dimensions than two; GELU by Erf;
`F.normalize` by ReduceL2, Clip, Expand, Div; shapes by Shape, Gather, Concat.
"""
import json
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(7)
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def weights(**shapes):
    return [numpy_helper.from_array((0.3 * rng.standard_normal(shape)).astype("f4"), name.replace("_", ".")) for name, shape in shapes.items()]


def scalar(name, value, dtype="f4"):
    return numpy_helper.from_array(np.array(value, dtype), name)


def ints(name, *values):
    return numpy_helper.from_array(np.array(values, "i8"), name)


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], name=f"{op}_{output}", **attributes)


def model(nodes, inputs, outputs, initializers, opset=17):
    infos = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs]
    results = [helper.make_tensor_value_info(name, FLOAT, [None] * rank) for name, rank in outputs.items()]
    graph = helper.make_graph(nodes, "main", infos, results, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def mlp():
    nodes = [
        node("Gemm", "x fc1.weight fc1.bias", "h1", transB=1),
        node("Relu", "h1", "r1"),
        node("Gemm", "r1 fc2.weight fc2.bias", "h2", transB=1),
        node("Tanh", "h2", "t"),
        node("Gemm", "t fc3.weight fc3.bias", "user", transB=1),
    ]
    init = weights(fc1_weight=(24, 12), fc1_bias=(24,), fc2_weight=(16, 24), fc2_bias=(16,), fc3_weight=(8, 16), fc3_bias=(8,))
    return model(nodes, [("x", FLOAT, ["batch", 12])], {"user": 2}, init), {"x": rng.standard_normal((5, 12))}


def two_tower():
    """Ids and numbers, joined, normalised."""
    nodes = [
        node("Gather", "country.weight country_id", "c"),
        node("Gather", "device.weight device_id", "d"),
        node("Concat", "c d age", "joined", axis=-1),
        node("MatMul", "joined dense.weight", "m"),
        node("Add", "m dense.bias", "a"),
        node("Sigmoid", "a", "s"),
        node("Mul", "a s", "silu"),
        node("Gemm", "silu out.weight out.bias", "o", transB=1),
        node("ReduceL2", "o minus1", "n", keepdims=1),
        node("Clip", "n tiny", "clipped"),
        node("Shape", "o", "shape"),
        node("Expand", "clipped shape", "wide"),
        node("Div", "o wide", "user"),
    ]
    init = weights(country_weight=(20, 6), device_weight=(4, 3), dense_weight=(11, 10), dense_bias=(10,), out_weight=(8, 10), out_bias=(8,))
    init += [ints("minus1", -1), scalar("tiny", 1e-12)]
    opset = 18
    inputs = [("country_id", INT64, ["N"]), ("device_id", INT64, ["N"]), ("age", FLOAT, ["N", 2])]
    given = {"country_id": rng.integers(0, 20, 6), "device_id": rng.integers(0, 4, 6), "age": rng.standard_normal((6, 2))}
    return model(nodes, inputs, {"user": 2}, init, opset), given


def erf_gelu_block():
    """A residual block over [batch, 7, 16]: layer norm, MatMul and Add, GELU by Erf, two outputs."""
    nodes = [
        node("LayerNormalization", "x norm.weight norm.bias", "n", axis=-1, epsilon=1e-6),
        node("MatMul", "n up.weight", "m"),
        node("Add", "up.bias m", "u"),
        node("Div", "u root2", "scaled"),
        node("Erf", "scaled", "erf"),
        node("Add", "erf one", "shifted"),
        node("Mul", "u shifted", "product"),
        node("Mul", "product half", "gelu"),
        node("MatMul", "gelu down.weight", "d"),
        node("Add", "d down.bias", "e"),
        node("Add", "x e", "y"),
        node("Shape", "y", "shape"),
        node("Gather", "shape zero", "batch", axis=0),
        node("Unsqueeze", "batch axis0", "batch1"),
        node("Concat", "batch1 flat", "target", axis=0),
        node("Reshape", "y target", "rows"),
    ]
    init = weights(norm_weight=(16,), norm_bias=(16,), up_weight=(16, 20), up_bias=(20,), down_weight=(20, 16), down_bias=(16,))
    init += [scalar("root2", 2**0.5), scalar("one", 1), scalar("half", 0.5), scalar("zero", 0, "i8"), ints("axis0", 0), ints("flat", 7 * 16)]
    return model(nodes, [("x", FLOAT, ["b", 7, 16])], {"y": 3, "rows": 2}, init), {"x": rng.standard_normal((3, 7, 16))}


def old_layer_norm():
    """Layer normalisation and GELU as exporters wrote them before there were operators for them; a cross layer (DCN)."""
    nodes = [
        node("ReduceMean", "x", "mean", axes=[-1], keepdims=1),
        node("Sub", "x mean", "centred"),
        node("Pow", "centred two", "square"),
        node("ReduceMean", "square", "variance", axes=[-1], keepdims=1),
        node("Add", "variance eps", "sum"),
        node("Sqrt", "sum", "root"),
        node("Div", "centred root", "unit"),
        node("Mul", "unit norm.weight", "scaled"),
        node("Add", "scaled norm.bias", "normed"),
        node("MatMul", "normed cross.weight", "c"),
        node("Add", "c cross.bias", "crossed"),
        node("Mul", "x crossed", "times"),
        node("Add", "times x", "deep"),
        node("Mul", "deep half", "halved"),
        node("Mul", "deep root_half", "narrow"),
        node("Erf", "narrow", "erf"),
        node("Add", "one erf", "shifted"),
        node("Mul", "halved shifted", "gelu"),
        node("Sub", "gelu shift", "moved"),
        node("Div", "moved by", "score"),
    ]
    init = weights(norm_weight=(10,), norm_bias=(10,), cross_weight=(10, 10), cross_bias=(10,))
    init += [scalar("two", 2), scalar("eps", 1e-5), scalar("half", 0.5), scalar("one", 1), scalar("root_half", 0.5**0.5), scalar("by", [4.0])]
    init += [numpy_helper.from_array(rng.standard_normal(10).astype("f4"), "shift")]
    return model(nodes, [("x", FLOAT, [None, 10])], {"score": 2}, init, 13), {"x": rng.standard_normal((4, 10))}


def new_operators():
    """Gelu of opset 20, LpNormalization, Squeeze and Unsqueeze, Flatten, half-precision weights."""
    half = numpy_helper.from_array((0.3 * rng.standard_normal((9, 6))).astype("f2").astype("f4"), "fc.weight")
    nodes = [
        node("Flatten", "x", "flat", axis=1),
        node("Gemm", "flat fc.weight", "h", transB=1),
        node("Gelu", "h", "g"),
        node("Unsqueeze", "g axis1", "three"),
        node("Squeeze", "three axis1", "two"),
        node("LpNormalization", "two", "n", axis=-1, p=2),
        node("Identity", "n", "user"),
    ]
    return model(nodes, [("x", FLOAT, ["batch", 2, 3])], {"user": 2}, [half, ints("axis1", 1)], 20), {"x": rng.standard_normal((4, 2, 3))}


def main(folder):
    for make in (mlp, two_tower, erf_gelu_block, old_layer_norm, new_operators):
        made, given = make()
        onnx.checker.check_model(made)
        onnx.save(made, f"{folder}/{make.__name__}.onnx")
        session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
        typed = {name: value.astype("i8" if value.dtype.kind == "i" else "f4") for name, value in given.items()}
        answers = dict(zip((output.name for output in session.get_outputs()), session.run(None, typed)))
        listed = lambda arrays: {name: {"shape": value.shape, "data": value.ravel().tolist()} for name, value in arrays.items()}  # noqa: E731
        with open(f"{folder}/{make.__name__}.json", "w") as file:
            json.dump({"inputs": listed(typed), "outputs": listed(answers)}, file)


main(sys.argv[1])
