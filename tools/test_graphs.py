# SPDX-License-Identifier: Apache-2.0
"""The ONNX graphs behind ``tests/data``: small, with fixed shapes and seeded random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from graph_writer import GraphWriter
from onnx import TensorProto, helper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def tiny_conv(channels: int = 3, size: int = 16) -> onnx.ModelProto:
    """Build one convolution with ReLU: [1, channels, size, size] to [1, 8, size, size]."""
    g = GraphWriter(f"tiny_conv_{channels}")
    g.output("y", g.op("Relu", g.conv(g.input("x", [1, channels, size, size]), 8)))
    return g.model()


def read_by_cpu() -> onnx.ModelProto:
    """Build an image and features that only CPU operators read, which only move numbers."""
    g = GraphWriter("read_by_cpu")
    for name, channels in (("image", 3), ("features", 6)):
        g.output(f"deep_{name}", g.op("SpaceToDepth", g.input(name, (1, channels, 6, 10)), blocksize=2))
    return g.model()


def two_inputs() -> onnx.ModelProto:
    """Build two image inputs of different shapes and channel counts, with two outputs in another order."""
    g = GraphWriter("two_inputs")
    image, mask = g.input("image", [1, 3, 16, 16]), g.input("mask", [1, 8, 8, 4])
    left = g.op("Relu", g.conv(image, 8, stride=2))  # [1, 8, 8, 8]
    right = g.conv(mask, 5, kernel=1)  # [1, 5, 8, 4]
    g.output("small", g.op("Sigmoid", right))
    g.output("large", g.op("MaxPool", left, kernel_shape=[2, 2], strides=[2, 2]))
    return g.model()


def vector() -> onnx.ModelProto:
    """Build a network of a 2-D input, not an image: [1, 20] to ten probabilities."""
    g = GraphWriter("vector")
    hidden = g.op("Relu", g.linear(g.input("features", [1, 20]), 20, 32))
    g.output("probabilities", g.op("Softmax", g.linear(hidden, 32, 10), axis=1))
    return g.model()


def sequence() -> onnx.ModelProto:
    """Build a network of a 3-D input: [1, 6, 10] through two matrix products and a transpose to [1, 12, 6]."""
    g = GraphWriter("sequence")
    steps = g.input("steps", [1, 6, 10])
    hidden = g.op("Relu", g.op("MatMul", steps, g.weight(10, 16, fan_in=10)))
    mixed = g.op("MatMul", hidden, g.weight(16, 12, fan_in=16))
    g.output("y", g.op("Transpose", mixed, perm=[0, 2, 1]))
    return g.model()


def residual() -> onnx.ModelProto:
    """Build a small classification network: residual and depthwise blocks, pooling, gates, a head."""
    g = GraphWriter("residual")
    stem = g.op("Relu", g.conv(g.input("image", [1, 3, 16, 16]), 16))
    block = g.op("Relu", g.op("Add", stem, g.conv(g.op("Relu", g.conv(stem, 16)), 16)))
    pooled = g.op("MaxPool", block, kernel_shape=[2, 2], strides=[2, 2])
    averaged = g.op("AveragePool", stem, kernel_shape=[2, 2], strides=[2, 2])
    both = g.op("Concat", pooled, averaged, axis=1, channels=32)
    depthwise = g.op("Clip", g.conv(both, 32, depthwise=True), *_bounds(g, 0.0, 6.0))
    gated = g.op("Mul", depthwise, g.op("Sigmoid", g.conv(depthwise, 32, kernel=1)))
    flat = g.op("Flatten", g.op("GlobalAveragePool", gated), axis=1)
    g.output("features", gated)
    g.output("probabilities", g.op("Softmax", g.linear(flat, 32, 10), axis=1))
    return g.model()


def block() -> onnx.ModelProto:
    """Build a residual block with a depthwise convolution and pooling, small enough to compile for every SoC."""
    g = GraphWriter("block")
    stem = g.op("Relu", g.conv(g.input("x", [1, 3, 12, 12]), 16))
    branch = g.conv(g.op("Relu", g.conv(stem, 16, depthwise=True)), 16, kernel=1)
    g.output("y", g.op("MaxPool", g.op("Add", stem, branch), kernel_shape=[2, 2], strides=[2, 2]))
    return g.model()


def activations() -> onnx.ModelProto:
    """Build every activation of opset 13 that the compiler fuses into a convolution, one output each."""
    g = GraphWriter("activations")
    x = g.input("x", [1, 8, 8, 8])
    g.output("leaky", g.op("LeakyRelu", g.conv(x, 8, kernel=1), alpha=0.1))
    g.output("clipped", g.op("Clip", g.conv(x, 8, kernel=1), *_bounds(g, -0.5, 1.0)))
    g.output("sigmoid", g.op("Sigmoid", g.conv(x, 8, kernel=1)))
    g.output("tanh", g.op("Tanh", g.conv(x, 8, kernel=1)))
    gate = g.conv(x, 8, kernel=1)
    g.output("silu", g.op("Mul", gate, g.op("Sigmoid", gate)))
    hard = g.conv(x, 8, kernel=1)
    g.output("hard_swish", g.op("Mul", hard, g.op("HardSigmoid", hard, alpha=1 / 6, beta=0.5)))
    g.output("elu", g.op("Elu", g.conv(x, 8, kernel=1), alpha=1.0))
    return g.model()


def gates() -> onnx.ModelProto:
    """Build products and leaky activations after convolutions, which share the multipliers of the NPU's output."""
    g = GraphWriter("gates")
    stem = g.op("LeakyRelu", g.conv(g.input("x", [1, 8, 8, 8]), 16), alpha=0.1)
    deep = g.op("LeakyRelu", g.conv(stem, 16, depthwise=True), alpha=0.1)
    first = g.op("Mul", stem, g.op("LeakyRelu", g.conv(deep, 16, kernel=1), alpha=0.1))
    g.output("y", g.op("Mul", deep, g.op("Relu", g.conv(first, 16, kernel=1))))
    return g.model()


