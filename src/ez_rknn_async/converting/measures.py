# SPDX-License-Identifier: Apache-2.0
"""Measures of one output over all samples: beyond a cosine, what tells a useless output from an inexact one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ..model import Tensor

    Array = NDArray[Any]

_LEVELS = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767)}
_VISIBLE = 0.05  # of a probability: what a user would miss


def cosine(one: Array, other: Array) -> float:
    """Return the cosine between two arrays; 1 for two that are zero, NaN if a number is not finite."""
    a, b = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    if lengths == 0:
        return 1.0 if not a.any() and not b.any() else 0.0
    return float(a @ b / lengths)


@dataclass(frozen=True)
class Steps:
    """The error of a quantised output in steps of its scale, and what is at the end of its range."""

    scale: float
    mean: float
    largest: float
    saturated: float  # share of numbers at an end of the range whose reference is beyond


def steps(tensor: Tensor, ours: Sequence[Array], theirs: Sequence[Array]) -> Steps | None:
    """Return the error in steps, or None for an output in floating point."""
    if tensor.quantization is None or tensor.dtype.name not in _LEVELS:
        return None
    scale, zero = tensor.quantization.scale[0], tensor.quantization.zero_point[0]
    low, high = ((level - zero) * scale for level in _LEVELS[tensor.dtype.name])
    errors = np.concatenate([np.abs(a.ravel() - b.ravel()) / scale for a, b in zip(ours, theirs)])
    reference = np.concatenate([array.ravel() for array in theirs])
    beyond = (reference < low - scale) | (reference > high + scale)
    return Steps(scale, float(errors.mean()), float(errors.max()), float(beyond.mean()))


def is_dead(ours: Sequence[Array], theirs: Sequence[Array]) -> bool:
    """Check if an output is one number throughout, and should not be."""
    values = [float(array.flat[0]) for array in ours if array.size]
    constant = all((array == values[0]).all() for array in ours)
    return constant and any(np.ptp(array) > 0 for array in theirs) and sum(array.size for array in theirs) > 1


def lost_channels(ours: Sequence[Array], theirs: Sequence[Array], scale: float | None) -> tuple[int, list[int]]:
    """Return an axis, and the places along it where probabilities became one number.

    A place is lost if the reference there is within 0 and 1 while another place is not, and either what it shows would
    be missed, or the output's step is so large that no probability could be told from 0.
    """
    for axis in range(1, theirs[0].ndim):
        if theirs[0].shape[axis] < 2 or theirs[0].shape[axis] > 4096:
            continue
        reference, result = (
            np.concatenate([np.moveaxis(a, axis, 0).reshape(a.shape[axis], -1) for a in arrays], axis=1)
            for arrays in (theirs, ours)
        )
        low, high = reference.min(axis=1), reference.max(axis=1)
        probable = (low >= -1e-6) & (high <= 1 + 1e-4) & (high > low)
        if not probable.any() or not (high > 2).any():
            continue
        constant = np.ptp(result, axis=1) == 0
        visible = (high - low > _VISIBLE) | ((scale or 0) > 0.5)
        lost = np.flatnonzero(probable & constant & visible)
        if len(lost):
            return axis, lost.tolist()
    return -1, []


def swapped_axes(ours: Sequence[Array], theirs: Sequence[Array]) -> tuple[int, ...] | None:
    """Return the transposition that makes an output right, if it is wrong as it is."""
    if theirs[0].ndim != 4 or min(theirs[0].shape[1:]) < 2:
        return None
    plain = cosine(_joined(ours), _joined(theirs))
    for order in ((0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2)):
        turned = [array.reshape([array.shape[k] for k in order]).transpose(np.argsort(order)) for array in ours]
        if plain < 0.9 and cosine(_joined(turned), _joined(theirs)) > 0.99:
            return order
    return None


def _joined(arrays: Sequence[Array]) -> Array:
    return np.concatenate([array.ravel() for array in arrays])


def confidence(outputs: Sequence[Array]) -> float | None:
    """Return how sure a classifier or detector is: its highest probability; None if no output is of that kind."""
    peaks = list(_peaks(outputs))
    return max(peaks) if peaks else None


def _peaks(outputs: Sequence[Array]) -> Iterator[float]:
    for output in outputs:
        low, high = float(output.min()), float(output.max())
        if low >= 0 and high <= 1 + 1e-4:
            yield high
        elif output.ndim == 2 and output.shape[1] > 1:
            shifted = np.exp(output[0] - output[0].max())
            yield float(shifted.max() / shifted.sum())
