# SPDX-License-Identifier: Apache-2.0
"""Sequences: attention, transformers, recurrent layers, perceptrons and their parts, in random sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

import numpy as np
from onnx import TensorProto

from . import activations
from .draft import OPSETS, Draft
from .operators.integers import VOCABULARY
from .operators.normalization import layer_norm

if TYPE_CHECKING:
    import random

    import onnx

    from .activations import Activation

    Sequence = Callable[[Draft], "str | tuple[str, ...]"]

MASKED = -1e4


def sequence_model(name: str, source: random.Random) -> tuple[onnx.ModelProto, str]:
    """Build one of :data:`SEQUENCES`; return it and its name."""
    build = source.choice(SEQUENCES)
    g = Draft(name, source, source.choice(OPSETS[1:]))
    made = build(g)
    g.finish(*((made,) if isinstance(made, str) else made))
    return g.model(), build.__name__


# Parts


def normalized(g: Draft, x: str, rms: bool = False) -> str:
    """Normalise by an operator if the opset has it, or in parts."""
    if not rms and g.opset >= 17 and g.chance(0.5):
        width = g.of(x).shape[-1]
        scale, offset = g.normal(width, spread=0.2, mean=1.0), g.normal(width, spread=0.3)
        return g.op("LayerNormalization", x, scale, offset, axis=-1, epsilon=1e-5)
    return layer_norm(g, x, rms=rms)


def heads_of(g: Draft, x: str, heads: int, depth: int) -> str:
    """Project, as [1, heads, length, depth]."""
    length = g.of(x).shape[1]
    split = g.reshape(g.product(x, heads * depth), 1, length, heads, depth)
    return g.swapped(split, 0, 2, 1, 3)


def mask(g: Draft, length: int) -> str | None:
    """Draw no mask, one of the future, or one of the last positions."""
    form = g.random.random()
    if form < 0.5:
        return None
    masked = np.triu(np.full((1, 1, length, length), MASKED), 1)
    if form > 0.75:
        masked = np.where(np.arange(length) < max(1, length * 2 // 3), 0.0, MASKED).reshape(1, 1, 1, length)
    return g.floats(masked)


def attention(g: Draft, x: str, memory: str, heads: int, depth: int, masked: str | None = None) -> str:
    """Let ``x`` attend to ``memory``; both [1, length, width]."""
    _, length, width = g.of(x).shape
    queries, keys, values = (heads_of(g, source, heads, depth) for source in (x, memory, memory))
    turned = g.swapped(keys, 0, 1, 3, 2)
    scores = g.op("Mul", g.op("MatMul", queries, turned), g.floats(depth**-0.5))
    scores = scores if masked is None else g.op("Add", scores, masked)
    mixed = g.swapped(g.op("MatMul", g.op("Softmax", scores, axis=-1), values), 0, 2, 1, 3)
    return g.product(g.reshape(mixed, 1, length, heads * depth), width)


def perceptron(g: Draft, x: str, activation: Activation) -> str:
    """Add a perceptron that is wider inside."""
    width = g.of(x).shape[-1]
    return g.product(activation(g, g.product(x, width * g.integer(1, 4))), width)


def gated_perceptron(g: Draft, x: str) -> str:
    """Add a perceptron with a branch that gates another (SwiGLU)."""
    width = g.of(x).shape[-1]
    inner = width * g.integer(1, 3)
    gate = activations.silu(g, g.product(x, inner, bias=False))
    return g.product(g.op("Mul", gate, g.product(x, inner, bias=False)), width, bias=False)


def layers(g: Draft, x: str, heads: int, depth: int, masked: str | None, before: bool) -> str:
    """Add one or two equal transformer layers, normalised ``before`` their parts or after the sums."""
    activation = g.choice((activations.gelu, activations.gelu_by_tanh, activations.quick_gelu, activations.silu))
    rms, gated = before and g.chance(0.3), g.chance(0.2)

    def inner(y: str) -> str:
        return gated_perceptron(g, y) if gated else perceptron(g, y, activation)

    for _ in range(g.integer(1, 2)):
        if before:
            y = normalized(g, x, rms)
            x = g.op("Add", x, attention(g, y, y, heads, depth, masked))
            x = g.op("Add", x, inner(normalized(g, x, rms)))
        else:
            x = normalized(g, g.op("Add", x, attention(g, x, x, heads, depth, masked)))
            x = normalized(g, g.op("Add", x, inner(x)))
    return x


# Models


def size(g: Draft) -> tuple[int, int, int]:
    """Draw length, heads, depth of a head."""
    return g.integer(2, 32), g.integer(1, 4), g.choice((4, 8, 12, 16, 24, 32))


def self_attention(g: Draft) -> str:
    """Draw attention alone, with a mask or without."""
    length, heads, depth = size(g)
    x = g.input("x", [1, length, heads * depth])
    return attention(g, x, x, heads, depth, mask(g, length))


def cross_attention(g: Draft) -> str:
    """Draw attention of two inputs."""
    length, heads, depth = size(g)
    x = g.input("x", [1, length, heads * depth])
    return attention(g, x, g.input("memory", [1, g.integer(2, 32), heads * depth]), heads, depth)


def transformer(g: Draft) -> str:
    """Draw one or two layers of vectors."""
    length, heads, depth = size(g)
    x = g.input("x", [1, length, heads * depth])
    return layers(g, x, heads, depth, mask(g, length), before=g.chance(0.6))


def language_model(g: Draft) -> str:
    """Draw token ids, embeddings and positions, one or two layers, and a head."""
    length, heads, depth = size(g)
    width, before = heads * depth, g.chance(0.5)
    tokens = g.op("Gather", g.normal(VOCABULARY, width), g.input("ids", [1, length], TensorProto.INT64))
    x, masked = g.op("Add", tokens, g.normal(1, length, width, spread=0.3)), mask(g, length)
    x = x if before else normalized(g, x)
    x = layers(g, x, heads, depth, masked, before)
    return g.product(normalized(g, x) if before else x, VOCABULARY)


def vision_transformer(g: Draft) -> str:
    """Draw patches of an image, a class token, one or two layers."""
    patch, across, (_, heads, depth) = g.choice((4, 8)), g.integer(2, 4), size(g)
    width = heads * depth
    weight = g.weight(width, 3, patch, patch, fan_in=3 * patch * patch)
    image = g.input("x", [1, 3, patch * across, patch * across])
    x = g.op("Conv", image, weight, g.normal(width, spread=0.3), kernel_shape=[patch] * 2, strides=[patch] * 2)
    x = g.swapped(g.reshape(x, 1, width, across * across), 0, 2, 1)
    if g.chance(0.5):
        x = g.op("Concat", g.normal(1, 1, width), x, axis=1)
    x = g.op("Add", x, g.normal(*g.of(x).shape, spread=0.3))
    x = layers(g, x, heads, depth, None, before=True)
    pooled = g.reduced("ReduceMean", normalized(g, x), [1], keep=False)
    return g.product(pooled, 10)


def recurrent(g: Draft) -> tuple[str, ...]:
    """Draw an LSTM, GRU or RNN of any direction, with lengths or states at times, and any of its outputs."""
    kind = g.choice(("LSTM", "GRU", "RNN"))
    steps, batch, inputs, hidden = g.integer(1, 12), g.choice((1, 1, 1, 2)), g.integer(1, 48), g.integer(2, 48)
    outputs = recurrent_layer(g, kind, g.input("x", [steps, batch, inputs]), hidden)
    return g.choice((outputs[:1], outputs[:1], outputs[:2], outputs[1:2]))


def recurrent_layer(g: Draft, kind: str, x: str, hidden: int) -> tuple[str, ...]:
    """Return all outputs of one layer; the first is [steps, directions, batch, hidden]."""
    steps, batch, inputs = g.of(x).shape
    direction = g.choice(("forward", "forward", "reverse", "bidirectional"))
    count, rows = 1 + (direction == "bidirectional"), {"LSTM": 4, "GRU": 3, "RNN": 1}[kind] * hidden
    weights = [g.weight(count, rows, inputs, fan_in=inputs), g.weight(count, rows, hidden, fan_in=hidden)]
    operands = [x, *weights, g.weight(count, 2 * rows, fan_in=4)]
    if g.chance(0.15):
        spread = g.choice((0.0, 0.5))  # frameworks write zeros
        operands += ["", *(g.normal(count, batch, hidden, spread=spread) for _ in range(1 + (kind == "LSTM")))]
    elif g.chance(0.1):
        operands.append(g.constant(np.full(batch, g.integer(1, steps), np.int32)))
    extra = {"linear_before_reset": g.choice((0, 1, 1))} if kind == "GRU" else {}
    outputs = 3 if kind == "LSTM" else 2
    return g.ops(kind, outputs, *operands, hidden_size=hidden, direction=direction, **extra)


def recurrent_network(g: Draft) -> str:
    """Draw one or two layers, and a matrix product."""
    kind, steps = g.choice(("LSTM", "GRU")), g.integer(2, 10)
    x = g.input("x", [steps, 1, g.integer(2, 32)])
    for _ in range(g.integer(1, 2)):
        every = recurrent_layer(g, kind, x, g.integer(4, 32))[0]
        _, count, _, hidden = g.of(every).shape
        x = g.reshape(g.swapped(every, 0, 2, 1, 3), steps, 1, count * hidden)
    return g.product(x, g.integer(2, 20))


def perceptrons(g: Draft) -> str:
    """Draw two to four fully connected layers with any activations."""
    x = g.input("x", [g.choice((1, 1, g.integer(2, 8))), g.channels()])
    for _ in range(g.integer(2, 4)):
        x = g.choice((*activations.FUSED[:-3], activations.elu))(g, g.product(x, g.channels()))
    return g.op("Softmax", x, axis=1) if g.chance(0.3) else x


def normalizations(g: Draft) -> str:
    """Draw normalisations between matrix products."""
    x = g.input("x", [1, g.integer(1, 24), g.integer(4, 64)])
    for _ in range(g.integer(1, 3)):
        x = g.product(normalized(g, x, rms=g.chance(0.4)), g.integer(4, 64))
    return x


def rotary(g: Draft) -> str:
    """Draw positions as rotations of pairs of numbers."""
    heads, length, half = g.integer(1, 4), g.integer(2, 20), g.choice((2, 4, 8))
    x = g.input("x", [1, heads, length, 2 * half])
    left, right = g.parts(x, 3, [half, half])
    turned = g.op("Concat", g.op("Neg", right), left, axis=3)
    angles = np.arange(length)[:, None] * 10.0 ** (-np.arange(2 * half) % half / half)
    return g.op("Add", g.op("Mul", x, g.floats(np.cos(angles))), g.op("Mul", turned, g.floats(np.sin(angles))))


def temporal(g: Draft) -> str:
    """Draw dilated causal convolutions of a sequence."""
    x = g.input("x", [1, g.channels(40), g.integer(12, 60)])
    for dilation in (1, 2, 4)[: g.integer(1, 3)]:
        inputs, outputs, kernel = g.of(x).shape[1], g.channels(40), g.integer(2, 3)
        padded = g.op("Pad", x, g.ints(0, 0, dilation * (kernel - 1), 0, 0, 0))
        weight = g.weight(outputs, inputs, kernel, fan_in=inputs * kernel)
        y = g.op("Conv", padded, weight, g.normal(outputs), dilations=[dilation], kernel_shape=[kernel])
        y = g.choice(activations.FUSED[:8])(g, y)
        x = g.op("Add", y, x) if inputs == outputs else y
    return x


SEQUENCES: tuple[Sequence, ...] = (
    self_attention,
    cross_attention,
    transformer,
    language_model,
    vision_transformer,
    recurrent,
    recurrent_network,
    perceptrons,
    normalizations,
    rotary,
    temporal,
)
