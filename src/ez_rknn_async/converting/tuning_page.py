# SPDX-License-Identifier: Apache-2.0
"""The trials of a tuning as one HTML page: accuracy against modelled time."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tuning import Trial, Tuning

_WIDTH, _HEIGHT, _MARGIN = 760, 360, 60
_FLOOR = 1e-9  # of an error, on the logarithmic axis
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #24292f; }
table { border-collapse: collapse; } td, th { padding: .25em .8em; border-bottom: 1px solid #d8dee4; text-align: left; }
svg { max-width: 100%; } svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
.trial { fill: #8c959f; } .best { fill: #cf222e; } .goal { stroke: #0969da; stroke-dasharray: 4; }
@media (prefers-color-scheme: dark) { body { background: #0d1117; color: #e6edf3; } }
"""


def page(result: Tuning, goal: float) -> str:
    """Return the page."""
    rows = "".join(_row(trial, trial is result.best) for trial in result.trials)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta '
        f'charset="utf-8"><title>Tuning</title><style>{_STYLE}</style></head>'
        f"<body><h1>Tuning: {'reached' if result.reached else 'did not reach'} {goal:g}</h1>{_plot(result, goal)}"
        "<table><tr><th>tried</th><th>score</th><th>cosine</th><th>modelled (ms)</th><th>in float16</th></tr>"
        f"{rows}</table></body></html>\n"
    )


def _row(trial: Trial, best: bool) -> str:
    label = f"<b>{escape(trial.label)}</b>" if best else escape(trial.label)
    kept = escape(", ".join(trial.recipe.float_tensors))
    return (
        f"<tr><td>{label}</td><td>{trial.score:.6f}</td><td>{trial.cosine:.6f}</td><td>{trial.milliseconds:.3f}</td>"
        f"<td>{kept}</td></tr>"
    )


def _plot(result: Tuning, goal: float) -> str:
    """Draw 1 - cosine, on a logarithmic axis, over the time with one core."""
    errors = [_error(trial.cosine) for trial in result.trials]
    times = [trial.milliseconds for trial in result.trials]
    low, high = min(times), max(times)
    least, most = math.floor(min(errors)), math.ceil(max(errors) + 1e-6)
    across = (_WIDTH - 2 * _MARGIN) / ((high - low) or 1)
    down = (_HEIGHT - 2 * _MARGIN) / ((most - least) or 1)
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="accuracy against modelled time">']
    for power in range(least, most + 1):
        y = _MARGIN + (most - power) * down
        parts.append(f'<text x="4" y="{y:.0f}">1e{power}</text>')
    for trial, error in zip(result.trials, errors):
        x, y = _MARGIN + (trial.milliseconds - low) * across, _MARGIN + (most - error) * down
        kind = "best" if trial is result.best else "trial"
        parts.append(
            f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"><title>{escape(trial.label)}: {trial.cosine:.6f}, '
            f"{trial.milliseconds:.3f} ms</title></circle>"
        )
    parts.append(f'<text x="{_MARGIN}" y="{_HEIGHT - 8}">{low:.3f} ms</text>')
    parts.append(f'<text x="{_WIDTH - 2 * _MARGIN}" y="{_HEIGHT - 8}">{high:.3f} ms, one core, modelled</text>')
    parts.append('<text x="4" y="16">1 - cosine</text></svg>')
    return "".join(parts)


def _error(cosine: float) -> float:
    return math.log10(max(1 - cosine, _FLOOR)) if math.isfinite(cosine) else 0.0
