# SPDX-License-Identifier: Apache-2.0
"""Small networks with what training leaves behind, and random weights never have.

Each form is one thing that a trained network has shown: channels that are nearly dead, scales that differ by decades
from channel to channel, normalisations that the compiler folds, inputs of one sign, operands that are computed where
others have constants, results that nobody uses, numbers near the ends of float16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .activations import FUSED
from .draft import OPSETS, Draft

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    import onnx
    from numpy.typing import NDArray

    Inputs = Callable[[NDArray[np.float32]], NDArray[np.float32]]
    Form = Callable[[Draft], "str | tuple[str, ...]"]

DECADES = 5  # that the scales of channels span


def trained_model(name: str, source: random.Random) -> tuple[onnx.ModelProto, str]:
    """Build one of :data:`FORMS`; return it and its name."""
    build = source.choice(FORMS)
    g = Draft(name, source, source.choice(OPSETS[2:]))
    made = build(g)
    g.finish(*((made,) if isinstance(made, str) else made))
    return g.model(), build.__name__


def is_of_float16(form: str) -> bool:
    """Return True if a form is about float16, so that int8 would hide it."""
    return form == ends_of_float16.__name__


def inputs_of(form: str) -> Inputs | None:
    """Return how normal noise becomes the inputs of a form; None if it is them."""
    return _INPUTS.get(form)


def dead_channels(g: Draft) -> str:
    """Draw convolutions most of whose channels are nearly zero, as folded normalisations leave them."""
    x = _image(g)
    for _ in range(g.integer(1, 3)):
        channels = g.choice((8, 16, 32))
        alive = g.numbers(channels) < 0.4
        alive[0] = True
        dead = 10.0 ** -(3 + 5 * g.numbers(channels))
        x = g.choice(FUSED)(g, _scaled(g, x, channels, np.where(alive, 1.0, dead)))
    return g.convolution(x, 8, 1)


def spread_channels(g: Draft) -> str:
    """Draw convolutions, plain or depthwise, whose channels' scales spread over five decades."""
    x = _image(g)
    for _ in range(g.integer(1, 2)):
        channels = g.of(x).shape[1] if g.chance(0.5) else g.choice((8, 16, 24))
        depthwise = channels == g.of(x).shape[1]
        scales = 10.0 ** (1 - DECADES * g.numbers(channels))
        x = g.op("Relu", _scaled(g, x, channels, scales, depthwise=depthwise))
    return g.convolution(x, 8, 1)


def folded_normalization(g: Draft) -> str:
    """Draw a convolution with a batch normalisation of which some channels never varied, and a steep activation."""
    x = _image(g)
    channels = g.choice((8, 16, 32))
    y = g.convolution(x, channels)
    variance = 10.0 ** (1 - 6 * g.numbers(channels))
    gain = np.where(g.numbers(channels) < 0.3, 1e-5, 1.0) * np.sqrt(variance)
    operands = (g.floats(gain), g.normal(channels, spread=0.5), g.normal(channels, spread=0.2), g.floats(variance))
    y = g.op("BatchNormalization", y, *operands, epsilon=1e-5)
    return g.convolution(g.choice(FUSED)(g, y), 8, g.choice((1, 3)))


def one_sided(g: Draft) -> str:
    """Draw a network whose input has one sign, and is far from zero."""
    x = _image(g)
    y = g.op("Mul", x, g.floats(g.choice((1.0, 0.01, -3.0)))) if g.chance(0.5) else x
    y = g.choice(FUSED)(g, g.convolution(y, g.choice((8, 12, 32))))
    if g.chance(0.5):
        y = g.op("Concat", y, x, axis=1)
    return g.convolution(y, 8, 1)


def computed_operand(g: Draft) -> str:
    """Draw an operator with an operand that is computed, where most networks have a constant."""
    shape = (1, g.choice((4, 8, 16)), g.integer(4, 12), g.integer(4, 12))
    x = g.input("x", shape)
    forms: tuple[Callable[[], str], ...] = (
        lambda: g.op("Clip", x, g.op("Neg", g.reshape(_bound(g))), g.reshape(_bound(g, "c"))),
        lambda: g.op("Clip", x, "", g.reshape(_bound(g))),
        lambda: g.op("Clip", x, g.op("Neg", g.reshape(_bound(g)))),
        lambda: g.op(g.choice(("Min", "Max")), x, _bound(g)),
        lambda: g.op("PRelu", x, g.op("Sigmoid", g.input("s", (shape[1], 1, 1)))),
        lambda: g.op("Mul", x, g.op("ReduceMean", x, keepdims=1)),
        lambda: g.op("MatMul", g.op("Softmax", x, axis=-1), g.swapped(x, 0, 1, 3, 2)),
        lambda: g.op("Div", x, g.op("Add", g.op("Abs", g.op("GlobalAveragePool", x)), g.floats(1.0))),
        lambda: g.op("Where", g.op("Greater", x, _bound(g)), x, g.op("Mul", x, g.floats(0.1))),
    )
    y = g.choice(forms)()
    return g.convolution(y, 8, 1) if g.chance(0.5) else y


