# SPDX-License-Identifier: Apache-2.0
"""Objects that belong to their process: neither pickled nor copied, but shown in any state."""

from __future__ import annotations

import copy
import functools
import os
import pickle
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, IOBinding, OrtValue, RknnTimeoutError, RknnTypeError

from .conftest import OpenSession, feed_of

MAKERS: dict[str, Callable[[InferenceSession], Any]] = {
    "InferenceSession": lambda session: session,
    "IOBinding": lambda session: session.io_binding(),
    "OrtValue": lambda session: OrtValue.ortvalue_from_numpy(feed_of(session)["x"], "npu", name="x", session=session),
    "RunFuture": lambda session: session.submit(feed_of(session)),
    "Stream": lambda session: session.map([]),
    "AsyncStream": lambda session: session.map_awaitable([]),
}
COPIES: dict[str, Callable[[Any], Any]] = {
    **{f"pickle{number}": functools.partial(pickle.dumps, protocol=number) for number in range(5)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "deepcopy inside": lambda x: copy.deepcopy({"model": [x]}),
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("way", COPIES)
def test_rejects_copies_of_objects_that_belong_to_the_process(open_session: OpenSession, name: str, way: str) -> None:
    """The error says what to do instead; nothing is harmed."""
    session = open_session()
    thing = MAKERS[name](session)
    with pytest.raises(RknnTypeError, match=f"{name} objects cannot be .* copied.*open a session in each process"):
        COPIES[way](thing)
    assert len(session.run(None, feed_of(session))) == 1


def test_a_subclass_may_define_how_it_is_pickled(open_session: OpenSession, data: Path) -> None:
    """A program may define a session that opens itself again on arrival."""
    session = Reopening(data / "tiny_conv_int8.rknn")
    with session, pickle.loads(pickle.dumps(session)) as other:
        assert other.input_names == session.input_names


class Reopening(InferenceSession):
    def __init__(self, path: Path) -> None:
        super().__init__(path, provider_options={"runtime_library": "simulator", "simulator": "compute=off"})
        self._path_of_model = path

    def __reduce__(self) -> Any:
        return Reopening, (self._path_of_model,)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_values_on_the_cpu_can_be_copied(way: Callable[[OrtValue], OrtValue]) -> None:
    """They are arrays; the copy has separate memory."""
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    value = OrtValue.ortvalue_from_numpy(array)
    other = way(value)
    array[0] = 9
    np.testing.assert_array_equal(other.numpy("native"), [[0, 1, 2], [3, 4, 5]])
    assert other.data_type() == "tensor(int16)"


# ---- repr() ----


def test_a_session_shows_model_provider_cores_and_state(open_session: OpenSession, data: Path) -> None:
    """A log line needs them."""
    path = data / "tiny_conv_int8.rknn"
    session = open_session(schedule=[0, 2])
    assert repr(session) == f"<InferenceSession {str(path)!r} on RKNPU2SimulatorExecutionProvider, cores 0, 2: open>"
    session.close()
    assert repr(session).endswith("cores 0, 2: closed>")


def test_a_session_shows_cores_that_work_together(open_session: OpenSession) -> None:
    """It shows cores that work one by one differently."""
    assert "cores [0,1,2]: open" in repr(open_session("snippet", tp_mode="0,1,2"))


def test_a_model_of_bytes_is_shown_by_its_size(data: Path) -> None:
    """Its bytes would fill the screen."""
    content = (data / "tiny_conv_int8.rknn").read_bytes()
    with InferenceSession(content, provider_options={"runtime_library": "simulator"}) as session:
        assert repr(session).startswith(f"<InferenceSession {len(content)} bytes on ")


def test_a_session_shows_workers_that_fail_and_are_lost(
    open_session: OpenSession, release_hangs: Callable[[], None]
) -> None:
    """No one need ask for its health first."""
    session = open_session(
        simulator={"compute": "off", "fault": ["rknn_run@core1#1:hang", "rknn_init#2:fail=-4"]},
        schedule=[0, 1],
        run_timeout_ms=50,
    )
    session.run(None, feed_of(session))
    with pytest.raises(RknnTimeoutError):
        session.run(None, feed_of(session))
    assert repr(session).endswith(("open, of 2 workers 1 set aside>", "open, of 2 workers 1 lost>"))
    release_hangs()


def test_showing_an_object_makes_no_call_of_the_runtime(
    open_session: OpenSession, calls_of: Callable[[str], int]
) -> None:
    """A debugger shows objects repeatedly."""
    session = open_session()
    things = [maker(session) for maker in MAKERS.values()]
    session.run(None, feed_of(session))
    things[3].result(60)
    before = [calls_of(name) for name in ("rknn_query", "rknn_run", "rknn_mem_sync")]
    assert all(map(repr, things))
    assert [calls_of(name) for name in ("rknn_query", "rknn_run", "rknn_mem_sync")] == before


@pytest.mark.parametrize("name", MAKERS)
def test_everything_can_be_shown_once_the_session_is_closed(open_session: OpenSession, name: str) -> None:
    """Tracebacks of programs that end show it."""
    session = open_session()
    thing = MAKERS[name](session)
    session.close()
    assert name in repr(thing)


@pytest.mark.parametrize("kind", [InferenceSession, IOBinding, OrtValue])
def test_half_constructed_objects_can_be_shown(kind: Any) -> None:
    """A constructor that raises leaves one to the debugger."""
    assert kind.__name__ in repr(kind.__new__(kind))


def test_a_session_is_shown_in_a_forked_child(open_session: OpenSession) -> None:
    """It says that it belongs to another process."""
    session = open_session()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, repr(session).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 1000).decode().endswith(": of another process>")
    os.close(reading)
    os.close(writing)


def test_bindings_values_and_futures_show_names_and_states(open_session: OpenSession) -> None:
    """They use the terms that their users know."""
    session = open_session()
    binding = session.io_binding()
    assert repr(binding) == "<IOBinding: inputs nothing; outputs nothing>"
    binding.bind_cpu_input("x", feed_of(session)["x"])
    binding.bind_output(session.output_names[0])
    assert repr(binding) == f"<IOBinding: inputs 'x'; outputs {session.output_names[0]!r}>"
    assert repr(MAKERS["OrtValue"](session)) == "<OrtValue tensor(int8) [1, 3, 16, 16] on rknpu2>"
    future = session.submit(feed_of(session))
    assert repr(future) in ("<RunFuture of task 0: under way>", "<RunFuture of task 0: finished>")
    future.result(60)
    assert repr(future) == "<RunFuture of task 0: finished>"
