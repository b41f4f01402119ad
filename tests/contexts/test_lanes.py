# SPDX-License-Identifier: Apache-2.0
"""Lanes: which contexts serve which way of passing tensors, and that none is opened twice or left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ez_rknn_async._contexts.lanes import Lanes
from ez_rknn_async.errors import RknnClosedError, RknnDeviceError, RknnTimeoutError

LONG = 60.0  # seconds; only a failure takes that long


class Contexts:
    """The contexts of one lane, which log what happens to them."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log
        self.loans = 0
        self.is_lent = threading.Event()
        self.is_closed = threading.Event()

    def __iter__(self) -> Iterator[Any]:
        return iter([SimpleNamespace(handle=f"{self.name}, worker {worker}") for worker in range(2)])

    def lend(self) -> Contexts:
        self.loans += 1
        self.is_lent.set()
        return self

    def end(self) -> None:
        """End a loan."""
        self.loans -= 1

    def replace(self, worker: int, tag: int, prepare: Callable[[Any], None]) -> str:
        fresh = f"{self.name}, worker {worker}, in place of the one with task {tag}"
        prepare(fresh)
        return fresh

    def release(self, tag: int) -> None:
        self.log.append(f"release {tag} of {self.name}")

    def close(self, lost: Any = ()) -> None:
        self.log.append(f"close {self.name}")
        self.is_closed.set()


