# SPDX-License-Identifier: Apache-2.0
"""The cost of importing the package and of opening a session, and how long that blocks other Python threads."""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time

from rig import CORES, IMAGE, ROOT, session

DIGITS = ROOT / "examples" / "digits" / "digits_i8.rknn"
_IMPORT = """
import time, numpy
begin = time.process_time()
import ez_rknn_async
print(1000 * (time.process_time() - begin))
"""

# Bytecode lets other threads run this often; a longer pause is a call into C that holds the GIL.
_SWITCH_S = 0.0005


def of_import() -> float:
    """Return the CPU milliseconds of importing the package where numpy has been imported."""
    command = [sys.executable, "-c", _IMPORT]
    printed = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(12)]
    return statistics.median(map(float, printed[1:]))  # the first may have to compile the modules


def of_a_session() -> float:
    """Return the CPU milliseconds of opening the digits model on the simulated NPU."""
    taken = []
    for _ in range(12):
        begin = time.process_time()
        opened = session(DIGITS, 0, (0,), simulator={"timing": "off"})
        taken.append(1000 * (time.process_time() - begin))
        opened.close()
    return statistics.median(taken[1:])


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
