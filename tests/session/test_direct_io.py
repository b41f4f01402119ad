"""Direct I/O: tensors converted straight between the user's arrays and NPU memory that is bound once."""

from __future__ import annotations

import collections
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, RknnError, RknnTimeoutError, RknnValueError
from ez_rknn_async.copying import Copying
from ez_rknn_async.direct import Direct, readable
from ez_rknn_async.runtime.abi import ffi
from ez_rknn_async.runtime.library import Library
from ez_rknn_async.runtime.memory import Memory

from ..simulator.recordings import Recording, executable
from . import io_modes
from .conftest import OpenSession, feed_of
from .io_modes import feeds, options


def transport(session: InferenceSession) -> Direct | Copying:
    used = session._executor.interface.transport
    assert isinstance(used, (Direct, Copying))
    return used


@pytest.mark.parametrize("recording", executable(), ids=lambda recording: recording.name)
def test_direct_and_copied_results_are_the_same_bytes(recording: Recording) -> None:
    """Every model of the tests, every kind of array, every set of shapes, dequantised and native."""
    assert io_modes.compare(recording.path) == io_modes.Verdict(is_direct=True, is_same=True)


@pytest.mark.parametrize("model", ["argmax/i8", "gap/fp", "gen01/i8", "fuzz05/fp", "el_mul_bc/fp"])
def test_a_sample_of_the_zoo_gives_the_same_bytes(shared: Path, model: str) -> None:
    """Odd sizes of several blocks, and an input that the CPU reads; ``make test-direct`` goes through all of them."""
    verdict = io_modes.compare(shared / "zoo" / f"{model}.rknn")
    assert verdict == io_modes.Verdict(is_direct=True, is_same=True)


# ---- Which way is taken ----


def test_auto_goes_direct_where_it_can_and_copy_never_does(open_session: OpenSession) -> None:
    """Nothing needs to be known to get it."""
    assert isinstance(transport(open_session()), Direct)
    assert isinstance(transport(open_session(io_mode="direct")), Direct)
    assert isinstance(transport(open_session(io_mode="copy")), Copying)


