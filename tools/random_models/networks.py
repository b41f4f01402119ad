# SPDX-License-Identifier: Apache-2.0
"""Networks: a stem, a handful of random operators of images, and one or two outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from graph_writer import GraphWriter

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    import onnx


class Feature(NamedTuple):
    """A tensor of the network under construction: [1, channels, size, size]."""

    name: str
    channels: int
    size: int


class Network:
    """A random network; each method that adds an operator returns its output."""

    def __init__(self, name: str, source: random.Random) -> None:
        self.random = source
        self.writer = GraphWriter(name)
        channels, size = self.random.choice((1, 3, 4, 5, 8, 16, 21)), self.random.choice((7, 8, 12, 16))
        name = self.writer.input("x", [1, channels, size, size])
        self.features = [self.convolution(Feature(name, channels, size))]

    def model(self) -> onnx.ModelProto:
        """Build the network of three to eight random operators."""
        for _ in range(self.random.randint(3, 8)):
            add = self.random.choice(OPERATORS)
            self.features.append(add(self, self.features[-1]))
        last, *others = reversed(self.features)
        if self.random.random() < 0.3 and others[0].name != last.name:
            self.writer.output("aside", others[0].name)
            last = self.convolution(last) if not self._is_fresh(last) else last
        self.writer.output("y", self.head(last).name if self.random.random() < 0.3 else last.name)
        return self.writer.model()

    def _is_fresh(self, feature: Feature) -> bool:
        return all(feature.name != other.name for other in self.features[:-1])

    def convolution(self, x: Feature) -> Feature:
        """Add a convolution, plain or strided, 1 x 1 to 5 x 5, often with an activation."""
        channels = self.random.choice((4, 7, 8, 16, 24, 32, 40))
        stride = self.random.choice((1, 1, 2)) if x.size > 4 else 1
        name = self.writer.conv(x.name, channels, self.random.choice((1, 3, 3, 5)), stride)
        return self.activation(Feature(name, channels, -(-x.size // stride)))

    def depthwise(self, x: Feature) -> Feature:
        """Add a depthwise 3 x 3 convolution."""
        name = self.writer.conv(x.name, x.channels, depthwise=x.channels > 1)
        return self.activation(x._replace(name=name))

    def activation(self, x: Feature) -> Feature:
        """Add one of the activations that the compiler fuses, or none."""
        op, bounds = self.writer.op, [self.writer.constant(np.array(bound, np.float32)) for bound in (0.0, 6.0)]
        choices: tuple[Callable[[], str], ...] = (
            lambda: x.name,
            lambda: op("Relu", x.name),
            lambda: op("Clip", x.name, *bounds),
            lambda: op("LeakyRelu", x.name, alpha=0.1),
            lambda: op("Sigmoid", x.name),
            lambda: op("Tanh", x.name),
            lambda: op("Elu", x.name, alpha=1.0),
            lambda: op("Mul", x.name, op("Sigmoid", x.name)),
        )
        return x._replace(name=self.random.choice(choices)())

    def pooling(self, x: Feature) -> Feature:
        """Add a maximum or average of 2 x 2, or of 3 x 3 at every place."""
        kind = self.random.choice(("MaxPool", "AveragePool"))
        if x.size >= 4 and self.random.random() < 0.5:
            return Feature(self.writer.op(kind, x.name, kernel_shape=[2, 2], strides=[2, 2]), x.channels, x.size // 2)
        extra = {"count_include_pad": 1} if kind == "AveragePool" else {}
        return x._replace(name=self.writer.op(kind, x.name, kernel_shape=[3, 3], pads=[1] * 4, **extra))

    def residual(self, x: Feature) -> Feature:
        """Add a sum or product with an earlier tensor of the same shape, or with a convolution of this one."""
        alike = [other for other in self.features if other[1:] == x[1:] and other.name != x.name]
        other = self.random.choice(alike).name if alike else self.writer.conv(x.name, x.channels, 1)
        return x._replace(name=self.writer.op(self.random.choice(("Add", "Add", "Mul")), x.name, other))

    def concatenation(self, x: Feature) -> Feature:
        """Concatenate with an earlier tensor of the same size, or with a convolution of this one."""
        alike = [other for other in self.features if other.size == x.size and other.name != x.name]
        other = self.random.choice(alike) if alike else self.convolution_of_size(x)
        channels = x.channels + other.channels
        return Feature(self.writer.op("Concat", x.name, other.name, axis=1, channels=channels), channels, x.size)

    def convolution_of_size(self, x: Feature) -> Feature:
        """Add a 1 x 1 convolution to eight channels."""
        return Feature(self.writer.conv(x.name, 8, 1), 8, x.size)

    def head(self, x: Feature) -> Feature:
        """Add a head of ten probabilities."""
        flat = self.writer.op("Flatten", self.writer.op("GlobalAveragePool", x.name), axis=1)
        return Feature(self.writer.op("Softmax", self.writer.linear(flat, x.channels, 10), axis=1), 10, 1)


OPERATORS = (
    Network.convolution,
    Network.convolution,
    Network.depthwise,
    Network.pooling,
    Network.residual,
    Network.concatenation,
)
