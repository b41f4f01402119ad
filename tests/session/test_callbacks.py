# SPDX-License-Identifier: Apache-2.0
"""Callbacks that raise, and callbacks that cannot be called."""

from __future__ import annotations

import asyncio
import functools
import logging
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, RknnTypeError

from .conftest import OpenSession, feed_of
from .test_running import Collector

Raised = list[tuple[type[BaseException], str]]
Start = Callable[[InferenceSession, Any, Any], None]


def run_async(session: InferenceSession, feed: Any, callback: Any) -> None:
    session.run_async(None, feed, callback, "data")


def binding_async(session: InferenceSession, feed: Any, callback: Any) -> None:
    binding = session.io_binding()
    for name, array in feed.items():
        binding.bind_cpu_input(name, array)
    for output in session.get_outputs():
        binding.bind_output(output.name)
    session.run_with_iobinding_async(binding, callback, "data")


def future(session: InferenceSession, feed: Any, callback: Any) -> None:
    """Pass a callback of one argument."""
    session.submit(feed).add_done_callback(callback)


def done_future(session: InferenceSession, feed: Any, callback: Any) -> None:
    """Let the caller's own thread call it."""
    done = session.submit(feed)
    done.result(60)
    done.add_done_callback(callback)


THREE: dict[str, Start] = {"run_async": run_async, "run_with_iobinding_async": binding_async}
ALL: dict[str, Start] = {**THREE, "future": future, "future that is done": done_future}


@contextmanager
def without_logging() -> Iterator[None]:
    """A program that has not set up logging. A context, as pytest sets logging up again after fixtures."""
    logger = logging.getLogger("ez_rknn_async")
    handlers, propagate = logger.handlers[:], logger.propagate
    logger.handlers[:], logger.propagate = [logging.NullHandler()], False
    yield
    logger.handlers[:], logger.propagate = handlers, propagate


@pytest.fixture
def hook_arguments(monkeypatch: pytest.MonkeyPatch) -> Raised:
    """The arguments that ``threading.excepthook`` gets."""
    raised: Raised = []

    def hook(arguments: Any) -> None:
        assert arguments.exc_traceback is not None
        assert isinstance(arguments.thread, threading.Thread)
        raised.append((arguments.exc_type, str(arguments.exc_value)))

    monkeypatch.setattr(threading, "excepthook", hook)
    return raised


def raising(error: BaseException) -> Callable[..., None]:
    def callback(*_: Any) -> None:
        raise error

    return callback


# ---- Reports ----


@pytest.mark.parametrize("start", ALL.values(), ids=ALL)
@pytest.mark.parametrize("error", [ValueError("mine"), SystemExit("mine"), KeyboardInterrupt("mine")], ids=repr)
def test_exceptions_of_callbacks_reach_the_threads_hook(
    open_session: OpenSession, hook_arguments: Raised, start: Start, error: BaseException
) -> None:
    """Programs that collect the exceptions of their threads get these too; deliveries go on."""
    session, last = open_session(), Collector(1)
    with without_logging():
        start(session, feed_of(session), raising(error))
        session.run_async(None, feed_of(session), last)
        last.wait()
        session.close()
    assert hook_arguments == [(type(error), "mine")]


def test_calls_every_done_callback_though_one_exits(open_session: OpenSession, hook_arguments: Raised) -> None:
    """concurrent.futures lets SystemExit through, and would skip the callbacks after it."""
    session, called = open_session(), threading.Event()
    done = session.submit(feed_of(session))
    with without_logging():
        done.add_done_callback(raising(SystemExit()))
        done.add_done_callback(lambda _: called.set())
        assert called.wait(60)
    assert hook_arguments == [(SystemExit, "")]


def test_a_cancelled_future_reports_the_exception_of_its_callback(
    open_session: OpenSession, hook_arguments: Raised
) -> None:
    """The cancelling thread does not get it."""
    session = open_session(simulator="compute=off,fault=rknn_run#1:delay=30000", schedule=0)
    futures = [session.submit(feed_of(session)) for _ in range(3)]
    futures[2].add_done_callback(raising(SystemExit("mine")))
    with without_logging():
        assert futures[2].cancel()
    assert hook_arguments == [(SystemExit, "mine")]


