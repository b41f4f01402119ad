# SPDX-License-Identifier: Apache-2.0
"""The results as tables."""

from __future__ import annotations

import collections
import statistics
from collections.abc import Sequence

from .ledger import Ledger
from .machine import Round

ALLOWED_GROWTH_KB = 20 * 1024  # over all rounds but the first third


def progress(done: Sequence[Round], ledger: Ledger, seconds: float) -> str:
    """Return the progress in one line."""
    tasks = sum(sum(outcomes.values()) for name, outcomes in ledger.ended.items() if name != "log")
    last = done[-1]
    return (
        f"{seconds:6.0f} s  round {last.scenario.number:4}  {tasks:8} operations  {last.after.threads:3} threads  "
        f"{last.after.descriptors:3} descriptors  {last.after.resident_kb / 1024:6.1f} MB  "
        f"device {last.after.device_kb / 1024:6.1f} MB  {ledger.violation_count} violations"
    )


def operations(ledger: Ledger) -> str:
    """Return each operation, with the number of its ends of each kind."""
    lines = [f"{'operation':20} {'ended':>8}  how"]
    for name in sorted(ledger.ended):
        outcomes = ledger.ended[name]
        how = ", ".join(f"{outcome} {count}" for outcome, count in outcomes.most_common())
        lines.append(f"{name:20} {sum(outcomes.values()):8}  {how}")
    return "\n".join(lines)


def errors(ledger: Ledger) -> str:
    """Return the errors of all operations, by type."""
    total: collections.Counter[str] = collections.Counter()
    for name, outcomes in ledger.ended.items():
        if name != "log":
            total.update({o: n for o, n in outcomes.items() if o not in ("right", "done", "dropped")})
    return "errors: " + (", ".join(f"{outcome} {count}" for outcome, count in total.most_common()) or "none")


def resources(done: Sequence[Round]) -> str:
    """Return the resources of the process at first, at most and in the end."""
    first, last = done[0].after, done[-1].after
    longest: dict[str, float] = {}
    for each in done:
        for what, seconds in each.longest.items():
            longest[what] = max(seconds, longest.get(what, 0.0))
    lines = [
        f"{'':24} {'first':>8} {'peak':>8} {'end':>8}",
        _line("threads", first.threads, max(r.peak_threads for r in done), last.threads),
        _line("file descriptors", first.descriptors, max(r.peak_descriptors for r in done), last.descriptors),
        _line("contexts", first.contexts, None, last.contexts),
        _line("resident memory, MB", *(kb / 1024 for kb in _series([r.after.resident_kb for r in done]))),
        _line("device process, MB", *(kb / 1024 for kb in _series([r.after.device_kb for r in done]))),
        f"growth of memory over the last two thirds: {growth_kb([r.after.resident_kb for r in done]) / 1024:.1f} MB, "
        f"of the device process: {growth_kb([r.after.device_kb for r in done]) / 1024:.1f} MB",
        *(f"longest {what}(): {seconds:.2f} s" for what, seconds in sorted(longest.items())),
    ]
    return "\n".join(lines)


def _line(name: str, first: float, peak: float | None, end: float) -> str:
    return f"{name:24} {first:8.0f} {'' if peak is None else format(peak, '.0f'):>8} {end:8.0f}"


def _series(values: Sequence[float]) -> tuple[float, float, float]:
    return values[0], max(values), values[-1]


def growth_kb(resident_kb: Sequence[float]) -> float:
    """Return how much more memory the last rounds leave than those after the first third, by the median of each
    part."""
    warm = resident_kb[len(resident_kb) // 3 :]
    if len(warm) < 8:
        return 0.0
    part = len(warm) // 4
    return statistics.median(warm[-part:]) - statistics.median(warm[:part])
