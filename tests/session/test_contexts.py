# SPDX-License-Identifier: Apache-2.0
"""The contexts of a session: their origin, and the order of their end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, RknnError, RknnTimeoutError, make_provider_options
from ez_rknn_async._runtime.abi import ffi
from ez_rknn_async._runtime.context import SHARE_WEIGHTS, Context
from ez_rknn_async._runtime.library import Library

from .conftest import OpenSession, feed_of

IO_MODES = ["direct", "copy"]


class Family:
    """Wraps the functions that create and destroy contexts.

    Attributes:
        parents: the context whose weights each one uses, by handle; 0 for one with weights of its own.
        loaded: how many were loaded from the file.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parents: dict[int, int] = {}
        self.loaded = 0
        self.orphaned: list[int] = []  # those whose parent was destroyed first
        self.refuses_to_share = False
        self._real = Library.function
        self._kept: dict[str, Any] = {}
        monkeypatch.setattr(Library, "function", lambda library, name: self._function(library, name))

    def _function(self, library: Library, name: str) -> Any:
        real = self._real(library, name)
        stands_in = {"rknn_init": self._init, "rknn_dup_context": self._dup, "rknn_destroy": self._destroy}
        stand_in: Any = stands_in.get(name)
        if stand_in is None:
            return real
        if name not in self._kept:
            self._kept[name] = ffi.callback(ffi.typeof(real), lambda *arguments: stand_in(real, *arguments))
        return self._kept[name]

    def _init(self, real: Any, handle: Any, model: Any, size: int, flags: int, extend: Any) -> int:
        shares = bool(flags & SHARE_WEIGHTS)
        if shares and self.refuses_to_share:
            return -5
        code = int(real(handle, model, size, flags, extend))
        if code == 0:
            self.loaded += 1
            self.parents[handle[0]] = extend.ctx if shares else 0
        return code

    def _dup(self, real: Any, source: Any, handle: Any) -> int:
        code = int(real(source, handle))
        if code == 0:
            self.parents[handle[0]] = source[0]
        return code

    def _destroy(self, real: Any, handle: int) -> int:
        del self.parents[handle]
        self.orphaned += [child for child, parent in self.parents.items() if parent == handle]
        return int(real(handle))


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> Iterator[Family]:
    """Watches the contexts of a test; in the end all of them are gone, each before its parent."""
    watched = Family(monkeypatch)
    yield watched
    assert watched.orphaned == []


def images(session: InferenceSession) -> tuple[np.ndarray, np.ndarray]:
    """Return the same image as pixels and as floats."""
    (argument,) = session.get_inputs()
    numbers = np.random.default_rng(5).integers(0, 256, argument.shape)
    return numbers.astype(np.uint8), numbers.astype(np.float32)


def lanes(session: InferenceSession, count: int) -> list[list[Context]]:
    """Return the contexts of a session's first lanes."""
    return [list(session._deployment.executor._lanes[number]) for number in range(count)]


# ---- Origin ----


@pytest.mark.parametrize("io_mode", IO_MODES)
def test_the_weights_of_all_lanes_are_in_memory_once(open_session: OpenSession, family: Family, io_mode: str) -> None:
    """One context loads them; the first of another lane borrows them, as a duplicate of a context that has run would
    not do."""
    session = open_session(schedule=[0, 1, 2], io_mode=io_mode)
    for image in images(session):
        for _ in range(3):
            session.run(None, [image])
    (first, *others), (borrower, *duplicates) = lanes(session, 2)
    assert {family.parents[context.handle] for context in others} == {first.handle}
    assert {family.parents[context.handle] for context in duplicates} == {borrower.handle}
    assert (family.parents[first.handle], family.parents[borrower.handle]) == (0, first.handle)
    assert family.loaded == 2
    weights = first.memory()["weights"]
    assert first.memory()["dma"] - others[0].memory()["dma"] == weights > 0
    assert borrower.memory()["dma"] == duplicates[0].memory()["dma"] == others[0].memory()["dma"]
    session.close()
    assert family.parents == {}


@pytest.mark.parametrize("io_mode", IO_MODES)
def test_lanes_compute_the_same_as_separate_sessions(open_session: OpenSession, io_mode: str) -> None:
    """Any lane may come first: borrowed weights are the right ones."""
    options: dict[str, Any] = {"simulator": None, "schedule": [0, 1], "io_mode": io_mode}
    pixels, floats = images(open_session(**options))
    expected = [open_session(**options).run(None, [image])[0] for image in (pixels, floats)]
    for order in ((0, 1), (1, 0)):
        session = open_session(**options)
        for which in order * 3:
            assert np.array_equal(session.run(None, [(pixels, floats)[which]])[0], expected[which])


