# SPDX-License-Identifier: Apache-2.0
"""The weight of a convolution, in the narrow type of the file.

An int8 model's weights are a quarter of their size in float32, and most of its memory. A caller that can compute with
the integers uses those; others ask for the real numbers, one layer at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Weight:
    """A weight whose ``numbers`` are real, or integers that stand for ``scale * (integer + offset)``.

    In ONNX's order: [Cout, Cin / group, kh, kw], or [Cin, Cout / group, kh, kw] when transposed. They may be a view of
    the file. ``scale`` and ``offset`` are float64, one for each output channel, and broadcast; the offsets are whole.
    """

    numbers: Array
    scale: Array | None = None  # None: the numbers are real
    offset: Array | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape in ONNX's order."""
        shape: tuple[int, ...] = self.numbers.shape
        return shape

    def real(self) -> Array:
        """Return the real numbers as float32, in memory of their own or the file's."""
        numbers = self.numbers
        if self.offset is not None:
            numbers = numbers + self.offset
        if self.scale is not None:
            numbers = numbers * self.scale
        return np.ascontiguousarray(numbers, np.float32)

    def of_transposed(self, depthwise: bool) -> Weight:
        """Return the weight in the order of a transposed convolution, whose kernel is stored rotated by 180 degrees."""
        turned = replace(self, numbers=self.numbers[:, :, ::-1, ::-1])
        return turned if depthwise else turned._swapped()

    def _swapped(self) -> Weight:
        axes = (1, 0, 2, 3)
        return Weight(
            self.numbers.transpose(axes),
            None if self.scale is None else self.scale.transpose(axes),
            None if self.offset is None else self.offset.transpose(axes),
        )
