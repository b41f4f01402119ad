# SPDX-License-Identifier: Apache-2.0
"""The core of each task, counted by the simulated NPU itself."""

from __future__ import annotations

import threading
from typing import Any, Callable

import pytest

from ez_rknn_async import InferenceSession, RknnClosedError, RknnError
from ez_rknn_async._runtime.abi import ffi
from ez_rknn_async._runtime.context import Context
from ez_rknn_async._runtime.library import Library, load
from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY

from .conftest import OpenSession, feed_of

RunsByCore = Callable[..., list[int]]


def run_async_and_wait(session: InferenceSession, tasks: int) -> list[int]:
    """Submit tasks and return their numbers in the order of their callbacks."""
    order: list[int] = []
    done = threading.Event()

    def callback(_results: Any, number: int, error: str) -> None:
        assert error == ""
        order.append(number)
        if len(order) == tasks:
            done.set()

    feed = feed_of(session)
    for number in range(tasks):
        session.run_async(None, feed, callback, number)
    assert done.wait(60)
    return order


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [
        ([0, 1, 2], [10, 10, 10]),
        ([0, 0, 1], [20, 10, 0]),
        ([2], [0, 0, 30]),
        (1, [0, 30, 0]),
        ("2,0", [15, 0, 15]),
        ("all", [10, 10, 10]),
    ],
)
def test_tasks_go_to_the_cores_by_the_modulo_rule(
    schedule: Any, shares: list[int], open_session: OpenSession, runs_by_core: RunsByCore
) -> None:
    """coreId = schedule[taskId % len(schedule)]: a core named twice gets exactly twice the share."""
    run_async_and_wait(open_session(schedule=schedule), 30)
    assert runs_by_core() == shares


def test_all_calls_count_as_one_sequence_of_tasks(open_session: OpenSession, runs_by_core: RunsByCore) -> None:
    """Task ids count accepted submissions of run, run_async and run_pipeline alike."""
    session = open_session(schedule=[0, 1, 2])
    feed = feed_of(session)
    session.run(None, feed)  # core 0
    run_async_and_wait(session, 1)  # core 1
    session.run_pipeline(feed, depth=1)  # core 2
    session.run_pipeline(feed, depth=1)  # core 0; takes out the one on core 2
    session.run(None, feed)  # core 1
    session.close()
    assert runs_by_core() == [2, 2, 1]


@pytest.mark.parametrize(
    ("mode", "cores"), [("0", [1, 0, 0]), ("1", [0, 1, 0]), ("0,1", [1, 1, 0]), ("all", [1, 1, 1])]
)
def test_tensor_parallel_runs_one_task_on_several_cores(
    mode: str, cores: list[int], open_session: OpenSession, runs_by_core: RunsByCore
) -> None:
    """Every core of the mode takes part in the same inference."""
    session = open_session("snippet", tp_mode=mode)
    session.run(None, feed_of(session))
    assert runs_by_core() == cores


def test_the_default_uses_one_core_at_a_time(open_session: OpenSession, runs_by_core: RunsByCore) -> None:
    """tp_mode='auto' leaves the choice of the core to the runtime."""
    session = open_session()
    session.run(None, feed_of(session))
    assert sum(runs_by_core()) == 1


def test_callbacks_come_in_the_order_of_submission(open_session: OpenSession) -> None:
    """An early task on a slow core is not overtaken."""
    session = open_session(schedule=[0, 1, 2], simulator="compute=off,timing=fixed:2000,slowdown=0:10")
    assert run_async_and_wait(session, 12) == list(range(12))


def test_a_slow_core_does_not_delay_the_others(open_session: OpenSession) -> None:
    """Queues are per core and callbacks come as tasks finish: cores 1 and 2 are done before core 0's second task."""
    session = open_session(
        schedule=[0, 1, 2],
        simulator="compute=off,timing=fixed:5000,slowdown=0:20",
        sequential_callbacks=False,
        max_queue_size=10,
    )
    order = run_async_and_wait(session, 15)
    assert [number for number in order if number % 3 == 0] == [0, 3, 6, 9, 12]
    assert order[-4:] == [3, 6, 9, 12]


