# SPDX-License-Identifier: Apache-2.0
"""The report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .report import ConversionReport, LayerReport

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #24292f; }
table { border-collapse: collapse; margin: 1em 0; } td, th { padding: .25em .8em; border-bottom: 1px solid #d8dee4; }
th { text-align: left; } td.n { text-align: right; font-variant-numeric: tabular-nums; }
.error { color: #cf222e; } .warning { color: #9a6700; } .note { color: #57606a; }
svg text { font: 11px system-ui, sans-serif; fill: currentColor; } svg { max-width: 100%; }
.line { stroke: #0969da; fill: none; stroke-width: 1.5; } .bar { fill: #8c959f; } .worst { fill: #cf222e; }
.grid { stroke: #d8dee4; }
@media (prefers-color-scheme: dark) { body { background: #0d1117; color: #e6edf3; } }
"""
_WIDTH, _HEIGHT, _LEFT = 900, 180, 50
_HIGHEST_DB = 120.0  # what a layer without an error is drawn as


def page(report: ConversionReport) -> str:
    """Return the page."""
    title = f"{report.file}: {'usable' if report.usable else 'not usable'}"
    return "\n".join(
        (
            "<!DOCTYPE html>",
            f'<html lang="en"><head><meta '
            f'charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style></head><body>',
            f"<h1>{escape(title)}</h1>",
            *_findings(report),
            *_facts(report),
            "<h2>Outputs</h2>",
            *_outputs(report),
            *_layers(report),
            "</body></html>\n",
        )
    )


def _findings(report: ConversionReport) -> Iterator[str]:
    yield "<ul>"
    for finding in report.findings:
        yield f'<li class="{finding.severity}"><b>{finding.severity}</b> {escape(finding.text)}</li>'
    yield "</ul>"


def _facts(report: ConversionReport) -> Iterator[str]:
    times = ", ".join(f"{ms:.3f} ms with {n} core{'s' * (n > 1)}" for n, ms in enumerate(report.modelled_ms, 1))
    rows = (
        ("original", report.original),
        ("target", f"{report.target}, {report.precision}, toolkit {report.toolkit}"),
        ("compared on", report.samples),
        ("modelled time, not measured", times),
        ("memory", f"{report.weight_bytes / 1024:.0f} KiB weights, {report.internal_bytes / 1024:.0f} KiB internal"),
        ("on the CPU", ", ".join(report.cpu_layers) or "nothing"),
    )
    yield (
        "<table>"
        + "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows)
        + "</table>"
    )


def _outputs(report: ConversionReport) -> Iterator[str]:
    yield _table(
        (
            "output",
            "type",
            "cosine",
            "worst sample",
            "largest error",
            "mean error (steps)",
            "largest (steps)",
            "saturated",
        ),
        (
            (
                output.name,
                output.dtype,
                f"{output.cosine:.6f}",
                f"{output.lowest_cosine:.6f}",
                f"{output.max_error:.4g}",
                "" if output.mean_steps is None else f"{output.mean_steps:.2f}",
                "" if output.max_steps is None else f"{output.max_steps:.0f}",
                "" if output.saturated is None else f"{output.saturated:.2%}",
            )
            for output in report.outputs
        ),
    )


def _layers(report: ConversionReport) -> Iterator[str]:
    if not report.layers:
        return
    worst = report.worst_layers(5)
    yield "<h2>Layers that lose most</h2>"
    yield _table(
        ("layer", "operator", "tensor", "type", "cosine", "noise added"),
        (
            (str(each.layer), each.operator, each.tensor, each.dtype, f"{each.cosine:.6f}", f"{each.added:.2%}")
            for each in worst
        ),
    )
    yield "<h2>Signal-to-noise ratio after each layer (dB), and the noise that each adds</h2>"
    yield _chart(report.layers, {each.tensor for each in worst})


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    lines = ("".join(f"<td{_number(text)}>{escape(text)}</td>" for text in row) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _number(text: str) -> str:
    return ' class="n"' if text[:1].isdigit() or text[:1] == "-" else ""


def _chart(layers: Sequence[LayerReport], worst: set[str]) -> str:
    step = (_WIDTH - _LEFT) / max(len(layers), 1)
    most = max((layer.added for layer in layers if math.isfinite(layer.added)), default=0) or 1
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + 20}" role="img" aria-label="error by layer">']
    for decibels in range(0, int(_HIGHEST_DB) + 1, 20):
        y = _height(decibels)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/><text x="0" '
            f'y="{y + 4:.1f}">{decibels} dB</text>'
        )
    for number, layer in enumerate(layers):
        height = _HEIGHT * min(layer.added / most, 1) / 2 if math.isfinite(layer.added) else _HEIGHT / 2
        kind = "worst" if layer.tensor in worst else "bar"
        label = escape(f"{layer.layer} {layer.operator} {layer.tensor}: {layer.snr_db:.1f} dB, adds {layer.added:.2%}")
        parts.append(
            f'<rect class="{kind}" x="{_LEFT + number * step:.1f}" y="{_HEIGHT - height:.1f}" '
            f'width="{max(step * 0.8, 0.5):.1f}" '
            f'height="{max(height, 1):.1f}"><title>{label}</title></rect>'
        )
    points = " ".join(f"{_LEFT + (n + 0.4) * step:.1f},{_height(layer.snr_db):.1f}" for n, layer in enumerate(layers))
    return "".join((*parts, f'<polyline class="line" points="{points}"/></svg>'))


def _height(decibels: float) -> float:
    shown = min(max(decibels if math.isfinite(decibels) else _HIGHEST_DB, 0), _HIGHEST_DB)
    return _HEIGHT * (1 - shown / _HIGHEST_DB)
