# SPDX-License-Identifier: Apache-2.0
"""Plan a system in virtual time: which models, loads and schedules a board can bear.

>>> from ez_rknn_async.planning import Board, ClosedLoop, Model, System, Times, simulate
>>> model = Model("detector", Times.fixed(2_000_000), ClosedLoop())
>>> result = simulate(System(Board("rk3588"), (model,), duration_ns=1_000_000_000))
>>> result.requests[0].percentile_ms(50)
8.0

:mod:`.plan_file` reads all of it from a file, :mod:`.modelled` takes a model's times from its ``.rknn``.
"""

from .plan_file import read_plan
from .result import CoreTimes, GroupTimes, Requests, Result
from .search import Found, boards_needed, search
from .simulation import simulate
from .system import Arrivals, Board, ClosedLoop, Load, Model, System, Times
from .system_plan import PlannedModel, SystemPlan
from .verdict import ModelVerdict, Verdict, evaluate

__all__ = [
    "Arrivals",
    "Board",
    "ClosedLoop",
    "CoreTimes",
    "GroupTimes",
    "Load",
    "Model",
    "Requests",
    "Result",
    "System",
    "Times",
    "simulate",
    "read_plan",
    "evaluate",
    "search",
    "boards_needed",
    "SystemPlan",
    "PlannedModel",
    "Verdict",
    "ModelVerdict",
    "Found",
]
