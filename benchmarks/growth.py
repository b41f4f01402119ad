# SPDX-License-Identifier: Apache-2.0
"""The cost of an inference with many sessions or deep queues."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import modes
from rig import CORES, TINY, cost_of, feed_of, ratio, session

TASKS = 6400
SESSIONS = 64


def by_sessions() -> float:
    """Return the time of an inference with 64 sessions that take turns, by that with one."""
    with ExitStack() as stack:
        opened = [stack.enter_context(session(TINY, 0, CORES)) for _ in range(SESSIONS)]
        feed = feed_of(opened[0])

        def in_turn(sessions: Any, given: Any, tasks: int) -> None:
            for _ in range(tasks // len(sessions)):
                for each in sessions:
                    each.run(None, given)

        return ratio(
            lambda: cost_of(in_turn, opened, feed, TASKS).seconds,
            lambda: cost_of(in_turn, opened[:1], feed, TASKS).seconds,
        )


def by_depth() -> float:
    """Return the time of a submission and its completion with room for 1,000 in each queue, by that with room for 8."""
    with session(TINY, 0, CORES) as shallow, session(TINY, 0, CORES, max_queue_size=1000) as deep:
        feed = feed_of(deep)
        return ratio(
            lambda: cost_of(modes.run_async, deep, feed, TASKS).seconds,
            lambda: cost_of(modes.run_async, shallow, feed, TASKS).seconds,
        )
