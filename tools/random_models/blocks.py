# SPDX-License-Identifier: Apache-2.0
"""Blocks: a convolution in any form, an activation, and an operator that joins or pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .activations import FUSED
from .draft import Draft

if TYPE_CHECKING:
    import random

    import onnx

LARGEST_IMAGE = 20000  # elements
LARGEST_WEIGHT = 200_000  # elements


def block_model(name: str, source: random.Random) -> tuple[onnx.ModelProto, str]:
    """Build a block; return it and the form of its end."""
    g = Draft(name, source)
    x = first(g)
    y = g.choice(FUSED)(g, convolution(g, x)) if g.chance(0.8) else convolution(g, x)
    join = g.choice((alone, alone, alone, joined, joined, pooled))
    y = join(g, x, y)
    if g.chance(0.3):
        y = g.op("Relu", y)
    g.finish(y, convolved=g.chance(0.3))
    return g.model(), join.__name__


def first(g: Draft) -> str:
    """Draw an input, in half of the cases after a convolution, so that it is an image inside the network."""
    channels, space = g.choice((3, 1, 4, g.channels(), g.channels())), 1 if g.chance(0.12) else 2
    size = [g.integer(1, 40) for _ in range(space)]
    while channels * size[0] * size[-1] > LARGEST_IMAGE:
        size = [extent * 2 // 3 for extent in size]
    x = g.input("x", [1, channels, *size])
    return g.op("Relu", g.convolution(x, channels, 1)) if g.chance(0.5) else x


def convolution(g: Draft, x: str) -> str:
    """Draw a convolution of any form."""
    shape = g.of(x).shape
    forms = (plain, plain, plain, depthwise, grouped, transposed)
    return g.choice(forms)(g, x, shape[1], shape[2:])


def plain(g: Draft, x: str, inputs: int, size: tuple[int, ...]) -> str:
    """Draw a plain one: kernels up to 7, strides, dilations, any padding."""
    return convolved(g, x, inputs, g.channels(), size, 1)


def depthwise(g: Draft, x: str, inputs: int, size: tuple[int, ...]) -> str:
    """Draw one with a kernel for each channel; at times two."""
    return convolved(g, x, inputs, inputs * g.choice((1, 1, 1, 1, 2)), size, inputs)


def grouped(g: Draft, x: str, inputs: int, size: tuple[int, ...]) -> str:
    """Draw one with groups of channels."""
    groups = g.choice([count for count in range(1, min(inputs, 8) + 1) if inputs % count == 0])
    return convolved(g, x, inputs, groups * g.integer(1, 12), size, groups)


def convolved(g: Draft, x: str, inputs: int, outputs: int, size: tuple[int, ...], groups: int) -> str:
    """Draw a convolution with weights of a size that compiles in seconds."""
    kernel = [g.choice((1, 2, 3, 3, 5, 7))] * len(size) if g.chance(0.8) else [g.integer(1, 7) for _ in size]
    dilation = g.choice((1, 1, 1, 2, 3))
    pads = padding(g, kernel, dilation)
    # The kernel must fit into the padded image.
    for place, extent in enumerate(size):
        room = extent + pads[place] + pads[place + len(size)]
        kernel[place] = min(kernel[place], (room - 1) // dilation + 1)
    while outputs > groups and outputs * inputs // groups * kernel[0] * kernel[-1] > LARGEST_WEIGHT:
        outputs = max(1, outputs // groups // 2) * groups
    stride = [g.choice((1, 1, 1, 2, 3))] * len(size) if g.chance(0.9) else [g.integer(1, 3) for _ in size]
    each = inputs // groups
    fan_in = each * kernel[0] * (kernel[-1] if len(kernel) > 1 else 1)
    attributes: dict[str, Any] = {
        "kernel_shape": kernel,
        "strides": stride,
        "dilations": [dilation] * len(size),
        "group": groups,
        "pads": pads,
    }
    bias = (g.normal(outputs, spread=0.3),) if g.chance(0.85) else ()
    return g.op("Conv", x, g.weight(outputs, each, *kernel, fan_in=fan_in), *bias, **attributes)


def padding(g: Draft, kernel: list[int], dilation: int) -> list[int]:
    """Draw padding that keeps the size, none, or any."""
    half = [dilation * (extent - 1) // 2 for extent in kernel]
    form = g.random.random()
    if form < 0.6:
        return half * 2
    return [0] * len(half) * 2 if form < 0.75 else [g.integer(0, extent) for extent in half * 2]


def transposed(g: Draft, x: str, inputs: int, size: tuple[int, ...]) -> str:
    """Draw a transposed one: kernels up to 5, strides up to 3, depthwise at times."""
    space = len(size)
    outputs = g.channels(64)
    groups = inputs if g.chance(0.15) else 1
    outputs = inputs if groups > 1 else outputs
    kernel, stride = g.choice(((2, 2), (4, 2), (3, 2), (3, 1), (5, 3), (4, 4), (g.integer(1, 5), g.integer(1, 3))))
    attributes: dict[str, Any] = {"kernel_shape": [kernel] * space, "strides": [stride] * space, "group": groups}
    most = (kernel - 1) // 2
    if all((extent - 1) * stride + kernel > 2 * most for extent in size):
        attributes["pads"] = [most] * 2 * space if g.chance(0.6) else [g.integer(0, most) for _ in range(2 * space)]
    if stride > 1 and g.chance(0.2):
        attributes["output_padding"] = [g.integer(0, stride - 1)] * space
    while inputs * outputs // groups * kernel**space > LARGEST_WEIGHT:
        outputs //= 2
    fan_in = max(1, inputs // groups * kernel**space // stride**space)
    bias = (g.normal(outputs, spread=0.3),) if g.chance(0.85) else ()
    weight = g.weight(inputs, outputs // groups, *[kernel] * space, fan_in=fan_in)
    return g.op("ConvTranspose", x, weight, *bias, **attributes)


def alone(g: Draft, x: str, y: str) -> str:
    """Append nothing."""
    return y


def joined(g: Draft, x: str, y: str) -> str:
    """Append a sum, difference, product or concatenation with another convolution, or with an earlier tensor."""
    made, kind = g.of(y).shape, g.choice(("Add", "Add", "Sub", "Mul", "Concat"))
    if g.of(x).shape == made and g.chance(0.5):
        other = x
    else:
        other = g.convolution(y if g.chance(0.5) else beside(g, x, y), made[1])
        other = g.choice(FUSED)(g, other) if g.chance(0.5) else other
    operands = [y, other]
    g.random.shuffle(operands)
    return g.op("Concat", *operands, axis=1) if kind == "Concat" else g.op(kind, *operands)


def beside(g: Draft, x: str, y: str) -> str:
    """Return the convolution's input if it has the size of the result, else the result."""
    return x if g.of(x).shape[2:] == g.of(y).shape[2:] else y


def pooled(g: Draft, x: str, y: str) -> str:
    """Append a maximum or mean of 2 x 2 or 3 x 3, if the image is large enough."""
    size = g.of(y).shape[2:]
    kernel = g.integer(2, 3)
    if min(size) < kernel:
        return y
    kind = g.choice(("MaxPool", "MaxPool", "AveragePool"))
    return g.op(kind, y, kernel_shape=[kernel] * len(size), strides=[g.integer(1, 2)] * len(size))
