# SPDX-License-Identifier: Apache-2.0
"""Failures of the runtime: accepted work is delivered or failed, and the session stays usable.

The simulated NPU injects the faults (``docs/reference/simulator.md``), and every way to run meets them.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any, Callable, NamedTuple

import numpy as np
import pytest

from ez_rknn_async import (
    InferenceSession,
    RknnDeviceError,
    RknnError,
    RknnModelError,
    RknnTimeoutError,
    RknnValueError,
    make_provider_options,
)

from .conftest import OpenSession, feed_of
from .ways import WAYS, Outcome, Way


class Call(NamedTuple):
    """One of the calls of an inference."""

    name: str
    io_mode: str  # in which it is made
    second: int  # its number in the second inference of a core


CALLS = (
    Call("rknn_inputs_set", "copy", 2),
    Call("rknn_run", "copy", 2),
    Call("rknn_outputs_get", "copy", 2),
    Call("rknn_run", "direct", 2),
    Call("rknn_mem_sync", "direct", 3),  # once for the input and once for the output
    Call("rknn_mem_sync", "direct", 4),
)


def name_of(call: Call) -> str:
    """Return the name for the report of the tests."""
    return f"{call.name}#{call.second}-{call.io_mode}"


@pytest.fixture(params=sorted(WAYS))
def way(request: pytest.FixtureRequest) -> Way:
    """Each way to run."""
    return WAYS[request.param]


def check_failure(outcome: Outcome, expected: type[RknnError], code: int, call: str) -> None:
    """Check that it is the right exception, or (a callback's) the right text."""
    if isinstance(outcome, str):
        given_up = f"run_timeout_ms=50 allows, and was given up: {call} did not return (RKNN_ERR_"
        assert outcome.startswith(f"{call} failed: RKNN_ERR_") or given_up in outcome
        assert f"({code})" in outcome
        return
    assert type(outcome) is expected
    assert (outcome.code, outcome.call) == (code, call)
    assert str(outcome.symbol).startswith("RKNN_ERR_")


def check_one_failure(outcomes: list[Outcome], number: int, expected: type[RknnError], code: int, call: str) -> None:
    """Check that the task of that number failed, and only that one."""
    if len(outcomes) == 1:  # a batch
        assert f"sample {number} of 9 (counted from 0)" in str(outcomes[0])
        outcomes = [[np.zeros(1)] for _ in range(number)] + outcomes
    for index, outcome in enumerate(outcomes):
        if index == number:
            check_failure(outcome, expected, code, call)
        else:
            assert isinstance(outcome, list)


def failed(outcomes: list[Outcome]) -> list[Outcome]:
    """Return the outcomes that are errors."""
    return [outcome for outcome in outcomes if not isinstance(outcome, list)]


def check_all_delivered(outcomes: list[Outcome], count: int) -> None:
    """Check that none failed."""
    assert [type(outcome) for outcome in outcomes] == [list] * count


@pytest.mark.parametrize("call", CALLS, ids=name_of)
@pytest.mark.parametrize(
    ("code", "expected"),
    [(-1, RknnDeviceError), (-2, RknnTimeoutError), (-3, RknnDeviceError), (-4, RknnError), (-6, RknnModelError)],
)
def test_one_failing_call_fails_its_own_task_and_no_other(
    open_session: OpenSession, way: Way, call: Call, code: int, expected: type[RknnError]
) -> None:
    """Task 4 is the second one of core 1; the exception names the call and its return code."""
    session = open_session(
        simulator={"compute": "off", "fault": f"{call.name}@core1#{call.second}:fail={code}"},
        schedule=[0, 1, 2],
        max_queue_size=20,
        io_mode=call.io_mode,
    )
    feed = feed_of(session)
    check_one_failure(way(session, feed, 9), 4, expected, code, call.name)
    check_all_delivered(way(session, feed, 9), 9)
    assert {name: core.failed for name, core in session.stats.cores.items()} == {"0": 0, "1": 1, "2": 0}


def test_a_core_that_always_fails_does_not_stop_the_others(open_session: OpenSession, way: Way) -> None:
    """Each of its tasks fails, and those of the others are delivered."""
    session = open_session(simulator="compute=off,fault=rknn_run@core1:fail=-1", schedule=[0, 1, 2], max_queue_size=20)
    failures = failed(way(session, feed_of(session), 9))
    assert len(failures) == (1 if way is WAYS["batch"] else 3)
    for failure in failures:
        check_failure(failure, RknnDeviceError, -1, "rknn_run")
    cores = session.stats.cores
    assert {name: (core.completed, core.failed) for name, core in cores.items()} == {
        "0": (3, 0),
        "1": (0, 3),
        "2": (3, 0),
    }


def test_several_faults_are_given_as_a_list(open_session: OpenSession) -> None:
    """A dictionary has each key once, so its value may be a list."""
    session = open_session(
        simulator={"compute": "off", "fault": ["rknn_run#2:fail=-1", "rknn_run#3:fail=-2"], "slowdown": ["0:2", "1:2"]},
        schedule=0,
    )
    codes = [getattr(outcome, "code", 0) for outcome in WAYS["run"](session, feed_of(session), 4)]
    assert codes == [0, -1, -2, 0]


def test_an_unknown_code_is_still_an_error(open_session: OpenSession) -> None:
    """A newer runtime may have codes that this package has no name for."""
    session = open_session(simulator="compute=off,fault=rknn_run#1:fail=-77", schedule=0)
    with pytest.raises(RknnError, match=r"rknn_run failed: RKNN_ERR_UNKNOWN \(-77\)") as caught:
        session.run(None, feed_of(session))
    assert (caught.value.code, caught.value.symbol) == (-77, "RKNN_ERR_UNKNOWN")


def test_refused_shapes_of_a_dynamic_model_only_fail_that_task(open_session: OpenSession, way: Way) -> None:
    """This call precedes the three others; it is retried for the next task."""
    if way is WAYS["batch"]:
        pytest.skip("the samples of a batch have one shape")
    session = open_session(
        "dynamic_fp16", simulator="compute=off,fault=rknn_set_input_shapes@core1#1:fail=-5", schedule=[0, 1, 2]
    )
    feed = feed_of(session)
    check_one_failure(way(session, feed, 9), 1, RknnError, -5, "rknn_set_input_shapes")
    check_all_delivered(way(session, feed, 9), 9)


@pytest.mark.parametrize("call", CALLS, ids=name_of)
def test_a_delayed_call_is_only_late(open_session: OpenSession, way: Way, call: Call) -> None:
    """Nothing is lost, and nothing overtakes if an order is promised."""
    session = open_session(
        simulator=f"compute=off,fault={call.name}@core1#{call.second}:delay=30000",
        schedule=[0, 1, 2],
        io_mode=call.io_mode,
    )
    check_all_delivered(way(session, feed_of(session), 9), 9)
    assert max(session.stats.latency[stage].max for stage in ("input", "npu", "output")) >= 30


@pytest.mark.parametrize("call", CALLS, ids=name_of)
def test_the_time_limit_ends_a_hang_and_replaces_its_worker(
    open_session: OpenSession, way: Way, call: Call, release_hangs: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    """The task fails, the core has a new worker, and the hanging context is destroyed when its call returns."""
    session = open_session(
        simulator=f"compute=off,fault={call.name}@core1#{call.second}:hang",
        schedule=[0, 1, 2],
        run_timeout_ms=50,
        max_queue_size=20,
        io_mode=call.io_mode,
    )
    feed = feed_of(session)
    check_one_failure(way(session, feed, 9), 4, RknnTimeoutError, -2, call.name)
    check_all_delivered(way(session, feed, 9), 9)
    assert {name: core.stalled for name, core in session.stats.cores.items()} == {"0": 0, "1": 1, "2": 0}
    release_hangs()
    session.close()
    assert not any("lost" in record.message for record in caplog.records)


def test_the_session_ends_although_a_call_hangs_for_ever(
    open_session: OpenSession, release_hangs: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    """After a second its thread and its context are abandoned, and the log says so."""
    session = open_session(simulator="compute=off,fault=rknn_run#1:hang", schedule=0, run_timeout_ms=20)
    with pytest.raises(RknnTimeoutError):
        session.run(None, feed_of(session))
    assert len(session.run(None, feed_of(session))) == 1
    with caplog.at_level(logging.ERROR, "ez_rknn_async"):
        session.close()
    assert "1 contexts are lost" in caplog.text
    release_hangs()


def test_the_other_cores_go_on_if_a_worker_cannot_be_replaced(
    open_session: OpenSession, way: Way, release_hangs: Callable[[], None]
) -> None:
    """Its queued tasks fail with a clear error; later ones go to the remaining cores."""
    session = open_session(
        simulator={"compute": "off", "fault": ["rknn_run@core1#1:hang", "rknn_init#2:fail=-4"]},
        schedule=[0, 1, 2],
        run_timeout_ms=50,
        max_queue_size=20,
    )
    feed = feed_of(session)
    first, *waiting = failed(way(session, feed, 9))
    check_failure(first, RknnTimeoutError, -2, "rknn_run")
    for outcome in waiting:
        assert "hangs inside the runtime, and none could be started in its place" in str(outcome)
        if not isinstance(outcome, str):
            assert (type(outcome), outcome.code, outcome.call) == (RknnDeviceError, -3, None)  # type: ignore[union-attr]
    check_all_delivered(way(session, feed, 9), 9)
    assert session.stats.cores["1"].completed == 0
    release_hangs()


@pytest.mark.parametrize("fault", ["rknn_init#2:hang", "rknn_set_core_mask#4:hang"])
def test_a_replacement_that_hangs_too_keeps_no_one_waiting(
    open_session: OpenSession, way: Way, fault: str, release_hangs: Callable[[], None]
) -> None:
    """A faulty runtime may not even load: the results of the other cores are delivered, and the session ends."""
    session = open_session(
        simulator={"compute": "off", "fault": ["rknn_run#2:hang", fault]},
        schedule=[0, 1, 2],
        run_timeout_ms=50,
        max_queue_size=20,
        dispatch="least_loaded",
    )
    assert len(failed(way(session, feed_of(session), 9))) == 1
    check_all_delivered(way(session, feed_of(session), 9), 9)
    session.close()
    release_hangs()


def join_replacements() -> None:
    """Wait for the threads that replace workers."""
    for thread in threading.enumerate():
        if thread.name == "ez-rknn-replace":
            thread.join(60)


def test_destroys_a_replacement_that_arrives_after_the_end(
    open_session: OpenSession, living_contexts: Callable[[], int], release_hangs: Callable[[], None]
) -> None:
    """No one needs it any more, and no one else could destroy it."""
    join_replacements()  # of other tests, which may still be destroying theirs
    before = living_contexts()
    session = open_session(
        simulator={"compute": "off", "fault": ["rknn_run#1:delay=200000", "rknn_init#2:hang"]},
        schedule=[0],
        run_timeout_ms=20,
    )
    with pytest.raises(RknnTimeoutError):
        session.run(None, feed_of(session))
    session.close()
    assert living_contexts() == before
    release_hangs()
    join_replacements()
    assert living_contexts() == before


def test_losing_the_device_fails_running_tasks_but_no_later_session(open_session: OpenSession, way: Way) -> None:
    """Every accepted task is answered; the exception says what to do, and doing it helps."""
    session = open_session(simulator="fault=rknn_run#5:lose", schedule=[0, 1, 2], max_queue_size=20)
    feed = feed_of(session)
    outcomes = way(session, feed, 9)
    assert len(outcomes) == (1 if way is WAYS["batch"] else 9)
    assert failed(outcomes)
    for outcome in failed(outcomes):
        check_failure(outcome, RknnDeviceError, -3, "rknn_run")
        assert "was killed by signal 9; create the context again to start a new one" in str(outcome)
    again = open_session(simulator="", schedule=[0, 1, 2])
    check_all_delivered(way(again, feed, 9), 9)


@pytest.mark.parametrize(
    ("options", "fault", "expected"),
    [
        ({}, "rknn_init#1:fail=-6", RknnModelError),
        ({"disable_dup_context": True}, "rknn_init#1:fail=-3", RknnDeviceError),
        ({"disable_dup_context": True}, "rknn_init#2:fail=-4", RknnError),
        ({"disable_dup_context": True}, "rknn_init#3:fail=-1", RknnDeviceError),
        ({}, "rknn_dup_context#1:fail=-1", RknnDeviceError),
        ({}, "rknn_dup_context#2:fail=-13", RknnModelError),
        ({}, "rknn_set_core_mask#1:fail=-1", RknnDeviceError),
        ({}, "rknn_set_core_mask@core2:fail=-13", RknnModelError),
        ({"threads_per_core": 2}, "rknn_set_core_mask#6:fail=-1", RknnDeviceError),
        *(({"io_mode": "copy"}, f"rknn_query#{number}:fail=-5", RknnError) for number in (1, 2, 3, 4, 5, 6)),
    ],
)
def test_a_constructor_that_fails_destroys_every_context(
    data: Path,
    living_contexts: Callable[[], int],
    options: dict[str, Any],
    fault: str,
    expected: type[RknnError],
) -> None:
    """Any call may fail, with any number of contexts made before it; and no thread stays."""
    given = make_provider_options(
        runtime_library="simulator",
        schedule=[0, 1, 2],
        simulator={"compute": "off", "fault": fault},
        **options,
    )
    contexts, threads = living_contexts(), threading.active_count()
    with pytest.raises(expected) as caught:
        InferenceSession(data / "tiny_conv_int8.rknn", provider_options=given)
    call, _, code = fault.replace("@core2", "").replace("#", ":").partition(":")
    assert caught.value.call == call
    assert caught.value.code == int(code.rpartition("=")[2])
    assert living_contexts() == contexts
    assert threading.active_count() == threads


@pytest.mark.parametrize(
    "fault",
    [
        *(f"rknn_query#{number}:fail=-5" for number in (5, 6, 7, 8, 9, 10, 11, 12)),
        *(f"rknn_create_mem2#{number}:fail=-4" for number in (1, 2, 4)),
        *(f"rknn_set_io_mem#{number}:fail=-1" for number in (1, 2)),
    ],
)
def test_copies_if_direct_io_cannot_be_set_up(
    open_session: OpenSession, living_contexts: Callable[[], int], way: Way, fault: str
) -> None:
    """Any of its calls may fail; a caller who insists on it gets the reason."""
    before = living_contexts()
    session = open_session(simulator={"compute": "off", "fault": fault}, schedule=[0, 1, 2], max_queue_size=20)
    check_all_delivered(way(session, feed_of(session), 9), 9)
    session.close()
    with pytest.raises(RknnValueError, match=f"io_mode='direct' is not possible: .*{fault.partition('#')[0]}"):
        open_session(simulator={"compute": "off", "fault": fault}, schedule=[0, 1, 2], io_mode="direct")
    assert living_contexts() == before


def test_a_failing_destroy_does_no_harm(open_session: OpenSession, living_contexts: Callable[[], int]) -> None:
    """A program could do nothing about it; the other contexts are destroyed."""
    before = living_contexts()
    session = open_session(simulator="compute=off,fault=rknn_destroy#2:fail=-1", schedule=[0, 1, 2])
    session.run(None, feed_of(session))
    session.close()
    assert living_contexts() == before + 1


@pytest.mark.parametrize(
    ("simulator", "reason"),
    [
        ("fault=rknn_run", "it has no ACTION"),
        ({"fault": ["rknn_run:hang", "rknn_run:explode"]}, "is not fail=CODE, delay=MICROSECONDS, hang or lose"),
        ("fault=rknn_jump:hang", "there is no function 'rknn_jump'; use one of rknn_init, rknn_dup_context"),
        ("fault=rknn_run@core3:hang", "the core '3' is not a whole number from 0 to 2"),
        ("soc=rk3588,fault=rknn_run:lose,compute=off", "with compute=off there is none"),
    ],
)
def test_refuses_meaningless_settings_with_a_clear_error(
    open_session: OpenSession, simulator: Any, reason: str
) -> None:
    """They are refused before anything runs, and never ignored."""
    with pytest.raises(RknnError) as caught:
        open_session(simulator=simulator)
    assert reason in str(caught.value)


def test_refuses_settings_for_a_core_that_the_soc_lacks(open_session: OpenSession) -> None:
    """If they were silently ignored, an experiment would measure something else than it said."""
    for setting in ("slowdown=1:10", "fault=rknn_run@core1:hang"):
        with pytest.raises(RknnError, match=r"names core 1, but rk3562 has only core 0"):
            open_session("rk3562_conv_int8", simulator=f"compute=off,{setting}")
