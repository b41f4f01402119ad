# SPDX-License-Identifier: Apache-2.0
"""Small networks with a fault in each, for the compiler's users' usual mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RANDOM = np.random.default_rng(5)
IMAGE = (1, 3, 32, 32)


def network(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[Any]],
    outputs: Sequence[str],
    weights: Mapping[str, Any],
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """Return a model whose outputs' shapes are inferred."""
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    return onnx.shape_inference.infer_shapes(model)


def kernel(out: int, given: int, size: int = 3, scale: float = 0.2) -> Any:
    return (np.random.default_rng(out * 100 + given).normal(size=(out, given, size, size)) * scale).astype(np.float32)


def node(operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, list(inputs), [output], name=f"{operator}_{output}", **attributes)


def convolutions(**metadata: str) -> onnx.ModelProto:
    """Three convolutions on an image."""
    return network(
        [
            node("Conv", ["x", "w1"], "c1", pads=[1] * 4),
            node("Relu", ["c1"], "r1"),
            node("Conv", ["r1", "w2"], "c2", pads=[1] * 4, strides=[2, 2]),
            node("Relu", ["c2"], "r2"),
            node("Conv", ["r2", "w3"], "y", pads=[1] * 4),
        ],
        {"x": IMAGE},
        ["y"],
        {"w1": kernel(8, 3), "w2": kernel(8, 8), "w3": kernel(4, 8)},
        metadata,
    )


def detector() -> onnx.ModelProto:
    """Boxes up to 640 and scores in one output, as YOLO exports have them."""
    return network(
        [
            node("Conv", ["x", "wb"], "boxes_raw", strides=[4, 4]),
            node("Relu", ["boxes_raw"], "boxes_positive"),
            node("Mul", ["boxes_positive", "stride"], "boxes"),
            node("Conv", ["x", "ws"], "scores_raw", strides=[4, 4]),
            node("Sigmoid", ["scores_raw"], "scores"),
            node("Concat", ["boxes", "scores"], "joined", axis=1),
            node("Reshape", ["joined", "flat"], "output0"),
        ],
        {"x": IMAGE},
        ["output0"],
        {
            "wb": kernel(4, 3, scale=0.3),
            "ws": kernel(6, 3),
            "stride": np.full((1, 1, 1, 1), 160, np.float32),
            "flat": np.array([1, 10, -1], np.int64),
        },
    )


def unsupported() -> onnx.ModelProto:
    """A determinant, which no NPU computes."""
    return network(
        [node("Conv", ["x", "w1"], "c1", pads=[1] * 4), node("Det", ["c1"], "y")],
        {"x": IMAGE},
        ["y"],
        {"w1": kernel(8, 3)},
    )


def broken_range() -> onnx.ModelProto:
    """Four layers; one channel of the second is 4,000 times as large as the others, until an error function."""
    w2 = kernel(8, 8)
    w2[7] *= 4000
    return network(
        [
            node("Conv", ["x", "w1"], "c1", pads=[1] * 4),
            node("Relu", ["c1"], "r1"),
            node("Conv", ["r1", "w2"], "broken", pads=[1] * 4),
            node("Erf", ["broken"], "mended"),
            node("Conv", ["mended", "w3"], "c3", pads=[1] * 4),
            node("Relu", ["c3"], "r3"),
            node("Conv", ["r3", "w4"], "y", pads=[1] * 4),
        ],
        {"x": IMAGE},
        ["y"],
        {"w1": kernel(8, 3), "w2": w2, "w3": kernel(8, 8), "w4": kernel(4, 8)},
    )


def red_detector() -> onnx.ModelProto:
    """Sure of red images, and of nothing else."""
    weights = np.zeros((2, 3, 1, 1), np.float32)
    weights[0, 0], weights[0, 2] = 0.05, -0.05
    return network(
        [
            node("Conv", ["x", "w"], "c"),
            node("GlobalAveragePool", ["c"], "p"),
            node("Flatten", ["p"], "f"),
            node("Sigmoid", ["f"], "y"),
        ],
        {"x": IMAGE},
        ["y"],
        {"w": weights},
    )


def keywords() -> onnx.ModelProto:
    """Convolutions over the features of a sound, and a choice of four words."""
    return network(
        [
            node("Conv", ["features", "w1"], "c1", strides=[2, 2]),
            node("Relu", ["c1"], "r1"),
            node("Conv", ["r1", "w2"], "c2"),
            node("GlobalAveragePool", ["c2"], "p"),
            node("Flatten", ["p"], "f"),
            node("Softmax", ["f"], "words"),
        ],
        {"features": (1, 1, 40, 32)},
        ["words"],
        {"w1": kernel(8, 1), "w2": kernel(4, 8)},
    )


def sentiment() -> onnx.ModelProto:
    """The mean of embeddings, and two classes; of any number of tokens."""
    random = np.random.default_rng(3)
    model = network(
        [
            node("Gather", ["table", "tokens"], "embedded"),
            node("ReduceMean", ["embedded"], "mean", axes=[1], keepdims=0),
            node("Gemm", ["mean", "w"], "mood"),
        ],
        {"tokens": (1, "length")},
        ["mood"],
        {"table": random.normal(size=(50, 32)).astype(np.float32), "w": random.normal(size=(32, 2)).astype(np.float32)},
    )
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    return model


def save(model: onnx.ModelProto, path: Path) -> Path:
    onnx.save(model, path)
    return path


def noise(path: Path, count: int = 24, shape: Sequence[int] = IMAGE, scale: float = 1.0) -> Path:
    """Write samples of normal noise."""
    np.save(path, (np.random.default_rng(1).normal(size=(count, *shape[1:])) * scale).astype(np.float32))
    return path
