# SPDX-License-Identifier: Apache-2.0
"""A search for the cheapest recipe that is accurate enough: other algorithms first, then a few layers in float16.

Every candidate is built and measured; nothing is estimated. Which layers to try, and in which order, comes from the
comparison by layer: those that add most noise first. Then

1. the worst layers are tried alone, since one broken layer is the usual case, and ordered by what that gained. A range
   belongs to the tensor between two layers: where both are not in float16, it is quantised on the way. So a layer is
   also tried together with those that it reads;
2. the smallest number of them that suffices is found by bisection;
3. each of those is left out once: what can be, stays quantised.
"""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import RknnValueError
from .building import build
from .calibration import read_samples
from .conversation import ToolkitError
from .conversion import saved
from .verification import Request, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .building import Prepared
    from .calibration import Sample
    from .recipe import Recipe
    from .report import ConversionReport
    from .toolkit import Environment

    Unit = tuple[str, ...]  # a layer, and those that it reads

_ALONE = 4  # layers that are tried one by one
_CONVERSIONS = ("__int8", "__float16", "__float32")


@dataclass(frozen=True)
class Goal:
    """What is accurate enough.

    Attributes:
        least: the score to reach.
        metric: a score of the outputs, given (outputs, references, samples), higher is better; None: the lowest cosine.
        builds: at most so many.
        evaluated: samples that the score is of, at most.
    """

    least: float
    metric: Callable[[Any, Any, Any], float] | None = None
    builds: int = 40
    evaluated: int = 8


@dataclass(frozen=True)
class Trial:
    """One candidate, built and measured.

    Attributes:
        label: what is different about it.
        recipe: how it was built.
        score: by the goal's metric.
        cosine: the lowest of an output.
        milliseconds: modelled, with one core.
        report: the whole report.
    """

    label: str
    recipe: Recipe
    score: float
    cosine: float
    milliseconds: float
    report: ConversionReport


@dataclass(frozen=True)
class Tuning:
    """The outcome: all trials in order, and the best."""

    trials: tuple[Trial, ...]
    best: Trial
    reached: bool


class _OutOfBuildsError(Exception):
    """The search has made as many builds as it may."""


def tune(
    prepared: Prepared,
    target: str,
    environment: Environment,
    goal: Goal,
    on_trial: Callable[[Trial], None] = lambda trial: None,
) -> Tuning:
    """Search; the best is the fastest that reaches the goal, or else the most accurate.

    Raises:
        RknnValueError: the recipe is for float16.
        ToolkitError: the model cannot be built at all.
    """
    if not prepared.recipe.is_quantised:
        raise RknnValueError("there is nothing to tune in a float16 model; give samples with --images")
    with tempfile.TemporaryDirectory(prefix="ezrknn-tune-") as folder, saved(prepared) as original:
        bench = _Bench(prepared, target, environment, goal, original, Path(folder), on_trial)
        with contextlib.suppress(_OutOfBuildsError):
            _search(bench)
        reached = [trial for trial in bench.trials if trial.score >= goal.least]
        best = min(reached, key=_cost) if reached else max(bench.trials, key=lambda trial: trial.score)
        return Tuning(tuple(bench.trials), best, bool(reached))


def _cost(trial: Trial) -> tuple[int, float, float]:
    return len(trial.recipe.float_tensors), trial.milliseconds, -trial.score


class _Bench:
    """Builds and measures candidates, each once."""

    def __init__(
        self,
        prepared: Prepared,
        target: str,
        environment: Environment,
        goal: Goal,
        original: Path,
        folder: Path,
        on_trial: Callable[[Trial], None],
    ) -> None:
        self.prepared, self.goal = prepared, goal
        self.trials: list[Trial] = []
        self._target, self._environment, self._original, self._folder = target, environment, original, folder
        self._on_trial = on_trial
        self._builds = 0
        self._known: dict[Recipe | str, Trial | None] = {}

    def enough(self, trial: Trial | None) -> bool:
        """Check if a trial reaches the goal."""
        return trial is not None and trial.score >= self.goal.least

    def build(self, label: str, recipe: Recipe, samples: Sequence[Sample] | None = None) -> Trial | None:
        """Return the trial, or None if the toolkit cannot build it."""
        key = f"{label.partition(':')[0]} {recipe.algorithm} {sorted(recipe.float_tensors)}"
        if key not in self._known:
            if self._builds >= self.goal.builds:
                raise _OutOfBuildsError
            self._builds += 1
            self._known[key] = self._measured(label, recipe, self.prepared.samples if samples is None else samples)
        return self._known[key]

    def _measured(self, label: str, recipe: Recipe, samples: Sequence[Sample]) -> Trial | None:
        file = self._folder / "trial.rknn"
        try:
            build(replace(self.prepared, recipe=recipe, samples=samples), self._target, file, self._environment)
        except ToolkitError:
            if not self.trials:
                raise
            return None  # an algorithm that this type does not have, a tensor that the compiler fused away
        scores: list[float] = []
        evaluated = _spread(self.prepared.samples, self.goal.evaluated)

        def observe(outputs: Any, references: Any) -> None:
            if self.goal.metric is not None:
                scores.append(float(self.goal.metric(outputs, references, evaluated)))

        report = verify(Request(file, self._original, recipe.model, evaluated, observe=observe))
        cosine = min((output.cosine for output in report.outputs), default=float("nan"))
        score = scores[0] if scores else cosine
        trial = Trial(label, recipe, score if np.isfinite(score) else -np.inf, cosine, report.modelled_ms[0], report)
        self.trials.append(trial)
        self._on_trial(trial)
        return trial


