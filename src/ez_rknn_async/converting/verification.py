# SPDX-License-Identifier: Apache-2.0
"""A verification: the original in ONNX Runtime and the compiled file on the simulated NPU, on the same samples."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._options.soc import SOCS, soc
from .._runtime.layer_times import layer_times
from ..model import load
from ..simulator import comparison, references
from ..simulator.samples import random_sample
from . import diagnosis
from .board_rows import board_findings
from .measures import cosine, is_dead, steps
from .on_device import run_on_device
from .report import ConversionReport, LayerReport, OutputReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..model import Graph, Model
    from ..simulator.comparison import Comparison
    from ..simulator.error_measures import Difference
    from .building import Simulated

    Array = NDArray[Any]
    Sample = Mapping[str, Array]

SAMPLES = 4  # of the calibration, spread over all


@dataclass(frozen=True)
class Request:
    """What to verify, and with what.

    Attributes:
        compiled: the ``.rknn`` file.
        original: the ONNX model with the same inputs and outputs.
        name: the original's name for the report.
        samples: raw, by input name; none: random numbers in the calibrated range.
        min_cosine: below it a result counts as unusable.
        verify_on: "npu" or an SoC, to run it through a session as well; None: not.
        simulated: what the official simulator computed for the samples.
        observe: is given the outputs of the compiled file and those of the original, by name, one of each per sample.
    """

    compiled: Path
    original: Path
    name: str
    samples: Sequence[Sample] = ()
    min_cosine: float = 0.9
    verify_on: str | None = None
    simulated: Simulated | None = None
    observe: Callable[[list[dict[str, Array]], list[dict[str, Array]]], None] | None = None


class _Recording:
    """A network whose outputs are kept as it runs."""

    def __init__(self, network: references.Network, wanted: Sequence[int]) -> None:
        self._network, self._wanted = network, wanted
        self.results: list[dict[int, Array]] = []

    def run(self, sample: Sample) -> Mapping[int, Array]:
        """Run it, and keep a copy of what is wanted."""
        values = self._network.run(sample)
        self.results.append({index: np.array(values[index]) for index in self._wanted if index in values})
        return values

    def of(self, index: int, count: int) -> list[Array]:
        """Return one output, for the first samples."""
        return [result[index] for result in self.results[:count] if index in result]

    def named(self, graph: Graph, count: int) -> list[dict[str, Array]]:
        """Return all outputs by name, for the first samples."""
        return [
            {graph.tensors[index].name: value for index, value in result.items()} for result in self.results[:count]
        ]


def verify(request: Request) -> ConversionReport:
    """Verify a compiled file.

    Raises:
        RknnModelError: a file is damaged, the two do not belong together, or ``verify_on`` is another SoC.
    """
    with load(os.fspath(request.compiled)) as model:
        graph = model.graphs[0]
        given = [_renamed(sample, graph) for sample in request.samples]
        compiled = _Recording(references.Compiled(model, 0, rounding=True), graph.outputs)
        network = references.Original(request.original, graph)
        original = _Recording(network, graph.outputs)
        # Noise too: it shows what the samples do not reach, such as a range that only they fit.
        result = comparison.compare(graph, compiled, original, [*given, random_sample(graph)])
        judged = len(given) or 1
        device = run_on_device(request.verify_on, request.compiled, model, given or [random_sample(graph)])
        if request.observe is not None:
            request.observe(compiled.named(graph, judged), original.named(graph, judged))
        outputs = tuple(_outputs(graph, compiled, original, judged, request.simulated, device))
        findings = [
            *diagnosis.outputs(graph, outputs, compiled, original, judged, request.min_cosine, real=bool(given)),
            *diagnosis.colors(graph, network, given),
            *diagnosis.cpu_layers(model),
            *board_findings(model),
        ]
        report = _report(request, model, graph, result, outputs, len(given))
    return report.with_findings(findings)


def _renamed(sample: Sample, graph: Graph) -> Sample:
    """Give the arrays the compiled inputs' names and shapes, by place where the names differ."""
    tensors = [graph.tensors[index] for index in graph.inputs]
    by_place = list(sample.values())
    return {
        tensor.name: np.asarray(sample.get(tensor.name, by_place[min(place, len(by_place) - 1)])).reshape(tensor.shape)
        for place, tensor in enumerate(tensors)
    }


