# SPDX-License-Identifier: Apache-2.0
"""Normalisations, as operators and in the parts that frameworks export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .registry import operator

if TYPE_CHECKING:
    from ..draft import Draft


def scale_and_offset(g: Draft, *shape: int) -> tuple[str, str]:
    """Add the scale and the offset of a normalisation."""
    return g.normal(*shape, spread=0.2, mean=1.0), g.normal(*shape, spread=0.3)


def layer_norm(g: Draft, x: str, rms: bool = False, weighted: bool = True) -> str:
    """Normalise along the last axis, in parts; ``rms``: without a mean."""
    centred = x if rms else g.op("Sub", x, g.reduced("ReduceMean", x, [-1]))
    variance = g.reduced("ReduceMean", g.op("Pow", centred, g.floats(2.0)), [-1])
    y = g.op("Div", centred, g.op("Sqrt", g.op("Add", variance, g.floats(1e-5))))
    if not weighted:
        return y
    scale, offset = scale_and_offset(g, g.of(x).shape[-1])
    y = g.op("Mul", y, scale)
    return y if rms else g.op("Add", y, offset)


def group_norm(g: Draft, x: str, groups: int) -> str:
    """Normalise as PyTorch exports it: an instance normalisation of groups."""
    shape = g.of(x).shape
    flat = g.reshape(x, shape[0], groups, -1)
    y = g.op("InstanceNormalization", flat, g.floats([1.0] * groups), g.floats([0.0] * groups))
    scale, offset = scale_and_offset(g, shape[1], *[1] * (len(shape) - 2))
    return g.op("Add", g.op("Mul", g.reshape(y, *shape), scale), offset)


@operator()
def batch_norm(g: Draft) -> str:
    """Draw a batch normalisation of any rank, with or without a ReLU."""
    shape = g.shape(2, 3, 4, 4)
    statistics = (*scale_and_offset(g, shape[1]), g.normal(shape[1]), g.magnitudes(shape[1]))
    y = g.op("BatchNormalization", g.source(shape), *statistics, epsilon=1e-5)
    return g.op("Relu", y) if g.chance(0.4) else y


@operator()
def instance_norm(g: Draft) -> str:
    """Draw an instance normalisation of images or sequences."""
    shape = g.shape(3, 4, 4, least=3)
    return g.op("InstanceNormalization", g.source(shape), *scale_and_offset(g, shape[1]), epsilon=1e-5)


@operator()
def layer_norm_in_pieces(g: Draft) -> str:
    """Draw a layer normalisation in parts, along the last axis."""
    x = g.source(g.shape(2, 3, 4, least=3))
    return layer_norm(g, x, rms=g.chance(0.4), weighted=g.chance(0.7))


@operator(since=17)
def layer_norm_operator(g: Draft) -> str:
    """Draw a layer normalisation along the last axes."""
    shape = g.shape(2, 3, 4, least=3)
    axis = g.choice((-1, -1, 1, len(shape) - 1))
    return g.op("LayerNormalization", g.source(shape), *scale_and_offset(g, *shape[axis:]), axis=axis, epsilon=1e-5)


@operator()
def channel_norm(g: Draft) -> str:
    """Draw a normalisation along the channels of an image, as in ConvNeXt."""
    shape = g.shape(4, least=3)
    x = g.source(shape)
    centred = g.op("Sub", x, g.reduced("ReduceMean", x, [1]))
    variance = g.reduced("ReduceMean", g.op("Pow", centred, g.floats(2.0)), [1])
    y = g.op("Div", centred, g.op("Sqrt", g.op("Add", variance, g.floats(1e-5))))
    scale, offset = scale_and_offset(g, shape[1], 1, 1)
    return g.op("Add", g.op("Mul", y, scale), offset)


@operator()
def group_norm_in_pieces(g: Draft) -> str:
    """Draw a group normalisation in parts."""
    groups = g.integer(1, 4)
    _, _, *size = g.shape(4, least=3)
    return group_norm(g, g.source((1, groups * g.integer(1, 5), *size)), groups)


@operator(since=18)
def group_norm_operator(g: Draft) -> str:
    """Draw a group normalisation with a scale for each group, as in opset 18."""
    groups = g.integer(1, 4)
    _, _, *size = g.shape(4, least=3)
    x = g.source((1, groups * g.integer(1, 5), *size))
    y = g.op("GroupNormalization", x, *scale_and_offset(g, groups), num_groups=groups)
    return g.like(y, g.of(x))


@operator()
def local_response_norm(g: Draft) -> str:
    """Draw a normalisation across neighbouring channels."""
    return g.op("LRN", g.source(g.shape(4, least=3)), size=g.choice((3, 5)), alpha=g.number(1e-4, 0.5))


@operator()
def unit_length(g: Draft) -> str:
    """Draw a normalisation to length one: the operator, or a division by the length."""
    x = g.source(g.shape(2, 3, 4, least=2))
    axis = g.axis(x)
    if g.chance(0.4):
        return g.op("LpNormalization", x, axis=axis, p=2)
    return g.op("Div", x, g.reduced("ReduceL2", x, [axis]))


@operator()
def mean_variance_norm(g: Draft) -> str:
    """Draw a normalisation of each image, or of each channel of all."""
    axes = g.choice(([2, 3], [0, 2, 3], [1, 2, 3]))
    return g.op("MeanVarianceNormalization", g.source(g.shape(4, least=3)), axes=axes)
