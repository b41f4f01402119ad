# SPDX-License-Identifier: Apache-2.0
"""The queue before a model, with futures that the test ends in the session's place."""

from __future__ import annotations

import contextlib
import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from ez_rknn_async.serving.admission import Admission, Ticket
from ez_rknn_async.serving.refusal import UNAVAILABLE, RefusedError
from ez_rknn_async.serving.request import InferRequest, InputTensor, Typed
from ez_rknn_async.serving.served_model import ServedModel
from ez_rknn_async.serving.server import Server, ServerOptions
from ez_rknn_async.serving.settings import ModelSettings
from ez_rknn_async.serving.statistics import ModelStatistics


class Session:
    """Takes parts, and ends them when the test says so."""

    def __init__(self) -> None:
        self.runs: list[tuple[Any, Future[list[Any]]]] = []

    def submit(self, feed: dict[str, Any]) -> Future[list[Any]]:
        run: Future[list[Any]] = Future()
        self.runs.append((feed["x"], run))
        return run

    def end(self, index: int) -> None:
        name, run = self.runs[index]
        run.set_result([name])

    @property
    def given(self) -> list[Any]:
        return [name for name, _ in self.runs]


@pytest.fixture
def session() -> Session:
    return Session()


def test_gives_the_session_no_more_than_keeps_it_busy(session: Session) -> None:
    """What waits can still be overtaken or withdrawn."""
    queue = Admission(session.submit, 2, 10)
    tickets = [queue.offer([{"x": i}]) for i in range(3)]
    assert session.given == [0, 1]
    session.end(1)
    assert session.given == [0, 1, 2]
    session.end(0)
    session.end(2)
    assert [ticket.result(0) for ticket in tickets] == [[[0]], [[1]], [[2]]]
    assert queue.wait_idle(0)


def test_a_higher_priority_overtakes(session: Session) -> None:
    """A lower number is a higher priority; equals stay in order."""
    queue = Admission(session.submit, 1, 10)
    for name, priority in (("first", 1), ("low", 9), ("high", 1), ("higher", 0), ("high too", 1)):
        queue.offer([{"x": name}], priority)
    for i in range(5):
        session.end(i)
    assert session.given == ["first", "higher", "high", "high too", "low"]


def test_the_highest_priority_overtakes_requests_that_name_none(data: Path) -> None:
    """Clients that set nothing send 0, and the protocol calls 1 the highest."""
    offered: list[int] = []

    class Queue:
        def offer(self, _: object, priority: int) -> Ticket:
            offered.append(priority)
            return Ticket([], priority)

    path = str(data / "tiny_conv_int8.rknn")
    options = {"runtime_library": "simulator"}
    model = ServedModel("m", "1", path, ModelSettings(), options, ModelStatistics())
    with contextlib.closing(model):
        feed = {"x": np.zeros((1, 3, 16, 16), np.float32)}
        with mock.patch.object(model, "_queue", Queue()):
            for priority in (0, 1, 2, 3):
                model.offer(feed, priority)
    assert offered[1] < offered[0] < offered[3]
    assert offered[2] == offered[0]


def test_a_request_that_meets_a_reload_goes_to_the_new_model(data: Path) -> None:
    """The former was found just before it began to drain; a model that is the only one still refuses."""
    path, options = str(data / "tiny_conv_int8.rknn"), {"runtime_library": "simulator"}
    former, fresh = (ServedModel("m", "1", path, ModelSettings(), options, ModelStatistics()) for _ in range(2))
    former.close()
    repository = mock.Mock()
    server = Server(repository, ServerOptions(), "1")
    tensor = InputTensor("x", "FP32", (1, 3, 16, 16), Typed([0.0] * 768))
    with contextlib.closing(fresh):
        repository.find.side_effect = [former, fresh]
        assert server.begin("m", "", InferRequest("7", (tensor,))).ticket.result(60)
        repository.find.side_effect = [former, former]
        with pytest.raises(RefusedError, match="being unloaded"):
            server.begin("m", "", InferRequest("7", (tensor,)))


