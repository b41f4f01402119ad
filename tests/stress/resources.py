# SPDX-License-Identifier: Apache-2.0
"""Threads, file descriptors, memory and contexts of this process, which must return to their former numbers."""

from __future__ import annotations

import collections
import contextlib
import ctypes
import gc
import os
import resource
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from ez_rknn_async._runtime.library import load
from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY

SETTLING = 60.0  # seconds within which the resources of a round must be released
PERIOD = 0.02  # seconds between two looks at the use at one moment
SPARE = 2  # descriptors more than at first that are no leak: an event loop's, this look's own


@dataclass(frozen=True)
class Usage:
    """The resources of the process at one moment."""

    threads: int
    descriptors: int
    contexts: int
    memories: int  # pieces of the simulated NPU's memory
    resident_kb: int
    device_kb: int  # resident memory of the device process

    @property
    def counted(self) -> dict[str, int]:
        """The numbers that must return exactly to their former values."""
        return {
            "threads": self.threads,
            "descriptors": self.descriptors,
            "contexts": self.contexts,
            "pieces of NPU memory": self.memories,
        }


def usage() -> Usage:
    """Return the present resources of the process."""
    library = load(str(SIMULATOR_LIBRARY))
    targets = descriptor_targets()
    return Usage(
        threads=len(os.listdir("/proc/self/task")),
        descriptors=sum(targets.values()),
        contexts=int(library.function("ez_rknn_simulator_contexts")()),
        memories=targets["/memfd:ez_rknn_memory (deleted)"],
        resident_kb=_resident_kb("self"),
        device_kb=_resident_kb(str(int(library.function("ez_rknn_simulator_device_pid")()))),
    )


def descriptor_targets() -> collections.Counter[str]:
    """Return the targets of this process's descriptors, with the number of descriptors for each."""
    targets: collections.Counter[str] = collections.Counter()
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{descriptor}")
            targets[target.split("[")[0].partition(":[")[0]] += 1
    return targets


def _resident_kb(process: str) -> int:
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except OSError:
        return 0  # no such process
    return pages * resource.getpagesize() // 1024


def settle(before: Usage) -> tuple[Usage, list[str]]:
    """Wait until everything used since is released; return a description of what was not."""
    until = time.monotonic() + SETTLING
    while True:
        gc.collect()
        _trim()
        now = usage()
        left = [
            f"{count - before.counted[name]} {name} more than before"
            for name, count in now.counted.items()
            if count > before.counted[name] + (SPARE if name == "descriptors" else 0)
        ]
        if not left or time.monotonic() > until:
            break
        time.sleep(0.01)
    if left:
        left.append(f"threads: {sorted(thread.name for thread in threading.enumerate())}")
        left.append(f"descriptors: {descriptor_targets().most_common(8)}")
    return now, left


def _trim() -> None:
    """Return free memory to the system, so that resident memory is used memory."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


class Peak(threading.Thread):
    """The highest use at one moment; polled until :meth:`stop`.

    Attributes:
        threads, descriptors: the highest numbers seen.
    """

    def __init__(self) -> None:
        super().__init__(name="stress-peak", daemon=True)
        self._over = threading.Event()
        self.threads = self.descriptors = 0

    def run(self) -> None:
        """Poll until stopped."""
        while not self._over.wait(PERIOD):
            self.threads = max(self.threads, len(os.listdir("/proc/self/task")))
            self.descriptors = max(self.descriptors, len(os.listdir("/proc/self/fd")))

    def stop(self) -> None:
        """Stop polling."""
        self._over.set()
        self.join()
