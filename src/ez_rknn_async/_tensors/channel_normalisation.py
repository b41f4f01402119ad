# SPDX-License-Identifier: Apache-2.0
"""Mean and deviation of more than four channels, where the runtime would apply the first channel's.

The vendor's library knows four pairs of them: with five and more channels it normalises the first four by their own,
and silently all others by the first channel's. With direct I/O it has no part in that. Where tensors are copied, an
int8 model is given numbers that the same kernels have quantised already, which the library takes as they are; a float16
model is given numbers that the library's wrong pair turns into the right ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._runtime.kernels import Conversion, MemoryLayout
from .preprocessing import quantise_channels

if TYPE_CHECKING:
    import numpy.typing as npt

    from .._runtime.tensor_attribute import TensorAttribute
    from ..model import Preprocessing
    from .inputs import Given

    Array = npt.NDArray[Any]

# The number of channels that the library normalises by their own pair.
_KNOWN = 4


def is_mistaken(normalisation: Preprocessing) -> bool:
    """Check if the runtime normalises some channel by another one's mean or deviation."""
    pairs = list(zip(normalisation.mean, normalisation.std))
    return any(pair != pairs[0] for pair in pairs[_KNOWN:])


class ChannelNormalisation:
    """The normalisation of one 4-D input."""

    def __init__(self, attribute: TensorAttribute, normalisation: Preprocessing) -> None:
        """Read what the file says; ``normalisation`` is one that :func:`is_mistaken`."""
        self._attribute = attribute
        self._formula = quantise_channels(attribute, attribute.shape[-1], normalisation)
        mean, std = (np.asarray(values, np.float64) for values in (normalisation.mean, normalisation.std))
        # (x - mean) / std = (x * factor + offset - mean[0]) / std[0]
        self._factors = std[0] / std[_KNOWN:]
        self._offsets = mean[0] - mean[_KNOWN:] * self._factors

    def normalised(self, given: Given) -> tuple[Array, bool]:
        """Return a new NHWC array for the runtime, and True if a NaN was quantised."""
        if self._attribute.type == "int8":
            return self._quantised(given)
        return self._prepared(given), False

    def _quantised(self, given: Given) -> tuple[Array, bool]:
        n, h, w, c = given.shape
        source = MemoryLayout(given.array.dtype.name, given.order)
        rule, a, b = self._formula.rule, self._formula.a, self._formula.b
        conversion = Conversion((n, c, h, w), source, MemoryLayout("int8", "NHWC"), rule, a, b)
        result = np.empty(given.shape, np.int8)
        conversion.convert(np.ascontiguousarray(given.array), result)
        return result, bool(conversion.met_nan[0])

    def _prepared(self, given: Given) -> Array:
        nhwc = given.array.transpose(0, 2, 3, 1) if given.order == "NCHW" else given.array
        result = np.array(nhwc, np.float32, order="C")
        result[..., _KNOWN:] = result[..., _KNOWN:] * self._factors + self._offsets
        return result
