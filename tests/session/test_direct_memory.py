# SPDX-License-Identifier: Apache-2.0
"""Calls of direct I/O to the runtime: memory is allocated and bound once for each context, and freed before it."""

from __future__ import annotations

import collections
import logging
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, RknnError, RknnTimeoutError, RknnValueError
from ez_rknn_async._runtime.abi import ffi
from ez_rknn_async._runtime.library import Library
from ez_rknn_async._runtime.memory import Memory
from ez_rknn_async._transport.copying import Copying
from ez_rknn_async._transport.direct import Direct

from .conftest import OpenSession, feed_of
from .io_modes import feeds, transport


def direct(session: InferenceSession) -> Direct:
    """Return the way of the tensors of a session that binds them."""
    used = transport(session)
    assert isinstance(used, Direct)
    return used


class Calls:
    """Wraps functions of the runtime: counts their calls, and may refuse some."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.refused: set[str] = set()
        self._kept: list[Any] = []
        self._wrapped: dict[str, Any] = {}
        self._real = Library.function
        monkeypatch.setattr(Library, "function", lambda library, name: self._function(library, name))

    def _function(self, library: Library, name: str) -> Any:
        real = self._real(library, name)
        if name not in (
            "rknn_set_io_mem",
            "rknn_inputs_set",
            "rknn_outputs_get",
            "rknn_set_input_shapes",
            "rknn_create_mem2",
            "rknn_destroy_mem",
            "rknn_mem_sync",
        ):
            return real
        if name not in self._wrapped:
            self._wrapped[name] = ffi.callback(ffi.typeof(real), self._counting(name, real))
        return self._wrapped[name]

    def _counting(self, name: str, real: Any) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.counts[name] += 1
            return -1 if name in self.refused else real(*arguments)

        return call


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


def test_copies_if_the_runtime_refuses_to_bind(
    open_session: OpenSession, calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    """It is tried on a separate context, so that the workers' stay unchanged, and is never a failure."""
    calls.refused.add("rknn_set_io_mem")
    with caplog.at_level(logging.INFO, "ez_rknn_async"):
        session = open_session(schedule=[0, 1])
    assert "inputs and outputs are copied: rknn_set_io_mem failed" in caplog.text
    assert isinstance(transport(session), Copying)
    for _ in range(2):
        assert len(session.run(None, feed_of(session))) == 1
    assert calls.counts["rknn_destroy_mem"] == calls.counts["rknn_create_mem2"] > 0
    with pytest.raises(RknnValueError, match="rknn_set_io_mem failed"):
        open_session(io_mode="direct")


def test_allocates_and_binds_nothing_from_one_run_to_the_next(open_session: OpenSession, calls: Calls) -> None:
    """Each context does so once, on its first run; the general calls are never used."""
    session = open_session("two_inputs_int8", schedule=[0, 1])
    tensors, contexts = len(session.get_inputs()) + len(session.get_outputs()), 2
    calls.counts["rknn_set_io_mem"] = 0  # of the context of the trial
    for _ in range(3 * contexts):
        session.run(None, feed_of(session))
    assert calls.counts["rknn_create_mem2"] - calls.counts["rknn_destroy_mem"] == tensors * contexts
    assert calls.counts["rknn_set_io_mem"] == tensors * contexts
    assert calls.counts["rknn_mem_sync"] == tensors * 3 * contexts
    assert calls.counts["rknn_inputs_set"] == calls.counts["rknn_outputs_get"] == 0
    session.close()
    assert calls.counts["rknn_create_mem2"] == calls.counts["rknn_destroy_mem"]


def test_pixels_and_floats_have_contexts_of_their_own(
    open_session: OpenSession, calls: Calls, living_contexts: Callable[[], int]
) -> None:
    """The vendor's library computes wrongly once a context has had the other kind. The first kind costs nothing."""
    before = living_contexts()
    session = open_session("tiny_conv_int8", simulator=None, schedule=[0, 1], layout="any")
    (argument,) = session.get_inputs()
    numbers = np.random.default_rng(3).integers(0, 256, argument.shape)
    pixels, floats = numbers.astype(np.uint8), numbers.astype(np.float32)
    calls.counts["rknn_set_io_mem"] = 0
    expected = [session.run(None, [pixels])[0] for _ in range(4)]
    assert living_contexts() == before + 2
    assert calls.counts["rknn_set_io_mem"] == 4
    others = [session.run(None, [floats])[0] for _ in range(2)]
    assert living_contexts() == before + 4
    for _ in range(4):
        assert np.array_equal(session.run(None, [pixels])[0], expected[0])
        assert np.array_equal(session.submit([floats]).result(60)[0], others[0])
    assert calls.counts["rknn_set_io_mem"] == 8
    session.close()
    assert living_contexts() == before
    assert calls.counts["rknn_create_mem2"] == calls.counts["rknn_destroy_mem"]


