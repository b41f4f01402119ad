# SPDX-License-Identifier: Apache-2.0
"""Findings about a result: what is wrong with it, in terms of what its user did."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .finding import ERROR, NOTE, WARNING, Finding
from .measures import confidence, lost_channels, swapped_axes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from ..model import Graph, Model
    from ..simulator.references import Network
    from .report import OutputReport

    Array = NDArray[Any]

_SATURATED = 0.01
_CLEARER = 0.05  # of a probability


class Results(Protocol):
    """The outputs that a network gave, by sample."""

    def of(self, index: int, count: int) -> list[Array]:
        """Return one output for the first samples."""
        ...


def outputs(
    graph: Graph,
    reports: Sequence[OutputReport],
    compiled: Results,
    original: Results,
    count: int,
    min_cosine: float,
    *,
    real: bool,
) -> Iterator[Finding]:
    """Yield what is wrong with each output; the most telling first."""
    by_name = {graph.tensors[index].name: index for index in graph.outputs}
    for report in reports:
        ours, theirs = (results.of(by_name[report.name], count) for results in (compiled, original))
        found = list(_of_output(report, ours, theirs))
        yield from found
        if not any(finding.severity == ERROR for finding in found) and not report.cosine >= min_cosine:
            yield _low(report, min_cosine, real=real)


def _of_output(report: OutputReport, ours: list[Array], theirs: list[Array]) -> Iterator[Finding]:
    name = (report.name,)
    if not all(np.isfinite(array).all() for array in ours):
        if all(np.isfinite(array).all() for array in theirs):
            yield Finding(
                ERROR,
                "not-finite",
                f"the output {report.name!r} has NaN or infinity, where the original has none",
                "a layer exceeds float16's range (65,504); see the layers, and scale the model, or use int8",
                name,
            )
        return
    if report.dead:
        yield Finding(
            ERROR,
            "dead-output",
            f"the output {report.name!r} is {ours[0].flat[0]:g} throughout, and the original's is not",
            "see which layer loses it, and keep that in float16: ezrknn tune",
            name,
        )
        return
    turned = swapped_axes(ours, theirs)
    if turned is not None:
        yield Finding(
            ERROR,
            "swapped-layout",
            f"the output {report.name!r} is right once it is transposed by {turned}",
            "the layouts of the original and the compiled file differ; check --layout",
            name,
        )
    same = [a.reshape(b.shape) for a, b in zip(ours, theirs)]
    axis, lost = lost_channels(same, theirs, report.step)
    if lost:
        places = f"{lost[0]} to {lost[-1]}" if len(lost) > 1 else str(lost[0])
        yield Finding(
            ERROR,
            "scores-lost",
            f"the output {report.name!r} lost the probabilities at places {places} of axis {axis}: they are "
            f"{same[0].take(lost[0], axis).flat[0]:g} throughout, because one step of the output is "
            f"{report.step or 0:.3g}",
            "cut the model before boxes and scores are joined: --cut auto",
            name,
        )
    if report.saturated and report.saturated > _SATURATED:
        yield Finding(
            WARNING,
            "saturated",
            f"{report.saturated:.1%} of the output {report.name!r} is beyond the calibrated range",
            "calibrate with more varied samples",
            name,
        )


def _low(report: OutputReport, min_cosine: float, *, real: bool) -> Finding:
    how = "is not a number" if math.isnan(report.cosine) else f"has a cosine of {report.cosine:.4f}"
    if not real and report.dtype != "float16":
        return Finding(
            WARNING,
            "low-cosine",
            f"the output {report.name!r} {how} on random numbers, which are no real samples",
            "give samples with --images",
            (report.name,),
        )
    return Finding(
        ERROR,
        "low-cosine",
        f"the output {report.name!r} {how} with the original's, below {min_cosine:g}",
        "see the layers that lose most; ezrknn tune keeps them in float16",
        (report.name,),
    )


def colors(graph: Graph, original: Network, samples: Sequence[Mapping[str, Array]]) -> Iterator[Finding]:
    """Find images in the wrong order of colours: the original is surer of what it sees in the other order."""
    images = [
        graph.tensors[index].name
        for index in graph.inputs
        if len(graph.tensors[index].shape) == 4 and graph.tensors[index].shape[1] == 3
    ]
    if not samples or len(images) != 1:
        return
    pairs = []
    for sample in samples:
        turned = {**sample, images[0]: np.ascontiguousarray(sample[images[0]][:, ::-1])}
        pair = [confidence(_results(graph, original, each)) for each in (sample, turned)]
        if None in pair:
            return
        pairs.append(pair)
    gains = [after - before for before, after in pairs if before is not None and after is not None]
    if len(gains) > 1 and float(np.mean(gains)) > _CLEARER and all(gain >= 0 for gain in gains):
        before, after = (float(np.mean([pair[place] for pair in pairs])) for place in (0, 1))
        yield Finding(
            WARNING,
            "color-order",
            f"with red and blue exchanged the original is surer of every sample ({after:.2f} instead of {before:.2f})",
            "the model probably wants the other order: try --color bgr, or rgb if that was given",
            (images[0],),
        )


def _results(graph: Graph, network: Network, sample: Mapping[str, Array]) -> list[Array]:
    values = network.run(sample)
    return [values[index] for index in graph.outputs if index in values]


def cpu_layers(model: Model) -> Iterator[Finding]:
    """Say which operators are left to the CPU."""
    graph = model.graphs[0]
    on_cpu = [node for node in graph.nodes if not node.on_npu and node.op not in ("InputOperator", "OutputOperator")]
    if on_cpu:
        names = ", ".join(dict.fromkeys(node.op for node in on_cpu))
        yield Finding(
            NOTE,
            "runs-on-cpu",
            f"{len(on_cpu)} layers run on the CPU: {names}",
            "fine at the model's ends; in its middle they cost two transfers each",
            tuple(graph.tensors[index].name for node in on_cpu for index in node.outputs),
        )
