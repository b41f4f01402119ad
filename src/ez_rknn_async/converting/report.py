# SPDX-License-Identifier: Apache-2.0
"""What a conversion or verification found, as values: for programs, and for what prints it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence  # noqa: TC003
from dataclasses import dataclass, field
from typing import Any

from .finding import ERROR, Finding, by_severity


@dataclass(frozen=True)
class OutputReport:
    """One output against the float original.

    Attributes:
        cosine: over all samples; 1 is the same direction.
        lowest_cosine: of the worst sample.
        max_error: in the output's own unit.
        snr_db: signal-to-noise ratio; infinite without an error.
        step: the distance of two neighbours of a quantised output, else None.
        mean_steps, max_steps: the error in steps; None for floating point.
        saturated: share of numbers that the output's range cuts off; None for floating point.
        dead: it is one number throughout, and should not be.
        official_cosine: of the official simulator's result against the original's, where it was asked.
        official_agreement: of the simulated NPU's result against the official simulator's.
        device_cosine: of what ``verify_on`` computed against the original's.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    cosine: float
    lowest_cosine: float
    max_error: float
    snr_db: float
    step: float | None = None
    mean_steps: float | None = None
    max_steps: float | None = None
    saturated: float | None = None
    dead: bool = False
    official_cosine: float | None = None
    official_agreement: float | None = None
    device_cosine: float | None = None


@dataclass(frozen=True)
class LayerReport:
    """One layer's result against the original's.

    Attributes:
        layer: its number in the order of execution, as ``ezrknn info`` counts; -1: an input.
        added: the root of the noise, relative to the signal, that its inputs did not have.
        inputs: the tensors that other layers computed for it.
    """

    layer: int
    operator: str
    tensor: str
    dtype: str
    cosine: float
    snr_db: float
    added: float
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConversionReport:
    """A result, and how far it can be trusted.

    Attributes:
        file: the ``.rknn`` file.
        target: its SoC.
        precision: such as "int8".
        original: the ONNX file.
        samples: a phrase that says what was compared.
        outputs, layers: against the original; the layers in order of execution.
        findings: the worst first.
        modelled_ms: modelled time of one inference with 1, 2, ... cores.
        cpu_layers: operators that run on the CPU, with their tensors.
        weight_bytes, internal_bytes, file_bytes: sizes.
        toolkit: the compiler's version.
        files: everything that was written.
    """

    file: str
    target: str
    precision: str
    original: str
    samples: str
    outputs: tuple[OutputReport, ...] = ()
    layers: tuple[LayerReport, ...] = ()
    findings: tuple[Finding, ...] = ()
    modelled_ms: tuple[float, ...] = ()
    cpu_layers: tuple[str, ...] = ()
    weight_bytes: int = 0
    internal_bytes: int = 0
    file_bytes: int = 0
    toolkit: str = ""
    files: tuple[str, ...] = field(default_factory=tuple)

    @property
    def usable(self) -> bool:
        """False if a finding says that the result is of no use."""
        return all(finding.severity != ERROR for finding in self.findings)

    @property
    def cosine(self) -> float:
        """The lowest cosine of an output."""
        return min((output.cosine for output in self.outputs), default=math.nan)

    def worst_layers(self, count: int = 3) -> list[LayerReport]:
        """Return the layers that lose most, the worst first."""
        losing = [layer for layer in self.layers if layer.added > 0]
        return sorted(losing, key=lambda layer: layer.added, reverse=True)[:count]

    def with_findings(self, findings: Sequence[Finding]) -> ConversionReport:
        """Return it with more findings."""
        return dataclasses.replace(self, findings=by_severity((*self.findings, *findings)))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; what is not finite is None."""
        return {
            "usable": self.usable,
            "cosine": _plain(self.cosine),
            **{each.name: _plain(getattr(self, each.name)) for each in dataclasses.fields(self)},
            "findings": [finding.as_dict() for finding in self.findings],
            "worst_layers": [_plain(layer) for layer in self.worst_layers()],
        }


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(entry) for name, entry in dataclasses.asdict(value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
