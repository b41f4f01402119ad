# SPDX-License-Identifier: Apache-2.0
"""More graphs behind ``tests/data``: those in which it matters what the official simulator rounds, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graph_writer import GraphWriter

if TYPE_CHECKING:
    import onnx


def depthwise_sums() -> onnx.ModelProto:
    """Build sums of depthwise convolutions, and one whose long stride and kernel the compiler takes apart."""
    g = GraphWriter("depthwise_sums")
    x = g.input("x", [1, 8, 12, 12])
    first, second, third = (g.conv(g.op("Relu", g.conv(x, 8)), 8, depthwise=True) for _ in range(3))
    g.output("y", g.op("Add", g.op("Add", first, second), third))
    weight = g.weight(8, 1, 32, fan_in=32)
    g.output("frames", g.op("Conv", g.input("sound", [1, 1, 640]), weight, kernel_shape=[32], strides=[20]))
    return g.model()


def listed_backwards() -> onnx.ModelProto:
    """Build a sum of two convolutions without biases, whose weights are listed in the other order: [1, 16, 10, 10]."""
    g = GraphWriter("listed_backwards")
    second, first = (g.weight(16, 8, 3, 3, fan_in=72) for _ in range(2))
    geometry: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1] * 4}
    x = g.op("Relu", g.conv(g.input("x", [1, 3, 10, 10]), 8))
    left = g.op("Conv", x, first, **geometry)
    right = g.op("Conv", g.op("Relu", g.conv(x, 8)), second, **geometry)
    g.output("y", g.op("Add", left, right))
    return g.model()


def averages_of_six() -> onnx.ModelProto:
    """Build averages over windows of 3 x 2 pixels, many of them halfway between two integers: [1, 8, 4, 12]."""
    g = GraphWriter("averages_of_six")
    x = g.conv(g.input("x", [1, 3, 12, 24]), 8)
    g.output("y", g.op("AveragePool", x, kernel_shape=[3, 2], strides=[3, 2]))
    return g.model()
