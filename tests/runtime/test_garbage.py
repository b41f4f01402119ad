# SPDX-License-Identifier: Apache-2.0
"""Errors that refer to themselves, which only the garbage collector frees, with all that their frames refer to.

It clears a memoryview among that even while somebody reads it, and CPython then crashes when it frees the view.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from ez_rknn_async._runtime.context import Context
from ez_rknn_async._runtime.kernels import Conversion, MemoryLayout
from ez_rknn_async._runtime.library import load
from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY
from ez_rknn_async.errors import RknnError


def _load_damaged_content() -> None:
    Context.open(load(str(SIMULATOR_LIBRARY)), memoryview(bytearray(1000)))


def _convert_too_little() -> None:
    layout = MemoryLayout("uint8", "NHWC")
    Conversion((1, 3, 8, 8), layout, layout).convert(memoryview(bytearray(191)), memoryview(bytearray(192)))


@pytest.mark.parametrize("fail", [_load_damaged_content, _convert_too_little])
def test_memoryviews_of_an_error_are_collected(fail: Callable[[], None]) -> None:
    """Nothing reads the memory any more when the error has left the package."""
    try:
        fail()
    except RknnError as error:
        cycle: list[Any] = [error.__traceback__]
        cycle.append(cycle)
        del cycle
    else:
        pytest.fail("it must fail")
    gc.collect()
