# SPDX-License-Identifier: Apache-2.0
"""Measures of the error between two tensors: cosine, largest error, signal-to-noise ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Difference:
    """The difference between a tensor and its reference, over all samples.

    Attributes:
        cosine: of the angle between them; 1 for the same direction.
        max_error: the largest absolute error, in the tensor's own unit.
        noise: the power of the error relative to that of the reference; 0 when they are equal.
    """

    cosine: float
    max_error: float
    noise: float

    @property
    def snr_db(self) -> float:
        """Signal-to-noise ratio in dB; infinite when they are equal."""
        if not self.noise:
            return math.inf
        return -10 * math.log10(self.noise)


class Tally:
    """A sum of one tensor's differences over several samples."""

    def __init__(self) -> None:
        self._product = self._ours = self._reference = self._error = self._largest = 0.0

    def add(self, ours: NDArray[Any], reference: NDArray[Any]) -> None:
        """Add one sample; both tensors have the same number of elements."""
        a, b = ours.astype(np.float64).ravel(), reference.astype(np.float64).ravel()
        with np.errstate(invalid="ignore"):
            # Infinities, as in attention masks, are right where they are equal and infinitely wrong elsewhere.
            error = np.where(a == b, 0.0, np.nan_to_num(a - b, nan=math.inf, posinf=math.inf, neginf=-math.inf))
        finite = np.isfinite(a) & np.isfinite(b)
        a, b = a[finite], b[finite]
        self._product += float(a @ b)
        self._ours += float(a @ a)
        self._reference += float(b @ b)
        self._error += float((error * error).sum())
        self._largest = max(self._largest, float(np.abs(error).max(initial=0.0)))

    def difference(self) -> Difference:
        """Return the difference over the samples so far."""
        if not self._error:
            return Difference(1.0, 0.0, 0.0)
        lengths = math.sqrt(self._ours) * math.sqrt(self._reference)
        return Difference(
            cosine=self._product / lengths if lengths else 0.0,
            max_error=self._largest,
            noise=self._error / self._reference if self._reference else math.inf,
        )
