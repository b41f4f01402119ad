# SPDX-License-Identifier: Apache-2.0
"""Sessions that use another session's weights: their numbers, and lifetimes."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import (
    InferenceSession,
    RknnClosedError,
    RknnModelError,
    RknnTypeError,
    RknnValueError,
    make_provider_options,
)
from ez_rknn_async._contexts.model_source import ModelSource
from ez_rknn_async._options.provider_options import ProviderOptions
from ez_rknn_async._options.session_options import SessionOptions
from ez_rknn_async._running.opening import open_model
from ez_rknn_async._runtime.context import Context
from ez_rknn_async._runtime.library import Library

from ..simulator.recordings import recording
from ..simulator.zoo import cosine
from .conftest import feed_of

Borrow = Callable[..., InferenceSession]
MODEL, WITHOUT_WEIGHTS = "tiny_conv_fp16", "without_weights_fp16"
COMPUTE_OFF = "compute=off"


@pytest.fixture
def open_(data: Path) -> Iterator[Borrow]:
    """Opens sessions by model name, with or without a master, and closes them after the test."""
    sessions: list[InferenceSession] = []

    def open_session(model: str, master: Any = None, simulator: str = COMPUTE_OFF, **options: Any) -> InferenceSession:
        provider_options = make_provider_options(runtime_library="simulator", simulator=simulator, **options)
        path = data / f"{model}.rknn"
        session = InferenceSession(path, provider_options=provider_options, use_weight_from=master)
        sessions.append(session)
        return session

    yield open_session
    for session in sessions:
        session.close()


@pytest.fixture
def destroyed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The handles of destroyed contexts, in that order.

    Opening a session destroys one too, on which direct I/O was tried: tests clear the list after it.
    """
    handles: list[int] = []
    function = Library.function

    def spy(library: Library, name: str) -> Any:
        called = function(library, name)

        def destroy(handle: Any) -> Any:
            handles.append(handle)
            return called(handle)

        return destroy if name == "rknn_destroy" else called

    monkeypatch.setattr(Library, "function", spy)
    return handles


def handles_of(session: InferenceSession) -> set[int]:
    return {context.handle for context in session._deployment.executor.contexts}


def test_a_model_without_weights_computes_with_those_of_its_master(open_: Borrow) -> None:
    """Its outputs equal those of the official simulator for the model with its weights, on every core."""
    master = open_(MODEL, simulator="compute=on")
    borrower = open_(WITHOUT_WEIGHTS, master, simulator="compute=on", schedule=[0, 1, 2])
    (inputs, outputs), *_ = recording(WITHOUT_WEIGHTS).cases()
    for _core in range(3):
        for ours, theirs in zip(borrower.run(None, inputs), outputs):
            assert cosine(ours, theirs) >= recording(WITHOUT_WEIGHTS).cosine


def test_a_borrower_can_be_a_master(open_: Borrow) -> None:
    """The weights are found at the end of the chain, even if the session in between is closed."""
    master = open_(MODEL, simulator="compute=on")
    between = open_(WITHOUT_WEIGHTS, master, simulator="compute=on")
    last = open_(WITHOUT_WEIGHTS, between, simulator="compute=on")
    master.close()
    between.close()
    (inputs, outputs), *_ = recording(WITHOUT_WEIGHTS).cases()
    assert cosine(last.run(None, inputs)[0], outputs[0]) >= recording(WITHOUT_WEIGHTS).cosine


def test_refuses_a_model_without_weights_if_there_is_no_master(open_: Borrow) -> None:
    """The message explains what was forgotten."""
    with pytest.raises(RknnModelError, match="use_weight_from"):
        open_(WITHOUT_WEIGHTS, simulator="compute=on")


def test_refuses_the_weights_of_another_model(open_: Borrow) -> None:
    """Weights of another shape are detected before anything runs."""
    with pytest.raises(RknnModelError, match="weight 'constant0' is float16"):
        open_(WITHOUT_WEIGHTS, open_("conv_c16_fp16", simulator="compute=on"), simulator="compute=on")


def test_contexts_are_destroyed_borrowers_first(open_: Borrow, destroyed: list[int]) -> None:
    """A closed master keeps the context with the weights until the last context that reads them is gone."""
    master = open_(MODEL, schedule=[0, 1])
    borrowers = [open_(WITHOUT_WEIGHTS, master, schedule=[0, 1, 2]) for _ in range(2)]
    destroyed.clear()
    of_borrowers = [handles_of(borrower) for borrower in borrowers]
    original, duplicate = (context.handle for context in master._deployment.executor.contexts)
    master.close()
    assert destroyed == [duplicate]
    with pytest.raises(RknnClosedError):
        master.run(None, feed_of(master))
    assert borrowers[0].run(None, feed_of(borrowers[0]))
    borrowers[0].close()
    assert set(destroyed[1:]) == of_borrowers[0]
    borrowers[1].close()
    assert set(destroyed[4:7]) == of_borrowers[1]
    assert destroyed[7:] == [original]