def _outputs(
    graph: Graph,
    compiled: _Recording,
    original: _Recording,
    count: int,
    simulated: Simulated | None,
    device: Sequence[Sequence[Array]] | None,
) -> Any:
    from ..simulator.error_measures import Tally

    for place, index in enumerate(graph.outputs):
        ours, theirs = compiled.of(index, count), original.of(index, count)
        if not ours or not theirs or ours[0].size != theirs[0].size:
            continue
        tally = Tally()
        for a, b in zip(ours, theirs):
            tally.add(a, b)
        tensor, difference = graph.tensors[index], tally.difference()
        in_steps = steps(tensor, ours, theirs)
        official = [result[place] for result in simulated.outputs] if simulated and simulated.outputs else []
        yield OutputReport(
            name=tensor.name,
            shape=tensor.shape,
            dtype=tensor.dtype.name.lower(),
            cosine=_finite_cosine(difference, ours),
            lowest_cosine=min(cosine(a, b) for a, b in zip(ours, theirs)),
            max_error=difference.max_error,
            snr_db=difference.snr_db,
            step=in_steps.scale if in_steps else None,
            mean_steps=in_steps.mean if in_steps else None,
            max_steps=in_steps.largest if in_steps else None,
            saturated=in_steps.saturated if in_steps else None,
            dead=is_dead(ours, theirs),
            official_cosine=_joint_cosine(official, theirs),
            official_agreement=_joint_cosine(official, ours),
            device_cosine=_joint_cosine([outputs[place] for outputs in device or ()], theirs),
        )


def _finite_cosine(difference: Difference, ours: Sequence[Array]) -> float:
    return difference.cosine if all(np.isfinite(array).all() for array in ours) else math.nan


def _joint_cosine(some: Sequence[Array], others: Sequence[Array]) -> float | None:
    if not some:
        return None
    joined = [np.concatenate([array.ravel() for array in arrays[: len(some)]]) for arrays in (some, others)]
    return cosine(*joined) if joined[0].shape == joined[1].shape else None


def _report(
    request: Request, model: Model, graph: Graph, result: Comparison, outputs: tuple[OutputReport, ...], given: int
) -> ConversionReport:
    cores = SOCS[model.target_platform].cores if model.target_platform in SOCS else soc(model.target_platform).cores
    layers = layer_times(os.fspath(request.compiled))
    return ConversionReport(
        file=os.fspath(request.compiled),
        target=model.target_platform,
        precision=_precision(graph),
        original=request.name,
        samples=f"{given} samples, and noise for the layers" if given else "random numbers in the calibrated range",
        outputs=outputs,
        layers=tuple(_layer(graph, layer) for layer in result.layers),
        modelled_ms=tuple(sum(layer.duration_ns[n] for layer in layers) / 1e6 for n in range(cores)),
        cpu_layers=tuple(f"{layer.operator} {layer.name}" for layer in layers if not layer.on_npu),
        weight_bytes=model.weight_bytes,
        internal_bytes=model.internal_bytes,
        file_bytes=model.size,
        toolkit=".".join(map(str, model.toolkit_version)),
    )


def _precision(graph: Graph) -> str:
    kinds = {graph.tensors[index].dtype.name.lower() for node in graph.nodes for index in node.outputs}
    return next((kind for kind in ("int8", "int16", "float16") if kind in kinds), "float16")


def _layer(graph: Graph, layer: comparison.LayerError) -> LayerReport:
    tensor = graph.tensors[layer.tensor]
    return LayerReport(
        layer.number,
        layer.operator,
        tensor.name,
        tensor.dtype.name.lower(),
        layer.difference.cosine,
        layer.difference.snr_db,
        math.sqrt(layer.added),
        tuple(_sources(graph, layer.tensor)),
    )


_CONVERSION = "exDataConvert"


def _sources(graph: Graph, index: int) -> Iterator[str]:
    """Yield the tensors that a tensor's layer reads, behind conversions of their type."""
    makers = {output: node for node in graph.nodes for output in node.outputs}
    node = makers.get(index)
    for given in node.inputs if node is not None else ():
        maker = makers.get(given)
        if maker is not None and maker.op == _CONVERSION:
            yield graph.tensors[maker.inputs[0]].name
        elif maker is not None and given not in graph.inputs:
            yield graph.tensors[given].name
