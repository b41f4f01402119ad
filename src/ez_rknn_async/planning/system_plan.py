# SPDX-License-Identifier: Apache-2.0
"""A plan: a board, the models on it with their kinds of load, and what is required of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .._options.plan import plan
from ..errors import RknnValueError
from .system import Board, Model, System, Times

if TYPE_CHECKING:
    from .._options.provider_options import ProviderOptions
    from .arrivals import Kind


@dataclass(frozen=True)
class PlannedModel:
    """One model.

    Attributes:
        name: of it, unique in the plan.
        times: of an inference.
        arrivals: its load.
        options: of its session; ``schedule`` and ``tp_mode`` may be left to :func:`.search.search`.
        deadline_ms: for a result, from when the request came; None: none.
    """

    name: str
    times: Times
    arrivals: Kind
    options: ProviderOptions
    deadline_ms: float | None = None


@dataclass(frozen=True)
class SystemPlan:
    """A plan.

    Attributes:
        board: that the models share.
        models: on it.
        seconds: to simulate.
        seed: of what is random.
        percentile: the share of requests, in percent, that has to keep the deadline.
    """

    board: Board
    models: tuple[PlannedModel, ...]
    seconds: float = 10.0
    seed: int = 0
    percentile: float = 99.0

    def __post_init__(self) -> None:
        names = [model.name for model in self.models]
        for name in names:
            if names.count(name) > 1:
                raise RknnValueError(f"two models of the plan are called {name!r}; give each a name of its own")
        for model in self.models:
            plan(model.options, self.board.chip)  # refuses cores that the SoC does not have

    def system(self) -> System:
        """Return the system to simulate."""
        duration = round(self.seconds * 1e9)
        models = tuple(
            Model(
                model.name,
                model.times,
                model.arrivals.load(duration, self.seed * 1000 + number),
                model.options,
                None if model.deadline_ms is None else round(model.deadline_ms * 1e6),
            )
            for number, model in enumerate(self.models)
        )
        return System(self.board, models, duration)

    def shared_by(self, boards: int) -> SystemPlan:
        """Return the plan of one of several boards that share the load equally: of the one that gets most."""
        if boards < 1:
            raise RknnValueError(f"{boards} boards cannot run anything; give at least 1")
        return replace(self, models=tuple(replace(m, arrivals=m.arrivals.share(boards)) for m in self.models))

    def with_options(self, options: tuple[ProviderOptions, ...]) -> SystemPlan:
        """Return the plan with other options for each of its models."""
        return replace(self, models=tuple(replace(m, options=o) for m, o in zip(self.models, options)))
