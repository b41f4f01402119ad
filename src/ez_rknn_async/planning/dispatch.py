# SPDX-License-Identifier: Apache-2.0
"""Queues and admission of one session in virtual time, by the rules of the native engine.

``native/engine/dispatch.h`` and ``pace.h`` are what a running session does; this is the same with time as an argument:
which group a task goes to, when there is room for another, which waiting task comes next. What comes from the options
(workers, masks, routes, capacities) is not repeated here: both take it from :mod:`.._options.plan`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from .tasks import Group, Task

if TYPE_CHECKING:
    from .system import Board, Model
    from .tasks import Owner


class Dispatch:
    """The groups of a session."""

    def __init__(self, model: Model, board: Board) -> None:
        placed = model.placed(board)
        workers = [[w for w in placed.workers if w.group == index] for index in range(len(placed.groups))]
        self.groups = [
            Group(name, own[0].core_mask, len(own), cores=board.chip.cores) for name, own in zip(placed.groups, workers)
        ]
        self.worker_count = len(placed.workers)
        self._routes = [self.groups[route] for route in placed.routes]
        self._order = list(dict.fromkeys(self._routes))
        self._capacity = placed.queue_capacity
        self.completion_capacity = placed.completion_capacity
        self._least_loaded = model.options.dispatch == "least_loaded"
        self._common: deque[Task] = deque()
        self._next = 0

    def has_room(self) -> bool:
        """Check if the queue has a place for the next task."""
        if self._least_loaded:
            return len(self._common) < self._capacity * len(self.groups)
        return len(self._routes[self._next % len(self._routes)].queue) < self._capacity

    def admit(self, owner: Owner, due: int, now: int, inferences: int, priority: int) -> Task | None:
        """Number the next task; return it if a worker takes it up at once, otherwise queue it."""
        number = self._next
        self._next += 1
        if not self._least_loaded:
            group = self._routes[number % len(self._routes)]
            task = Task(owner, number, due, now, group, inferences, priority)
            if group.idle and not group.queue:
                return task
            group.queue.append(task)
            return None
        idle = next((group for group in self._order if group.idle), None)
        task = Task(owner, number, due, now, idle or self._order[0], inferences, priority)
        if idle is not None:
            return task
        self._common.append(task)
        return None

    def next_for(self, group: Group) -> Task | None:
        """Take the task out of the queue that an idle worker of the group runs next."""
        if not self._least_loaded:
            return group.queue.popleft() if group.queue else None
        if not self._common:
            return None
        task = self._common.popleft()
        task.group, task.cores, task.on = group, group.cores, group.cores
        return task


class Pace:
    """Admission no faster than the workers finish; ``native/engine/pace.h``, to the digit."""

    def __init__(self, is_kept: bool, workers: int, alone_ns: int) -> None:
        """Begin as a session that has run once before, for ``alone_ns``: so the first requests do not come at once."""
        self._is_kept = is_kept
        self._workers = workers
        self._last = -alone_ns
        self._average = alone_ns

    def admitted(self, now: int) -> None:
        """Note that a task was admitted."""
        self._last = now

    def occupied(self, ns: int) -> None:
        """Note for how long a task occupied its worker."""
        if not self._is_kept:
            return
        change = ns - self._average
        if change:
            self._average += change // 8 if change > 0 else -(-change // 8)  # C rounds towards zero

    def due(self) -> int:
        """Return the time from which the next task may be admitted."""
        if not self._is_kept:
            return 0
        return self._last + self._average // self._workers
