# SPDX-License-Identifier: Apache-2.0
"""Rounds: all threads use everything at once; then everything must have ended, and nothing be left."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field

from ez_rknn_async._runtime.library import load
from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY
from ez_rknn_async._transport import staging

from .actor import Actor
from .jitter import jittered
from .ledger import Ledger
from .operations.pipelines import drain
from .resources import Peak, Usage, settle
from .samples import samples_of
from .scenario import SAMPLES, Scenario
from .sessions import Sessions

LONGEST_EXCHANGE = 20.0  # seconds: reset() and set_providers() end within them, under any load
LONGEST_ROUND = 120.0  # seconds until a task that has not ended never will
MOST_DESCRIPTORS = 800  # more at once than all values, contexts and event loops of a round can have
_SMALLEST_STAGED = staging._SMALLEST
RELEASING = 0.1  # seconds between two looks for hanging calls


@dataclass
class Round:
    """The result of one round."""

    scenario: Scenario
    seconds: float
    after: Usage
    peak_threads: int
    peak_descriptors: int
    longest: dict[str, float] = field(default_factory=dict)


class Machine:
    """Plays rounds, and collects violations.

    Attributes:
        ledger: the ledger of all rounds.
        before: the resources of the process between rounds.
        slowness: the factor by which everything may take longer than natively.
        actors: the actors of the present round.
    """

    def __init__(self, ledger: Ledger, slowness: float = 1.0) -> None:
        self.ledger, self.slowness = ledger, slowness
        self.before: Usage | None = None
        self.actors: list[Actor] = []
        Releaser().start()

    def describe(self) -> str:
        """Describe what each thread of the round is doing."""
        return "\n".join(f"  thread {actor.index}: {actor.doing}" for actor in self.actors)

    def play(self, scenario: Scenario) -> Round:
        """Play one round, from opening its sessions to checking for leaks."""
        for model in scenario.models:
            samples_of(model, SAMPLES)
        if self.before is None:
            self.before, _ = settle(_nothing())
        # The models are small: without this, no copy of an input would be made in memory that is used again.
        staging._SMALLEST = scenario.generator("staging").choice((0, _SMALLEST_STAGED))
        began, peak = time.monotonic(), Peak()
        peak.start()
        with jittered(scenario.generator("jitter"), scenario.jitter):
            longest = self._perform(scenario)
        peak.stop()
        after, left = settle(self.before)
        for each in left:
            self.ledger.violate(f"{scenario} left something: {each}")
        self._check_limits(scenario, longest, peak)
        return Round(scenario, time.monotonic() - began, after, peak.threads, peak.descriptors, longest)

    def _perform(self, scenario: Scenario) -> dict[str, float]:
        sessions = Sessions(scenario, self.ledger)
        start = threading.Barrier(scenario.threads)
        self.actors = [Actor(sessions, index) for index in range(scenario.threads)]
        threads = [threading.Thread(target=a.work, args=(start,), name=f"stress-{a.index}") for a in self.actors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.actors = []
        for handle in sessions.handles():
            with handle.frames.lock:
                drain(self.ledger, handle)
        self.ledger.wait_until_all_ended(LONGEST_ROUND * self.slowness)
        self._end(sessions)
        return sessions.longest

    def _end(self, sessions: Sessions) -> None:
        """End each remaining session, in one way or another."""
        draw = sessions.scenario.generator("end")
        for handle in sessions.handles():
            cancel = draw.random() < 0.3
            if handle.fate.begin_end(discard=cancel) and draw.random() < 0.7:
                handle.session.close(cancel=cancel)
        sessions.clear()

    def _check_limits(self, scenario: Scenario, longest: dict[str, float], peak: Peak) -> None:
        for what, seconds in longest.items():
            if seconds > LONGEST_EXCHANGE * self.slowness:
                self.ledger.violate(f"{scenario}: {what}() took {seconds:.1f} s")
        if peak.descriptors > MOST_DESCRIPTORS:
            self.ledger.violate(f"{scenario}: {peak.descriptors} file descriptors at once")


def _nothing() -> Usage:
    return Usage(10**9, 10**9, 10**9, 10**9, 0, 0)


class Releaser(threading.Thread):
    """Releases hanging calls after a while, for as long as the process lives."""

    def __init__(self) -> None:
        super().__init__(name="stress-release", daemon=True)
        self._release = load(str(SIMULATOR_LIBRARY)).function("ez_rknn_simulator_release_hangs")

    def run(self) -> None:
        """Release repeatedly."""
        while True:
            time.sleep(RELEASING)
            self._release()


class LogCounter(logging.Handler):
    """Counts what the package logs; some messages are violations."""

    NEVER = ("the context is destroyed, but",)

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(logging.INFO)
        self._ledger = ledger

    def emit(self, record: logging.LogRecord) -> None:
        """Count one record."""
        text = record.getMessage()
        self._ledger.count("log", f"{record.levelname}: {str(record.msg)[:60]}")
        if any(never in text for never in self.NEVER):
            self._ledger.violate(f"the log says: {text}")
