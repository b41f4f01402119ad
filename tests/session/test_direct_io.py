# SPDX-License-Identifier: Apache-2.0
"""Direct I/O: tensors converted straight between the user's arrays and NPU memory that is bound once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, RknnValueError
from ez_rknn_async._runtime.library import Library
from ez_rknn_async._transport.copying import Copying
from ez_rknn_async._transport.direct import Direct, readable

from ..simulator.recordings import Recording, executable
from . import io_modes
from .conftest import OpenSession, feed_of
from .io_modes import feeds, options, transport


@pytest.mark.parametrize("recording", executable(), ids=lambda recording: recording.name)
def test_direct_and_copied_results_are_the_same_bytes(recording: Recording) -> None:
    """Every model of the tests, every kind of array, every set of shapes, dequantised and native, is compared."""
    assert io_modes.compare(recording.path) == io_modes.Verdict(is_direct=True, is_same=True)


@pytest.mark.parametrize("model", ["argmax/i8", "gap/fp", "gen01/i8", "fuzz05/fp", "el_mul_bc/fp"])
def test_a_sample_of_the_zoo_gives_the_same_bytes(shared: Path, model: str) -> None:
    """It has odd sizes of several blocks, and an input that the CPU reads; ``make test-direct`` compares all models."""
    verdict = io_modes.compare(shared / "zoo" / f"{model}.rknn")
    assert verdict == io_modes.Verdict(is_direct=True, is_same=True)


# ---- The choice of direct or copy ----


def test_auto_goes_direct_if_it_can_and_copy_never_does(open_session: OpenSession) -> None:
    """The user need not know about it."""
    assert isinstance(transport(open_session()), Direct)
    assert isinstance(transport(open_session(io_mode="direct")), Direct)
    assert isinstance(transport(open_session(io_mode="copy")), Copying)


def test_names_an_input_that_cannot_be_bound(shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Insisting is an error before anything runs; auto copies and says why, at debug level."""
    path = shared / "zoo" / "conv_c64_64_k3" / "bf16.rknn"
    reason = r"input 'x' cannot be bound to NPU memory: its type is bfloat16"
    with pytest.raises(RknnValueError, match=f"io_mode='direct' is not possible: {reason}"):
        InferenceSession(path, provider_options=options("direct"))
    with caplog.at_level(logging.DEBUG, "ez_rknn_async"), InferenceSession(path, provider_options=options("auto")):
        assert "inputs and outputs are copied: input 'x' cannot be bound" in caplog.text


def runtime_without(monkeypatch: pytest.MonkeyPatch, *functions: str) -> None:
    """A runtime that lacks functions."""
    has = Library.has
    monkeypatch.setattr(Library, "has", lambda self, name: name not in functions and has(self, name))


def test_a_runtime_without_the_functions_copies(open_session: OpenSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """io_mode='direct' raises an error that names the missing one."""
    runtime_without(monkeypatch, "rknn_set_io_mem")
    session = open_session()
    assert isinstance(transport(session), Copying)
    assert len(session.run(None, feed_of(session))) == 1
    with pytest.raises(RknnValueError, match="has no function rknn_set_io_mem; use io_mode='auto'"):
        open_session(io_mode="direct")


def test_an_old_runtime_without_the_newer_functions_goes_direct(
    open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 1.5.2 has neither rknn_create_mem2 nor rknn_mem_sync, and synchronises in every run."""
    runtime_without(monkeypatch, "rknn_create_mem2", "rknn_mem_sync")
    session = open_session()
    assert isinstance(transport(session), Direct)
    assert len(session.run(None, feed_of(session))) == 1
    with pytest.raises(RknnValueError, match="mem_flags='try_sram' needs a runtime that has rknn_create_mem2"):
        open_session(mem_flags="sram")


# ---- Arrays of every form ----


@pytest.mark.parametrize("order", ["NCHW", "NHWC"])
def test_does_not_copy_arrays_that_a_kernel_can_read(order: str) -> None:
    """Examples are a transposed frame, and a piece cut out of a larger one."""
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
def test_strided_arrays_give_the_results_of_dense_ones(data: Path, model: str) -> None:
    """A kernel reads each view of numpy, or it is copied first."""
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
    """The values at the time of the call count."""
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


def test_every_way_to_run_gives_the_same_results(open_session: OpenSession) -> None:
    """Several cores at once have separate memory."""
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


@pytest.mark.filterwarnings("ignore:.* was given NaN")
def test_threads_share_a_session(open_session: OpenSession) -> None:
    """Ways of passing tensors are found and kept while other threads look for theirs."""
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