def test_refuses_a_core_that_the_soc_lacks_and_leaves_no_thread(open_session: OpenSession) -> None:
    """The library that this one replaces hung here with the interpreter locked."""
    before = threading.active_count()
    with pytest.raises(ValueError, match="rk3566 has core 0 only"):
        open_session("rk3566_block_int8", schedule=[0, 1])
    with pytest.raises(ValueError, match="rk3576 has cores 0 to 1"):
        open_session("rk3576_block_int8", tp_mode="0,1,2")
    assert threading.active_count() == before


@pytest.mark.parametrize("options", [{}, {"schedule": 0}, {"schedule": "all"}, {"tp_mode": "all"}, {"tp_mode": "0"}])
def test_a_single_core_soc_works_with_every_option_that_means_its_core(
    options: dict[str, Any], open_session: OpenSession, runs_by_core: RunsByCore
) -> None:
    """Its runtime refuses every core mask, so none is sent."""
    session = open_session("rk3566_block_int8", **options)
    session.run(None, feed_of(session))
    assert runs_by_core("rk3566") == [1]


@pytest.mark.parametrize(
    ("options", "flags"),
    [
        ({}, 0),
        ({"priority": "high"}, 0),
        ({"priority": "medium"}, 1),
        ({"priority": "low", "enable_sram": True}, 2 + 2048),
        ({"gpu_fallback": True, "disable_flush_input": True}, 1024 + 16384),
        ({"disable_flush_output": True}, 32768),
    ],
    ids=repr,
)
def test_options_reach_the_runtime_as_flags_of_rknn_init(
    options: Any, flags: int, open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every context that is not a duplicate gets them; a duplicate has them from its original."""
    given: list[int] = []
    original = Library.call

    def call(self: Library, name: str, *arguments: Any) -> None:
        if name == "rknn_init":
            given.append(arguments[3])
        original(self, name, *arguments)

    monkeypatch.setattr(Library, "call", call)
    session = open_session(schedule=[0, 1], disable_dup_context=True, **options)
    assert session.run(None, feed_of(session))
    assert given == [flags] * 3  # one for each worker, and one for the trial of direct I/O


@pytest.mark.parametrize("option", ["disable_flush_input", "disable_flush_output"])
def test_flushing_is_turned_off_only_with_direct_io(option: str, open_session: OpenSession) -> None:
    """Otherwise the NPU, or the program, would read stale memory."""
    with pytest.raises(ValueError, match=f"{option} leaves it to direct I/O to flush the caches"):
        open_session(io_mode="copy", **{option: True})


def test_every_context_gets_the_number_of_cores_for_a_batch(
    open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Duplicates get it too, and none does unless it was asked for."""
    told: list[int] = []
    monkeypatch.setattr(Context, "set_batch_core_num", lambda _, count: told.append(count))
    open_session("batch4_int8", schedule=[0, 1])
    assert told == []
    open_session("batch4_int8", schedule=[0, 1], batch_core_num=3)
    assert told == [3, 3]


def test_a_session_may_change_its_cores(open_session: OpenSession, runs_by_core: RunsByCore) -> None:
    """set_providers() does it, as in ONNX Runtime: tasks accepted before are delivered on the old ones."""
    session = open_session(schedule=[0], simulator="compute=off,timing=fixed:10000")
    before = [session.submit(feed_of(session)) for _ in range(3)]
    options = {"runtime_library": "simulator", "simulator": "compute=off", "schedule": [1, 2]}
    session.set_providers(["RKNPU2SimulatorExecutionProvider"], [options])
    assert all(future.done() for future in before)
    assert len(run_async_and_wait(session, 4)) == 4
    assert runs_by_core() == [3, 2, 2]
    assert session.get_provider_options()["RKNPU2SimulatorExecutionProvider"]["schedule"] == (1, 2)
    with pytest.raises(ValueError, match="core 7"):
        session.set_providers(None, {**options, "schedule": [7]})
    assert session.run(None, feed_of(session))
    session.close()
    with pytest.raises(RknnClosedError):
        session.set_providers(None, options)


def test_a_late_failure_destroys_the_earlier_contexts(open_session: OpenSession) -> None:
    """Construction that fails half way leaves nothing behind: the next session has the whole NPU."""
    library = load(str(SIMULATOR_LIBRARY))
    refused = ffi.new("rknn_context *", 12345)
    assert library.function("rknn_dup_context")(refused, refused) < 0
    with pytest.raises(RknnError):
        open_session(simulator="soc=rk3566", schedule=[0])
    session = open_session(schedule="all", threads_per_core=2)
    assert len(run_async_and_wait(session, 6)) == 6
