"""How long the construction of a session keeps other Python threads from running."""

from __future__ import annotations

import sys
import threading
import time

from rig import CORES, IMAGE, session

# Bytecode lets others run this often; what is longer is a call into C that holds the GIL.
_SWITCH_S = 0.0005


def longest_hold() -> float:
    """The longest time, in milliseconds, for which a thread that does nothing but look at the clock did not run."""
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
