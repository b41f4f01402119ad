# SPDX-License-Identifier: Apache-2.0
"""The values of a plan: a board, the models on it, and the requests that arrive for each.

Times are whole nanoseconds. Nothing here knows files or devices: :mod:`.plan_file` and :mod:`.modelled` make these
values, :mod:`.simulation` steps through them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Union

from .._options.plan import plan
from .._options.provider_options import ProviderOptions
from .._options.soc import Soc, soc
from ..errors import RknnValueError

if TYPE_CHECKING:
    from .._options.plan import Plan

PRIORITIES = ("high", "medium", "low")
MOST_REQUESTS = 5_000_000  # some hundred megabytes, and half a minute


@dataclass(frozen=True)
class Board:
    """An SoC's NPU.

    Attributes:
        soc: the SoC's name, such as ``"rk3588"``.
        slowdown: by core, how many times slower it is than the others.
        priorities: True if cores take up waiting work by priority. The vendor's runtime does not: it ignores it.
    """

    soc: str = "rk3588"
    slowdown: tuple[tuple[int, float], ...] = ()
    priorities: bool = False

    @property
    def chip(self) -> Soc:
        """The SoC with its number of cores."""
        return soc(self.soc)

    def factor(self, core: int) -> float:
        """Return how many times slower a core is."""
        return dict(self.slowdown).get(core, 1.0)


@dataclass(frozen=True)
class Times:
    """The times of one inference.

    Attributes:
        npu_ns: by the cores that work together, less one, and the busy cores of the board, less one: they wait for
            each other's memory.
        input_ns: conversion of the inputs, by the processor.
        output_ns: conversion of the outputs.
        inferences: in one run, of a model that was compiled with a batch.
        callback_ns: the program's own work on each result, one after the other.
    """

    npu_ns: tuple[tuple[int, ...], ...]
    input_ns: int = 0
    output_ns: int = 0
    inferences: int = 1
    callback_ns: int = 0

    def __post_init__(self) -> None:
        # Without time, a closed loop would make endless requests at once.
        if any(ns <= 0 for together, row in enumerate(self.npu_ns) for ns in row[together:]):
            raise RknnValueError("an inference takes no time on the NPU by this plan; give it more than 0")
        others = {"input": self.input_ns, "output": self.output_ns, "callback": self.callback_ns}
        for name, ns in others.items():
            if ns < 0:
                raise RknnValueError(f"the {name} takes {ns} ns by this plan; give it 0 or more")

    @property
    def alone_ns(self) -> int:
        """The time of one run on one core, with its conversions, while no other core is busy."""
        return self.npu_ns[0][0] * self.inferences + self.input_ns + self.output_ns

    @classmethod
    def fixed(cls, npu_ns: int, **others: int) -> Times:
        """Return times that do not depend on the cores."""
        return cls(((npu_ns,) * 3,) * 3, **others)


@dataclass(frozen=True)
class ClosedLoop:
    """Requests that wait for each other.

    Attributes:
        in_flight: the requests under way at once; None: as many as the queues take, which keeps every worker busy.
    """

    in_flight: int | None = None


@dataclass(frozen=True)
class Arrivals:
    """Requests that come by themselves, whether the earlier ones are done or not.

    Attributes:
        times_ns: when each of them comes, in order.
        drop: True if one that finds the queue full is dropped, as a camera's frame is; otherwise it waits.
    """

    times_ns: tuple[int, ...]
    drop: bool = False


Load = Union[ClosedLoop, Arrivals]


@dataclass(frozen=True)
class Model:
    """One session: a model, the options that spread it over the cores, and its load.

    Attributes:
        name: of the model.
        times: of an inference.
        load: its requests.
        options: as a session takes them: ``schedule``, ``tp_mode``, ``threads_per_core``, ``max_queue_size``,
            ``dispatch``, ``enable_pacing``, ``sequential_callbacks`` and ``priority`` count here.
        deadline_ns: the time after which a result is late; None: never.
        blocking: True if results go to the callers of ``run()``, each as it ends; otherwise callbacks get them.
    """

    name: str
    times: Times
    load: Load
    options: ProviderOptions = field(default_factory=ProviderOptions)
    deadline_ns: int | None = None
    blocking: bool = False

    def placed(self, board: Board) -> Plan:
        """Return its workers and routes, by the very rules of a session."""
        return plan(self.options, board.chip)


@dataclass(frozen=True)
class System:
    """What is simulated.

    Attributes:
        board: the NPU that the models share.
        models: with their loads.
        duration_ns: the time for which closed loops make requests; arrivals are simulated to their end.
        runs: the number of requests after which a closed loop ends even before; None: no limit.
    """

    board: Board
    models: tuple[Model, ...]
    duration_ns: int
    runs: int | None = None

    def __post_init__(self) -> None:
        if not self.models:
            raise RknnValueError("a plan without a model has nothing to simulate; add at least one")
        if self.duration_ns < 0:
            raise RknnValueError(f"duration_ns={self.duration_ns} is before the beginning; give 0 or more")
        for model in self.models:
            self._check_number(model)
        for core, factor in self.board.slowdown:
            if not 0 <= core < self.board.chip.cores or factor < 1:
                raise RknnValueError(
                    f"slowdown {core}:{factor:g} is not possible: {self.board.soc} has {self.board.chip.core_names}, "
                    "and a factor is at least 1"
                )

    def _check_number(self, model: Model) -> None:
        """Refuse a closed loop that would make requests for hours: so many as the cores do at their quickest."""
        if not isinstance(model.load, ClosedLoop):
            return
        quickest = min(row[together] for together, row in enumerate(model.times.npu_ns))
        most = self.duration_ns * self.board.chip.cores // (quickest * model.times.inferences)
        if min(most, self.runs or most) > MOST_REQUESTS:
            raise RknnValueError(
                f"{model.name} could make {most:,} requests in {self.duration_ns / 1e9:g} s, more than "
                f"{MOST_REQUESTS:,}; simulate fewer seconds"
            )
