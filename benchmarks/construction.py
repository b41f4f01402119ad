# SPDX-License-Identifier: Apache-2.0
"""The longest time for which constructing a session blocks other Python threads."""

from __future__ import annotations

import sys
import threading
import time

from rig import CORES, IMAGE, session

# Bytecode lets other threads run this often; a longer pause is a call into C that holds the GIL.
_SWITCH_S = 0.0005


def longest_hold() -> float:
    """Return the longest time, in milliseconds, for which a thread that only reads the clock did not run."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        return min(_once() for _ in range(5))
    finally:
        sys.setswitchinterval(interval)


def _once() -> float:
    stop, longest = threading.Event(), 0.0

    def watch() -> None:
        nonlocal longest
        last = time.perf_counter()
        while not stop.is_set():
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(5):
            session(IMAGE, 0, CORES).close()
    finally:
        stop.set()
        watcher.join()
    return longest * 1e3
