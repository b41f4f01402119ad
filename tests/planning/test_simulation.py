# SPDX-License-Identifier: Apache-2.0
"""The discrete-event simulation: by hand where that is possible, and against the engine where time plays no part."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ez_rknn_async import InferenceSession, RknnValueError
from ez_rknn_async._options.provider_options import ProviderOptions
from ez_rknn_async._runtime.layer_times import inference_times, layer_times
from ez_rknn_async.planning import Arrivals, Board, ClosedLoop, Load, Model, Requests, Result, System, Times, simulate

MS = 1_000_000
SECOND = 1000 * MS


def model(options: dict[str, Any], load: Load, npu_ms: float = 10.0, **others: Any) -> Model:
    """A model of a fixed time."""
    times = {key: others.pop(key) for key in ("input_ns", "output_ns", "callback_ns", "inferences") if key in others}
    return Model("m", Times.fixed(round(npu_ms * MS), **times), load, ProviderOptions.parse(options), **others)


def run(*models: Model, seconds: float = 1.0, board: Board | None = None, runs: int | None = None) -> Result:
    """Simulate models on a board."""
    return simulate(System(board or Board("rk3588"), models, round(seconds * SECOND), runs))


def one(*models: Model, **others: Any) -> Requests:
    """Simulate, and return the first model's requests."""
    return run(*models, **others).requests[0]


def milliseconds(times: Any) -> list[float]:
    """Nanoseconds as milliseconds."""
    return [ns / MS for ns in times]


def test_a_core_serves_requests_in_order_of_arrival() -> None:
    """Three at once on one core of 10 ms wait 0, 10 and 20 ms."""
    requests = one(model({"schedule": [0]}, Arrivals((0, 0, 0))))
    assert milliseconds(requests.delivered) == [10, 20, 30]
    assert milliseconds(requests.started) == [0, 10, 20]


def test_tasks_go_to_the_cores_of_the_schedule_in_turn() -> None:
    """A core named twice gets twice the share."""
    requests = one(model({"schedule": [0, 1, 0, 2]}, Arrivals((0,) * 8)))
    assert {name: group.completed for name, group in requests.groups.items()} == {"0": 4, "1": 2, "2": 2}


def test_results_in_order_wait_for_a_slow_core() -> None:
    """Without order, each is delivered as it ends."""
    board = Board("rk3588", ((1, 3.0),))
    load = Arrivals((0, 0, 0))
    ordered = one(model({"schedule": [0, 1, 2]}, load), board=board)
    free = one(model({"schedule": [0, 1, 2], "sequential_callbacks": False}, load), board=board)
    assert milliseconds(ordered.delivered) == [10, 30, 30]
    assert milliseconds(free.delivered) == [10, 10, 30]


def test_least_loaded_leaves_a_slow_core_alone() -> None:
    """It takes what is free, so that the slow core gets a smaller share."""
    board = Board("rk3588", ((1, 3.0),))
    turns = run(model({"schedule": [0, 1]}, ClosedLoop()), board=board, seconds=3)
    loaded = run(model({"schedule": [0, 1], "dispatch": "least_loaded"}, ClosedLoop()), board=board, seconds=3)
    rates = [result.throughput(result.requests[0]) for result in (turns, loaded)]
    assert rates[0] == pytest.approx(2 / 0.03, rel=0.03)
    assert rates[1] == pytest.approx(1 / 0.01 + 1 / 0.03, rel=0.03)


def test_cores_that_work_together_wait_for_each_other() -> None:
    """A task of two cores begins when both are free."""
    result = run(
        model({"schedule": [0]}, Arrivals((0,)), npu_ms=10),
        model({"tp_mode": "0,1"}, Arrivals((1,)), npu_ms=10),
        model({"schedule": [1]}, Arrivals((2,)), npu_ms=10),
    )
    assert [milliseconds(each.ended) for each in result.requests] == [[10], [20], [30]]


def test_a_second_thread_converts_while_the_npu_computes() -> None:
    """With one, each inference takes conversion and NPU; with two the NPU never waits."""
    times = {"input_ns": 5 * MS, "output_ns": 5 * MS}
    rates = []
    for threads in (1, 2):
        result = run(model({"schedule": [0], "threads_per_core": threads}, ClosedLoop(), **times), seconds=4)
        rates.append(result.throughput(result.requests[0]))
    assert rates == [pytest.approx(50, rel=0.02), pytest.approx(100, rel=0.02)]


def test_busy_cores_slow_each_other_where_they_wait_for_memory() -> None:
    """How many are busy is looked at when an inference begins."""
    times = Times(((10 * MS, 12 * MS, 15 * MS), (0, 8 * MS, 9 * MS), (0, 0, 7 * MS)))
    loop = Model("m", times, ClosedLoop(), ProviderOptions.parse({"schedule": [0, 1, 2]}))
    requests = one(loop, seconds=3)
    durations = milliseconds(requests.ended - requests.begun)
    assert durations[0] == 10
    assert set(durations[10:-10]) == {15}


def test_callbacks_run_one_after_the_other() -> None:
    """A slow one holds back the requests when the completions are full, however many cores there are."""
    result = run(model({"schedule": [0, 1, 2]}, ClosedLoop(), callback_ns=20 * MS), seconds=4)
    assert result.throughput(result.requests[0]) == pytest.approx(50, rel=0.05)


def test_pacing_keeps_the_queues_empty() -> None:
    """Results are of fresh frames, at the same rate."""
    paced, full = (one(model({"schedule": [0], "enable_pacing": p}, ClosedLoop()), seconds=4) for p in (True, False))
    assert np.median(paced.finished - paced.submitted) < np.median(full.finished - full.submitted) / 2
    assert paced.count == pytest.approx(full.count, rel=0.02)


