# SPDX-License-Identifier: Apache-2.0
"""The report of a conversion as text: what is wrong first, then the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .modelled import cores
from .table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..converting.report import ConversionReport

_WORST = 5


def render(report: ConversionReport) -> str:
    """Return the report, without a line break at its end."""
    return "\n\n".join(_sections(report))


def _sections(report: ConversionReport) -> Iterator[str]:
    reasons = [f"{finding.severity}: {finding.text}" for finding in report.findings]
    verdict = f"{report.file} ({report.target}, {report.precision}): " + (
        "usable" if report.usable else "NOT USABLE, because of what is said first:"
    )
    yield "\n".join([verdict, *reasons])
    if report.outputs:
        yield f"Compared with {report.original} in float32, on {report.samples}.\n{_outputs(report)}"
    layers = report.worst_layers(_WORST)
    if layers:
        yield f"The layers that lose most:\n{_layers(report)}"
    yield "\n".join(_facts(report))


def _outputs(report: ConversionReport) -> str:
    official = any(output.official_agreement is not None for output in report.outputs)
    device = any(output.device_cosine is not None for output in report.outputs)
    columns = ["output", "dtype", "cosine", "worst sample", "mean error (steps)", "largest (steps)", "saturated (%)"]
    extra = (["official", "agreement"] if official else []) + (["on device"] if device else [])
    table = Table(columns + extra)
    for output in report.outputs:
        cells: list[str | float | None] = [
            output.name,
            output.dtype,
            f"{output.cosine:.6f}",
            f"{output.lowest_cosine:.6f}",
            output.mean_steps,
            output.max_steps,
            None if output.saturated is None else 100 * output.saturated,
        ]
        if official:
            cells += [_cosine(output.official_cosine), _cosine(output.official_agreement)]
        if device:
            cells.append(_cosine(output.device_cosine))
        table.row(*cells)
    return table.render()


def _cosine(value: float | None) -> str | None:
    return None if value is None else f"{value:.6f}"


def _layers(report: ConversionReport) -> str:
    table = Table(["layer", "operator", "tensor", "dtype", "cosine", "noise added (%)"])
    for layer in report.worst_layers(_WORST):
        number = layer.layer if layer.layer >= 0 else None
        table.row(number, layer.operator, layer.tensor, layer.dtype, f"{layer.cosine:.6f}", 100 * layer.added)
    return table.render()


def _facts(report: ConversionReport) -> Iterator[str]:
    if report.modelled_ms:
        times = ", ".join(f"{time:.3f} ms with {cores(n)}" for n, time in enumerate(report.modelled_ms, 1))
        yield f"Modelled for {report.target}, not measured: {times}."
    yield (
        f"Memory: {report.weight_bytes / 1024:.0f} KiB of weights, {report.internal_bytes / 1024:.0f} KiB "
        "between layers; "
        f"the file has {report.file_bytes / 1024:.0f} KiB."
    )
    if report.files:
        yield f"Written: {', '.join(report.files)}"