def test_copied_pixels_and_floats_have_contexts_of_their_own(
    open_session: OpenSession, living_contexts: Callable[[], int]
) -> None:
    """After uint8 for an int8 image the vendor's library normalises everything that rknn_inputs_set gets there."""
    before = living_contexts()
    session = open_session(schedule=[0, 1], io_mode="copy")
    for image in (*images(session), *images(session)):
        session.run(None, [image])
    assert living_contexts() == before + 4


@pytest.mark.parametrize("model", ["tiny_conv_fp16", "conv_c16_int8", "vector_int8"])
def test_other_inputs_need_no_second_lane(
    model: str, open_session: OpenSession, living_contexts: Callable[[], int]
) -> None:
    """Inputs converted by the CPU may change their type from run to run."""
    before = living_contexts()
    session = open_session(model, io_mode="copy")
    for image in (*images(session), *images(session)):
        session.run(None, [image])
    assert living_contexts() == before + 1


def test_every_lane_has_separate_weights_if_asked_for(open_session: OpenSession, family: Family) -> None:
    """``disable_dup_context`` loads each context, and none borrows."""
    session = open_session(schedule=[0, 1], disable_dup_context=True)
    for image in images(session):
        session.run(None, [image])
    assert set(family.parents.values()) == {0}
    assert family.loaded == 5  # one is for the trial of direct I/O


def test_a_runtime_that_does_not_share_weights_loads_them_again(
    open_session: OpenSession, family: Family, caplog: pytest.LogCaptureFixture
) -> None:
    """The lane then costs memory, and works."""
    family.refuses_to_share = True
    session = open_session(schedule=[0, 1])
    with caplog.at_level("INFO", "ez_rknn_async"):
        for image in images(session):
            session.run(None, [image])
    assert "the contexts of another lane have weights of their own: rknn_init failed" in caplog.text
    _, (own, duplicate) = lanes(session, 2)
    assert (family.parents[own.handle], family.parents[duplicate.handle]) == (0, own.handle)


# ---- Order of destruction ----


@pytest.mark.parametrize("options", [{}, {"disable_dup_context": True}, {"threads_per_core": 2}], ids=str)
def test_destroys_duplicates_before_their_originals(
    open_session: OpenSession, family: Family, options: dict[str, Any]
) -> None:
    """This holds for every lane when a session is closed."""
    session = open_session(schedule=[0, 1, 2], **options)
    for image in images(session):
        session.run(None, [image])
    assert len(family.parents) >= 6
    session.close()
    assert family.parents == {}


@pytest.mark.parametrize(
    "fault", ["rknn_dup_context#2:fail=-1", "rknn_set_core_mask#3:fail=-1", "rknn_query#3:fail=-5"]
)
def test_destroys_duplicates_first_if_a_session_fails_to_open(data: Path, family: Family, fault: str) -> None:
    """Some exist by then."""
    options = make_provider_options(
        runtime_library="simulator", schedule=[0, 1, 2], io_mode="copy", simulator={"compute": "off", "fault": fault}
    )
    with pytest.raises(RknnError):
        InferenceSession(data / "tiny_conv_int8.rknn", provider_options=options)
    assert family.parents == {}


def test_an_original_that_hung_goes_after_its_duplicates(
    open_session: OpenSession, family: Family, release_hangs: Callable[[], None]
) -> None:
    """It is replaced, and returns, but others still have its weights."""
    session = open_session(
        simulator={"compute": "off", "fault": "rknn_run@core0#1:hang"}, schedule=[0, 1], run_timeout_ms=50
    )
    ((original, duplicate),) = lanes(session, 1)
    with pytest.raises(RknnTimeoutError):
        session.run(None, feed_of(session))
    release_hangs()
    for _ in range(4):
        session.run(None, feed_of(session))
    ((replacement, same),) = lanes(session, 1)
    assert (same, family.parents[replacement.handle]) == (duplicate, 0)
    assert family.parents[duplicate.handle] == original.handle
    assert original.handle in family.parents
    session.close()
    assert family.parents == {}


def test_a_context_is_destroyed_with_the_last_user_of_its_weights() -> None:
    """They may be given up in any order."""
    library = Library.__new__(Library)
    destroyed: list[int] = []

    def destroy(handle: int) -> int:
        destroyed.append(handle)
        return 0

    library.function = lambda _: destroy  # type: ignore[method-assign, assignment]
    library.has = lambda _: False  # type: ignore[method-assign, assignment]
    first = Context(library, 1)
    with first.held():
        second = Context(library, 2, first)
    with second.held():
        third = Context(library, 3, second)
    first.destroy()
    second.destroy()
    assert destroyed == []
    third.destroy()
    assert destroyed == [3, 2, 1]
    with pytest.raises(RknnError, match="was destroyed"):
        first.duplicate()