def test_a_frame_that_finds_no_room_is_dropped() -> None:
    """One runs and three wait; the others are dropped."""
    requests = one(model({"schedule": [0]}, Arrivals((0,) * 10, drop=True), deadline_ns=25 * MS))
    assert (requests.count, requests.dropped) == (4, 6)
    assert requests.late == 8  # six, and those of 30 and 40 ms


def test_priorities_count_only_where_they_are_honoured() -> None:
    """The vendor's runtime ignores them."""
    low = model({"schedule": [0], "priority": "low", "threads_per_core": 3}, Arrivals((0, 0, 0)))
    high = model({"schedule": [0]}, Arrivals((1,)))
    assert milliseconds(run(low, high).requests[1].delivered) == [40]
    assert milliseconds(run(low, high, board=Board("rk3588", priorities=True)).requests[1].delivered) == [20]


def test_a_batch_is_several_inferences_of_one_run() -> None:
    """They follow each other on the core."""
    assert milliseconds(one(model({"schedule": [0]}, Arrivals((0,)), inferences=4)).ended) == [40]


def test_one_core_socs_have_one_line() -> None:
    """No mask is set there."""
    result = run(model({}, ClosedLoop(2)), board=Board("rk3566"))
    assert result.busy(0) == 1.0
    assert len(result.cores) == 1


def test_sixty_seconds_of_three_cores_take_half_a_second() -> None:
    """Of this process's own time: a busy machine may take longer."""
    begin = time.process_time()
    result = run(model({"schedule": [0, 1, 2]}, ClosedLoop(), npu_ms=2), seconds=60)
    taken = time.process_time() - begin
    assert result.requests[0].count == pytest.approx(90_000, abs=20)
    assert taken < 1.5  # 0.45 s on the machine of make bench-virtual; other interpreters and sanitizers are slower


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60 * MS), st.sampled_from((0, 1, 2))), min_size=1, max_size=30),
    st.sampled_from(("modulo", "least_loaded")),
    st.sampled_from((True, False)),
    st.integers(1, 3),
)
def test_no_request_is_lost_and_no_core_does_two_things_at_once(
    requests: list[tuple[int, int]], dispatch: str, ordered: bool, threads: int
) -> None:
    """For any arrivals and rules."""
    options = {"dispatch": dispatch, "sequential_callbacks": ordered, "threads_per_core": threads}
    loads = [tuple(sorted(at for at, model in requests if model == which)) for which in range(3)]
    result = run(
        model({"schedule": [0, 1, 2], **options}, Arrivals(loads[0]), npu_ms=7),
        model({"schedule": [1, 0], **options}, Arrivals(loads[1]), npu_ms=3, input_ns=MS, output_ns=2 * MS),
        model({"tp_mode": "0,1", "threads_per_core": threads}, Arrivals(loads[2]), npu_ms=5),
    )
    for load, each in zip(loads, result.requests):
        assert sorted(each.due) == list(load)
        for earlier, later in zip(("due", "submitted", "started", "begun", "ended", "finished"),
                                  ("submitted", "started", "begun", "ended", "finished", "delivered")):  # fmt: skip
            assert (getattr(each, earlier) <= getattr(each, later)).all()
    for core, times in enumerate(result.cores):
        assert times.busy_ns <= result.end_ns, core
    busy = sum(n * ms * cores for n, ms, cores in zip(map(len, loads), (7, 3, 5), (1, 1, 2)))
    assert sum(times.busy_ns for times in result.cores) == busy * MS


@pytest.mark.parametrize("options", [{"schedule": [0, 1, 0, 2]}, {"schedule": [2, 1]}, {"tp_mode": "0,1"}])
def test_the_engine_gives_each_core_the_same_tasks(data: Path, options: dict[str, Any]) -> None:
    """Whatever the machine's speed: with turns, the number decides."""
    chosen = {**options, "runtime_library": "simulator", "simulator": "timing=fixed:200,compute=off"}
    with InferenceSession(data / "vector_int8.rknn", provider_options=chosen) as session:
        feed = {node.name: np.zeros(node.shape, np.float32) for node in session.get_inputs()}
        for future in [session.submit(feed) for _ in range(21)]:
            future.result(timeout=60)
        ran = {name: core.completed for name, core in session.stats.cores.items()}
    simulated = one(model(options, ClosedLoop()), runs=21)
    assert {name: group.completed for name, group in simulated.groups.items()} == ran


def test_durations_are_those_by_which_the_simulated_npu_waits(data: Path) -> None:
    """The sum of the layers, for each number of cores; more busy cores make none quicker."""
    times = inference_times(str(data / "block_int8.rknn"), "rk3588")
    layers = layer_times(str(data / "block_int8.rknn"), "rk3588")
    for together in range(3):
        row = times.duration_ns[together]
        assert row[together] == sum(layer.duration_ns[together] for layer in layers)
        assert list(row[together:]) == sorted(row[together:])
    assert inference_times(str(data / "batch4_int8.rknn")).inferences == 4


def test_rejects_what_takes_no_time_or_is_not_there() -> None:
    """A closed loop of it would never end."""
    with pytest.raises(RknnValueError, match="takes no time"):
        Times.fixed(0)
    with pytest.raises(RknnValueError, match="the input takes -1 ns"):
        Times.fixed(1, input_ns=-1)
    with pytest.raises(RknnValueError, match="at least one"):
        System(Board(), (), SECOND)
    with pytest.raises(RknnValueError, match="slowdown 3:2 is not possible: rk3588 has cores 0 to 2"):
        run(model({}, ClosedLoop()), board=Board("rk3588", ((3, 2.0),)))
