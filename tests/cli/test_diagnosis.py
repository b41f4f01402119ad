# SPDX-License-Identifier: Apache-2.0
"""The limit that ``ezrknn bench`` reports, from figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ez_rknn_async._messages.wording import speaking
from ez_rknn_async.cli.bench.diagnosis import caveat, diagnose
from ez_rknn_async.cli.bench.figures import CoreUse
from ez_rknn_async.cli.bench.host import Clock
from ez_rknn_async.cli.flags import COMMAND_LINE

from .figures import BUSY, IDLE, SPLIT, figures

# Three cores, core 2 at half the speed, and tasks in turn: the others wait for it.
SLOW_CORE: dict[str, Any] = {
    "workers": 3,
    "cores": {"0": CoreUse(300, 0.5, 1.0), "1": CoreUse(300, 0.51, 1.0), "2": CoreUse(300, 0.99, 2.0)},
    "split_ms": {**SPLIT, "npu": 1.3},
}
THREE: dict[str, Any] = {
    "workers": 3,
    "cores": {name: CoreUse(300, 0.99, 1.5) for name in "012"},
    "runs": 900,
    "every_ms": 0.5,
}
WAITING_FOR_MEMORY: dict[str, Any] = {**THREE, "split_ms": {**SPLIT, "npu": 1.5}, "alone_ms": 1.0}
STARVED: dict[str, Any] = {"split_ms": {**SPLIT, "npu": 0.3, "queue": 0.0}, "cores": {"0": CoreUse(9, 0.3, 1.0)}}


@pytest.mark.parametrize(
    ("cause", "words", "values"),
    [
        ("npu", "at work 97%", {}),
        ("slow core", "core 2: an inference takes 2 ms there and 1 ms", SLOW_CORE),
        ("memory", "1.5 ms with 3 cores busy and 1 ms with one", WAITING_FOR_MEMORY),
        ("clock", "300 of 1000 MHz (governor powersave)", {"host": replace(IDLE, clock=Clock(300, 1000, "powersave"))}),
        (
            "clock",
            "heat",
            {"host": replace(IDLE, clock=Clock(600, 1000, "rknpu_ondemand"), cooled=True, celsius=88.0)},
        ),
        ("busy machine", "too busy to say: other programs used 90%", {"split_ms": {**SPLIT, "npu": 0.5}, "host": BUSY}),
        (
            "in flight",
            "1 request under way for 3 workers",
            {"in_flight": 1, "workers": 3, "split_ms": {**SPLIT, "queue": 0.01, "npu": 0.95}},
        ),
        ("callbacks", "they took 95% of the time", {"callback_busy": 0.95, "split_ms": {**SPLIT, "npu": 0.1}}),
        ("conversion", "input 33%, output 0% of each worker", {"split_ms": {**SPLIT, "npu": 0.6, "input": 0.3}}),
        ("conversion", "output_dtype='native'", {"split_ms": {**SPLIT, "npu": 0.5, "output": 0.5}}),
        (
            "processor",
            "used 97% of it",
            {**STARVED, "host": replace(IDLE, own=0.97)},
        ),
        (
            "submission",
            "workers waited for submissions",
            STARVED,
        ),
        ("nothing", "kept up with the rate", {"offered": 900.0, "split_ms": {**SPLIT, "npu": 0.4}}),
        ("nothing", "Nothing was measured", {"runs": 0}),
    ],
)  # fmt: skip
def test_names_the_limit(cause: str, words: str, values: dict[str, Any]) -> None:
    """Each kind in turn; nothing measured gets a text too."""
    limit = diagnose(figures(**values))
    assert (limit.cause, words in limit.text) == (cause, True), limit.text


def test_empty_callbacks_are_never_the_limit() -> None:
    """On a busy machine the thread that runs them is late, which is not their fault."""
    late = figures(**{**STARVED, "split_ms": {**SPLIT, "npu": 0.3, "queue": 0.0, "callback": 20.0}}, callback_busy=0.01)
    assert diagnose(late).cause == "submission"
    assert diagnose(replace(late, host=BUSY)).cause == "busy machine"


def test_an_npu_that_is_always_at_work_is_the_limit_however_busy_the_machine_is() -> None:
    """Only the latency suffers then; the caveat says so."""
    busy = figures(host=BUSY)
    assert diagnose(busy).cause == "npu"
    assert "up to 90% of this machine's processors" in caveat([IDLE, None, BUSY])
    assert caveat([IDLE, None]) == ""


def test_an_npu_whose_end_is_noticed_late_is_not_taken_for_a_busy_one() -> None:
    """Its time ends when a thread wakes up: where that waits for a processor, the NPU seems to work all the time."""
    assert diagnose(figures(host=replace(BUSY, waited=1.2))).cause == "busy machine"


def test_waiting_for_a_processor_is_not_taken_for_waiting_for_memory() -> None:
    """A run that ends late because its thread was not woken looks like a longer one."""
    assert diagnose(figures(**WAITING_FOR_MEMORY, host=BUSY)).cause == "npu"


def test_a_rate_that_is_not_kept_up_with_has_a_limit() -> None:
    """Its requests pile up: the last results come long after the last requests."""
    full = figures(runs=2000)
    assert diagnose(replace(full, due=full.due / 2, offered=2000.0)).cause == "npu"


def test_does_not_advise_threads_that_are_already_there() -> None:
    """Advice is about options that the user has not tried."""
    converting = figures(split_ms={**SPLIT, "npu": 0.6, "input": 0.3})
    assert "threads_per_core" in diagnose(converting, 1).text
    assert "threads_per_core" not in diagnose(converting, 2).text


def test_advises_flags_on_the_command_line() -> None:
    """The user can type what a message names."""
    with speaking(COMMAND_LINE):
        said = diagnose(figures(split_ms={**SPLIT, "npu": 0.5, "input": 0.25, "output": 0.25})).text
        slow = diagnose(figures(**SLOW_CORE)).text
    for words in ("--threads-per-core 2", "--layout nhwc", "--io-mode at 'auto'", "--option output_dtype=native"):
        assert words in said
    assert "--option dispatch=least_loaded" in slow
    assert "--schedule 0,1" in slow
