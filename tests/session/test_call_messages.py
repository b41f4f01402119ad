# SPDX-License-Identifier: Apache-2.0
"""Wrong calls of methods: arguments swapped, missing, unknown, or of the wrong kind."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, RknnTimeoutError, RknnTypeError, RknnValueError

from .conftest import OpenSession, feed_of

FEED = {"x": np.zeros((1, 3, 16, 16), np.float32)}
ARRAY = FEED["x"]

Call = Callable[[InferenceSession], Any]

SWAPPED: dict[str, tuple[Call, str]] = {
    "run": (lambda s: s.run(FEED, None), "run(output_names, input_feed)"),  # type: ignore[arg-type]
    "run with names": (lambda s: s.run(FEED, ["y"]), "run(output_names, input_feed)"),  # type: ignore[arg-type]
    "run an array": (lambda s: s.run(ARRAY, None), "run(output_names, input_feed)"),  # type: ignore[arg-type]
    "run a list": (lambda s: s.run([ARRAY], None), "run(output_names, input_feed)"),  # type: ignore[list-item]
    "run_awaitable": (
        lambda s: asyncio.run(s.run_awaitable(FEED, None)),  # type: ignore[arg-type]
        "run_awaitable(output_names, input_feed)",
    ),
    "run_async": (
        lambda s: s.run_async(FEED, None, print),  # type: ignore[arg-type]
        "run_async(output_names, input_feed, callback",
    ),
    "callback second": (
        lambda s: s.run_async(None, print, FEED),  # type: ignore[arg-type]
        "run_async(output_names, input_feed, callback",
    ),
    "callback last": (
        lambda s: s.run_async(None, FEED, "data", print),  # type: ignore[arg-type]
        "run_async(output_names, input_feed, callback",
    ),
    "submit": (lambda s: s.submit(None, FEED), "submit(input_feed, output_names=None)"),  # type: ignore[arg-type]
    "run_with_ort_values": (
        lambda s: s.run_with_ort_values(FEED, None),  # type: ignore[arg-type]
        "run_with_ort_values(output_names, input_dict_ort_values)",
    ),
    "run_with_iobinding_async": (
        lambda s: s.run_with_iobinding_async(print, s.io_binding()),  # type: ignore[arg-type]
        "run_with_iobinding_async(iobinding, callback",
    ),
}


@pytest.mark.parametrize("way", SWAPPED)
def test_swapped_arguments_get_the_right_order(open_session: OpenSession, way: str) -> None:
    """A user may expect the feed first; ONNX Runtime has it second."""
    call, order = SWAPPED[way]
    with pytest.raises(RknnTypeError) as caught:
        call(open_session())
    assert order in str(caught.value)
    assert "array([" not in str(caught.value)


MISSING: dict[str, Call] = {
    "run": lambda s: s.run(FEED),  # type: ignore[call-arg,arg-type]
    "run_async": lambda s: s.run_async(None, FEED),  # type: ignore[call-arg]
    "submit": lambda s: s.submit(),  # type: ignore[call-arg]
    "run_awaitable": lambda s: asyncio.run(s.run_awaitable(FEED)),  # type: ignore[call-arg,arg-type]
    "run_with_iobinding": lambda s: s.run_with_iobinding(),  # type: ignore[call-arg]
}


@pytest.mark.parametrize("method", MISSING)
def test_a_missing_argument_gets_the_methods_signature(open_session: OpenSession, method: str) -> None:
    """It uses the name that users know, and no internal class."""
    with pytest.raises(RknnTypeError) as caught:
        MISSING[method](open_session())
    said = str(caught.value)
    assert f"{method}() missing 1 required positional argument" in said
    assert f"it is called as {method}(" in said
    assert "Runs." not in said


def test_an_unknown_argument_gets_the_list_of_known_ones(open_session: OpenSession) -> None:
    """A session's option is not a call's."""
    with pytest.raises(RknnTypeError, match=r"submit_timeout_ms.*called as submit\(.*timeout=None\)"):
        open_session().submit(FEED, submit_timeout_ms=0)  # type: ignore[call-arg]


def test_a_type_error_inside_a_call_is_not_reported_as_a_wrong_call(open_session: OpenSession) -> None:
    """Exceptions of the user's own objects pass unchanged."""

    class Broken:
        @property
        def __array__(self) -> Any:
            raise TypeError("broken")

    with pytest.raises(TypeError) as caught:
        open_session().run(None, Broken())
    assert "it is called as" not in str(caught.value)


def test_every_public_method_has_the_name_of_its_class() -> None:
    """Tracebacks, help() and Python's own errors name InferenceSession.run."""
    for name, member in inspect.getmembers(InferenceSession, inspect.isfunction):
        if not name.startswith("_"):
            assert member.__qualname__ == f"InferenceSession.{name}"


