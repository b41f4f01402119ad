# SPDX-License-Identifier: Apache-2.0
"""Advice for arrays whose shape the model does not take.

Advice must never scramble an image: ``reshape`` keeps the order of the numbers, so it is right only where nothing but
dimensions of 1 differ. Everything else is a transposition, or another layout.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from .wording import provider_option, run_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Shape = tuple[int, ...]

DISPATCH_BATCH = "ztu_modelrt_dispatch_batch"

# An image's dimensions, as letters of the layouts.
LAYOUTS = ("NCHW", "NHWC")
_MOST_DIMENSIONS = 6  # up to which permutations are tried


class Expected(NamedTuple):
    """A shape that is taken.

    Attributes:
        shape: the dimensions.
        layout: of an image, ``"NCHW"`` or ``"NHWC"``; otherwise "".
        other_layout: of an image, the one that is not taken; "" where both are.
        is_settled: True if the user cannot choose the layout.
    """

    shape: Shape
    layout: str = ""
    other_layout: str = ""
    is_settled: bool = False


def advice(shape: Shape, expected: Sequence[Expected]) -> str:
    """Return what to do, as the end of a message; "" if there is no sensible advice."""
    for find in (_wrong_layout, _one_sample, _grey_image, _same_but_ones, _turned, _regrouped, _batch):
        for wanted in expected:
            found = find(shape, wanted)
            if found:
                return f"; {found}"
    return ""


def _wrong_layout(shape: Shape, wanted: Expected) -> str:
    """Recognise a whole image in the layout that was not chosen."""
    other = wanted.other_layout
    if not other or shape != _in(other, wanted):
        return ""
    choose = "" if wanted.is_settled else f"set {_layout(other)}, or "
    return f"it is in {other} order: {choose}pass image.transpose{_axes(other, wanted.layout)}"


def _one_sample(shape: Shape, wanted: Expected) -> str:
    """Recognise one sample without the batch dimension, in either layout."""
    if len(shape) + 1 != len(wanted.shape):
        return ""
    samples, other = wanted.shape[0], wanted.other_layout
    if shape == wanted.shape[1:]:
        what, name = (f"one image in {wanted.layout[1:]} order", "image") if wanted.layout else ("one sample", "array")
        return f"it is {what} without its batch dimension: pass {_batched(name, samples)}"
    if not other or shape != _in(other, wanted)[1:]:
        return ""
    turned = f"image.transpose{_axes(other[1:], wanted.layout[1:])}"
    choose = "" if wanted.is_settled else f"; or set {_layout(other)} and pass {_batched('image', samples)}"
    return (
        f"it is one image in {other[1:]} order without its batch dimension, but {wanted.layout} order is expected: "
        f"pass {_batched(turned, samples)}{choose}"
    )


def _batched(name: str, samples: int) -> str:
    return f"{name}[None]" if samples == 1 else f"numpy.stack([{name}, ...]) of {samples} images"


def _grey_image(shape: Shape, wanted: Expected) -> str:
    """Recognise a grey image of two dimensions."""
    if wanted.layout not in LAYOUTS or _extent("N", wanted) * _extent("C", wanted) != 1:
        return ""
    if shape != (_extent("H", wanted), _extent("W", wanted)):
        return ""
    index = "image[None, None]" if wanted.layout == "NCHW" else "image[None, :, :, None]"
    return f"it is one grey image without its batch and channel dimensions: pass {index}"


def _same_but_ones(shape: Shape, wanted: Expected) -> str:
    """Recognise the same numbers in the same order, except for dimensions of 1."""
    if _without_ones(shape) != _without_ones(wanted.shape) or (wanted.layout and len(shape) == len(wanted.shape)):
        return ""
    return f"only dimensions of 1 differ: pass array.reshape({_listed(wanted.shape)})"


def _turned(shape: Shape, wanted: Expected) -> str:
    """Recognise the expected dimensions in another order."""
    if len(shape) > _MOST_DIMENSIONS or sorted(shape) != sorted(wanted.shape):
        return ""
    orders = itertools.permutations(range(len(shape)))
    axes = next(order for order in orders if tuple(shape[axis] for axis in order) == wanted.shape)
    return f"its dimensions seem to be in another order: if so, pass array.transpose{axes}"


def _regrouped(shape: Shape, wanted: Expected) -> str:
    """Recognise neighbouring dimensions merged, or one split: flattened, or not yet."""
    if not (_refines(shape, wanted.shape) or _refines(wanted.shape, shape)):
        return ""
    order = f"{wanted.layout} order" if wanted.layout else "the model's order"
    return f"it has the right number of elements: if they are in {order}, pass array.reshape({_listed(wanted.shape)})"


def _batch(shape: Shape, wanted: Expected) -> str:
    """Recognise several samples at once, in either layout."""
    if not shape or len(shape) != len(wanted.shape):
        return ""
    other, each = wanted.other_layout, f"to run each sample on its own, set {run_option(DISPATCH_BATCH)}"
    if shape[1:] == wanted.shape[1:]:
        return each
    if other and shape[1:] == _in(other, wanted)[1:]:
        choose = "pass it in the other" if wanted.is_settled else f"set {_layout(other)}"
        return f"it is a batch in {other} order: {choose}; {each}"
    return ""


def _layout(layout: str) -> str:
    return provider_option("layout", layout.lower())


def _in(layout: str, wanted: Expected) -> Shape:
    return tuple(_extent(letter, wanted) for letter in layout)


def _extent(letter: str, wanted: Expected) -> int:
    return wanted.shape[wanted.layout.index(letter)]


def _axes(given: str, wanted: str) -> Shape:
    return tuple(given.index(letter) for letter in wanted)


def _without_ones(shape: Shape) -> Shape:
    return tuple(extent for extent in shape if extent != 1)


def _refines(fine: Shape, coarse: Shape) -> bool:
    """Check if the dimensions of ``coarse`` are products of neighbouring ones of ``fine``."""
    boundaries = list(itertools.accumulate(_without_ones(fine), int.__mul__))
    coarser = list(itertools.accumulate(_without_ones(coarse), int.__mul__))
    return coarser[-1:] == boundaries[-1:] and set(coarser) <= set(boundaries)


def _listed(extents: Iterable[int]) -> str:
    return ", ".join(map(str, extents))