def test_a_hook_that_raises_stops_nothing(
    open_session: OpenSession, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Both exceptions are on stderr."""
    monkeypatch.setattr(threading, "excepthook", raising(OSError("the hook's")))
    session, last = open_session(), Collector(1)
    with without_logging():
        session.run_async(None, feed_of(session), raising(ValueError("the callback's")))
        session.run_async(None, feed_of(session), last)
        last.wait()
    printed = capfd.readouterr().err
    assert "the hook's" in printed
    assert "the callback's" in printed


@pytest.mark.parametrize("name", ["ez_rknn_async", ""], ids=["own", "root"])
def test_a_program_that_logs_has_the_exception_only_in_its_log(
    open_session: OpenSession, hook_arguments: Raised, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The handler is on the package's logger, or on the root one, to which it propagates."""
    monkeypatch.setattr(logging.getLogger("ez_rknn_async"), "propagate", not name)
    records: list[logging.LogRecord] = []
    handler, logger = logging.Handler(), logging.getLogger(name)
    handler.emit = records.append  # type: ignore[assignment,method-assign]
    logger.addHandler(handler)
    try:
        session = open_session()
        session.run_async(None, feed_of(session), raising(ValueError("mine")))
        session.close()
    finally:
        logger.removeHandler(handler)
    (record,) = [record for record in records if record.exc_info is not None]
    assert str(record.exc_info[1]) == "mine"  # type: ignore[index]
    assert hook_arguments == []


PROGRAM = """
import sys
import numpy as np
from ez_rknn_async import InferenceSession, make_provider_options
options = make_provider_options(runtime_library="simulator", simulator="compute=off")
with InferenceSession(sys.argv[1], provider_options=options) as session:
    feed = {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()}
    def receive(results, user_data, error):
        {statement}
    session.run_async(None, feed, receive)
"""


@pytest.mark.parametrize(
    ("statement", "expected"), [("results.nothing", "no attribute 'nothing'"), ("sys.exit(3)", "")]
)
def test_a_program_without_logging_has_the_exception_on_stderr(data: Path, statement: str, expected: str) -> None:
    """It looks like a thread's: a traceback with the thread's name, and nothing for SystemExit."""
    program = PROGRAM.replace("{statement}", statement)
    done = subprocess.run(
        [sys.executable, "-c", program, str(data / "tiny_conv_int8.rknn")],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert expected in done.stderr
    assert done.stderr.startswith("Exception in thread ez-rknn-delivery" if expected else "")
    assert bool(done.stderr) == bool(expected)


# ---- Refusals ----


class Receiver:
    """An object with callbacks of every kind."""

    def __call__(self, results: Any, user_data: Any, error: str) -> None: ...

    def method(self, results: Any, user_data: Any, error: str) -> None: ...

    def two(self, results: Any, user_data: Any) -> None: ...

    async def coroutine(self, results: Any, user_data: Any, error: str) -> None: ...

    @staticmethod
    def static(results: Any, user_data: Any, error: str) -> None: ...

    @classmethod
    def of_class(cls, results: Any, user_data: Any, error: str) -> None: ...


class AsyncReceiver:
    async def __call__(self, *arguments: Any) -> None: ...


class Two:
    def __init__(self, results: Any, user_data: Any) -> None: ...


async def coroutine(*_: Any) -> None: ...


async def asynchronous_generator(*_: Any) -> Any:
    yield


def generator(*_: Any) -> Iterator[None]:
    yield


def decorated(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def call(*arguments: Any) -> None:
        function(*arguments, "one more")

    return call


@decorated
def of_four(results: Any, user_data: Any, error: str, more: str) -> None: ...


def of_four_without_more(results: Any, user_data: Any, error: str, more: str) -> None: ...


REFUSED = [
    (None, "must be callable, not None"),
    ("receive", "must be callable, not 'receive'"),
    (lambda: None, "cannot be called as callback"),
    (lambda a, b: None, "cannot be called as callback"),
    (lambda a, b, c, d: None, "cannot be called as callback"),
    (lambda a, b, *, c: None, "cannot be called as callback"),
    (lambda a, b, c, *, d: None, "cannot be called as callback"),
    (Receiver().two, "cannot be called as callback"),
    (Receiver.method, "cannot be called as callback"),
    (Two, "cannot be called as callback"),
    (functools.partial(lambda a, b, c: None, 1), "cannot be called as callback"),
    (functools.partial(lambda a, b, c: None, c=1), "cannot be called as callback"),
    (threading.Event().set, "cannot be called as callback"),
    (coroutine, "is a coroutine function"),
    (Receiver().coroutine, "is a coroutine function"),
    (AsyncReceiver(), "is a coroutine function"),
    (functools.partial(coroutine, 1), "is a coroutine function"),
    (functools.partial(functools.partial(AsyncReceiver(), 1)), "is a coroutine function"),
    (asynchronous_generator, "is a generator function"),
    (generator, "is a generator function"),
]
TAKEN = [
    lambda a, b, c: None,
    lambda *a: None,
    lambda a, *b: None,
    lambda a, b, c, d=1: None,
    lambda a, b, c, *, d=1: None,
    lambda a=1, b=2, c=3: None,
    lambda *a, **b: None,
    Receiver(),
    Receiver().method,
    Receiver.static,
    Receiver.of_class,
    functools.partial(of_four_without_more, 1),
    functools.partial(of_four_without_more, more="1"),
    of_four,
    print,
    max,
    queue.SimpleQueue().put,
]


def named(callback: Any) -> str:
    return getattr(callback, "__qualname__", None) or repr(callback)[:30]


@pytest.mark.parametrize("start", THREE.values(), ids=THREE)
@pytest.mark.parametrize(("callback", "reason"), REFUSED, ids=[named(callback) for callback, _ in REFUSED])
def test_rejects_callbacks_that_cannot_be_called(
    open_session: OpenSession, start: Start, callback: Any, reason: str
) -> None:
    """They are rejected before anything is accepted."""
    session = open_session()
    with pytest.raises(RknnTypeError, match=reason):
        start(session, feed_of(session), callback)
    assert sum(core.completed + core.queued + core.running for core in session.stats.cores.values()) == 0


@pytest.mark.parametrize("callback", TAKEN, ids=named)
def test_takes_callbacks_of_three_positional_arguments(
    open_session: OpenSession, caplog: pytest.LogCaptureFixture, callback: Any
) -> None:
    """Any form will do; a callable whose parameters are unknown is let through."""
    session = open_session()
    session.run_async(None, feed_of(session), callback)
    session.close()
    unexpected = [r for r in caplog.records if r.exc_info and "positional" in str(r.exc_info[1])]
    assert not unexpected


@pytest.mark.parametrize("callback", [None, lambda: None, lambda a, b: None, coroutine, generator], ids=named)
def test_rejects_done_callbacks_that_cannot_be_called(open_session: OpenSession, callback: Any) -> None:
    """Their one argument is the future."""
    session = open_session()
    with pytest.raises(RknnTypeError, match="callback"):
        session.submit(feed_of(session)).add_done_callback(callback)


def test_a_refusal_names_the_argument_and_the_cure(open_session: OpenSession) -> None:
    """It uses the terms of the call."""
    session = open_session()
    with pytest.raises(RknnTypeError) as caught:
        session.run_async(None, feed_of(session), Receiver().two)  # type: ignore[arg-type]
    assert "Receiver.two() cannot be called as callback(results, user_data, error)" in str(caught.value)
    assert "(results: 'Any', user_data: 'Any')" in str(caught.value)
    with pytest.raises(RknnTypeError, match="await run_awaitable"):
        session.run_async(None, feed_of(session), coroutine)


def test_a_future_can_still_be_awaited(open_session: OpenSession) -> None:
    """asyncio adds a callback of its own."""
    session = open_session()

    async def main() -> list[Any]:
        return await asyncio.wrap_future(session.submit(feed_of(session)))

    assert isinstance(asyncio.run(main())[0], np.ndarray)
