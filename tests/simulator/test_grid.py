# SPDX-License-Identifier: Apache-2.0
"""The grid of a quantised tensor: its numbers, and the nearest of them."""

from __future__ import annotations

import numpy as np
import pytest

from ez_rknn_async.model.format.graph import DType
from ez_rknn_async.simulator.lowering.grid import QUANTIZED, Grid


@pytest.mark.parametrize(
    ("grid", "bounds"),
    [
        (Grid(DType.INT8, 0.5, 0), (-128, 127)),
        (Grid(DType.INT8, 0.5, -128), (0, 255)),
        (Grid(DType.UINT8, 0.5, 3), (-3, 252)),
        (Grid(DType.INT16, 0.5, 0), (-32768, 32767)),
    ],
    ids=str,
)
def test_bounds_are_steps_from_the_number_0(grid: Grid, bounds: tuple[int, int]) -> None:
    """The zero point moves the range, not the steps."""
    assert grid.bounds == bounds
    assert grid.element_type is QUANTIZED[grid.dtype]


def test_nearest_rounds_ties_to_even_and_saturates() -> None:
    """The NPU's own rounding, and ONNX's, do so."""
    grid = Grid(DType.INT8, 0.5, 10)
    numbers = np.array([0.25, 0.75, -0.25, 0.6, 1000, -1000])
    assert grid.nearest(numbers).tolist() == [0.0, 1.0, 0.0, 0.5, 117 * 0.5, -138 * 0.5]
    assert grid.nearest(numbers).dtype == np.float32


def test_unsigned_bytes_stand_for_the_same_numbers() -> None:
    """Only their representation moves."""
    grid = Grid(DType.INT8, 0.25, -5)
    assert grid.unsigned() == Grid(DType.UINT8, 0.25, 123)
    assert grid.unsigned().bounds == grid.bounds


def test_only_int8_has_unsigned_bytes() -> None:
    """Wider integers do not fit."""
    with pytest.raises(ValueError, match="INT16"):
        Grid(DType.INT16, 1.0, 0).unsigned()
