# SPDX-License-Identifier: Apache-2.0
"""The native library of the engine and the kernels.

cffi lets other threads have the interpreter during every call. For one that blocks that is the point. For one that
returns at once, such as a submission for which there is room, it costs more than the call: the threads that submit and
deliver would take turns at every inference. So :func:`brief` makes calls that keep the interpreter, with ``ctypes``.
"""

from __future__ import annotations

import functools
from typing import Any, Callable

from .abi import NATIVE, ffi
from .shared_library import SharedLibrary

ENGINE_LIBRARY = NATIVE / "libez_rknn_engine.so"


@functools.cache
def native() -> Any:
    """Load the library, once a process, and return its functions."""
    return SharedLibrary(str(ENGINE_LIBRARY)).functions


# What returns an id.
_WIDE = ("ezr_submit", "ezr_try_submit")


@functools.cache
def brief(name: str, arguments: int) -> Callable[..., int]:
    """Return a function that never blocks, to be called without releasing the interpreter.

    It takes that many addresses or integers, and returns an integer.
    """
    import ctypes  # numpy has imported it by now

    function = ctypes.PyDLL(str(ENGINE_LIBRARY))[name]
    function.argtypes = (ctypes.c_ssize_t,) * arguments
    function.restype = ctypes.c_int64 if name in _WIDE else ctypes.c_int32
    return function


def address_of(pointer: Any) -> int:
    """Return the address that a cffi pointer or array holds."""
    return int(ffi.cast("uintptr_t", pointer))
