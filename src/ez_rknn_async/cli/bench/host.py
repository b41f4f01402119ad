# SPDX-License-Identifier: Apache-2.0
"""What else this machine did during a measurement, and how fast it was allowed to be.

A figure is only as good as the machine was idle. The kernel counts what it gave to all programs (``/proc/stat``), what
this one got, and for how long its threads were ready to run and had to wait for a processor (``schedstat``); on a board
it also says what the NPU's clock is, what it may be, and whether the machine is too hot for it.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..doctor.clocks import DEVFREQ
from ..doctor.tree import LiveTree

if TYPE_CHECKING:
    from ..doctor.tree import Tree

_COOLING = "/sys/class/thermal"


@dataclass(frozen=True)
class Clock:
    """The NPU's clock, in MHz."""

    mhz: int
    highest_mhz: int
    governor: str

    @property
    def is_low(self) -> bool:
        """True if it runs at less than it could."""
        return self.mhz < 0.95 * self.highest_mhz


@dataclass(frozen=True)
class HostLoad:
    """This machine during one measurement; shares are of all its processors.

    Attributes:
        processors: their number.
        own: what this program used.
        others: what other programs used.
        waited: the seconds a second for which threads of this program were ready to run and had no processor.
        clock: of the NPU; None where it cannot be read, as on a machine without one.
        celsius: of the hottest thermal zone; None where there is none.
        cooled: True if the kernel has slowed something down because it is too hot.
    """

    processors: int
    own: float
    others: float
    waited: float
    clock: Clock | None = None
    celsius: float | None = None
    cooled: bool = False

    @property
    def is_too_busy(self) -> bool:
        """True if other programs took so much that this one's figures are theirs as well."""
        return self.others >= 0.2 and self.waited >= 0.1


class HostWatch:
    """Measures the host between its making and :meth:`read`.

    ``device`` is the process that computes for a simulated NPU, whose work is this program's own; 0 if there is none.
    """

    def __init__(self, tree: Tree | None = None, device: int = 0) -> None:
        self._tree = LiveTree() if tree is None else tree
        self._device = device
        self._processors = processors()
        self._start = self._now()

    def _now(self) -> tuple[float, float, float, float]:
        return time.monotonic(), _busy(self._tree), _own(self._device), _waited()

    def read(self, ended_threads_waited: float = 0.0) -> HostLoad:
        """Return what happened since it was made; the kernel no longer knows what threads waited that have ended."""
        seconds, busy, own, waited = (after - before for after, before in zip(self._now(), self._start))
        seconds = max(seconds, 1e-9)
        capacity = seconds * self._processors
        own_share = max(0.0, min(1.0, own / capacity))  # below 0 where the device process has ended
        return HostLoad(
            processors=self._processors,
            own=own_share,
            others=max(0.0, min(1.0, busy / capacity) - own_share),
            waited=(max(0.0, waited) + ended_threads_waited) / seconds,
            clock=npu_clock(self._tree),
            celsius=_celsius(self._tree),
            cooled=_cooled(self._tree),
        )


def npu_clock(tree: Tree) -> Clock | None:
    """Return the NPU's clock; None where it cannot be read."""
    for name in tree.names(DEVFREQ):
        if name.endswith(".npu"):
            governor, now, highest = (
                (tree.read(f"{DEVFREQ}/{name}/{file}") or "").strip() for file in ("governor", "cur_freq", "max_freq")
            )
            # max_freq is what the governor may choose, which heat lowers; the list has what the hardware can do.
            listed = (tree.read(f"{DEVFREQ}/{name}/available_frequencies") or "").split()
            most = max((int(text) for text in [*listed, highest] if text.isdigit()), default=0)
            if now.isdigit() and most:
                return Clock(int(now) // 1_000_000, most // 1_000_000, governor or "unknown")
    return None


def _celsius(tree: Tree) -> float | None:
    texts = (tree.read(f"{_COOLING}/{zone}/temp") or "" for zone in tree.names(_COOLING) if "thermal_zone" in zone)
    return max((int(text) / 1000 for text in texts if text.strip().lstrip("-").isdigit()), default=None)


def _cooled(tree: Tree) -> bool:
    devices = (name for name in tree.names(_COOLING) if name.startswith("cooling_device"))
    slowing = (name for name in devices if "fan" not in (tree.read(f"{_COOLING}/{name}/type") or "fan"))
    return any((tree.read(f"{_COOLING}/{name}/cur_state") or "0").strip() not in ("0", "-1") for name in slowing)


def _busy(tree: Tree) -> float:
    """Return the seconds that all processors were busy since the machine was started."""
    line = (tree.read("/proc/stat") or "").split("\n", 1)[0].split()
    if len(line) < 8 or not all(text.isdigit() for text in line[1:8]):
        return 0.0
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts = map(int, line[1:8])
    return (user + nice + system + interrupts + soft_interrupts) / os.sysconf("SC_CLK_TCK")


def _own(device: int) -> float:
    """Return the processor seconds of this process, and of the device process of its simulated NPU."""
    return time.process_time() + (_processor_seconds(device) if device else 0.0)


def _processor_seconds(process: int) -> float:
    fields = _bytes(f"/proc/{process}/stat").rpartition(b")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK") if len(fields) > 12 else 0.0


def _waited() -> float:
    """Return the seconds for which threads of this process have waited for a processor."""
    return sum(_waited_by(f"/proc/self/task/{thread}") for thread in _listed("/proc/self/task"))


def this_thread_waited() -> float:
    """Return the seconds for which the calling thread has waited for a processor."""
    return _waited_by("/proc/thread-self")


def _waited_by(thread: str) -> float:
    fields = _bytes(f"{thread}/schedstat").split()
    return int(fields[1]) / 1e9 if len(fields) == 3 else 0.0


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def processors() -> int:
    """Return the number of processors of this machine."""
    return os.cpu_count() or 1
