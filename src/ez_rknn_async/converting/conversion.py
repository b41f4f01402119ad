# SPDX-License-Identifier: Apache-2.0
"""A conversion: prepare, build, verify, and write what belongs beside the result."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .._host.files import publish_text
from ..errors import RknnModelError
from .building import LOG_SUFFIX, Simulated, build, write_beside
from .calibration import noise_samples
from .finding import ERROR, NOTE, Finding
from .on_device import check_soc
from .report import ConversionReport
from .verification import SAMPLES, Request, verify
from .web_page import page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .building import Prepared
    from .calibration import Sample
    from .toolkit import Environment

HTML_SUFFIX = ".html"


@dataclass(frozen=True)
class Demands:
    """What a conversion has to show.

    Attributes:
        min_cosine: below it the result counts as unusable.
        verify_on: "npu" or an SoC, to run the result through a session as well.
        official: ask the official simulator too, and compare with it.
    """

    min_cosine: float = 0.9
    verify_on: str | None = None
    official: bool = False


def convert(
    prepared: Prepared,
    target: str,
    output: Path,
    environment: Environment,
    demands: Demands,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> ConversionReport:
    """Convert a prepared model for one target; write the file and what belongs beside it.

    Raises:
        RknnError: it cannot be built; nothing but the toolkit's log was written.
    """
    if demands.verify_on is not None:
        check_soc(demands.verify_on, str(output), target)  # before minutes of building
    samples = _verification_samples(prepared, demands)
    simulated = Simulated(samples) if demands.official else None
    log = output.with_suffix(LOG_SUFFIX)
    build(prepared, target, output, environment, log=log, simulated=simulated, on_stage=on_stage)
    on_stage("verify")
    if prepared.recipe.remove_weight:
        report = _unverified(prepared, target, output, NOTE, "it has no weights of its own", "verify the one with them")
    else:
        report = _verified(prepared, target, output, demands, samples, simulated)
    report = replace(report.with_findings(prepared.findings), precision=prepared.recipe.precision)
    files = [output, *write_beside(prepared, target, output), log, output.with_suffix(HTML_SUFFIX)]
    report = replace(report, files=tuple(map(str, files)))
    publish_text(page(report), files[-1])
    return report


def _verified(
    prepared: Prepared,
    target: str,
    output: Path,
    demands: Demands,
    samples: Sequence[Sample],
    simulated: Simulated | None,
) -> ConversionReport:
    name = prepared.recipe.model
    try:
        with saved(prepared) as original:
            return verify(Request(output, original, name, samples, demands.min_cosine, demands.verify_on, simulated))
    except RknnModelError as error:  # such as an operator that the simulated NPU does not compute
        return _unverified(prepared, target, output, ERROR, str(error), "try it on a board with ezrknn run")


def _verification_samples(prepared: Prepared, demands: Demands) -> list[Sample]:
    samples = list(prepared.samples)
    if not samples and demands.official:
        return list(noise_samples(prepared.original.inputs, prepared.recipe))
    count = min(SAMPLES, len(samples))
    return [samples[number * len(samples) // count] for number in range(count)]


@contextlib.contextmanager
def saved(prepared: Prepared) -> Iterator[Path]:
    """Yield the path of the original as it was built: with fixed shapes, and cut."""
    with tempfile.TemporaryDirectory(prefix="ezrknn-convert-") as folder:
        path = Path(folder) / "model.onnx"
        prepared.original.save(path)
        yield path


def _unverified(
    prepared: Prepared, target: str, output: Path, severity: str, reason: str, action: str
) -> ConversionReport:
    """Return the report of a file whose accuracy is not known; that alone may make it unusable."""
    return ConversionReport(
        str(output),
        target,
        prepared.recipe.precision,
        prepared.recipe.model,
        "nothing",
        findings=(Finding(severity, "not-verified", f"the result was not verified: {reason}", action),),
        file_bytes=output.stat().st_size,
    )