def test_signatures_survive_the_wrappers() -> None:
    """Editors and help() show the parameters."""
    parameters = inspect.signature(InferenceSession.run_async).parameters
    assert list(parameters) == ["self", "output_names", "input_feed", "callback", "user_data", "run_options"]
    assert inspect.iscoroutinefunction(InferenceSession.run_awaitable)


async def _frames() -> AsyncIterator[Any]:
    yield FEED


NO_STREAMS: dict[str, tuple[Any, str]] = {
    "a number": (5, "not 5"),
    "nothing": (None, "not None"),
    "a feed": (FEED, "not a dictionary with 'x'; for a single feed use run(None, feed), or {method}([feed])"),
    "a path": ("video.mp4", "not 'video.mp4'"),
}


@pytest.mark.parametrize("method", ["map", "map_awaitable"])
@pytest.mark.parametrize("kind", NO_STREAMS)
def test_refuses_at_once_an_argument_that_is_not_a_stream(open_session: OpenSession, method: str, kind: str) -> None:
    """The first item may be far from the call."""
    feeds, words = NO_STREAMS[kind]
    with pytest.raises(RknnTypeError) as caught:
        getattr(open_session(), method)(feeds)
    assert "feeds takes an iterable of feeds" in str(caught.value)
    assert words.format(method=method) in str(caught.value)


def test_an_asynchronous_stream_is_for_map_awaitable(open_session: OpenSession) -> None:
    """map() cannot await."""
    with pytest.raises(RknnTypeError, match=r"use map_awaitable\(\)"):
        open_session().map(_frames())  # type: ignore[arg-type]


def test_a_feed_in_the_place_of_the_depth_is_shown_as_a_feed(open_session: OpenSession) -> None:
    """run_pipeline(None, feed) would be ONNX Runtime's order."""
    with pytest.raises(RknnValueError, match="depth=a dictionary with 'x' must be an integer"):
        open_session().run_pipeline(None, FEED)  # type: ignore[arg-type]


def test_submit_with_a_timeout_of_0_does_not_wait_for_a_full_queue(
    open_session: OpenSession, release_hangs: Callable[[], None]
) -> None:
    """The error names the argument, and not the option that it overrides."""
    session = open_session(simulator="compute=off,fault=rknn_run#1:hang", schedule=0, max_queue_size=1)
    feed = feed_of(session)
    running = session.submit(feed)
    while session.stats.cores["0"].running == 0:
        pass
    waiting = session.submit(feed, timeout=0)  # there is a place, so 0 is enough
    with pytest.raises(RknnTimeoutError, match=r"queue is full, and timeout=0 does not wait.*max_queue_size") as caught:
        session.submit(feed, timeout=0)
    assert "submit_timeout_ms" not in str(caught.value)
    with pytest.raises(RknnTimeoutError, match=r"timeout=0\.01 seconds"):
        session.submit(feed, timeout=0.01)
    assert waiting.cancel()
    release_hangs()
    assert running.result()


@pytest.mark.parametrize(
    ("timeout", "kind", "words"),
    [
        (-1, RknnValueError, "timeout=-1 must be at least 0 seconds"),
        (float("nan"), RknnValueError, "timeout=nan must be at least 0"),
        ("1", RknnTypeError, "timeout takes seconds"),
        (True, RknnTypeError, "timeout takes seconds"),
    ],
)
def test_refuses_invalid_timeouts(open_session: OpenSession, timeout: Any, kind: type[Exception], words: str) -> None:
    """The errors are typed, and come before anything is queued."""
    with pytest.raises(kind, match=words):
        open_session().submit(FEED, timeout=timeout)


def test_submit_can_wait_for_ever(open_session: OpenSession) -> None:
    """Python's other timeouts can too."""
    assert open_session().submit(FEED, timeout=float("inf")).result()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s: s.run(None, FEED, 5), "run_options takes a dictionary or a RunOptions, not 5"),
        (lambda s: s.run(None, FEED, ARRAY), "not an array of float32 [1, 3, 16, 16]"),
        (lambda s: s.run(None, FEED, outputs=[ARRAY]), "not a list of 1 values such as an array of float32"),
        (lambda s: s.run(None, FEED, outputs={"y": [0]}), "outputs['y'] must be a numpy array, not list"),
        (lambda s: s.run_with_iobinding(FEED), "iobinding takes what io_binding() returned"),
    ],
)
def test_an_argument_of_a_wrong_type_is_shown_in_one_line(open_session: OpenSession, call: Call, words: str) -> None:
    """The thousand numbers of an array would bury the message."""
    with pytest.raises(RknnTypeError) as caught:
        call(open_session())
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