def test_a_full_queue_refuses(session: Session) -> None:
    """And takes requests again once one is answered."""
    queue = Admission(session.submit, 1, 2)
    queue.offer([{"x": 0}])
    queue.offer([{"x": 1}])
    with pytest.raises(RefusedError, match="all 2 places") as caught:
        queue.offer([{"x": 2}])
    assert caught.value.kind is UNAVAILABLE
    session.end(0)
    queue.offer([{"x": 2}])


def test_a_batch_is_answered_in_order(session: Session) -> None:
    """Its parts end in any order."""
    queue = Admission(session.submit, 3, 1)
    ticket = queue.offer([{"x": i} for i in range(3)])
    for i in (2, 0, 1):
        session.end(i)
    assert ticket.result(0) == [[0], [1], [2]]


def test_what_is_withdrawn_never_runs(session: Session) -> None:
    """And leaves its place."""
    queue = Admission(session.submit, 1, 2)
    queue.offer([{"x": 0}])
    for _ in range(1000):
        assert queue.offer([{"x": 1}]).withdraw()
    assert len(queue._waiting) == 0
    session.end(0)
    assert session.given == [0]


def test_only_what_waits_expires(session: Session) -> None:
    """The time limit is one for the queue: what the NPU computes already is answered."""
    queue = Admission(session.submit, 1, 2)
    first, second = queue.offer([{"x": 0}]), queue.offer([{"x": 1}])
    assert not queue.expire(first)
    assert queue.expire(second)
    session.end(0)
    assert first.result(0) == [[0]]


def test_what_waits_can_be_failed(session: Session) -> None:
    """A lost device answers them; what was given to the session has its own answer."""
    queue = Admission(session.submit, 1, 3)
    first, second = queue.offer([{"x": 0}]), queue.offer([{"x": 1}])
    queue.close(RefusedError(UNAVAILABLE, "lost"))
    queue.fail_waiting(RefusedError(UNAVAILABLE, "lost"))
    assert isinstance(second.exception(0), RefusedError)
    with pytest.raises(RefusedError, match="lost"):
        queue.offer([{"x": 2}])
    session.end(0)
    assert first.result(0) == [[0]]


def test_a_session_that_refuses_answers_its_request() -> None:
    """The others go on."""

    def submit(feed: dict[str, Any]) -> Future[list[Any]]:
        if feed["x"] == "bad":
            raise ValueError("no")
        run: Future[list[Any]] = Future()
        run.set_result([feed["x"]])
        return run

    queue = Admission(submit, 1, 10)
    bad, good = queue.offer([{"x": "bad"}]), queue.offer([{"x": "good"}])
    assert isinstance(bad.exception(0), ValueError)
    assert good.result(0) == [["good"]]


@pytest.mark.usefixtures("tiny_switch_interval")
def test_every_request_of_many_threads_is_answered_once() -> None:
    """Some are withdrawn, some fail, and the queue is empty in the end."""
    with ThreadPoolExecutor(3) as workers:

        def work(feed: dict[str, Any]) -> list[Any]:
            if feed["x"] % 7 == 0:
                raise ValueError("no")
            return [feed["x"]]

        queue = Admission(lambda feed: workers.submit(work, feed), 3, 1000)
        answers: list[Any] = []

        def client(seed: int) -> None:
            chance = random.Random(seed)
            for i in range(100):
                ticket = queue.offer([{"x": i}, {"x": i}], chance.randrange(3))
                ticket.add_done_callback(answers.append)
                if chance.random() < 0.3:
                    ticket.withdraw()
                elif i % 7:
                    assert ticket.result(60) == [[i], [i]]

        clients = [threading.Thread(target=client, args=(seed,)) for seed in range(4)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        assert queue.wait_idle(60)
    assert len(answers) == 400
    assert queue.pending == 0
