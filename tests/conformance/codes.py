# SPDX-License-Identifier: Apache-2.0
"""Return codes: every documented one, and the answers to mistaken calls."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ez_rknn_async._runtime.abi import ffi

from .case import Case
from .subject import DATA, Subject

MODEL = "conv_c4_int8"
NULL = ffi.NULL


def model_bytes(name: str = MODEL) -> bytes:
    """Return a committed model's file."""
    return (DATA / f"{name}.rknn").read_bytes()


def init(name: str, content: Callable[[], bytes], **arguments: int) -> Case:
    """Ask rknn_init about these bytes; a handle is only looked at after success."""
    return Case("codes", f"rknn_init {name}", lambda s: s.init(content(), **arguments)[0])


def call(name: str, act: Callable[[Subject, int], Any]) -> Case:
    """Make a call on a context of the model."""
    return Case("codes", name, lambda s: act(s, s.open(MODEL)))


def damaged(at: int, value: int) -> bytes:
    """Return the model with one byte changed."""
    content = bytearray(model_bytes())
    content[at] = value
    return bytes(content)


def query(s: Subject, c: int, command: int, size: int, index: int = 0) -> int:
    """Query with room for any structure, claiming ``size`` bytes of it."""
    room = ffi.new("char[]", 1 << 16)
    ffi.cast("uint32_t *", room)[0] = index
    return int(s.lib.rknn_query(c, command, room, size))


def mask(value: int) -> Case:
    """Call rknn_set_core_mask, then run with that mask."""

    def act(s: Subject, c: int) -> Any:
        return [s.lib.rknn_set_core_mask(c, ffi.cast("rknn_core_mask", value)), s.inputs_set(c, s.zeros(c)), s.run(c)]

    return call(f"rknn_set_core_mask {value}", act)


def after_destroy(s: Subject, c: int) -> Any:
    """Query a destroyed context."""
    s.lib.rknn_destroy(c)
    return query(s, c, 0, 8)


def destroy_twice(s: Subject, c: int) -> Any:
    """Destroy a context twice."""
    return [s.lib.rknn_destroy(c), s.lib.rknn_destroy(c)]


def duplicate(s: Subject, c: int) -> Any:
    """Duplicate a context; the copy outlives its original, and runs."""
    copy = ffi.new("rknn_context *")
    codes = [s.lib.rknn_dup_context(ffi.new("rknn_context *", c), copy), s.lib.rknn_destroy(c)]
    return [*codes, s.inputs_set(copy[0], s.zeros(copy[0])), s.run(copy[0]), s.lib.rknn_destroy(copy[0])]


def release_twice(s: Subject, c: int) -> Any:
    """Release the library's own outputs twice."""
    s.inputs_set(c, s.zeros(c))
    s.run(c)
    outputs = ffi.new("rknn_output[]", 1)
    codes = [s.lib.rknn_outputs_get(c, 1, outputs, NULL)]
    return codes + [s.lib.rknn_outputs_release(c, 1, outputs) for _ in range(2)]


def outputs_get(s: Subject, c: int, count: int, **fields: Any) -> Any:
    """Call rknn_outputs_get after a run; return the code, and the size that is then in the structure."""
    s.inputs_set(c, s.zeros(c))
    s.run(c)
    outputs = ffi.new("rknn_output[]", [fields or {}] * max(count, 1))
    return [s.lib.rknn_outputs_get(c, count, outputs, NULL), outputs[0].size]


def inputs_set(elements: int, **fields: Any) -> Callable[[Subject, int], Any]:
    """Call rknn_inputs_set with ``elements`` more elements than the input has, and with other fields."""

    def act(s: Subject, c: int) -> Any:
        (array,) = s.zeros(c)
        return s.inputs_set(c, [np.zeros(max(array.size + elements, 0), np.uint8)], **fields)

    return act


