# SPDX-License-Identifier: Apache-2.0
"""The cores of a board and the lines of tasks waiting for them, in virtual time.

The rules are those of ``native/devices/simulated/board.h``: a core runs one task at a time, first come, first served; a
task that needs several cores waits until it is first in line at each of them; how many cores are busy, and wait for
each other's memory, is looked at when a task begins. ``make bench-virtual`` holds the two together.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .system import Board
    from .tasks import Task


class Cores:
    """The lines of a board's cores. Times come from the caller."""

    def __init__(self, board: Board) -> None:
        count = board.chip.cores
        self._lines: list[deque[Task]] = [deque() for _ in range(count)]
        self._factors = [board.factor(core) for core in range(count)]
        self._is_even = set(self._factors) == {1.0}
        self._priorities = board.priorities
        self.busy_ns = [0] * count
        self.runs = [0] * count

    def join(self, task: Task) -> bool:
        """Put a task into the lines of its cores; True if it can begin at once."""
        if not task.cores:
            task.on = (self._shortest(),)
        first = True
        for core in task.on:
            line = self._lines[core]
            if line:
                first = False
            self._insert(line, task)
        return first or self._is_first(task)

    def duration(self, task: Task, durations: Sequence[Sequence[int]]) -> int:
        """Return how long a task that begins now occupies its cores."""
        ns = durations[len(task.on) - 1][sum(map(bool, self._lines)) - 1]
        if self._is_even:
            return ns
        factor = max([self._factors[core] for core in task.on])
        return ns if factor == 1 else int(ns * factor)

    def leave(self, task: Task, occupied_ns: int) -> list[Task]:
        """Take a task that has ended out of the lines; return those that can begin now."""
        for core in task.on:
            self._lines[core].popleft()
            self.busy_ns[core] += occupied_ns
            self.runs[core] += 1
        ready: list[Task] = []
        for core in task.on:
            line = self._lines[core]
            if line and not line[0].is_on_npu and line[0] not in ready and self._is_first(line[0]):
                ready.append(line[0])
        return ready

    def _insert(self, line: deque[Task], task: Task) -> None:
        if not self._priorities or not line or line[-1].priority <= task.priority:
            line.append(task)
            return
        # Before those that matter less, but behind what runs; the same order in every line, so nothing gets stuck.
        place = next(i for i, other in enumerate(line) if not other.is_on_npu and other.priority > task.priority)
        line.insert(place, task)

    def _is_first(self, task: Task) -> bool:
        return all(self._lines[core][0] is task for core in task.on)

    def _shortest(self) -> int:
        """The core for a task that may run on any: an idle one, else the one with the shortest line."""
        lengths = [len(line) for line in self._lines]
        return lengths.index(min(lengths))
