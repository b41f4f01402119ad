# SPDX-License-Identifier: Apache-2.0
"""Resizing, and reading at computed places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .registry import operator

if TYPE_CHECKING:
    from ..draft import Draft

COORDINATES = ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")


def resized(g: Draft, x: str, scales: list[float], **attributes: Any) -> str:
    """Resize by factors, or to the size that they give."""
    shape = g.of(x).shape
    if g.chance(0.6):
        return g.op("Resize", x, "", g.floats([1.0, 1.0, *scales]), **attributes)
    size = [max(1, int(extent * scale)) for extent, scale in zip(shape[2:], scales)]
    return g.op("Resize", x, "", "", g.ints(*shape[:2], *size), **attributes)


@operator(since=13)
def nearest(g: Draft) -> str:
    """Draw a nearest-neighbour resize by whole factors and others, larger and smaller."""
    scales = g.choice(([2.0, 2.0], [2.0, 2.0], [3.0, 3.0], [0.5, 0.5], [2.0, 1.0], [1.5, 2.5]))
    mode = g.choice(("floor", "round_prefer_floor"))
    x = g.source(g.shape(4, least=4))
    return resized(
        g, x, scales, mode="nearest", coordinate_transformation_mode=g.choice(COORDINATES), nearest_mode=mode
    )


@operator(since=13)
def linear(g: Draft) -> str:
    """Draw a linear resize by whole factors and others, larger and smaller."""
    scales = g.choice(([2.0, 2.0], [2.0, 2.0], [4.0, 4.0], [0.5, 0.5], [1.5, 2.5], [3.0, 2.0]))
    x = g.source(g.shape(4, least=4))
    return resized(g, x, scales, mode="linear", coordinate_transformation_mode=g.choice(COORDINATES))


@operator(since=13)
def cubic(g: Draft) -> str:
    """Draw a cubic resize by whole factors."""
    x = g.source(g.shape(4, least=4))
    return resized(g, x, [2.0, 2.0], mode="cubic", coordinate_transformation_mode=g.choice(COORDINATES))


@operator(since=13)
def resize_of_sequences(g: Draft) -> str:
    """Draw a resize in one dimension."""
    mode = g.choice(("nearest", "linear"))
    extra = {"nearest_mode": "floor"} if mode == "nearest" else {}
    x = g.source(g.shape(3, least=3))
    return resized(g, x, [2.0], mode=mode, coordinate_transformation_mode="asymmetric", **extra)


@operator(since=16)
def grid_sample(g: Draft) -> str:
    """Draw a sampling at the places that another tensor gives."""
    shape = (1, g.integer(1, 16), g.integer(3, 12), g.integer(3, 12))
    x = g.source(shape)
    grid = g.op("Tanh", g.input("grid", [1, g.integer(2, 10), g.integer(2, 10), 2]))
    mode, padding = (
        g.choice(("bilinear", "bilinear", "nearest", "bicubic")),
        g.choice(("zeros", "border", "reflection")),
    )
    return g.op("GridSample", x, grid, mode=mode, padding_mode=padding, align_corners=g.integer(0, 1))


@operator(since=16)
def region(g: Draft) -> str:
    """Draw regions of an image, resized."""
    x = g.source((1, g.integer(1, 16), 16, 16))
    boxes = g.floats([[1, 1, 9, 9], [0, 2, 12, 14]])
    size = {"output_height": g.integer(2, 6), "output_width": g.integer(2, 6), "sampling_ratio": g.integer(1, 2)}
    return g.op("RoiAlign", x, boxes, g.ints(0, 0), spatial_scale=1.0, **size)
