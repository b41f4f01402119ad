# SPDX-License-Identifier: Apache-2.0
"""Throughput under adverse conditions: a core that is slower than the others, a busy interpreter."""

from __future__ import annotations

import time
from typing import Any

import modes
from rig import CORES, IMAGE, cost_of, feed_of, ratio, session

NPU_US = 2000
AHEAD = 16


def slow_core() -> float:
    """Return the rate with core 0 ten times slower, as a share of the cores' capacity: 2.1 times one core's rate."""
    slow = {"slowdown": "0:10"}
    with (
        session(IMAGE, NPU_US, (1,)) as one,
        session(IMAGE, NPU_US, simulator=slow, dispatch="least_loaded", sequential_callbacks=False) as three,
    ):
        feed = feed_of(one)
        share = ratio(
            lambda: cost_of(modes.run_async, three, feed, 630).rate,
            lambda: cost_of(modes.run_async, one, feed, 300).rate,
            rounds=3,
        )
    return share / (2 + 1 / 10)


def busy_interpreter() -> float:
    """Return the rate while the submitting thread computes in pure Python, as a share of that while it sleeps."""
    with session(IMAGE, NPU_US, CORES, sequential_callbacks=False) as opened:
        feed = feed_of(opened)
        return ratio(
            lambda: cost_of(_with(_compute), opened, feed, 900).rate,
            lambda: cost_of(_with(_sleep), opened, feed, 900).rate,
            rounds=3,
        )


def _with(pause: Any) -> Any:
    """Return a loop that keeps some inferences ahead, and pauses between checks of them."""

    def loop(opened: Any, feed: Any, tasks: int) -> None:
        submitted = 0
        ahead: list[Any] = []
        while submitted < tasks or ahead:
            ahead = [future for future in ahead if not future.done()]
            while len(ahead) < AHEAD and submitted < tasks:
                ahead.append(opened.submit(feed))
                submitted += 1
            pause()

    return loop


def _compute() -> None:
    """Run about half a millisecond of pure Python."""
    end = time.perf_counter() + 0.0005
    while time.perf_counter() < end:
        sum(range(50))


def _sleep() -> None:
    time.sleep(0.0005)
