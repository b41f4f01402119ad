# SPDX-License-Identifier: Apache-2.0
"""The native library of the engine and the kernels."""

from __future__ import annotations

import functools
from typing import Any

from .abi import NATIVE
from .shared_library import SharedLibrary

ENGINE_LIBRARY = NATIVE / "libez_rknn_engine.so"


@functools.cache
def native() -> Any:
    """Load the library, once a process, and return its functions."""
    return SharedLibrary(str(ENGINE_LIBRARY)).functions
