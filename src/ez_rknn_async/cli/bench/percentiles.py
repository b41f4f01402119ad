# SPDX-License-Identifier: Apache-2.0
"""Percentiles that the samples can carry, and how sure they are.

Of 40 samples the 99th percentile is the largest one, by chance. A percentile is given only if both ends of its 95 %
confidence interval lie within the samples: by order statistics, whatever the distribution, the rank of the p-th
quantile of n samples is p n +- 1.96 sqrt(n p (1 - p)).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Samples = npt.NDArray[np.float64]

USUAL = (50.0, 90.0, 99.0, 99.9)
_SURE = 1.96  # standard deviations: 95 %


def needed(percent: float) -> int:
    """Return the number of samples that a percentile needs."""
    share = percent / 100
    far = max(share / (1 - share), (1 - share) / share)
    return math.ceil(_SURE**2 * far * (1 + 1e-9))


def percentiles(samples: Samples, wanted: tuple[float, ...] = USUAL) -> dict[str, float]:
    """Return the percentiles that the samples can carry, as ``{"p50": ...}``."""
    carried = [percent for percent in wanted if len(samples) >= needed(percent)]
    return {name(percent): float(np.percentile(samples, percent)) for percent in carried}


def interval(samples: Samples, percent: float) -> tuple[float, float] | None:
    """Return the 95 % confidence interval of a percentile; None if the samples cannot carry it."""
    count, share = len(samples), percent / 100
    if count < needed(percent):
        return None
    middle, reach = count * share, _SURE * math.sqrt(count * share * (1 - share))
    ordered = np.sort(samples)
    low, high = max(0, math.floor(middle - reach)), min(count - 1, math.ceil(middle + reach))
    return float(ordered[low]), float(ordered[high])


def name(percent: float) -> str:
    """Return the usual name of a percentile: ``"p99"``."""
    return f"p{percent:g}"