def image() -> onnx.ModelProto:
    """Build an image as wide as a multiple of 16, with more output channels than a block has: [1, 40, 16, 16]."""
    g = GraphWriter("image")
    g.output("y", g.op("Relu", g.conv(g.input("image", [1, 3, 16, 16]), 40)))
    return g.model()


def reshapes() -> onnx.ModelProto:
    """Build a graph that only moves data: reshape, transpose, slice and concatenation around an addition."""
    g = GraphWriter("reshapes")
    x = g.op("Relu", g.conv(g.input("x", [1, 4, 6, 8]), 12, kernel=1))
    tall = g.op("Reshape", x, g.constant(np.array([1, 6, 12, 8])), channels=6)
    turned = g.op("Transpose", tall, perm=[0, 3, 1, 2], channels=8)  # [1, 8, 6, 12]
    bounds = (np.array([2]), np.array([6]), np.array([1]))
    middle = g.op("Slice", turned, *map(g.constant, bounds), channels=4)  # [1, 4, 6, 12]
    doubled = g.op("Add", middle, middle)
    g.output("y", g.op("Concat", doubled, turned, axis=1, channels=12))
    return g.model()


def tokens() -> onnx.ModelProto:
    """Build a network of an int64 input: eight token ids, looked up and mixed: [1, 8] to [1, 8, 16]."""
    g = GraphWriter("tokens")
    ids = g.input("ids", [1, 8], TensorProto.INT64)
    embedded = g.op("Gather", g.weight(20, 24, fan_in=1), ids)
    g.output("y", g.op("MatMul", embedded, g.weight(24, 16, fan_in=24)))
    return g.model()


def custom_operator() -> onnx.ModelProto:
    """Build a convolution followed by an operator that only its author can execute."""
    g = GraphWriter("custom_operator")
    g.output("y", g.op("cstDouble", g.conv(g.input("x", [1, 3, 8, 8]), 8)))
    model = g.model()
    shape = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 8, 8])
    model.graph.output[0].CopyFrom(shape)
    return model


def custom_blend() -> onnx.ModelProto:
    """Build two custom operators, one with attributes, a constant and two outputs, one of which goes around the other
    operator: [1, 3, 8, 8] to [1, 8, 8, 8].
    """
    g = GraphWriter("custom_blend")
    left = g.op("Relu", g.conv(g.input("x", [1, 3, 8, 8]), 8))
    right = g.conv(left, 8)
    gains = g.constant(np.linspace(0.5, 1.5, 8).astype(np.float32))
    attributes: dict[str, Any] = {
        "alpha": 0.25,
        "signs": [1, -1],
        "offsets": [0.5, -0.25, 0.125],
        "repeat": 2,
        "mode": "difference",
    }
    blend, rest = g.ops("cstBlend", 2, left, right, gains, **attributes)
    g.output("y", g.op("Add", g.conv(g.op("cstDouble", blend), 8), rest))
    return g.model()


def wide_conv() -> onnx.ModelProto:
    """Build a convolution with enough weights for the compiler to compress them."""
    g = GraphWriter("wide_conv")
    g.output("y", g.conv(g.input("x", [1, 64, 4, 4]), 64))
    return g.model()


