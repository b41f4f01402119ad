# SPDX-License-Identifier: Apache-2.0
"""The discrete-event simulation: what a board does with its loads, in virtual time.

Pure: the same system gives the same times to the nanosecond, on any machine and however busy it is. Nothing waits, and
no clock is read. What a running session does in real time (``timing=modelled``) is the same model of the machine, with
the same durations from the native library and the same plan of workers and routes; ``make bench-virtual`` compares.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from .cores import Cores
from .result import CoreTimes, GroupTimes, Requests, Result
from .session import FIELDS, Clock, Session

if TYPE_CHECKING:
    from .system import System


def simulate(system: System) -> Result:
    """Simulate a system to the end of its last request."""
    clock, cores = Clock(), Cores(system.board)
    events, number = clock.events, clock.number

    def push(time: int, action: Callable[[Any], None], argument: object) -> None:
        heapq.heappush(events, (time, number(), action, argument))

    sessions = [Session(system, model, cores, clock, push) for model in system.models]
    for session in sessions:
        session.open()
    pop = heapq.heappop
    while events:
        clock.now, _, action, argument = pop(events)
        action(argument)
    # A pace that nobody waits for any more may have set the clock on.
    requests = tuple(map(_requests, sessions))
    end = max(int(each.delivered.max()) if each.count else 0 for each in requests)
    core_times = tuple(map(CoreTimes, cores.runs, cores.busy_ns))
    return Result(system, end, requests, core_times)


def _requests(session: Session) -> Requests:
    table = np.frombuffer(session.records, np.int64).reshape(-1, len(FIELDS))
    columns = dict(zip(FIELDS, table.T))
    groups = {g.name: GroupTimes(g.workers, g.completed, g.busy_ns) for g in session.dispatch.groups}
    return Requests(model=session.model, groups=groups, dropped=session.dropped, **columns)
