# SPDX-License-Identifier: Apache-2.0
"""The search for schedules that keep all deadlines with the least load on the cores, and for the number of boards.

With few models every combination of schedules is tried. With more, one model after the other is improved, from several
beginnings, until nothing gets better: that may miss the best one, and the answer says which search it was.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import RknnValueError
from .system import ClosedLoop
from .verdict import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .._options.provider_options import ProviderOptions
    from .system_plan import SystemPlan
    from .verdict import Verdict

MOST_COMBINATIONS = 400
MOST_BOARDS = 100_000
_ROUNDS = 4

Combination = tuple["ProviderOptions", ...]
Progress = "Callable[[int], None]"


@dataclass(frozen=True)
class Found:
    """The best schedules.

    Attributes:
        verdict: on them.
        tried: the number of combinations that were simulated.
        exhaustive: True if those were all.
    """

    verdict: Verdict
    tried: int
    exhaustive: bool


def search(plan: SystemPlan, progress: Callable[[int], None] = lambda tried: None) -> Found:
    """Find the schedules of a plan's models that keep all deadlines with the least load; else those with fewest late.

    ``progress`` is told the number of combinations tried so far.
    """
    choices = [_choices(plan, index) for index in range(len(plan.models))]
    known: dict[Combination, Verdict] = {}

    def verdict(combination: Combination) -> Verdict:
        if combination not in known:
            known[combination] = evaluate(plan.with_options(combination))
            progress(len(known))
        return known[combination]

    exhaustive = math.prod(map(len, choices)) <= MOST_COMBINATIONS
    candidates = itertools.product(*choices) if exhaustive else _improved(choices, verdict)
    best = min(candidates, key=lambda combination: _rank(verdict(combination)))
    return Found(known[best], len(known), exhaustive)


def _rank(verdict: Verdict) -> tuple[float, ...]:
    """Order verdicts: met, fewest late, least load of the cores, quickest."""
    late = sum(not model.met for model in verdict.models)
    share = sum(model.late for model in verdict.models)
    slowest = sum(m.requests.percentile_ms(verdict.plan.percentile) for m in verdict.models if m.requests.count)
    closed = sum(m.rate for m in verdict.models if isinstance(m.requests.model.load, ClosedLoop))
    # Without deadlines, loops that take what they get would do best if they did nothing: there the rate counts.
    return (late, round(share, 6), -round(closed, 3), round(verdict.load, 4), round(slowest, 6))


def _choices(plan: SystemPlan, index: int) -> list[ProviderOptions]:
    """Return the options of a model to try: each set of cores, in turn or as they are free, and cores together."""
    options, count = plan.models[index].options, plan.board.chip.cores
    single = [(core,) for core in range(count)]
    several = [cores for n in range(2, count + 1) for cores in itertools.combinations(range(count), n)]
    bare = replace(options, schedule=None, tp_mode=None)
    result = [replace(bare, schedule=cores, dispatch="modulo") for cores in [*single, *several]]
    result += [replace(bare, schedule=cores, dispatch="least_loaded") for cores in several]
    result += [replace(bare, tp_mode=",".join(map(str, range(n))), dispatch="modulo") for n in range(2, count + 1)]
    return result


def _improved(
    choices: Sequence[Sequence[ProviderOptions]], verdict: Callable[[Combination], Verdict]
) -> Iterable[Combination]:
    starts = [tuple(own[start % len(own)] for own in choices) for start in (0, -1, len(choices[0]) // 2)]
    starts.append(tuple(own[number % len(own)] for number, own in enumerate(choices)))
    for start in starts:
        best = start
        for _ in range(_ROUNDS):
            before = best
            for index, own in enumerate(choices):
                tried = [(*best[:index], options, *best[index + 1 :]) for options in own]
                best = min(tried, key=lambda combination: _rank(verdict(combination)))
            if best == before:
                break
        yield best


def boards_needed(plan: SystemPlan) -> tuple[int, Verdict]:
    """Return the smallest number of equal boards that bears the plan's load, and the verdict on the fullest of them.

    Raises:
        RknnValueError: no number does: a single request misses its deadline, or a loop takes any board.
    """
    most, verdict = 1, evaluate(plan)
    fewest = 0  # too few
    while not verdict.met:
        fewest, most = most, 2 * most
        if most > MOST_BOARDS:
            late = ", ".join(model.requests.model.name for model in verdict.models if not model.met)
            raise RknnValueError(
                f"no number of boards up to {MOST_BOARDS:,} is enough for {late}; "
                "give it more cores, a longer deadline or a smaller model"
            )
        verdict = evaluate(plan.shared_by(most))
    while most - fewest > 1:
        middle = (fewest + most) // 2
        tried = evaluate(plan.shared_by(middle))
        fewest, most, verdict = (fewest, middle, tried) if tried.met else (middle, most, verdict)
    return most, verdict