def shapes(s: Subject, c: int) -> Any:
    """Set input shapes of a model that has only one."""
    attribute = s.attribute(c, "RKNN_QUERY_INPUT_ATTR")[1]
    return [s.lib.rknn_set_input_shape(c, attribute), s.lib.rknn_set_input_shapes(c, 1, attribute)]


def dynamic(dims: list[int] | None, order: int = 1) -> Case:
    """Call rknn_set_input_shapes, and run if it accepts; None: the largest shape."""

    def act(s: Subject) -> Any:
        c = s.open("dynamic_fp16")
        attribute = s.attribute(c, "RKNN_QUERY_INPUT_ATTR")[1]
        if dims is not None:
            attribute.dims[0 : len(dims)] = dims
        attribute.fmt = order
        code = s.lib.rknn_set_input_shapes(c, 1, attribute)
        return [code, s.inputs_set(c, s.zeros(c)), s.run(c)] if code == 0 else [code]

    return Case("codes", f"rknn_set_input_shapes {dims or 'largest'} order {order}", act)


CASES = [
    init("of a model", model_bytes),
    init("of zeros", lambda: bytes(4096)),
    init("of 4 bytes", lambda: b"RKNN"),
    init("of 63 bytes", lambda: model_bytes()[:63]),
    init("of 'RKNN' and zeros", lambda: b"RKNN" + bytes(4092)),
    init("of a wrong magic", lambda: damaged(0, ord("X"))),
    init("of half a model", lambda: model_bytes()[: len(model_bytes()) // 2]),
    init("of a model that lacks its last byte", lambda: model_bytes()[:-1]),
    init("of a model with bytes behind it", lambda: model_bytes() + bytes(100)),
    init("of header version 7", lambda: damaged(8, 7)),
    init("of header version 1", lambda: damaged(8, 1)),
    init("of a model for RK3566", lambda: model_bytes("rk3566_block_int8")),
    init("of a model for RK3576", lambda: model_bytes("rk3576_block_int8")),
    init("of a model with an unknown operator", lambda: model_bytes("custom_operator_fp16")),
    *(init(f"with flag {1 << bit:#x}", model_bytes, flags=1 << bit) for bit in range(17)),
    Case(
        "codes", "rknn_init context NULL", lambda s: s.lib.rknn_init(NULL, ffi.from_buffer(model_bytes()), 9, 0, NULL)
    ),
    Case("codes", "rknn_init model NULL", lambda s: s.lib.rknn_init(ffi.new("rknn_context *"), NULL, 100, 0, NULL)),
    Case(
        "codes",
        "rknn_init path",
        lambda s: s.lib.rknn_init(
            ffi.new("rknn_context *"), ffi.new("char[]", str(DATA / f"{MODEL}.rknn").encode()), 0, 0, NULL
        ),
    ),
    Case(
        "codes",
        "rknn_init no such path",
        lambda s: s.lib.rknn_init(ffi.new("rknn_context *"), ffi.new("char[]", b"/nowhere.rknn"), 0, 0, NULL),
    ),
    # Invalid contexts.
    Case("codes", "rknn_query context 0", lambda s: query(s, 0, 0, 8)),
    Case("codes", "rknn_run context 0", lambda s: s.run(0)),
    Case("codes", "rknn_destroy context 0", lambda s: s.lib.rknn_destroy(0)),
    Case("codes", "rknn_set_core_mask context 0", lambda s: s.lib.rknn_set_core_mask(0, 1)),
    Case("codes", "rknn_inputs_set context 0", lambda s: s.inputs_set(0, [np.zeros(9, np.uint8)])),
    Case("codes", "rknn_wait context 0", lambda s: s.lib.rknn_wait(0, NULL)),
    Case("codes", "rknn_query made-up context", lambda s: query(s, 0x1234, 0, 8)),
    Case("codes", "rknn_dup_context NULL", lambda s: s.lib.rknn_dup_context(NULL, ffi.new("rknn_context *"))),
    call("rknn_dup_context into NULL", lambda s, c: s.lib.rknn_dup_context(ffi.new("rknn_context *", c), NULL)),
    call("rknn_query destroyed context", after_destroy),
    call("rknn_destroy twice", destroy_twice),
    call("rknn_dup_context outlives", duplicate),
    # Queries.
    call("rknn_query into NULL", lambda s, c: s.lib.rknn_query(c, 0, NULL, 8)),
    *(
        call(
            f"rknn_query {command} with {difference:+} bytes",
            partial(query, command=command, size=size + difference),
        )
        for command, size in (
            (0, 8),
            (1, 376),
            (2, 376),
            (3, 16),
            (5, 512),
            (7, 1024),
            (8, 376),
            (9, 376),
            (11, 376),
            (14, 376),
        )
        for difference in (-1, 100)
    ),
    *(call(f"rknn_query {k} index 1 of 1", partial(query, command=k, size=376, index=1)) for k in (1, 2, 8, 9, 10, 11)),
    *(call(f"rknn_query command {k}", partial(query, command=k, size=1 << 16)) for k in (-1, 12, 18, 19, 100)),
    # Inputs.
    call("rknn_inputs_set nothing", lambda s, c: s.lib.rknn_inputs_set(c, 0, ffi.new("rknn_input[]", 1))),
    call("rknn_inputs_set two of one", lambda s, c: s.inputs_set(c, s.zeros(c) * 2)),
    call("rknn_inputs_set NULL", lambda s, c: s.lib.rknn_inputs_set(c, 1, NULL)),
    call("rknn_inputs_set a byte too few", inputs_set(-1)),
    call("rknn_inputs_set no bytes", inputs_set(-(1 << 20))),
    call("rknn_inputs_set more than needed", inputs_set(100)),
    call("rknn_inputs_set index 5", inputs_set(0, index=5)),
    *(call(f"rknn_inputs_set type {t}", inputs_set(1 << 14, type=t)) for t in (4, 5, 6, 7, 8, 9, 10, 99)),
    *(call(f"rknn_inputs_set order {f}", inputs_set(0, fmt=f)) for f in (0, 2, 3, 4, 99)),
    call("rknn_inputs_set buffer NULL", inputs_set(0, buf=NULL)),
    Case(
        "codes",
        "rknn_inputs_set one of two",
        lambda s: (lambda c: s.inputs_set(c, s.zeros(c)[:1]))(s.open("two_inputs_int8")),
    ),
    # Runs and outputs.
    call("rknn_run without inputs", lambda s, c: s.run(c)),
    call("rknn_outputs_get before any run", lambda s, c: s.outputs_get(c, 0, [1 << 16])[0]),
    call("rknn_outputs_get nothing", lambda s, c: outputs_get(s, c, 0)),
    call("rknn_outputs_get two of one", lambda s, c: outputs_get(s, c, 2)),
    call("rknn_outputs_get index 3", lambda s, c: outputs_get(s, c, 1, index=3)),
    call("rknn_outputs_get of the library's own", lambda s, c: outputs_get(s, c, 1)),
    call("rknn_outputs_get float32 of the library's own", lambda s, c: outputs_get(s, c, 1, want_float=1)),
    call("rknn_outputs_get want_float 2", lambda s, c: outputs_get(s, c, 1, want_float=2)),
    call("rknn_outputs_get into NULL", lambda s, c: outputs_get(s, c, 1, is_prealloc=1, size=4800)),
    call("rknn_outputs_release twice", release_twice),
    call("rknn_wait without a fence", lambda s, c: s.lib.rknn_wait(c, NULL)),
    call("rknn_set_batch_core_num 3", lambda s, c: s.lib.rknn_set_batch_core_num(c, 3)),
    *(mask(value) for value in (0, 1, 2, 4, 3, 7, 5, 6, 8, 9, 15, 16, 0xFFFF)),
    # Shapes.
    call("rknn_set_input_shapes of a static model", shapes),
    dynamic(None),
    dynamic([1, 1, 1, 1]),
    dynamic(None, order=0),
]