def test_a_lane_that_cannot_be_opened_only_fails_its_tasks(open_session: OpenSession) -> None:
    """The others go on, and it is retried."""
    session = open_session(simulator={"compute": "off", "fault": "rknn_init#2:fail=-4"}, schedule=0, layout="any")
    (argument,) = session.get_inputs()
    pixels, floats = np.zeros(argument.shape, np.uint8), np.zeros(argument.shape, np.float32)
    session.run(None, [floats])
    with pytest.raises(RknnError, match="rknn_init failed"):
        session.run(None, [pixels])
    session.run(None, [floats])
    assert len(session.run(None, [pixels])) == 1


def test_replaces_a_worker_only_in_the_lane_that_hangs(
    open_session: OpenSession, release_hangs: Callable[[], None]
) -> None:
    """The context of its other lane is fine."""
    session = open_session(
        simulator={"compute": "off", "fault": "rknn_run#3:hang"}, schedule=0, layout="any", run_timeout_ms=50
    )
    (argument,) = session.get_inputs()
    pixels, floats = np.zeros(argument.shape, np.uint8), np.zeros(argument.shape, np.float32)
    session.run(None, [floats])
    session.run(None, [pixels])
    with pytest.raises(RknnTimeoutError):
        session.run(None, [pixels])
    for array in (pixels, floats, pixels):
        assert len(session.run(None, [array])) == 1
    release_hangs()


def test_does_not_synchronise_memory_without_a_cache(open_session: OpenSession, calls: Calls) -> None:
    """There is nothing to flush."""
    session = open_session(mem_flags="non_cacheable")
    session.run(None, feed_of(session))
    assert calls.counts["rknn_mem_sync"] == 0


def test_a_replaced_worker_has_memory_of_its_new_context(open_session: OpenSession) -> None:
    """The old memory stays with the old context, whose thread is still inside a call of the runtime."""
    session = open_session(
        simulator="compute=off,timing=fixed:1000,slowdown=0:600", schedule=[0, 1], run_timeout_ms=100
    )
    used = direct(session)
    old: list[Memory] = [next(iter(memory)) for memory in (*used.memory[0].inputs, *used.memory[0].outputs)]
    with pytest.raises(RknnTimeoutError):
        session.run(None, feed_of(session))
    assert len(session.run(None, feed_of(session))) == 1
    with pytest.raises(RknnTimeoutError):
        session.run(None, feed_of(session))  # on the fresh context
    new = [next(iter(memory)) for memory in (*used.memory[0].inputs, *used.memory[0].outputs)]
    assert not {m.context.handle for m in new} & {m.context.handle for m in old}
    session.close()


def test_a_dynamic_model_has_memory_for_its_largest_shape(open_session: OpenSession, calls: Calls) -> None:
    """It is allocated once; shapes may change from run to run, and on different cores at once."""
    session = open_session("dynamic_fp16", simulator=None, schedule=[0, 1])
    used = direct(session)
    for kind in ("inputs", "outputs"):
        for index, memories in enumerate(getattr(used.memory[0], kind)):
            needed = [getattr(tensors, kind)[index].bound.size_with_stride for tensors in used.sets]
            assert len(set(needed)) > 1  # the shapes differ in it
            assert {memory.size for memory in memories} == {max(needed)}
    kinds = list(feeds(session, ("float32", "uint8")))
    expected = [session.run(None, feed) for feed in kinds]
    allocated = calls.counts["rknn_create_mem2"]
    assert allocated - calls.counts["rknn_destroy_mem"] == 4
    for _ in range(2):
        for outputs, wanted in zip(session.map(kinds), expected):
            assert all(a.tobytes() == b.tobytes() for a, b in zip(outputs, wanted))
    assert calls.counts["rknn_create_mem2"] == allocated


@pytest.mark.parametrize("io_mode", ["direct", "copy"])
def test_sets_dynamic_shapes_and_binds_only_if_they_change(
    open_session: OpenSession, calls: Calls, io_mode: str
) -> None:
    """Other runs are like any other model's."""
    session = open_session("dynamic_fp16", schedule=0, io_mode=io_mode)
    (argument,) = session.get_inputs()
    for shape in argument.shapes:
        feed = [np.zeros(shape, np.float32)]
        calls.counts.clear()
        session.run(None, feed)
        assert calls.counts["rknn_set_input_shapes"] == 1
        assert calls.counts["rknn_set_io_mem"] == (2 if io_mode == "direct" else 0)
        calls.counts.clear()
        for _ in range(3):
            session.run(None, feed)
        assert calls.counts["rknn_set_input_shapes"] == calls.counts["rknn_set_io_mem"] == 0


def test_closing_frees_all_memory_before_its_context(open_session: OpenSession) -> None:
    """Each is freed exactly once, and the remains cannot be used."""
    session = open_session(schedule=[0, 1, 2])
    used = direct(session)
    session.run(None, feed_of(session))
    session.close()
    assert all(memory.is_free for memories in (*used.memory[0].inputs, *used.memory[0].outputs) for memory in memories)