def snippet() -> onnx.ModelProto:
    """Build ``model.rknn`` of the documentation's examples: an input named ``input``, 1 x 3 x 224 x 224."""
    g = GraphWriter("snippet")
    x = g.op("Relu", g.conv(g.input("input", [1, 3, 224, 224]), 16, stride=4))
    g.output("output", g.conv(x, 10, stride=7, kernel=7))  # [1, 10, 8, 8]
    return g.model()


def _bounds(g: GraphWriter, low: float, high: float) -> tuple[str, str]:
    return g.constant(np.array(low, np.float32)), g.constant(np.array(high, np.float32))


def recurrent(kind: str, direction: str, lengths: Sequence[int] = (), **attributes: Any) -> onnx.ModelProto:
    """Build one LSTM or GRU over two steps, of a size that the compiler pads; ``lengths`` are of the sequences."""
    inputs, hidden, directions = 6, 10, 2 if direction == "bidirectional" else 1
    rows = {"LSTM": 4, "GRU": 3}[kind] * hidden
    graph = GraphWriter(f"{kind}_{direction}_{sorted(attributes)}")
    operands = [
        graph.input("x", [2, 1, inputs]),
        graph.weight(directions, rows, inputs, fan_in=inputs),
        graph.weight(directions, rows, hidden, fan_in=hidden),
        graph.weight(directions, 2 * rows, fan_in=4),
        *([graph.constant(np.array(lengths, np.int32))] if lengths else []),
    ]
    graph.output("y", graph.op(kind, *operands, hidden_size=hidden, direction=direction, **attributes))
    return graph.model()


def cosine() -> onnx.ModelProto:
    """Build an operator that only the CPU has."""
    graph = GraphWriter("cosine")
    graph.output("y", graph.op("Cos", graph.input("x", [1, 4, 8, 8])))
    return graph.model()


def masked_attention() -> onnx.ModelProto:
    """Build two heads of attention over eight positions, each seeing only earlier ones and itself: [1, 8, 16]."""
    return attention(np.triu(np.full((1, 1, 8, 8), -1e4, np.float32), 1))


