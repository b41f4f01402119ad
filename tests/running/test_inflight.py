# SPDX-License-Identifier: Apache-2.0
"""Calls under way in an executor: once it is closed none begins, and closing waits for those that have begun."""

from __future__ import annotations

import contextlib
import threading
from contextlib import AbstractContextManager

import pytest

from ez_rknn_async._running.inflight import Call, InFlight
from ez_rknn_async.errors import RknnClosedError, RknnDeviceError

LONG = 60.0  # seconds; only a failure takes that long


def call(calls: InFlight) -> AbstractContextManager[int]:
    """Keep one more call under way in the ``with`` block."""
    return Call(calls)


@pytest.fixture
def calls() -> InFlight:
    """The calls of an open executor."""
    return InFlight()


def end_of_wait(calls: InFlight) -> threading.Event:
    """Return an event that is set once a wait for the end of all calls has returned."""
    is_empty = threading.Event()

    def wait() -> None:
        calls.wait_until_empty()
        is_empty.set()

    threading.Thread(target=wait, daemon=True).start()
    return is_empty


def test_any_number_of_calls_may_be_under_way(calls: InFlight) -> None:
    """One may be inside another: a callback may submit."""
    with call(calls), call(calls):
        pass
    with call(calls):
        pass


def test_no_call_begins_once_it_is_closed(calls: InFlight) -> None:
    """The call raises the error for closed sessions."""
    calls.close()
    with pytest.raises(RknnClosedError, match="the session is closed"), call(calls):
        pytest.fail("it has begun")


def test_only_the_first_close_counts(calls: InFlight) -> None:
    """Its caller alone then ends the executor."""
    assert [calls.close() for _ in range(3)] == [True, False, False]


def test_closing_an_idle_executor_does_not_wait(calls: InFlight) -> None:
    """It returns at once."""
    with call(calls):
        pass
    calls.close()
    calls.wait_until_empty()


def test_closing_waits_for_the_last_call(calls: InFlight) -> None:
    """Calls refused meanwhile are not waited for, and end no wait."""
    is_empty = end_of_wait(calls)
    with call(calls):
        with call(calls):
            calls.close()
        with pytest.raises(RknnClosedError), call(calls):
            pass
        assert not is_empty.wait(0.05)
    assert is_empty.wait(LONG)


def test_the_wait_does_not_end_while_calls_may_still_begin(calls: InFlight) -> None:
    """No call may be under way at one moment, and yet one at the next."""
    is_empty = end_of_wait(calls)
    with call(calls):
        pass
    assert not is_empty.wait(0.05)
    calls.close()
    assert is_empty.wait(LONG)


def test_a_failed_call_has_ended(calls: InFlight) -> None:
    """Its error is passed on."""
    with pytest.raises(ZeroDivisionError), call(calls):
        raise ZeroDivisionError
    calls.close()
    calls.wait_until_empty()


def test_an_engine_that_closed_itself_has_lost_its_workers(calls: InFlight) -> None:
    """The session is not closed, so an error that says so would mislead."""
    with pytest.raises(RknnDeviceError, match="every worker of the session hangs"), call(calls):
        raise RknnClosedError("the engine is closed")


def test_an_engine_closed_by_the_session_is_closed(calls: InFlight) -> None:
    """The call was under way when that happened."""

    def submit() -> None:
        with call(calls):
            calls.close()
            raise RknnClosedError("the engine is closed")

    with pytest.raises(RknnClosedError, match="the engine is closed"):
        submit()


@pytest.mark.usefixtures("tiny_switch_interval")
@pytest.mark.parametrize("attempt", range(50))
def test_nothing_is_under_way_after_the_wait(calls: InFlight, attempt: int) -> None:
    """Any number of calls may begin at the moment of closing."""
    begin, is_over = threading.Barrier(5), threading.Event()
    late: list[str] = []

    def submit_until_closed() -> None:
        begin.wait()
        with contextlib.suppress(RknnClosedError):
            while True:
                with call(calls):
                    if is_over.is_set():
                        late.append(threading.current_thread().name)

    threads = [threading.Thread(target=submit_until_closed) for _ in range(4)]
    for thread in threads:
        thread.start()
    begin.wait()
    assert calls.close()
    calls.wait_until_empty()
    is_over.set()
    for thread in threads:
        thread.join()
    assert late == []