def test_a_chain_is_destroyed_from_its_end(open_: Borrow, destroyed: list[int]) -> None:
    """The session in between is kept for its borrower, and keeps its own master."""
    chain = [open_(MODEL)]
    for _ in range(2):
        chain.append(open_(WITHOUT_WEIGHTS, chain[-1]))
    handles = [next(iter(handles_of(session))) for session in chain]
    destroyed.clear()
    for session in chain:
        session.close()
    assert destroyed == handles[::-1]


def test_a_dropped_master_lives_as_long_as_its_borrowers(data: Path, destroyed: list[int]) -> None:
    """No one has to keep a reference to a session only because another one needs its weights."""
    options = make_provider_options(runtime_library="simulator", simulator=COMPUTE_OFF)
    master = InferenceSession(data / f"{MODEL}.rknn", provider_options=options)
    (handle,) = handles_of(master)
    with InferenceSession(
        data / f"{WITHOUT_WEIGHTS}.rknn", provider_options=options, use_weight_from=master
    ) as borrower:
        destroyed.clear()
        del master
        gc.collect()
        assert destroyed == []
        assert borrower.run(None, feed_of(borrower))
    assert destroyed[-1] == handle


def test_a_session_that_fails_to_open_releases_the_weights(open_: Borrow, destroyed: list[int]) -> None:
    """A failure must not keep the master's memory for ever."""
    master = open_(MODEL)
    with pytest.raises(RknnModelError):
        open_("rk3566_block_fp16", master)
    handles = handles_of(master)
    destroyed.clear()
    master.close()
    assert set(destroyed) == handles


def test_every_context_borrows_and_none_is_a_duplicate(open_: Borrow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boards have not been seen to support duplicates of a borrower."""

    def refuse(_context: Context) -> Context:
        raise AssertionError

    master = open_(MODEL)
    monkeypatch.setattr(Context, "duplicate", refuse)
    borrower = open_(WITHOUT_WEIGHTS, master, schedule=[0, 1, 2])
    assert len(handles_of(borrower)) == 3


def test_a_borrowers_stuck_context_is_replaced_by_a_borrower(open_: Borrow) -> None:
    """The watchdog works for sessions that share weights, even if the master is closed."""
    master = open_(MODEL)
    borrower = open_(WITHOUT_WEIGHTS, master)
    master.close()
    before = handles_of(borrower)
    fresh = borrower._deployment.executor.contexts.replace(0, 0)
    assert fresh.handle not in before
    borrower._deployment.executor.contexts.release(0)


def test_the_weights_are_counted_once(open_: Borrow) -> None:
    """Sharing saves memory: a borrower only has its intermediate tensors."""
    master = open_(MODEL)
    borrower = open_(WITHOUT_WEIGHTS, master)
    assert borrower.stats.memory["dma"] == master.stats.memory["dma"] - master.stats.memory["weights"]


@pytest.mark.parametrize("wrong", ["tiny_conv_fp16.rknn", 7, InferenceSession])
def test_only_a_session_can_be_a_master(open_: Borrow, wrong: Any) -> None:
    """The error comes before anything is loaded."""
    with pytest.raises(RknnTypeError, match="use_weight_from takes an InferenceSession"):
        open_(WITHOUT_WEIGHTS, wrong)


def test_a_closed_session_cannot_be_a_master(open_: Borrow) -> None:
    """Its weights are gone, or will be when their last user is."""
    master = open_(MODEL)
    open_(WITHOUT_WEIGHTS, master)
    master.close()
    with pytest.raises(RknnClosedError, match="use_weight_from"):
        open_(WITHOUT_WEIGHTS, master)


def test_custom_operators_and_shared_weights_exclude_each_other(open_: Borrow, data: Path) -> None:
    """The runtime cannot do both, so the session refuses before trying."""
    options = ProviderOptions(runtime_library="simulator", custom_op_path=("libcustom.so",))
    lender = open_(MODEL)._deployment.executor
    source = ModelSource.of(data / f"{WITHOUT_WEIGHTS}.rknn")
    with source, pytest.raises(RknnValueError, match="custom operators"):
        open_model(source, None, options, SessionOptions(), lender)


def test_measures_the_table_of_layers_with_the_masters_weights(open_: Borrow, data: Path, tmp_path: Path) -> None:
    """The profile's own context borrows as well, and ends its loan."""
    session_options = SessionOptions()
    session_options.enable_profiling = True
    session_options.profile_file_prefix = str(tmp_path / "profile_")
    options = make_provider_options(runtime_library="simulator", simulator=COMPUTE_OFF, collect_perf=True)
    master = open_(MODEL)
    with InferenceSession(
        data / f"{WITHOUT_WEIGHTS}.rknn", session_options, provider_options=options, use_weight_from=master
    ) as borrower:
        borrower.run(None, feed_of(borrower))
        assert "Conv" in Path(borrower.end_profiling()).read_text()


def test_zeros_are_not_weights() -> None:
    """A model without weights could not produce the recording."""
    (_, outputs), *_ = recording(WITHOUT_WEIGHTS).cases()
    assert np.ptp(outputs[0]) > 1
