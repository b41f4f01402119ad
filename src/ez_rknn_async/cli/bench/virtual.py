# SPDX-License-Identifier: Apache-2.0
"""Figures by simulation in virtual time, for the simulated NPU: the same on every machine, however busy it is.

The counterpart of :mod:`.live`. A figure that is computed from a file must be the same every time, so nothing is
waited for; what a program's own work and its conversions cost this machine is not in it.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..._options.plan import plan
from ..._options.provider_options import ProviderOptions
from ...errors import RknnValueError
from ...planning import Arrivals, Board, ClosedLoop, Model, System, simulate
from ...planning.modelled import modelled_times
from .figures import CoreUse, Figures
from .live import label, names_of
from .load import arrivals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...planning import GroupTimes, Requests, Times
    from ...planning import Load as VirtualLoad
    from .load import Load

BLOCKING = ("run", "bindings")  # whose results go back to the caller, in any order
MOST_REQUESTS = 2_000_000
_NS = 1_000_000_000


class VirtualModels:
    """Models on a simulated board in one mode; see :class:`.rows.Opened`."""

    def __init__(
        self, mode: str, threads_per_core: int, board: Board, models: Sequence[tuple[str, Times, ProviderOptions]]
    ) -> None:
        """Take the models as names, times and options; :meth:`open` takes them from files."""
        self.mode = mode
        self.threads_per_core = threads_per_core
        self.names: Sequence[str] = [name for name, _, _ in models]
        self._board = board
        self._models = models

    @classmethod
    def open(cls, sources: Sequence[Any], options: dict[str, Any], soc: str) -> VirtualModels:
        """Take the times of each model (a ``ModelSource``) from its file."""
        parsed = ProviderOptions.parse(options)
        models = [(name, _times(source, soc), parsed) for name, source in zip(names_of(sources), sources)]
        return cls(label(options), options.get("threads_per_core", 1), Board(soc), models)

    def measure(self, load: Load, progress: Callable[[float], None]) -> list[Figures]:
        """Simulate the load on every model at once."""
        models = tuple(self._model(load, *each) for each in self._models)
        duration = MOST_REQUESTS * _NS if math.isinf(load.seconds) else round(load.seconds * _NS)
        result = simulate(System(self._board, models, duration, load.runs))
        progress(1.0)
        return [_figures(requests, load) for requests in result.requests]

    def _model(self, load: Load, name: str, times: Times, options: ProviderOptions) -> Model:
        times = replace(times, callback_ns=round(load.callback_ms * 1e6))
        workers = len(plan(options, self._board.chip).workers)
        return Model(name, times, _load(load, workers), options, blocking=load.way in BLOCKING)


def _times(source: Any, soc: str) -> Times:
    with source.content() as content:
        return modelled_times(content, soc)


def _load(load: Load, workers: int) -> VirtualLoad:
    if load.rate is None:
        # Threads and coroutines need a number, as in .ways: two for each worker.
        endless = load.in_flight is None and load.way not in ("run_async", "submit")
        return ClosedLoop(2 * workers if endless else load.in_flight)
    if min(load.rate * load.seconds, load.runs or math.inf) > MOST_REQUESTS:
        raise RknnValueError(
            f"--rate {load.rate:g} for {load.seconds:g} s makes more than {MOST_REQUESTS} requests; shorten --seconds"
        )
    due = itertools.takewhile(lambda seconds: seconds < load.seconds, arrivals(load))
    return Arrivals(tuple(round(seconds * _NS) for seconds in itertools.islice(due, load.runs)))


def _figures(requests: Requests, load: Load) -> Figures:
    seconds = float(requests.delivered.max()) / _NS if requests.count else 0.0
    inferences = requests.model.times.inferences
    return Figures(
        due=requests.due / _NS,
        finished=requests.delivered / _NS,
        inferences=inferences,
        offered=load.rate,
        in_flight=load.in_flight,
        split_ms={
            "queue": requests.mean_ms("submitted", "started"),
            "input": 0.0,
            "npu": requests.mean_ms("started", "ended"),
            "output": requests.mean_ms("ended", "finished"),
            "callback": requests.mean_ms("finished", "delivered"),
        },
        alone_ms=requests.model.times.npu_ns[0][0] / 1e6,
        cores={name: _core(group, seconds) for name, group in requests.groups.items()},
        workers=sum(group.workers for group in requests.groups.values()),
        callback_busy=min(1.0, load.callback_ms * requests.count / seconds / 1e3) if seconds else 0.0,
    )


def _core(group: GroupTimes, seconds: float) -> CoreUse:
    share = min(1.0, group.busy_ns / _NS / group.workers / seconds) if seconds else 0.0
    return CoreUse(group.completed, share, group.busy_ns / 1e6 / group.completed if group.completed else 0.0)