def _spread(samples: Sequence[Sample], count: int) -> list[Sample]:
    count = min(count, len(samples))
    return [samples[number * len(samples) // count] for number in range(count)]


def _search(bench: _Bench) -> None:
    recipe = bench.prepared.recipe
    first = bench.build("as given", recipe)
    if first is None or bench.enough(first):
        return
    base = max(_other_quantisations(bench, first), key=lambda trial: trial.score)
    if bench.enough(base):
        return
    units = _candidates(base.report, recipe.float_tensors)
    gains = _tried_alone(bench, base, units)
    if any(bench.enough(trial) for trial in bench.trials):
        return
    ordered = sorted(units, key=lambda unit: gains.get(unit[0], -np.inf), reverse=True)
    _without_what_is_not_needed(bench, base, _smallest_number(bench, base, ordered))


def _tried_alone(bench: _Bench, base: Trial, units: Sequence[Unit]) -> dict[str, float]:
    """Keep the worst layers in float one by one, also with what they read; return the best score of each."""
    gains: dict[str, float] = {}
    for unit in units[:_ALONE]:
        for layers in dict.fromkeys((unit[:1], unit)):
            trial = _with(bench, base, layers)
            if trial is not None:
                gains[unit[0]] = max(gains.get(unit[0], -np.inf), trial.score)
            if bench.enough(trial):
                return gains
    return gains


def _other_quantisations(bench: _Bench, first: Trial) -> list[Trial]:
    """Try the other algorithms, and half of the samples, which leaves out what is rare."""
    recipe = bench.prepared.recipe
    trials = [first]
    for algorithm in ("mmse", "kl_divergence"):
        if algorithm != recipe.algorithm:
            trial = bench.build(f"algorithm {algorithm}", replace(recipe, algorithm=algorithm))
            trials += [trial] if trial else []
    half = _spread(bench.prepared.samples, max(1, len(bench.prepared.samples) // 2))
    if len(half) < len(bench.prepared.samples):
        fewer = replace(recipe, samples=len(half))
        # The same selection as the recipe makes when it is repeated.
        trial = bench.build(f"{len(half)} samples", fewer, read_samples(fewer, bench.prepared.original.inputs))
        trials += [trial] if trial else []
    return trials


def _candidates(report: ConversionReport, kept: Sequence[str]) -> list[Unit]:
    """Return the quantised layers, each with those that it reads, by the noise that they add."""
    quantised = {layer.tensor: layer for layer in report.layers if layer.layer >= 0 and "int" in layer.dtype}
    possible = [name for name in quantised if not name.endswith(_CONVERSIONS) and name not in kept]
    ranked = sorted(possible, key=lambda name: quantised[name].added, reverse=True)
    return [(name, *(source for source in quantised[name].inputs if source in possible)) for name in ranked]


def _with(bench: _Bench, base: Trial, layers: Sequence[str]) -> Trial | None:
    recipe = replace(base.recipe, float_tensors=(*bench.prepared.recipe.float_tensors, *layers))
    label = f"{base.label}: {', '.join(layers) if len(layers) < 3 else f'{len(layers)} layers'} in float16"
    return bench.build(label, recipe)


def _smallest_number(bench: _Bench, base: Trial, units: Sequence[Unit]) -> list[str]:
    """Double the number of layers until it suffices, then bisect."""
    layers = list(dict.fromkeys(layer for unit in units for layer in unit))
    low, high = 1, 2
    while not bench.enough(_with(bench, base, layers[:high])):
        if high >= len(layers):
            return []
        low, high = high, min(2 * high, len(layers))
    while high - low > 1:
        middle = (low + high) // 2
        if bench.enough(_with(bench, base, layers[:middle])):
            high = middle
        else:
            low = middle
    return layers[:high]


def _without_what_is_not_needed(bench: _Bench, base: Trial, layers: list[str]) -> None:
    kept = list(layers)
    for layer in reversed(layers):
        fewer = [each for each in kept if each != layer]
        if fewer and bench.enough(_with(bench, base, fewer)):
            kept = fewer