def attention(mask: NDArray[np.float32] | None = None) -> onnx.ModelProto:
    """Build two heads of attention over eight positions: [1, 8, 16]."""
    length, width, heads = 8, 16, 2
    g = GraphWriter("attention" if mask is None else "masked_attention")
    x = g.input("x", [1, length, width])

    def projected() -> str:
        split = g.op("Reshape", g.op("MatMul", x, g.weight(width, width, fan_in=width)), g.constant(parts))
        return g.op("Transpose", split, perm=[0, 2, 1, 3])

    parts, joined = np.array([1, length, heads, width // heads]), np.array([1, length, width])
    queries, keys, values = projected(), projected(), projected()
    scores = g.op("MatMul", queries, g.op("Transpose", keys, perm=[0, 1, 3, 2]))
    scores = g.op("Div", scores, g.constant(np.array((width / heads) ** 0.5, np.float32)))
    if mask is not None:
        scores = g.op("Add", scores, g.constant(mask))
    mixed = g.op("MatMul", g.op("Softmax", scores, axis=-1), values)
    flat = g.op("Reshape", g.op("Transpose", mixed, perm=[0, 2, 1, 3]), g.constant(joined))
    g.output("y", g.op("MatMul", flat, g.weight(width, width, fan_in=width)))
    return g.model()


def batched_weight() -> onnx.ModelProto:
    """Build a matrix product with a constant that differs within the batch: [1, 2, 6, 20] to [1, 2, 6, 9]."""
    g = GraphWriter("batched_weight")
    g.output("y", g.op("MatMul", g.input("x", [1, 2, 6, 20]), g.weight(2, 20, 9, fan_in=20)))
    return g.model()


def fused() -> onnx.ModelProto:
    """Build unusual fusions: with a batch normalisation, an absolute value, a dilated deconvolution."""
    g = GraphWriter("fused")
    x = g.input("x", [1, 8, 7, 7])
    statistics = [g.constant(np.linspace(low, high, 8).astype(np.float32)) for low, high in ((0.5, 1.5), (-1, 1))]
    spread = g.constant(np.linspace(0.5, 2, 8).astype(np.float32))
    g.output("normal", g.op("Relu", g.op("BatchNormalization", x, *statistics, statistics[1], spread)))
    g.output("absolute", g.op("Abs", g.conv(x, 8, depthwise=True)))
    wide = g.op("ConvTranspose", x, g.weight(8, 8, 3, 3, fan_in=72), pads=[2, 1, 2, 1], dilations=[2, 2])
    g.output("wide", g.conv(g.op("Relu", wide), 8, kernel=1))
    return g.model()


def unusual() -> onnx.ModelProto:
    """Build operators that only the CPU has, one output each."""
    g = GraphWriter("unusual")
    x = g.input("x", [1, 8, 6, 5])
    rows = g.constant(np.array([[0, 1], [0, 5]]))
    g.output("largest", g.op("Max", x, g.op("Sigmoid", x), g.weight(8, 1, 1, fan_in=4)))
    g.output("gathered", g.op("GatherND", x, rows))
    g.output("scattered", g.op("ScatterND", x, rows, g.weight(2, 6, 5, fan_in=1)))
    updates = g.weight(1, 1, 6, 5, fan_in=1)
    g.output("placed", g.op("ScatterElements", x, g.constant(np.full((1, 1, 6, 5), 3)), updates, axis=1))
    g.output("squares", g.op("ReduceSumSquare", x, axes=[2], keepdims=0))
    g.output("first", g.op("Hardmax", x, axis=1))
    g.output("local", g.op("LRN", x, size=3, alpha=0.5))
    g.output("standard", g.op("MeanVarianceNormalization", x, axes=[2, 3]))
    g.output("norms", g.op("LpPool", x, kernel_shape=[2, 2]))
    g.output("shrunk", g.op("Shrink", x, lambd=0.5, bias=0.1))
    return g.model()


def plain_recurrent() -> onnx.ModelProto:
    """Build a recurrent layer without gates, in both directions: [3, 1, 6] to [3, 2, 1, 10]."""
    g = GraphWriter("plain_recurrent")
    weights = [g.weight(2, 10, 6, fan_in=6), g.weight(2, 10, 10, fan_in=10), g.weight(2, 20, fan_in=4)]
    g.output("y", g.op("RNN", g.input("x", [3, 1, 6]), *weights, hidden_size=10, direction="bidirectional"))
    return g.model()


def last_state() -> onnx.ModelProto:
    """Build an LSTM of which only the last hidden state is used: [2, 1, 6] to [1, 1, 10]."""
    g = GraphWriter("last_state")
    weights = [g.weight(1, 40, 6, fan_in=6), g.weight(1, 40, 10, fan_in=10), g.weight(1, 80, fan_in=4)]
    g.output("y", g.ops("LSTM", 2, g.input("x", [2, 1, 6]), *weights, hidden_size=10)[1])
    return g.model()


def quick_gelu() -> onnx.ModelProto:
    """Build swishes with a beta, after a convolution and after a sum: [1, 8, 6, 6]."""
    g = GraphWriter("quick_gelu")
    x = g.input("x", [1, 8, 6, 6])

    def activated(value: str) -> str:
        return g.op("Mul", value, g.op("Sigmoid", g.op("Mul", value, g.constant(np.array(1.702, np.float32)))))

    g.output("y", g.op("Add", activated(g.conv(x, 8)), activated(g.op("Add", x, g.op("Relu", x)))))
    return g.model()


def long_sum() -> onnx.ModelProto:
    """Build a fully connected layer so large that the compiler splits it in two and adds the results: [1, 8]."""
    g = GraphWriter("long_sum")
    x = g.op("Relu", g.conv(g.input("x", [1, 3, 14, 14]), 16))
    g.output("y", g.linear(g.op("Flatten", x, axis=1), 16 * 14 * 14, 8))
    return g.model()


def left_out() -> onnx.ModelProto:
    """Build attributes left out whose usual value is not zero, and remainders with the sign of the divisor."""
    g = GraphWriter("left_out")
    x = g.input("x", [1, 8, 6, 5])
    g.output("leaky", g.op("LeakyRelu", x))
    whole = g.op("Cast", g.op("Mul", x, g.constant(np.array(4, np.float32))), to=TensorProto.INT32)
    remainder = g.op("Mod", whole, g.constant(np.array(3, np.int32)))
    g.output("remainder", g.op("Cast", remainder, to=TensorProto.FLOAT))
    return g.model()


def gelu() -> onnx.ModelProto:
    """Build a GELU after a convolution, as exporters write it: [1, 16, 8, 8]."""
    g = GraphWriter("gelu")
    x = g.conv(g.input("x", [1, 8, 8, 8]), 16)
    half, one, root = (g.constant(np.array(value, np.float32)) for value in (0.5, 1, 2**0.5))
    g.output("y", g.op("Mul", g.op("Mul", x, g.op("Add", g.op("Erf", g.op("Div", x, root)), one)), half))
    return g.model()


def seldom() -> onnx.ModelProto:
    """Build rare operators, one output each, found by ``tools/fuzz_models.py``."""
    g = GraphWriter("seldom")
    x = g.input("x", [1, 8, 6, 10])
    left, right = g.ops("Split", 2, x, g.constant(np.array([4, 4])), axis=1)
    g.output("gated", g.op("Mul", left, g.op("Sigmoid", right)))
    window: dict[str, Any] = {"kernel_shape": [5, 1], "strides": [2, 2], "auto_pad": "SAME_UPPER"}
    g.output("narrow", g.conv(g.op("AveragePool", g.conv(x, 8, depthwise=True), **window), 8, kernel=1))
    bounds = _bounds(g, -0.7, 0.1)  # 0.1 is not a float16
    g.output("below", g.op("Cast", g.op("Less", g.op("Clip", x, *bounds), bounds[1]), to=TensorProto.FLOAT))
    g.output("places", g.ops("TopK", 2, x, g.constant(np.array([3])), axis=3)[1], TensorProto.INT64)
    g.output("curved", g.op("Elu", g.conv(x, 8), alpha=1.4))
    scales = g.constant(np.array([1, 1, 0.45, 0.45], np.float32))
    g.output("shrunk", g.op("Resize", x, "", scales, mode="linear"))
    return g.model()


def cross_attention() -> onnx.ModelProto:
    """Build one head whose five queries attend to another input of 31 positions: [1, 5, 24]."""
    g = GraphWriter("cross_attention")
    queries, memory = g.input("queries", [1, 5, 24]), g.input("memory", [1, 31, 24])
    parts = [g.op("MatMul", source, g.weight(24, 24, fan_in=24)) for source in (queries, memory, memory)]
    asked, known, told = (
        g.op("Transpose", g.op("Reshape", part, g.constant(np.array([1, -1, 1, 24]))), perm=[0, 2, 1, 3])
        for part in parts
    )
    scores = g.op("MatMul", asked, g.op("Transpose", known, perm=[0, 1, 3, 2]))
    weights = g.op("Softmax", g.op("Mul", scores, g.constant(np.array(24**-0.5, np.float32))), axis=-1)
    mixed = g.op("Transpose", g.op("MatMul", weights, told), perm=[0, 2, 1, 3])
    flat = g.op("Reshape", mixed, g.constant(np.array([1, 5, 24])))
    g.output("y", g.op("MatMul", flat, g.weight(24, 24, fan_in=24)))
    return g.model()


def widened() -> onnx.ModelProto:
    """Build a transposed convolution of one channel to one: [1, 1, 7, 6] to [1, 1, 28, 24]."""
    g = GraphWriter("widened")
    x = g.op("Relu", g.conv(g.input("x", [1, 1, 7, 6]), 1, kernel=1))
    g.output("y", g.op("ConvTranspose", x, g.weight(1, 1, 4, 4, fan_in=1), strides=[4, 4], kernel_shape=[4, 4]))
    return g.model()


def started() -> onnx.ModelProto:
    """Build a bidirectional GRU with a given initial state, of a size that the compiler pads: [2, 2, 1, 9]."""
    g = GraphWriter("started")
    weights = [g.weight(2, 27, 6, fan_in=6), g.weight(2, 27, 9, fan_in=9), g.weight(2, 54, fan_in=4)]
    operands = [g.input("x", [2, 1, 6]), *weights, "", g.weight(2, 1, 9, fan_in=1)]
    g.output("y", g.op("GRU", *operands, hidden_size=9, direction="bidirectional", linear_before_reset=1))
    return g.model()


def capped(cap: float = 0.4) -> onnx.ModelProto:
    """Build a convolution with an upper bound but no lower one: [1, 8, 6, 5]."""
    g = GraphWriter("capped")
    g.output("y", g.op("Clip", g.conv(g.input("x", [1, 8, 6, 5]), 8), "", g.constant(np.array(cap, np.float32))))
    return g.model()


def column() -> onnx.ModelProto:
    """Build a transposed convolution of an image one pixel wide: [1, 4, 9, 1] to [1, 12, 9, 1]."""
    g = GraphWriter("column")
    weight = g.weight(4, 12, 3, 3, fan_in=12)
    g.output("y", g.op("ConvTranspose", g.input("x", [1, 4, 9, 1]), weight, kernel_shape=[3, 3], pads=[1] * 4))
    return g.model()
