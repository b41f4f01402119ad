# SPDX-License-Identifier: Apache-2.0
"""The clock of a live measurement: it says when the next request is due, and keeps when each one was done."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Callable

import numpy as np

from .load import arrivals

if TYPE_CHECKING:
    from .figures import Times
    from .load import Load

_LEAST_RUNS = 3  # however short the time is
_LOOK_SECONDS = 0.05  # how often a thread that waits for a request looks whether it was interrupted


class Pacer:
    """Paces one load; thread-safe.

    Attributes:
        interrupted: True once :meth:`interrupt` was called.
    """

    def __init__(self, load: Load, progress: Callable[[float], None]) -> None:
        self._load, self._progress = load, progress
        self._arrivals = None if load.rate is None else arrivals(load)
        self._lock = threading.Lock()  # guards everything below
        self._over = False
        self._begun = 0
        self._due: list[float] = []
        self._finished: list[float] = []
        self._errors: list[str] = []
        self._in_callbacks = 0.0
        self._under_way = 0.0
        self._ended_threads_waited = 0.0
        self._start = time.perf_counter()
        self.interrupted = False

    def begin(self) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def now(self) -> float:
        """Return the seconds since the beginning."""
        return time.perf_counter() - self._start

    def next_due(self) -> float | None:
        """Return when the next request is due, which may be later than now; None if there are no more."""
        with self._lock:
            now = self.now()
            self._progress(self._share(now))
            if self._over or self.interrupted or (self._load.runs is not None and self._begun >= self._load.runs):
                return None
            due = now if self._arrivals is None else next(self._arrivals)
            if due >= self._load.seconds and (self._begun >= _LEAST_RUNS or self._arrivals is not None):
                self._over = True
                return None
            self._begun += 1
            return due

    def take(self) -> float | None:
        """Wait for the next request, and return when it was due; None if there are no more."""
        due = self.next_due()
        while due is not None and (early := due - self.now()) > 0:
            if self.interrupted:
                return None
            time.sleep(min(early, _LOOK_SECONDS))
        return due

    def finished(self, due: float, begun: float, error: str = "") -> None:
        """Keep that the request of that time is done, and do what the load does in callbacks.

        ``begun`` is when it really was made: later than it was due where the session had no room for it.
        """
        now = self.now()
        if self._load.callback_ms:
            _work(self._load.callback_ms)
        with self._lock:
            self._due.append(due)
            self._finished.append(now)
            self._under_way += now - begun
            self._in_callbacks += self.now() - now
            if error:
                self._errors.append(error)

    def failed(self, error: Exception) -> None:
        """Keep that a request failed, and let no further one begin."""
        with self._lock:
            self._errors.append(f"{type(error).__name__}: {error}")
            self._over = True

    def interrupt(self) -> None:
        """Let no further request begin. Takes no lock: a signal handler may call it anywhere."""
        self.interrupted = True

    def submitted(self, seconds: float) -> None:
        """Keep how long a submission took, most of which is waiting for room in the queue."""
        with self._lock:
            self._under_way -= seconds

    def thread_ends(self, waited: float) -> None:
        """Keep for how long a thread that ends has waited for a processor."""
        with self._lock:
            self._ended_threads_waited += waited

    def times(self) -> tuple[Times, Times, float]:
        """Return when the requests were due, when they were done, and the seconds that were spent in callbacks."""
        with self._lock:
            return np.array(self._due), np.array(self._finished), self._in_callbacks

    def mean_under_way_ms(self) -> float:
        """Return the mean time from when a request was accepted until its result was there."""
        with self._lock:
            return 1e3 * self._under_way / max(len(self._finished), 1)

    def ended_threads_waited(self) -> float:
        """Return the seconds for which threads that have ended waited for a processor."""
        with self._lock:
            return self._ended_threads_waited

    def errors(self) -> list[str]:
        """Return what failed."""
        with self._lock:
            return list(self._errors)

    def _share(self, now: float) -> float:
        shares = [now / self._load.seconds]
        if self._load.runs is not None:
            shares.append(self._begun / self._load.runs)
        return min(1.0, max(shares))


def _work(milliseconds: float) -> None:
    end = time.perf_counter() + milliseconds / 1e3
    while time.perf_counter() < end:
        pass
