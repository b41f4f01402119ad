# SPDX-License-Identifier: Apache-2.0
"""A task in virtual time, and the group of workers that runs it."""

from __future__ import annotations

from collections import deque
from typing import Protocol


class Owner(Protocol):
    """The session of a task."""

    def begin(self, task: Task) -> None:
        """Let it begin on its cores, now."""


class Task:
    """One request on its way; all times in nanoseconds."""

    __slots__ = (
        "begun", "cores", "due", "group", "is_on_npu", "left", "number", "on", "owner", "priority", "since",
        "started", "submitted",
    )  # fmt: skip

    def __init__(self, owner: Owner, number: int, due: int, now: int, group: Group, left: int, priority: int) -> None:
        self.owner = owner
        self.number = number
        self.due = due
        self.submitted = now
        self.group = group
        self.cores = group.cores  # that its group is tied to; none: any one
        self.on = group.cores  # that it occupies
        self.left = left  # inferences
        self.priority = priority  # 0 comes first
        self.is_on_npu = False
        self.started = self.since = 0
        self.begun = -1


class Group:
    """The workers of one core, or of cores that work together, and the tasks that wait for them."""

    __slots__ = ("busy_ns", "completed", "cores", "idle", "name", "queue", "workers")

    def __init__(self, name: str, mask: int | None, workers: int, *, cores: int) -> None:
        self.name = name
        # On an SoC with one core no mask is set, and there is only that one.
        self.cores = (0,) if cores == 1 else tuple(core for core in range(cores) if (mask or 0) >> core & 1)
        self.workers = self.idle = workers
        self.queue: deque[Task] = deque()
        self.completed = 0
        self.busy_ns = 0
