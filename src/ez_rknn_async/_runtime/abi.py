"""The C declarations, as cffi sees them.

There is one text for C++ and for Python: the headers of ``native/include``, installed beside the native libraries. What
cffi may read of them stands between two marker lines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cffi

from .._host import greenlets

NATIVE = Path(__file__).resolve().parent.parent / "_native"
HEADERS = ("rknn_abi.h", "ez_rknn_kernels.h", "ez_rknn_engine.h", "ez_rknn_simulator.h")


def declarations(header: str) -> str:
    """The part of a header that is meant for cffi."""
    return header.split("/* cffi: begin */", 1)[1].split("/* cffi: end */", 1)[0]


def _load() -> cffi.FFI:
    ffi = cffi.FFI()
    # It guards what cffi has parsed and found. Of gevent's or eventlet's kind, it would make threads of the system wait
    # for greenlets.
    ffi._lock = greenlets.lock()
    for name in HEADERS:
        ffi.cdef(declarations((NATIVE / "include" / name).read_text(encoding="utf-8")))
    return ffi


# Not cffi.FFI to the type checker: the fields of C structures are known to cffi alone.
ffi: Any = _load()
