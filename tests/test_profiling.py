# SPDX-License-Identifier: Apache-2.0
"""The profile: a Chrome trace of each worker's activity."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ez_rknn_async import RknnError
from ez_rknn_async._observing import profiling
from ez_rknn_async._observing.profiling import Profiler
from ez_rknn_async._runtime.task import Result


def result(task: int, worker: int, code: int = 0, times: Sequence[int] = (1000, 3000, 4000, 9000, 9500)) -> Result:
    submitted, started, given, computed, finished = times
    return Result(task, task, code, "", worker, 0, submitted, started, given, computed, finished, "")


def events(path: str, **wanted: Any) -> list[dict[str, Any]]:
    content = json.loads(Path(path).read_text())
    return [e for e in content["traceEvents"] if all(e.get(key) == value for key, value in wanted.items())]


@pytest.fixture
def profiler(tmp_path: Path) -> Profiler:
    return Profiler(str(tmp_path / "profile_"), ["0", "1", "0", "1"])


def test_each_worker_has_a_row_with_the_stages_of_its_tasks(profiler: Profiler) -> None:
    """Times are in microseconds, as the format requires; the wait in the queue is apart, because waits overlap."""
    profiler.task_ended(result(7, worker=2))
    path = profiler.end()
    (row,) = [e["tid"] for e in events(path, ph="M") if e["args"]["name"] == "core 0, context 1"]
    assert [(e["name"], e["ts"], e["dur"]) for e in events(path, ph="X", tid=row)] == [
        ("input conversion", 3.0, 1.0),
        ("NPU", 4.0, 5.0),
        ("output conversion", 9.0, 0.5),
    ]
    assert [(e["ph"], e["ts"], e["id"]) for e in events(path, cat="queue")] == [("b", 1.0, 7), ("e", 3.0, 7)]


def test_callbacks_have_a_separate_row(profiler: Profiler) -> None:
    """A slow callback is a common reason why cores idle."""
    profiler.callback(7, profiler.start_ns)
    path = profiler.end()
    (span,) = events(path, name="callback")
    (row,) = [e for e in events(path, ph="M") if e["args"]["name"] == "callbacks"]
    assert span["tid"] == row["tid"]
    assert span["args"]["task"] == 7


def test_shows_the_stages_of_a_failed_task_but_no_withdrawn_task(profiler: Profiler) -> None:
    """No worker took the withdrawn task up, so it has no times."""
    profiler.task_ended(result(1, worker=0, code=-1, times=(1000, 2000, 3000, 0, 0)))
    profiler.task_ended(result(2, worker=2**32 - 1, code=-108, times=(1000, 0, 0, 0, 0)))
    path = profiler.end()
    assert [(e["name"], e["args"]) for e in events(path, ph="X")] == [("input conversion", {"task": 1, "code": -1})]


def test_keeps_the_runtimes_table_of_layers_unchanged(profiler: Profiler) -> None:
    """It is a text, beside the events."""
    profiler.measure_layers = lambda: "the table"
    content = json.loads(Path(profiler.end()).read_text())
    assert content["otherData"]["layers"] == "the table"


def test_keeps_the_profile_if_the_table_cannot_be_measured(profiler: Profiler, caplog: Any) -> None:
    """The NPU's memory may be full, the model's file gone."""

    def fail() -> str:
        raise RknnError("no memory")

    profiler.measure_layers = fail
    profiler.task_ended(result(7, worker=0))
    assert len(events(profiler.end(), name="NPU")) == 1
    assert "no memory" in caplog.text


def test_keeps_the_records_if_the_file_cannot_be_written(tmp_path: Path) -> None:
    """The user can create the directory and end the profile again."""
    profiler = Profiler(str(tmp_path / "missing" / "profile_"), ["0"])
    profiler.task_ended(result(7, worker=0))
    with pytest.raises(FileNotFoundError):
        profiler.end()
    (tmp_path / "missing").mkdir()
    assert len(events(profiler.end(), name="NPU")) == 1


def test_records_a_callback_without_affecting_it(profiler: Profiler) -> None:
    """Its exception reaches the dispatcher, and its time is recorded all the same."""

    def receive(request: Any, result: Result) -> None:
        raise KeyError(request)

    with pytest.raises(KeyError, match="the request"):
        profiler.observing(receive)("the request", result(7, worker=0))
    path = profiler.end()
    assert [e["args"]["task"] for e in (*events(path, name="NPU"), *events(path, name="callback"))] == [7, 7]


def test_ending_twice_gives_the_same_file(profiler: Profiler) -> None:
    """close() ends a profile that is still open; afterwards nothing is recorded."""
    path = profiler.end()
    profiler.task_ended(result(1, worker=0))
    assert profiler.end() == path
    assert not events(path, ph="X")


def test_two_profiles_within_a_second_are_two_files(tmp_path: Path) -> None:
    """The date in the name has no fractions."""
    paths = {Profiler(str(tmp_path / "profile_"), ["0"]).end() for _ in range(20)}
    assert len(paths) == 20


def test_a_profile_has_a_limited_length(profiler: Profiler, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """A session that runs for weeks with profiling on must not fill the memory."""
    monkeypatch.setattr(profiling, "MOST_RECORDS", 3)
    for task in range(5):
        profiler.task_ended(result(task, worker=0))
    assert len(events(profiler.end(), name="NPU")) == 3
    assert "full after 3 tasks" in caplog.text
