# SPDX-License-Identifier: Apache-2.0
"""Memory that the program and the NPU share: creation, and every way of binding it."""

from __future__ import annotations

import bisect
from typing import Any

from ez_rknn_async._runtime.abi import ffi

from .case import Case
from .codes import call
from .subject import Subject

MODELS = ("conv_c4_int8", "conv_c4_fp16", "conv_c5_int8", "conv_c16_int8", "vector_int8", "vector_fp16")
TYPES = {"uint8": 3, "int8": 2, "float32": 0, "float16": 1, "int64": 8}
ORDERS = ("NCHW", "NHWC", "NC1HWC2", "UNDEFINED")


def bound(model: str, type_: str, order: int, pass_through: int) -> Case:
    """Bind an input in each type and order, in memory that is large enough for all; return the code."""

    def act(s: Subject) -> Any:
        c = s.open(model)
        attribute = s.attribute(c, "RKNN_QUERY_INPUT_ATTR")[1]
        attribute.type, attribute.fmt, attribute.pass_through = TYPES[type_], order, pass_through
        return s.lib.rknn_set_io_mem(c, s.lib.rknn_create_mem(c, 1 << 17), attribute)

    return Case("memory", f"input of {model} as {type_} {ORDERS[order]} pass_through {pass_through}", act)


def smallest(model: str, type_: str, pass_through: int) -> Case:
    """Find the smallest memory that is accepted for an input, to the byte."""

    def act(s: Subject) -> Any:
        c = s.open(model)
        attribute = s.attribute(c, "RKNN_QUERY_INPUT_ATTR")[1]
        attribute.type, attribute.pass_through = TYPES[type_], pass_through

        def accepts(size: int) -> bool:
            memory = s.lib.rknn_create_mem(c, size)
            code = s.lib.rknn_set_io_mem(c, memory, attribute)
            s.lib.rknn_destroy_mem(c, memory)
            return bool(code == 0)

        return bisect.bisect_left(range(1, 1 << 17), True, key=accepts) + 1

    return Case("memory", f"smallest for {model} as {type_} pass_through {pass_through}", act)


def bound_output(model: str, type_: str, order: int) -> Case:
    """Bind an output in each type and order; return the code."""

    def act(s: Subject) -> Any:
        c = s.open(model)
        attribute = s.attribute(c, "RKNN_QUERY_OUTPUT_ATTR")[1]
        attribute.type, attribute.fmt = TYPES[type_], order
        return s.lib.rknn_set_io_mem(c, s.lib.rknn_create_mem(c, 1 << 17), attribute)

    return Case("memory", f"output of {model} as {type_} {ORDERS[order]}", act)


def create_mem(s: Subject, c: int, size: int) -> Any:
    """Return what rknn_create_mem fills in; the memory can be destroyed."""
    memory = s.lib.rknn_create_mem(c, size)
    if memory == ffi.NULL:
        return None
    facts = [memory.virt_addr != ffi.NULL, memory.fd > 0, memory.offset, memory.size, memory.flags]
    return [*facts, s.lib.rknn_destroy_mem(c, memory)]


def set_io_mem(s: Subject, c: int, **fields: Any) -> Any:
    """Call rknn_set_io_mem with an attribute that differs from the queried one."""
    attribute = s.attribute(c, "RKNN_QUERY_NATIVE_INPUT_ATTR")[1]
    for field, value in fields.items():
        setattr(attribute, field, value)
    return s.lib.rknn_set_io_mem(c, s.lib.rknn_create_mem(c, 1 << 17), attribute)


def bind_foreign_memory(s: Subject, c: int) -> Any:
    """Bind one context's memory to another context and destroy it through that."""
    other = s.open("conv_c5_int8")
    memory = s.lib.rknn_create_mem(other, 1 << 17)
    attribute = s.attribute(c, "RKNN_QUERY_NATIVE_INPUT_ATTR")[1]
    return [s.lib.rknn_set_io_mem(c, memory, attribute), s.run(c), s.lib.rknn_destroy_mem(c, memory)]


CASES = [
    *(bound(m, t, order, through) for m in MODELS for t in TYPES for order in range(4) for through in (0, 1)),
    *(smallest(m, t, through) for m in MODELS for t in ("uint8", "float32") for through in (0, 1)),
    *(bound_output(m, t, order) for m in MODELS for t in TYPES for order in range(4)),
    call("rknn_create_mem 5000", lambda s, c: create_mem(s, c, 5000)),
    call("rknn_create_mem 0", lambda s, c: create_mem(s, c, 0)),
    Case("codes", "rknn_create_mem context 0", lambda s: s.lib.rknn_create_mem(0, 100) == ffi.NULL),
    call("rknn_destroy_mem NULL", lambda s, c: s.lib.rknn_destroy_mem(c, ffi.NULL)),
    call("rknn_set_io_mem memory NULL", lambda s, c: s.lib.rknn_set_io_mem(c, ffi.NULL, ffi.new("rknn_tensor_attr *"))),
    call(
        "rknn_set_io_mem attribute NULL", lambda s, c: s.lib.rknn_set_io_mem(c, s.lib.rknn_create_mem(c, 9), ffi.NULL)
    ),
    call("rknn_set_io_mem wrong name", lambda s, c: set_io_mem(s, c, name=b"nobody")),
    call("rknn_set_io_mem no name", lambda s, c: set_io_mem(s, c, name=b"")),
    call("rknn_set_io_mem index 7", lambda s, c: set_io_mem(s, c, index=7)),
    call("rknn_set_io_mem w_stride 20", lambda s, c: set_io_mem(s, c, w_stride=20)),
    call("rknn_set_io_mem h_stride 40", lambda s, c: set_io_mem(s, c, h_stride=40)),
    call("rknn_set_io_mem another context's memory", bind_foreign_memory),
]
