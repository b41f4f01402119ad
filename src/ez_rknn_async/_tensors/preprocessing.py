# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of normalisation and quantisation on the way into the NPU.

The model's file gives the mean and standard deviation by which the runtime normalises each input, and the runtime says
how the result is quantised. Its arithmetic was found by recording its bytes (docs/explanation/runtime-facts.md): it
differs between images, tensors of more channels, tensors that are not 4-D, and floating point. These are the same
rules, so that an array converted here is, byte for byte, what the vendor's library makes of it; except for two defects
of that library, which are not repeated: beyond the fourth channel it takes the first channel's mean and deviation, and
tensors that are not 4-D wrap around where they should saturate.

All is pure: numbers in, numbers out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .._runtime.kernels import Rule

if TYPE_CHECKING:
    from .._runtime.tensor_attribute import TensorAttribute
    from ..model import Preprocessing

_INT32 = 2**31


@dataclass(frozen=True)
class Formula:
    """The conversion of an element of channel *k*: a kernel's rule, with ``a[k]`` and ``b[k]``.

    Where all channels are treated alike there is one of each. ``gap`` fills the end of the destination's rows, one
    value a channel; None for zeros.
    """

    rule: Rule
    a: tuple[float, ...] = ()
    b: tuple[float, ...] = ()
    gap: tuple[int, ...] | None = None


def copy(gap: tuple[int, ...] | None = None) -> Formula:
    """Copy elements as they are."""
    return Formula(Rule.COPY, gap=gap)


def pixels(channels: int, normalisation: Preprocessing | None) -> Formula:
    """Copy raw pixels, which the NPU normalises itself; the gap holds what becomes zero when it does."""
    mean, _ = _statistics(normalisation, channels)
    return copy(tuple(min(max(_round_half_even(m), 0), 255) for m in mean))


def quantise_image(attribute: TensorAttribute, channels: int, normalisation: Preprocessing | None) -> Formula:
    """Quantise images of up to four channels in fixed point: the NPU's converter has that, the runtime imitates it."""
    scaled = [_fixed_point(attribute, m, s) for m, s in zip(*_statistics(normalisation, channels))]
    return Formula(Rule.SCALE, *_columns(scaled), gap=(attribute.zero_point,) * channels)


def quantise_channels(attribute: TensorAttribute, channels: int, normalisation: Preprocessing | None) -> Formula:
    """Quantise 4-D tensors of more channels by a factor and an offset in float32, as the runtime has them."""
    means, deviations = (np.asarray(values, np.float32) for values in _statistics(normalisation, channels))
    factors = np.float32(1) / (deviations * np.float32(attribute.scale))
    offsets = np.float32(attribute.zero_point) - means * factors
    return Formula(Rule.AFFINE, *_columns(list(zip(factors.tolist(), offsets.tolist()))))


def quantise_plain(attribute: TensorAttribute) -> Formula:
    """Quantise tensors that are not 4-D by a division in float32; the runtime ignores mean and deviation here."""
    return Formula(Rule.DIVIDE, (attribute.scale,), (float(attribute.zero_point),))


def normalise(channels: int, normalisation: Preprocessing | None) -> Formula:
    """Normalise floating point in float32, then round it to the tensor's own type."""
    return Formula(Rule.NORMALISE, *_columns(list(zip(*_statistics(normalisation, channels)))))


def dequantise(attribute: TensorAttribute) -> Formula:
    """Turn integers into real numbers."""
    return Formula(Rule.DEQUANTISE, (attribute.scale,), (float(attribute.zero_point),))


def widen() -> Formula:
    """Turn one floating point type into another: the number itself."""
    return Formula(Rule.NORMALISE, (0.0,), (1.0,))


def _statistics(normalisation: Preprocessing | None, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if normalisation is None:
        return (0.0,) * channels, (1.0,) * channels
    return normalisation.mean[:channels], normalisation.std[:channels]


def _columns(pairs: list[tuple[float, float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return all a and all b; one of each if the channels are alike, for which the kernels are faster."""
    if len(set(pairs)) == 1:
        pairs = pairs[:1]
    a, b = zip(*pairs)
    return a, b


def _fixed_point(attribute: TensorAttribute, mean: float, deviation: float) -> tuple[float, float]:
    """Return factor and offset of the NPU's converter: the factor is a number of 15 bits over a power of two."""
    k = 1.0 / (deviation * attribute.scale)
    shift = 15 - math.frexp(k)[1]
    multiplier = _round_half_away(math.ldexp(k, shift))
    if abs(multiplier) > 32767:
        shift -= 1
        multiplier = _round_half_away(math.ldexp(k, shift))
    offset = _round_half_even(attribute.zero_point - mean * k)
    return math.ldexp(multiplier, -shift), float(min(max(offset, -_INT32), _INT32 - 1))


def _round_half_away(value: float) -> int:
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def _round_half_even(value: float) -> int:
    return round(value)
