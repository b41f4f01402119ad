# SPDX-License-Identifier: Apache-2.0
"""A page with charts of a measurement, complete in itself: HTML with SVG inside, no script, nothing to load."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from ..svg import STYLE, Axis, axis, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# In pixels.
_WIDTH, _HEIGHT = 760, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 34, 44
_BAR = 22

_PAGE = """body { font: 14px system-ui, sans-serif; max-width: 800px; margin: 2em auto; }
body { color: #24292f; background: #ffffff; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td, th { padding: 2px 10px 2px 0; text-align: right; }
td:first-child, th:first-child { text-align: left; }
svg { max-width: 100%; height: auto; }
@media (prefers-color-scheme: dark) { body { color: #e6edf3; background: #0d1117; } }"""


def page(description: Mapping[str, Any], labels: Sequence[str], curves: Sequence[Sequence[Sequence[float]]]) -> str:
    """Return the page: the rows as a table, throughput, the latency of each row, and the curve of a sweep.

    Args:
        description: as ``--json`` prints it.
        labels: of the rows.
        curves: of each row, when requests were due and how long they took, in seconds and milliseconds.
    """
    rows = description["modes"]
    title = "ezrknn bench: " + ", ".join(str(model["file"]) for model in description["models"])
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(title)}</title>",
        f"<style>{_PAGE}{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f"<p>Times: {escape(description['times'])}.</p>",
        _table(rows, labels),
        "<h2>Throughput (inferences/s)</h2>",
        _throughput(rows, labels),
        *_sweep(rows),
    ]
    for row, label, points in zip(rows, labels, curves):
        if row["histogram"]:
            parts += [f"<h2>Latency: {escape(label)}</h2>", _histogram(row), _over_time(points)]
        parts.append(f"<p>{escape(row['limit'])}</p>")
    machine, versions = description["machine"], description["versions"]
    made = "; ".join(f"{key} {value}" for key, value in {**machine, **versions}.items() if key != "governors")
    parts.append(f"<p class='minor'>{escape(made)}</p></body></html>\n")
    return "\n".join(parts)


def _table(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> str:
    columns = ["p50", "p90", "p99", "max"]
    head = "".join(f"<th>{heading}</th>" for heading in ("mode", *(f"{c} (ms)" for c in columns), "1/s"))
    lines = [f"<table><tr>{head}</tr>"]
    for row, label in zip(rows, labels):
        cells = [row["latency_ms"].get(column) for column in columns] + [row["throughput"]]
        shown = "".join(f"<td>{'' if cell is None else f'{cell:.4g}'}</td>" for cell in cells)
        lines.append(f"<tr><td>{escape(label)}</td>{shown}</tr>")
    return "\n".join([*lines, "</table>"])


def _svg(height: float, parts: Sequence[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}" '
            f'viewBox="0 0 {_WIDTH} {height:.0f}" role="img">',
            f'<rect class="paper" width="{_WIDTH}" height="{height:.0f}"/>',
            *parts,
            "</svg>",
        ]
    )


def _throughput(rows: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> str:
    """Draw a bar for each row."""
    left = min(300, 20 + 7 * max(map(len, labels), default=0))
    most = max([row["throughput"] for row in rows] + [1e-9])
    parts = []
    for number, (row, label) in enumerate(zip(rows, labels)):
        y, length = 10 + number * _BAR, (_WIDTH - left - 90) * row["throughput"] / most
        parts += [
            text(left - 8, y + 14, label[-40:], "", "end"),
            f'<rect class="dot" x="{left}" y="{y}" width="{length:.1f}" height="{_BAR - 6}"/>',
            text(left + length + 6, y + 14, f"{row['throughput']:.4g}", "minor"),
        ]
    return _svg(20 + _BAR * len(rows), parts)


def _frame(x: Axis, y: Axis, across: str, up: str) -> Iterator[str]:
    """Draw a grid with numbers, and what the axes are."""
    for tick in x.ticks():
        at = x.x(tick)
        yield f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
        yield text(at, _HEIGHT - _BOTTOM + 16, f"{tick:.6g}", "minor", "middle")
    for tick in y.ticks():
        at = y.x(tick)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield text(_LEFT - 6, at + 4, f"{tick:.6g}", "minor", "end")
    yield text(_WIDTH / 2, _HEIGHT - 8, across, "minor", "middle")
    yield text(8, 18, up, "minor")


def _axes(xs: Sequence[float], ys: Sequence[float], low_x: float | None = None) -> tuple[Axis, Axis]:
    """Return axes that hold the points; upwards from 0."""
    left = min(xs) if low_x is None else low_x
    right = max(max(xs), left + max(abs(left) * 1e-3, 1e-9))
    return (
        axis(_LEFT, _WIDTH - _LEFT - _RIGHT, left, right),
        axis(_HEIGHT - _BOTTOM, _TOP + _BOTTOM - _HEIGHT, 0.0, max([*ys, 1e-9])),
    )


def _histogram(row: Mapping[str, Any]) -> str:
    """Draw how many requests took how long; the tail is one last bar."""
    bins = row["histogram"]
    x, y = _axes([edge for low, high, _ in bins for edge in (low, high)], [count for *_, count in bins])
    parts = list(_frame(x, y, "latency (ms)", "requests"))
    for low, high, count in bins:
        start, end, top = x.x(low), x.x(high), y.x(count)
        parts.append(
            f'<rect class="bar" x="{start:.1f}" y="{top:.1f}" width="{max(end - start - 1, 5):.1f}" '
            f'height="{y.left - top:.1f}"><title>{low:.4g} to {high:.4g} ms: {count}</title></rect>'
        )
    return _svg(_HEIGHT, parts)


def _over_time(points: Sequence[Sequence[float]]) -> str:
    """Draw the latency of each request over the time of the measurement."""
    if not points:
        return ""
    x, y = _axes([when for when, _ in points], [latency for _, latency in points], 0.0)
    dots = (f'<circle class="dot" cx="{x.x(when):.1f}" cy="{y.x(took):.1f}" r="1.2"/>' for when, took in points)
    return _svg(_HEIGHT, [*_frame(x, y, "time (s)", "latency (ms)"), *dots])


def _sweep(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Draw latency over throughput where rows are points of one series."""
    series: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for row in rows:
        if row["way"] is not None and "p50" in row["latency_ms"] and math.isfinite(row["throughput"]):
            key = (row["model"], row["mode"], row["way"])
            series.setdefault(key, []).append((row["throughput"], row["latency_ms"]["p50"]))
    for key, points in series.items():
        if len(points) < 3:
            continue
        x, y = _axes([rate for rate, _ in points], [latency for _, latency in points], 0.0)
        line = " ".join(f"{x.x(rate):.1f},{y.x(latency):.1f}" for rate, latency in points)
        dots = (f'<circle class="dot" cx="{x.x(rate):.1f}" cy="{y.x(p50):.1f}" r="3.5"/>' for rate, p50 in points)
        yield f"<h2>Latency over throughput: {escape(', '.join(key))}</h2>"
        frame = _frame(x, y, "throughput (1/s)", "p50 (ms)")
        yield _svg(_HEIGHT, [*frame, f'<polyline class="line" points="{line}"/>', *dots])