class Machine:
    """Opens lanes and runs tasks on them, without a device; can be told to fail."""

    def __init__(self, load_timeout_ms: int = 0) -> None:
        self.log: list[str] = []
        self.opened: list[Contexts] = []
        self.lanes_of_engine: list[list[str]] = []
        self.error: BaseException | None = None  # what opening raises
        self.engine_error: BaseException | None = None
        self.may_open = threading.Event()
        self.may_open.set()
        self.has_opened = threading.Event()
        self.first = Contexts("first", self.log)
        self.lanes = Lanes(cast("Any", self.first), cast("Any", self._open), load_timeout_ms)
        self.refusal: BaseException | None = None
        self.lanes.attach(cast("Any", self), self._check)

    def _check(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    def _open(self, first: Contexts) -> Contexts:
        assert first is self.first
        assert first.loans, "its weights could go meanwhile"
        assert self.may_open.wait(LONG)
        if self.error is not None:
            raise self.error
        self.opened.append(Contexts(f"lane {len(self.opened) + 1}", self.log))
        self.has_opened.set()
        return self.opened[-1]

    def add_lane(self, contexts: list[str]) -> int:
        """Add a lane as an engine does."""
        if self.engine_error is not None:
            raise self.engine_error
        self.lanes_of_engine.append(contexts)
        return len(self.lanes_of_engine)


@pytest.fixture
def machine() -> Machine:
    """A machine whose lanes open at once."""
    return Machine()


def test_the_first_way_uses_the_contexts_of_the_session(machine: Machine) -> None:
    """Most programs only ever use one way, and pay for no more contexts."""
    assert machine.lanes.number("pixels") == 0
    assert machine.opened == []
    assert machine.lanes[0] is cast("Any", machine.first)


def test_each_other_way_has_contexts_of_its_own(machine: Machine) -> None:
    """There is one for each worker, and the engine knows them by the same number."""
    numbers = [machine.lanes.number(way) for way in ("copied", "native", "pixels")]
    assert numbers == [0, 1, 2]
    assert machine.lanes_of_engine == [[context.handle for context in contexts] for contexts in machine.opened]
    contexts: list[Any] = [machine.lanes[number] for number in numbers]
    assert contexts == [machine.first, *machine.opened]


def test_a_way_keeps_its_lane(machine: Machine) -> None:
    """The first task opens it, and only once."""
    numbers = [machine.lanes.number(way) for way in ("a", "b", "a", "b", "c", "b")]
    assert numbers == [0, 1, 0, 1, 2, 1]
    assert len(machine.opened) == 2


def test_many_threads_that_need_a_new_way_open_it_once(machine: Machine) -> None:
    """The others wait for the thread that opens it."""
    machine.lanes.number("a")
    machine.may_open.clear()
    numbers: list[int] = []
    threads = [threading.Thread(target=lambda: numbers.append(machine.lanes.number("b"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    machine.may_open.set()
    for thread in threads:
        thread.join(LONG)
    assert numbers == [1] * 8
    assert len(machine.opened) == 1


def test_an_open_way_does_not_wait_for_one_that_opens(machine: Machine) -> None:
    """Opening may take as long as loading the model."""
    machine.lanes.number("a")
    machine.may_open.clear()
    opening = threading.Thread(target=machine.lanes.number, args=("b",))
    opening.start()
    assert machine.lanes.number("a") == 0
    machine.may_open.set()
    opening.join(LONG)
    assert machine.lanes.number("b") == 1


def test_the_loan_ends_when_the_lane_is_open(machine: Machine) -> None:
    """The lane needs the first one's weights only until it has its own hold on them."""
    machine.lanes.number("a")
    machine.lanes.number("b")
    assert machine.first.loans == 0


@pytest.mark.parametrize("error", [RknnDeviceError("no more contexts"), KeyboardInterrupt()], ids=repr)
def test_a_lane_that_failed_to_open_can_be_retried(machine: Machine, error: BaseException) -> None:
    """Nothing of the failed attempt stays."""
    machine.lanes.number("a")
    machine.error = error
    with pytest.raises(type(error)):
        machine.lanes.number("b")
    assert machine.first.loans == 0
    machine.error = None
    assert machine.lanes.number("b") == 1


def test_releases_contexts_that_the_engine_refuses(machine: Machine) -> None:
    """The lane can then be retried."""
    machine.lanes.number("a")
    machine.engine_error = RknnDeviceError("no more workers")
    with pytest.raises(RknnDeviceError):
        machine.lanes.number("b")
    assert machine.log == ["close lane 1"]
    assert machine.first.loans == 0
    machine.engine_error = None
    assert machine.lanes.number("b") == 1


def test_opens_no_lane_where_tasks_are_refused(machine: Machine) -> None:
    """A forked child is an example; a lane that is already open there is not checked."""
    machine.lanes.number("a")
    machine.refusal = RknnClosedError("the session belongs to another process")
    assert machine.lanes.number("a") == 0
    with pytest.raises(RknnClosedError, match="another process"):
        machine.lanes.number("b")
    assert machine.opened == []


def test_opens_no_lane_once_the_engine_ends(machine: Machine) -> None:
    """No worker would be left to run its tasks."""
    machine.lanes.number("a")
    machine.lanes.detach()
    with pytest.raises(RknnClosedError):
        machine.lanes.number("b")
    assert machine.opened == []


def test_releases_contexts_that_open_while_the_engine_ends(machine: Machine) -> None:
    """The session is closed by then."""
    machine.lanes.number("a")
    machine.may_open.clear()
    errors: list[RknnClosedError] = []

    def open_another() -> None:
        try:
            machine.lanes.number("b")
        except RknnClosedError as error:
            errors.append(error)

    opening = threading.Thread(target=open_another)
    opening.start()
    assert machine.first.is_lent.wait(LONG)
    machine.lanes.detach()
    machine.may_open.set()
    opening.join(LONG)
    assert len(errors) == 1
    assert machine.log == ["close lane 1"]
    assert machine.lanes_of_engine == []


def test_releases_contexts_that_come_too_late() -> None:
    """load_timeout_ms holds for every lane, and the runtime may return later."""
    machine = Machine(load_timeout_ms=20)
    machine.lanes.number("a")
    machine.may_open.clear()
    with pytest.raises(RknnTimeoutError, match="opening contexts took longer than 20 ms"):
        machine.lanes.number("b")
    assert machine.first.loans == 1, "the runtime may still use its weights"
    machine.may_open.set()
    assert machine.has_opened.wait(LONG)
    assert machine.opened[0].is_closed.wait(LONG)
    assert machine.lanes_of_engine == []


def test_replaces_a_worker_only_in_the_lane_that_hangs(machine: Machine) -> None:
    """Its contexts in the other lanes are fine."""
    for way in "abc":
        machine.lanes.number(way)
    prepared: list[Any] = []
    fresh: Any = machine.lanes.replace(1, 7, 2, prepared.append)
    assert prepared == [fresh] == ["lane 2, worker 1, in place of the one with task 7"]
    machine.lanes.release(7, 2)
    assert machine.log == ["release 7 of lane 2"]


def test_the_first_lane_is_closed_last(machine: Machine) -> None:
    """The others use its weights."""
    for way in "abc":
        machine.lanes.number(way)
    machine.lanes.close()
    assert machine.log == ["close lane 2", "close lane 1", "close first"]