def test_an_input_that_cannot_be_bound_is_named(shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Insisting is an error before anything runs; auto copies and says why, at debug level."""
    path = shared / "zoo" / "conv_c64_64_k3" / "bf16.rknn"
    reason = r"input 'x' cannot be bound to NPU memory: its type is bfloat16"
    with pytest.raises(RknnValueError, match=f"io_mode='direct' is not possible: {reason}"):
        InferenceSession(path, provider_options=options("direct"))
    with caplog.at_level(logging.DEBUG, "ez_rknn_async"), InferenceSession(path, provider_options=options("auto")):
        assert "inputs and outputs are copied: input 'x' cannot be bound" in caplog.text


def without(monkeypatch: pytest.MonkeyPatch, *functions: str) -> None:
    """A runtime that lacks functions."""
    has = Library.has
    monkeypatch.setattr(Library, "has", lambda self, name: name not in functions and has(self, name))


def test_a_runtime_without_the_functions_copies(open_session: OpenSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says which one it lacks to who insists."""
    without(monkeypatch, "rknn_set_io_mem")
    session = open_session()
    assert isinstance(transport(session), Copying)
    assert len(session.run(None, feed_of(session))) == 1
    with pytest.raises(RknnValueError, match="has no function rknn_set_io_mem; use io_mode='auto'"):
        open_session(io_mode="direct")


def test_an_old_runtime_without_the_newer_functions_goes_direct(
    open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 1.5.2 has neither rknn_create_mem2 nor rknn_mem_sync, and synchronises in every run."""
    without(monkeypatch, "rknn_create_mem2", "rknn_mem_sync")
    session = open_session()
    assert isinstance(transport(session), Direct)
    assert len(session.run(None, feed_of(session))) == 1
    with pytest.raises(RknnValueError, match="mem_flags='try_sram' needs a runtime that has rknn_create_mem2"):
        open_session(mem_flags="sram")


class Calls:
    """Stands before functions of the runtime: counts their calls, and may refuse some."""

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


def test_a_runtime_that_refuses_to_bind_copies(
    open_session: OpenSession, calls: Calls, caplog: pytest.LogCaptureFixture
) -> None:
    """It is tried on a context of its own, so that the workers' are as they were; never a failure."""
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


# ---- What a run costs ----


def test_nothing_is_allocated_or_bound_from_one_run_to_the_next(open_session: OpenSession, calls: Calls) -> None:
    """Once a context; the general calls are never used."""
    session = open_session("two_inputs_int8", schedule=[0, 1])
    tensors, contexts = len(session.get_inputs()) + len(session.get_outputs()), 2
    calls.counts["rknn_set_io_mem"] = 0  # of the context on which it was tried
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
    """The vendor's library computes wrongly once a context was given the other. The first to come costs nothing."""
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


def test_a_lane_that_cannot_be_opened_is_an_error_of_its_tasks_alone(open_session: OpenSession) -> None:
    """The others go on, and it is tried again."""
    session = open_session(simulator={"compute": "off", "fault": "rknn_init#2:fail=-4"}, schedule=0, layout="any")
    (argument,) = session.get_inputs()
    pixels, floats = np.zeros(argument.shape, np.uint8), np.zeros(argument.shape, np.float32)
    session.run(None, [floats])
    with pytest.raises(RknnError, match="rknn_init failed"):
        session.run(None, [pixels])
    session.run(None, [floats])
    assert len(session.run(None, [pixels])) == 1


def test_a_worker_is_replaced_in_the_lane_in_which_it_hangs(
    open_session: OpenSession, release_hangs: Callable[[], None]
) -> None:
    """Its other lane's context is well."""
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


def test_memory_without_a_cache_is_not_synchronised(open_session: OpenSession, calls: Calls) -> None:
    """There is nothing to flush."""
    session = open_session(mem_flags="non_cacheable")
    session.run(None, feed_of(session))
    assert calls.counts["rknn_mem_sync"] == 0


# ---- Arrays of every form ----


@pytest.mark.parametrize("order", ["NCHW", "NHWC"])
def test_what_a_kernel_can_read_is_not_copied(order: str) -> None:
    """A turned frame, and a piece cut out of a larger one."""
    frame = np.arange(2 * 30 * 40 * 3).reshape(2, 30, 40, 3)
    turned = frame.transpose(0, 3, 1, 2)
    dense, found, row = readable(turned if order == "NCHW" else frame, order)
    assert (found, row) == ("NHWC", 0)
    assert np.shares_memory(dense, frame)
    cut = frame[1:, 5:15, 7:19]
    piece, found, row = readable(cut.transpose(0, 3, 1, 2) if order == "NCHW" else cut, order)
    assert (found, row) == ("NHWC", 40)
    assert np.shares_memory(piece, frame)
    assert np.array_equal(np.resize(piece, (10, 40 * 3))[:, : 12 * 3].ravel()[: 9 * 36], cut.ravel()[: 9 * 36])


@pytest.mark.parametrize("model", ["tiny_conv_int8", "conv_c5_int8", "vector_int8", "batch4_fp16"])
def test_strided_arrays_give_what_dense_ones_do(data: Path, model: str) -> None:
    """Every view of numpy, whether a kernel reads it or it is copied first."""
    with InferenceSession(data / f"{model}.rknn", provider_options=options("direct", schedule=0)) as session:
        (argument,) = session.get_inputs()
        shape = tuple(argument.shape)
        array = np.random.default_rng(1).normal(0, 50, shape).astype(np.float32)
        (expected,) = session.run(None, [array])
        for view in _views(array):
            assert np.array_equal(view, array)
            assert np.array_equal(session.run(None, [view])[0], expected)
            assert np.array_equal(session.submit([view]).result(60)[0], expected)


def _views(array: Any) -> Iterator[Any]:
    yield np.ascontiguousarray(array[::-1])[::-1]
    yield array.astype(array.dtype.newbyteorder())
    larger = np.zeros([2 * extent for extent in array.shape], array.dtype)
    part = larger[tuple(slice(0, extent) for extent in array.shape)]
    part[...] = array
    yield part
    read_only = array.copy()
    read_only.flags.writeable = False
    yield read_only
    if array.ndim == 4:
        yield np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        n, c, h, w = array.shape
        frame = np.zeros((n, h + 3, w + 5, c), array.dtype)
        frame[:, 1 : h + 1, 2 : w + 2] = array.transpose(0, 2, 3, 1)
        yield frame[:, 1 : h + 1, 2 : w + 2].transpose(0, 3, 1, 2)


def test_the_caller_may_overwrite_the_frame_after_run_async(open_session: OpenSession) -> None:
    """What was given in is what is computed."""
    session = open_session(simulator={"timing": "fixed:20000"}, schedule=0)
    (argument,) = session.get_inputs()
    array = np.ones(argument.shape, np.float32)
    expected = session.run(None, [array])[0]
    futures = []
    for _ in range(3):
        futures.append(session.submit([array]))
        array.fill(99)
        array = np.ones(argument.shape, np.float32)
    assert all(np.array_equal(future.result(60)[0], expected) for future in futures)


# ---- Every way to run ----


def test_every_way_to_run_gives_the_same(open_session: OpenSession) -> None:
    """On several cores at once: each has memory of its own."""
    session = open_session("conv_c5_int8", simulator=None, schedule=[0, 1, 2])
    all_feeds = [feed_of(session, seed) for seed in range(12)]
    expected = [session.run(None, feed)[0] for feed in all_feeds]
    assert all(np.array_equal(e, o[0]) for e, o in zip(expected, session.map(all_feeds)))
    (name,) = session.input_names
    batch = np.concatenate([feed[name] for feed in all_feeds])
    (together,) = session.run(None, {name: batch}, {"ztu_modelrt_dispatch_batch": True})
    assert np.array_equal(together, np.concatenate(expected))
    piped = [session.run_pipeline(feed) for feed in all_feeds][3:] + session.drain_pipeline()
    assert all(p is not None and np.array_equal(e, p[0]) for e, p in zip(expected, piped))
    received = np.empty_like(expected[0])
    session.run(None, all_feeds[3], outputs={session.output_names[0]: received})
    assert np.array_equal(received, expected[3])


def test_threads_share_a_session(open_session: OpenSession) -> None:
    """The ways of tensors are found and kept while others look for theirs."""
    session = open_session("two_inputs_int8", simulator=None, schedule=[0, 1, 2])
    kinds = list(feeds(session))
    expected = [session.run(None, feed) for feed in kinds]
    wrong: list[int] = []

    def work(first: int) -> None:
        for step in range(2 * len(kinds)):
            number = (first + step) % len(kinds)
            outputs = session.run(None, kinds[number])
            if any(a.tobytes() != b.tobytes() for a, b in zip(outputs, expected[number])):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_worker_that_is_replaced_has_memory_of_its_new_context(open_session: OpenSession) -> None:
    """The old memory stays with the old context, whose thread is still inside a call of the runtime."""
    session = open_session(
        simulator="compute=off,timing=fixed:1000,slowdown=0:600", schedule=[0, 1], run_timeout_ms=100
    )
    used = transport(session)
    assert isinstance(used, Direct)
    old: list[Memory] = [tensor.memories[0] for tensor in (*used.memory[0].inputs, *used.memory[0].outputs)]
    with pytest.raises(RknnTimeoutError):
        session.run(None, feed_of(session))
    assert len(session.run(None, feed_of(session))) == 1
    with pytest.raises(RknnTimeoutError):
        session.run(None, feed_of(session))  # on the fresh context
    new = [tensor.memories[0] for tensor in (*used.memory[0].inputs, *used.memory[0].outputs)]
    assert not {m.context.handle for m in new} & {m.context.handle for m in old}
    session.close()


def test_a_dynamic_model_has_memory_for_its_largest_shape(open_session: OpenSession, calls: Calls) -> None:
    """Allocated once; shapes may change from run to run, and on different cores at once."""
    session = open_session("dynamic_fp16", simulator=None, schedule=[0, 1])
    used = transport(session)
    assert isinstance(used, Direct)
    for kind in ("inputs", "outputs"):
        for index, tensor in enumerate(getattr(used.memory[0], kind)):
            needed = [getattr(tensors, kind)[index].bound.size_with_stride for tensors in used.sets]
            assert len(set(needed)) > 1  # the shapes differ in it
            assert {memory.size for memory in tensor.memories} == {max(needed)}
    kinds = list(feeds(session, ("float32", "uint8")))
    expected = [session.run(None, feed) for feed in kinds]
    allocated = calls.counts["rknn_create_mem2"]
    assert allocated - calls.counts["rknn_destroy_mem"] == 4
    for _ in range(2):
        for outputs, wanted in zip(session.map(kinds), expected):
            assert all(a.tobytes() == b.tobytes() for a, b in zip(outputs, wanted))
    assert calls.counts["rknn_create_mem2"] == allocated


@pytest.mark.parametrize("io_mode", ["direct", "copy"])
def test_a_dynamic_model_is_told_its_shapes_and_bound_only_when_they_change(
    open_session: OpenSession, calls: Calls, io_mode: str
) -> None:
    """In between a run is what it is for any other model."""
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
    """Each exactly once; and what is left refuses to be used."""
    session = open_session(schedule=[0, 1, 2])
    used = transport(session)
    assert isinstance(used, Direct)
    session.run(None, feed_of(session))
    session.close()
    assert all(
        memory.is_free for tensor in (*used.memory[0].inputs, *used.memory[0].outputs) for memory in tensor.memories
    )
