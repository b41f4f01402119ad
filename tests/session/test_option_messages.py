# SPDX-License-Identifier: Apache-2.0
"""Failures that a session option would cure: the message names it."""

from __future__ import annotations

import asyncio
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import (
    InferenceSession,
    IOBinding,
    OrtValue,
    RknnDeviceError,
    RknnError,
    RknnTimeoutError,
    RknnTypeError,
    RknnValueError,
)
from ez_rknn_async._messages.wording import Wording, speaking

from .conftest import OpenSession, feed_of
from .test_running import Collector

IMAGE: Any = np.zeros((1, 3, 16, 16), np.float32)
SLOW = "compute=off,timing=fixed:200000"


def _by_callback(session: InferenceSession, feed: Any) -> None:
    collector = Collector(1)
    session.run_async(None, feed, collector)
    ((_, _, error),) = collector.wait()
    raise RknnTimeoutError(error) if "run_timeout_ms" in error else RknnDeviceError(error)


def _by_binding(session: InferenceSession, feed: Any) -> None:
    binding = session.io_binding()
    binding.bind_cpu_input("x", feed["x"])
    session.run_with_iobinding(binding)


WAYS: dict[str, Callable[[InferenceSession, Any], Any]] = {
    "run": lambda session, feed: session.run(None, feed),
    "run_async": _by_callback,
    "submit": lambda session, feed: session.submit(feed).result(),
    "run_awaitable": lambda session, feed: asyncio.run(session.run_awaitable(None, feed)),
    "map": lambda session, feed: next(session.map([feed])),
    "binding": _by_binding,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_takes_too_long_names_the_option_and_its_value(open_session: OpenSession, way: str) -> None:
    """The driver has a time limit of its own, so the runtime's code alone says nothing."""
    session = open_session(simulator=SLOW, run_timeout_ms=30, schedule=0)
    with pytest.raises(RknnTimeoutError) as caught:
        WAYS[way](session, feed_of(session))
    for words in ("run_timeout_ms=30", "raise run_timeout_ms", "session.health", "reset()"):
        assert words in str(caught.value)


def test_tells_a_timeout_of_the_driver_from_that_of_the_session(open_session: OpenSession) -> None:
    """It has the same code, and another cure."""
    session = open_session(simulator="compute=off,fault=rknn_run#1:fail=-2", run_timeout_ms=60_000)
    with pytest.raises(RknnTimeoutError) as caught:
        session.run(None, feed_of(session))
    assert "run_timeout_ms" not in str(caught.value)


@pytest.mark.parametrize("way", ["run", "run_async", "submit", "run_awaitable", "map"])
def test_a_missing_custom_operator_names_the_option_that_brings_it(open_session: OpenSession, way: str) -> None:
    """A function of the C interface is no help to a user of sessions."""
    session = open_session("custom_operator_fp16", simulator="compute=on")
    with pytest.raises(RknnDeviceError) as caught:
        WAYS[way](session, feed_of(session))
    assert "cstDouble" in str(caught.value)
    assert "the provider option custom_op_path" in str(caught.value)
    assert "rknn_register_custom_ops" not in str(caught.value)


def test_messages_use_the_terms_of_the_interface_in_use(open_session: OpenSession) -> None:
    """They are written once; an interface with other terms for options sets these while it runs."""
    session = open_session()
    shouting = Wording("", "", False, lambda name, _value: name.upper())
    with speaking(shouting), pytest.raises(RknnValueError, match="set LAYOUT, or pass"):
        session.run(None, {"x": np.zeros((1, 16, 16, 3), np.float32)})
    with pytest.raises(RknnValueError, match="set the provider option layout='nhwc', or pass"):
        session.run(None, {"x": np.zeros((1, 16, 16, 3), np.float32)})


OPTIONS: list[tuple[dict[Any, Any], type[RknnError], str]] = [
    ({"layout": np.zeros(3)}, RknnTypeError, "layout takes a string, not an array of float64 [3]"),
    ({"layout": "nwhc"}, RknnValueError, "layout='nwhc' is not one of nchw"),
    ({"threads_per_core": "two"}, RknnTypeError, "threads_per_core takes an integer, not 'two'"),
    ({"run_timeout_ms": -1}, RknnValueError, "run_timeout_ms=-1 must be at least"),
    ({"custom_op_path": 5}, RknnTypeError, "custom_op_path takes a path"),
    ({"runtime_library": 5}, RknnTypeError, "runtime_library takes a path, not 5"),
    ({"simulator": 5}, RknnTypeError, "simulator takes a dictionary or a string"),
    ({"laoyut": "nhwc"}, RknnValueError, "unknown provider option 'laoyut'; did you mean 'layout'?"),
    ({5: 1}, RknnValueError, "unknown provider option 5"),
]


@pytest.mark.parametrize(("options", "kind", "words"), OPTIONS)
def test_a_wrong_option_gets_its_possible_values(options: Any, kind: type[RknnError], words: str) -> None:
    """The error comes before any file is read."""
    with pytest.raises(kind) as caught:
        InferenceSession("nowhere.rknn", provider_options=options)
    assert words in str(caught.value)


ARGUMENTS: list[tuple[Callable[[], Any], type[RknnError], str]] = [
    (
        lambda: InferenceSession("x.rknn", schedule=[0]),
        RknnTypeError,
        "pass provider_options=make_provider_options(schedule=",
    ),
    (
        lambda: InferenceSession("x.rknn", {"layout": "nhwc"}),  # type: ignore[arg-type]
        RknnTypeError,
        "passed as provider_options=...",
    ),
    (
        lambda: InferenceSession("x.rknn", providers=["CPUExecutionProvider"]),
        RknnValueError,
        "python -m ez_rknn_async.compat onnxruntime",
    ),
    (lambda: InferenceSession(None), RknnTypeError, "path_or_bytes takes a path or the file's bytes, not None"),  # type: ignore[arg-type]
    (lambda: InferenceSession(np.zeros(9)), RknnTypeError, "not an array of float64 [9]"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("make", "kind", "words"), ARGUMENTS)
def test_a_wrong_argument_of_a_session_gets_the_right_one(
    make: Callable[[], Any], kind: type[RknnError], words: str
) -> None:
    """Newcomers try these."""
    with pytest.raises(kind) as caught:
        make()
    assert words in str(caught.value)


BINDINGS: list[tuple[Callable[[IOBinding], Any], type[RknnError], str]] = [
    (lambda b: b.bind_cpu_input("X", IMAGE), RknnValueError, "no input 'X'; did you mean 'x'?"),
    (
        lambda b: b.bind_cpu_input(IMAGE, "x"),
        RknnTypeError,
        "the name of an input is a string, not an array of float32",
    ),
    (
        lambda b: b.bind_input("x", "cpu", 0, np.float32, 5, 1),  # type: ignore[arg-type]
        RknnTypeError,
        "shape takes a sequence of integers, not 5",
    ),
    (lambda b: b.bind_input("x", "cpu", 0, np.float32, [-1], 1), RknnValueError, "has a negative extent"),
    (lambda b: b.bind_input("x", "cpu", 0, np.float32, [1], IMAGE), RknnTypeError, "buffer_ptr takes an address"),
    (lambda b: b.bind_output("y", shape="abc"), RknnTypeError, "shape takes a sequence of integers, not 'abc'"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("bind", "kind", "words"), BINDINGS)
def test_a_wrong_argument_of_a_binding_is_a_typed_error(
    open_session: OpenSession, bind: Callable[[IOBinding], Any], kind: type[RknnError], words: str
) -> None:
    """Python's or numpy's own error would not be."""
    with pytest.raises(kind) as caught:
        bind(open_session().io_binding())
    assert words in str(caught.value)


def test_a_value_for_an_invalid_session_says_so() -> None:
    """One was given, so asking for it would mislead."""
    with pytest.raises(RknnTypeError, match="session takes an InferenceSession, not 5"):
        OrtValue.ortvalue_from_numpy(IMAGE, "npu", session=5, name="x")