def unused_result(g: Draft) -> str:
    """Draw a split, a slice of both ends, or a recurrent layer, with a result that nobody uses."""
    if g.chance(0.3):
        return _recurrent(g)
    channels, length = g.choice((6, 8, 16)), g.integer(8, 24)
    x = g.input("x", (1, channels, 1 if g.chance(0.3) else g.integer(4, 12), length))
    y = g.convolution(x, channels, 1) if g.chance(0.5) else x
    if g.chance(0.5):  # circular padding
        ends = g.integer(1, 3)
        last = g.op("Slice", y, g.ints(-ends), g.ints(2**31), g.ints(3))
        first = g.op("Slice", y, g.ints(0), g.ints(ends), g.ints(3))
        return g.convolution(g.op("Concat", last, y, first, axis=3), 8, 3)
    sizes = [2, channels - 4, 2]
    kept = g.choice(((0,), (1,), (2,), (0, 2)))
    parts = g.parts(y, 1, sizes)
    y = g.op("Concat", *(parts[place] for place in kept), axis=1) if len(kept) > 1 else parts[kept[0]]
    return g.convolution(y, 8, g.choice((1, 3)))


def ends_of_float16(g: Draft) -> str:
    """Draw squares, sums and exponentials that leave the range of float16 inside the network, or come near its ends."""
    x = g.input("x", (1, g.choice((4, 8, 16)), g.integer(4, 12), g.integer(4, 12)))
    size = 10.0 ** g.choice((-4.0, -3.5, -3.0, 1.5, 2.0, 2.5))
    y = g.op("Mul", x, g.floats(size))
    y = g.convolution(y, 8, 1) if g.chance(0.3) else y

    def square() -> str:
        return g.op("Mul", y, y) if g.chance(0.5) else g.op("Pow", y, g.floats(2.0))

    forms: tuple[Callable[[], str], ...] = (
        lambda: g.op("Mul", g.op("Relu", square()), g.floats(min(size**-2, 3e4))),  # back to where it came from
        lambda: g.op("Sqrt", square()),
        lambda: g.op("Sqrt", g.op("ReduceMean", square(), keepdims=1)),
        lambda: g.op("Div", y, g.op("Sqrt", g.op("ReduceSum", square(), keepdims=1))),
        lambda: g.op("Log", g.op("Add", g.op("Exp", g.op("Mul", y, g.floats(0.05))), g.floats(1.0))),
    )
    return g.choice(forms)()


FORMS: tuple[Form, ...] = (
    dead_channels,
    spread_channels,
    folded_normalization,
    one_sided,
    computed_operand,
    unused_result,
    ends_of_float16,
)

# Image levels, and what a logarithm of energies looks like.
_INPUTS: dict[str, Inputs] = {"one_sided": lambda noise: (np.abs(noise) * 2 + 6).astype(np.float32)}


def _image(g: Draft) -> str:
    return g.input("x", (1, g.choice((3, 8, 16)), g.integer(6, 20), g.integer(6, 20)))


def _bound(g: Draft, name: str = "b") -> str:
    """Compute a number from 0.3 up out of an input of one number."""
    spread = g.op("Abs", g.op("Mul", g.input(name, (1, 1, 1, 1)), g.floats(0.5)))
    return g.op("Add", spread, g.floats(0.3))


def _scaled(g: Draft, x: str, channels: int, scales: NDArray[Any], *, depthwise: bool = False) -> str:
    """Add a convolution that keeps the size, each channel's weights times one number."""
    inputs, kernel = g.of(x).shape[1], 3 if depthwise else g.choice((1, 3))
    each = 1 if depthwise else inputs
    weights = g.numbers(channels, each, kernel, kernel) * 2 - 1
    weights *= scales[:, None, None, None] / np.sqrt(each * kernel * kernel / 3)
    attributes: dict[str, Any] = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4}
    attributes["group"] = inputs if depthwise else 1
    return g.op("Conv", x, g.floats(weights), g.normal(channels, spread=0.3), **attributes)


def _recurrent(g: Draft) -> str:
    """Draw a recurrent layer of which only the last state is used."""
    kind, gates, width, hidden = *g.choice((("LSTM", 4), ("GRU", 3))), g.integer(4, 12), g.choice((8, 16))
    x = g.input("x", (g.integer(3, 8), 1, width))
    operands = [g.weight(1, gates * hidden, width, fan_in=width), g.weight(1, gates * hidden, hidden, fan_in=hidden)]
    empty = [""] * g.choice((0, 1, 2))  # operands that are left out by their names, as Keras' exporter does
    results = g.ops(kind, 3 if kind == "LSTM" else 2, x, *operands, *empty, hidden_size=hidden)
    return g.op("Squeeze", results[1], g.ints(0))
