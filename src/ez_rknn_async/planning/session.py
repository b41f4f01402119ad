# SPDX-License-Identifier: Apache-2.0
"""A session in virtual time: its requests, from when they are due until their results are delivered."""

from __future__ import annotations

from array import array
from collections import deque
from typing import TYPE_CHECKING, Any, Callable

from .dispatch import Dispatch, Pace
from .system import PRIORITIES, Arrivals, ClosedLoop

if TYPE_CHECKING:
    from .cores import Cores
    from .system import Model, System
    from .tasks import Task


class Clock:
    """Virtual time, and what is to happen when. Events of one moment happen in the order in which they were made."""

    def __init__(self) -> None:
        self.now = 0
        self.events: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self._made = 0

    def number(self) -> int:
        """Return the next event's number."""
        self._made += 1
        return self._made


FIELDS = ("due", "submitted", "started", "begun", "ended", "finished", "delivered")


class Session:
    """One model with its queues, workers and load."""

    def __init__(self, system: System, model: Model, cores: Cores, clock: Clock, push: Callable[..., None]) -> None:
        self.model = model
        self.dispatch = Dispatch(model, system.board)
        self.pace = Pace(model.options.enable_pacing, self.dispatch.worker_count, model.times.alone_ns)
        self.records = array("q")  # FIELDS of each request
        self.dropped = 0
        self._cores, self._clock, self._push = cores, clock, push
        self._times = model.times
        self._priority = PRIORITIES.index(model.options.priority)
        self._end, self._runs = system.duration_ns, system.runs
        self._ordered = model.options.sequential_callbacks and not model.blocking
        self._waiting: deque[int] = deque()  # that have arrived and found no room
        self._admitted = self._uncollected = 0
        # Since when each client of a closed loop has been free to make its next request; one that keeps the queues
        # full is free as soon as a request is admitted, the others when they have its result.
        self._in_flight = model.load.in_flight if isinstance(model.load, ClosedLoop) else 0
        self._free = deque([0] * (1 if self._in_flight is None else self._in_flight))
        self._next_delivered = 0
        self._done: dict[int, tuple[int, ...]] = {}  # that wait for an earlier one
        self._delivery_free = 0
        self._wakes_at = -1

    # Requests

    def open(self) -> None:
        """Begin with the load."""
        load = self.model.load
        if isinstance(load, ClosedLoop):
            self.admit()
        elif load.times_ns:
            self._push(load.times_ns[0], self._arrive, 0)

    def _arrive(self, index: int) -> None:
        load = self.model.load
        assert isinstance(load, Arrivals)
        if index + 1 < len(load.times_ns):
            self._push(load.times_ns[index + 1], self._arrive, index + 1)
        if load.drop and not self._has_room():
            self.dropped += 1
            return
        self._waiting.append(load.times_ns[index])
        self.admit()

    def admit(self, _: object = None) -> None:
        """Admit requests while there are any, and room for them."""
        now = self._clock.now
        while (self._waiting or self._has_another()) and self._has_room():
            due = (self._waiting or self._free).popleft()
            self._admitted += 1
            if self._in_flight is None:
                self._free.append(now)
            self.pace.admitted(now)
            task = self.dispatch.admit(self, due, now, self._times.inferences, self._priority)
            if task is not None:
                self._start(task)

    def _has_another(self) -> bool:
        if not self._free or self._free[0] >= self._end:
            return False
        return self._runs is None or self._admitted < self._runs

    def _has_room(self) -> bool:
        if self._uncollected >= self.dispatch.completion_capacity or not self.dispatch.has_room():
            return False
        due = self.pace.due()
        if due <= self._clock.now:
            return True
        if self._wakes_at != due:
            self._wakes_at = due
            self._push(due, self.admit, None)
        return False

    # Workers

    def _start(self, task: Task) -> None:
        task.group.idle -= 1
        task.started = self._clock.now
        if self._times.input_ns:
            self._push(task.started + self._times.input_ns, self._join, task)
        else:
            self._join(task)

    def _join(self, task: Task) -> None:
        if self._cores.join(task):
            self.begin(task)

    def begin(self, task: Task) -> None:
        """Let a task begin on its cores, now."""
        task.is_on_npu = True
        task.since = now = self._clock.now
        if task.begun < 0:
            task.begun = now
        self._push(now + self._cores.duration(task, self._times.npu_ns), self._end_run, task)

    def _end_run(self, task: Task) -> None:
        now = self._clock.now
        task.is_on_npu = False
        for ready in self._cores.leave(task, now - task.since):
            ready.owner.begin(ready)
        task.left -= 1
        if task.left:
            task.on = task.cores
            self._join(task)
        elif self._times.output_ns:
            task.since = now
            self._push(now + self._times.output_ns, self._finish, task)
        else:
            task.since = now
            self._finish(task)

    def _finish(self, task: Task) -> None:
        now, group = self._clock.now, task.group
        group.idle += 1
        group.completed += 1
        group.busy_ns += now - task.started
        self.pace.occupied(now - task.started)
        following = self.dispatch.next_for(group)
        if following is not None:
            self._start(following)
        self._deliver(task, now)
        self.admit()

    # Results

    def _deliver(self, task: Task, now: int) -> None:
        times = (task.due, task.submitted, task.started, task.begun, task.since, now)
        if self.model.blocking:
            self._record(times, now)
            self._release_at(now + self._times.callback_ns)
            return
        self._uncollected += 1
        if not self._ordered:
            self._call_back(times, now)
            return
        self._done[task.number] = times
        while self._next_delivered in self._done:
            self._call_back(self._done.pop(self._next_delivered), now)
            self._next_delivered += 1

    def _call_back(self, times: tuple[int, ...], now: int) -> None:
        """One thread delivers: a callback begins when the one before it has ended."""
        begins = max(now, self._delivery_free)
        self._delivery_free = begins + self._times.callback_ns
        self._record(times, begins)
        if begins > now:
            self._push(begins, self._collect, None)
        else:
            self._uncollected -= 1
        self._release_at(self._delivery_free)

    def _collect(self, _: object) -> None:
        self._uncollected -= 1
        self.admit()

    def _release_at(self, time: int) -> None:
        if time > self._clock.now:
            self._push(time, self._release, None)
        elif self._in_flight:
            self._free.append(time)

    def _release(self, _: object) -> None:
        if self._in_flight:
            self._free.append(self._clock.now)
            self.admit()

    def _record(self, times: tuple[int, ...], delivered: int) -> None:
        self.records.extend((*times, delivered))
