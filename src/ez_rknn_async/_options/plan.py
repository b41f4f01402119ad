# SPDX-License-Identifier: Apache-2.0
"""The plan of a session: its workers, and the cores that run each task.

A *plan* is what ``schedule`` or ``tp_mode`` means on one SoC: the workers to start, each with the core mask of its
context, and the rule that gives a task to a group of workers. Making a plan is pure: it touches no device, so every
rule on this page is tested without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._messages.wording import option
from ..errors import RknnValueError
from .checks import ALL_CORES

if TYPE_CHECKING:
    from .provider_options import ProviderOptions
    from .soc import Soc


@dataclass(frozen=True)
class Worker:
    """One thread that owns one context."""

    group: int  # index of its queue; Plan.groups names its cores
    core_mask: int | None  # what rknn_set_core_mask receives; None: it is not called


@dataclass(frozen=True)
class Plan:
    """The workers of a session, and the route of a task to them."""

    groups: tuple[str, ...]  # the cores of each group, such as "0" or "0,1,2"
    workers: tuple[Worker, ...]
    routes: tuple[int, ...]  # task i goes to group routes[i % len(routes)]
    queue_capacity: int  # waiting tasks a group
    completion_capacity: int  # finished tasks that are still to be collected


def plan(options: ProviderOptions, soc: Soc) -> Plan:
    """Make the plan for these options on this SoC.

    Raises:
        RknnValueError: they name a core or a mode that the SoC does not have.
    """
    if options.schedule is not None:
        return _data_parallel(_scheduled_cores(options.schedule, soc), options, soc)
    return _tensor_parallel(options.tp_mode or "auto", options, soc)


def _scheduled_cores(schedule: tuple[int, ...] | str, soc: Soc) -> tuple[int, ...]:
    if isinstance(schedule, str):
        assert schedule == ALL_CORES
        return tuple(range(soc.cores))
    if max(schedule) >= soc.cores:
        raise RknnValueError(
            f"{option('schedule')} names core {max(schedule)}, but {soc.name} has {soc.core_names}; "
            f"use {option('schedule', list(range(soc.cores)))} or {option('schedule', 'all')} for all of them"
        )
    return schedule


def _data_parallel(schedule: tuple[int, ...], options: ProviderOptions, soc: Soc) -> Plan:
    cores = sorted(set(schedule))
    masks = [_mask((core,), soc) for core in cores]
    return _plan([str(core) for core in cores], masks, tuple(cores.index(core) for core in schedule), options)


def _tensor_parallel(mode: str, options: ProviderOptions, soc: Soc) -> Plan:
    if mode == "auto":
        # AUTO is a new context's default, and a single-core SoC refuses any mask.
        return _plan([mode], [None if soc.cores == 1 else 0], (0,), options)
    cores = tuple(range(soc.cores)) if mode == "all" else tuple(int(core) for core in mode.split(","))
    if max(cores) >= soc.cores:
        possible = ", ".join(["'auto'", "'all'", *(repr(m) for m in _modes(soc))])
        raise RknnValueError(
            f"{option('tp_mode', mode)} needs core {max(cores)}, but {soc.name} has {soc.core_names}; use {possible}"
        )
    return _plan([",".join(map(str, cores))], [_mask(cores, soc)], (0,), options)


def _modes(soc: Soc) -> list[str]:
    return [*(str(core) for core in range(soc.cores)), *(",".join(map(str, range(n + 1))) for n in range(1, soc.cores))]


def _mask(cores: tuple[int, ...], soc: Soc) -> int | None:
    # On a single-core SoC every call of rknn_set_core_mask fails with RKNN_ERR_TARGET_PLATFORM_UNMATCH.
    return None if soc.cores == 1 else sum(1 << core for core in cores)


def _plan(groups: list[str], masks: list[int | None], routes: tuple[int, ...], options: ProviderOptions) -> Plan:
    workers = [Worker(group, mask) for _ in range(options.threads_per_core) for group, mask in enumerate(masks)]
    return Plan(
        groups=tuple(groups),
        workers=tuple(workers),
        routes=routes,
        queue_capacity=options.max_queue_size,
        # As many as can finish while, with callbacks in order, one slow core still holds its queue of older tasks:
        # with fewer, that core would stop the others.
        completion_capacity=(options.max_queue_size + options.threads_per_core + 1) * len(routes) + 8,
    )
