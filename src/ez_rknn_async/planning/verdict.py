# SPDX-License-Identifier: Apache-2.0
"""The verdict on a plan: which models keep their deadlines, and what limits those that do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .simulation import simulate
from .system import ClosedLoop

if TYPE_CHECKING:
    from .result import Requests, Result
    from .system_plan import SystemPlan

# Above this share of the time a core, a worker or the thread of the callbacks has no time left.
_FULL = 0.95
# Above this share of a worker's time, conversions are worth a mention.
_NOTICEABLE = 0.1
# Requests have piled up if the last results come this much later than the last requests, as a share of all time.
_PILED_UP = 0.05


@dataclass(frozen=True)
class ModelVerdict:
    """The verdict on one model.

    Attributes:
        requests: its times.
        rate: inferences a second.
        late: the share of requests that were late or dropped.
        met: True if it does what is required of it.
        limit: one of ``"nothing"``, ``"npu"``, ``"conversion"``, ``"callbacks"``, ``"inference"``, ``"in flight"``,
            ``"waiting"``.
        text: a sentence on the limit.
    """

    requests: Requests
    rate: float
    late: float
    met: bool
    limit: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """The verdict on a plan, with the plan and the simulation that it is made of."""

    plan: SystemPlan
    result: Result
    models: tuple[ModelVerdict, ...]

    @property
    def met(self) -> bool:
        """True if all models do what is required of them."""
        return all(model.met for model in self.models)

    @property
    def load(self) -> float:
        """The sum of the cores' use: 3.0 are three busy cores."""
        return sum(self.result.busy(core) for core in range(len(self.result.cores)))


def evaluate(plan: SystemPlan) -> Verdict:
    """Simulate a plan."""
    result = simulate(plan.system())
    return Verdict(plan, result, tuple(_judge(plan, result, requests) for requests in result.requests))


def _judge(plan: SystemPlan, result: Result, requests: Requests) -> ModelVerdict:
    total = requests.count + requests.dropped
    late = requests.late / total if total else 0.0
    closed = isinstance(requests.model.load, ClosedLoop)
    piled_up = not closed and _piled_up(requests, result.system.duration_ns)
    dropping = requests.dropped / total > 1 - plan.percentile / 100 if total else False
    met = late <= 1 - plan.percentile / 100 and not piled_up and not dropping
    limit, text = ("nothing", "Does what is required of it.") if met and not closed else _limit(result, requests, met)
    return ModelVerdict(requests, result.throughput(requests), late, met, limit, text)


def _piled_up(requests: Requests, duration_ns: int) -> bool:
    if not requests.count:
        return False
    behind = int(requests.delivered.max()) - int(requests.due.max())
    return behind > max(_PILED_UP * duration_ns, 3 * int(requests.latency_ns[: requests.count // 4 + 1].max()))


def _limit(result: Result, requests: Requests, met: bool) -> tuple[str, str]:
    model, times = requests.model, requests.model.times
    alone = times.alone_ns / 1e6
    together = {len(_cores(name)) for name in requests.groups}
    if model.deadline_ns is not None and not met and alone * 1e6 > model.deadline_ns and together == {1}:
        return "inference", (
            f"An inference alone takes {alone:.3g} ms, more than the deadline: let cores work together "
            f"(tp_mode), or take a smaller model."
        )
    used = sorted({core for name in requests.groups for core in _cores(name)} or range(len(result.cores)))
    use = [result.busy(core) for core in used]
    cores = f"core {used[0]}" if len(used) == 1 else f"cores {', '.join(map(str, used))}"
    if use and min(use) >= _FULL:
        return (
            "npu",
            f"Limited by the NPU: {cores} {'is' if len(used) == 1 else 'are'} busy {min(use):.0%} of the time.",
        )
    if times.callback_ns * requests.count >= _FULL * result.end_ns:
        return "callbacks", "Limited by the callbacks: one runs after the other, and they take all the time."
    own = requests.mean_ms("started", "finished")
    converting = (times.input_ns + times.output_ns) / 1e6 / own if own else 0.0
    occupied = max((g.busy_ns / (g.workers * result.end_ns) for g in requests.groups.values()), default=0.0)
    if occupied >= _FULL and converting >= _NOTICEABLE:
        return "conversion", (
            f"Limited by conversion: it takes {converting:.0%} of each worker's time, while {cores} "
            f"busy {max(use):.0%}. threads_per_core = 2 converts the "
            "next inference meanwhile."
        )
    waited = requests.mean_ms("due", "started") + requests.mean_ms("started", "begun") - times.input_ns / 1e6
    busiest = max(range(len(use)), key=use.__getitem__)
    if isinstance(model.load, ClosedLoop) and model.load.in_flight is not None:
        return "in flight", f"Limited by its {model.load.in_flight} requests in flight: {cores} busy {_percent(use)}."
    return "waiting", (
        f"Limited by waiting for its turn: {waited:.3g} ms on average, with core {used[busiest]} busy "
        f"{use[busiest]:.0%}. Requests come in bursts, or behind those of other models on its cores."
    )


def _percent(shares: list[float]) -> str:
    return ", ".join(f"{share:.0%}" for share in shares)


def _cores(group: str) -> list[int]:
    return [] if group == "auto" else [int(core) for core in group.split(",")]
