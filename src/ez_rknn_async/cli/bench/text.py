# SPDX-License-Identifier: Apache-2.0
"""The figures for people: tables, a histogram, and the sentences below them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..table import Table, folded
from .figures import STAGES
from .histogram import histogram
from .percentiles import USUAL, name, needed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .rows import Row

_SHOWN = USUAL[:3]


def sections(description: Mapping[str, Any], rows: Sequence[Row], *, histograms: bool) -> Iterator[str]:
    """Yield the parts of the text, in the reader's order."""
    described = description["modes"]
    if not described:
        yield "Nothing was measured."
        return
    labels = labels_of(described)
    yield _main_table(described, labels).render()
    yield _split_table(described, labels).render()
    if histograms:
        for row, label in zip(rows, labels):
            if row.latency.runs:
                yield f"latency, {label}, {row.latency.runs} runs\n{histogram(row.latency.latency_ms)}"
    yield folded("\n".join(_sentences(description, labels)))


def labels_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what tells each row from the others: its model, mode and load, as far as they differ."""
    loads = [_load(row) for row in rows]
    parts = [[row["model"], row["mode"], load] for row, load in zip(rows, loads)]
    # The mode is told in any case, so that one row has a name.
    differing = [len({part[i] for part in parts}) > 1 or i == 1 for i in range(3)]
    if differing[2] and len({part[1] for part in parts}) == 1:
        differing[1] = False
    return [", ".join(text for text, differs in zip(part, differing) if differs and text) for part in parts]


def _load(row: Mapping[str, Any]) -> str:
    if row["way"] is None:
        return ""
    if row["rate"] is not None:
        return f"{row['way']}, {row['rate']:g}/s {row['arrivals']}"
    return f"{row['way']}, {row['in_flight'] or 'all'} in flight"


def _main_table(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Table:
    usual = [f"{name(percent)} (ms)" for percent in _SHOWN]
    columns = ["mode", *usual, "max (ms)", "throughput (1/s)", "against the first", "runs"]
    table = Table(columns, ["max (ms)", "runs", "p90 (ms)", "against the first"])
    first = rows[0]["throughput"]
    for row, label in zip(rows, labels):
        latency, runs = row["latency_ms"], row["latency_runs"]
        if row["way"] is None and row["cause"]:
            runs += row["throughput_runs"]
        ratio = f"{row['throughput'] / first:.2f}x" if first else ""
        shown = [latency.get(name(percent)) for percent in _SHOWN]
        table.row(label, *shown, latency.get("max"), row["throughput"], ratio, runs)
    return table


def _split_table(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Table:
    """Tabulate the stages of an inference, means in milliseconds, and the use of the NPU."""
    table = Table(["mode", *(f"{stage} (ms)" for stage in STAGES), "NPU at work"], ["callback (ms)", "queue (ms)"])
    for row, label in zip(rows, labels):
        table.row(label, *(row["split_ms"][stage] for stage in STAGES), f"{row['computing']:.0%}")
    return table


def _sentences(description: Mapping[str, Any], labels: Sequence[str]) -> Iterator[str]:
    rows = description["modes"]
    for row, label in zip(rows, labels):
        yield f"{label}: {row['limit']}"
    yield from dict.fromkeys(note for row in rows for note in row["notes"])
    if description["caveat"]:
        yield description["caveat"]
    for knee in description["knees"]:
        yield _knee(knee)
    for found in description["deadlines"]:
        yield _deadline(found, description["options"])
    yield from _missing(rows)
    if description["interrupted"]:
        yield "Interrupted: these are the figures until then."
    yield f"Times: {description['times']}."


def _knee(knee: Mapping[str, Any]) -> str:
    where = f"--rate {knee['rate']:g}" if knee["rate"] is not None else f"--in-flight {knee['in_flight']}"
    return (
        f"{knee['mode']}: the knee is at {where}: {_rate(knee['throughput'])} inferences a second, each "
        f"{knee['mean_ms']:.3g} ms on average; beyond it latency grows faster than throughput."
    )


def _deadline(found: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    called, deadline = name(options["percentile"]), options["deadline"]
    if found["highest_rate"] is None:
        return f"{found['mode']}: no rate that was tried has {called} <= {deadline:g} ms."
    return (
        f"{found['mode']}: the highest rate with {called} <= {deadline:g} ms is {_rate(found['highest_rate'])} a "
        f"second; with every worker busy it is {_rate(found['capacity'])}."
    )


def _rate(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 1000 else f"{rate:.4g}"


def _missing(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say which percentiles are left out, and how many runs they need."""
    fewest = min(row["latency_runs"] for row in rows)
    absent = [percent for percent in _SHOWN if fewest < needed(percent)]
    if absent:
        needs = ", ".join(f"{name(percent)} needs {needed(percent)} runs" for percent in absent)
        yield f"Left out where the runs cannot carry it: {needs}; see --seconds and --runs."
