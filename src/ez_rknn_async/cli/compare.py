# SPDX-License-Identifier: Apache-2.0
"""``ezrknn compare``: the error of a compiled model against its original, and the layers that cause it."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._host.files import publish_text
from .._host.paths import printable
from ..model import load
from ..model.format.author_metadata import metadata_beside, metadata_in
from . import graph_choice
from .array_files import read_arrays
from .error_chart import Bar, error_chart
from .extras import extra
from .images import described_inputs
from .table import Table, folded

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from ..model import Graph, Model
    from ..simulator.comparison import Comparison, LayerError
    from ..simulator.error_measures import Difference
    from ..simulator.samples import Sample

_BLAMED = 3  # layers that the advice names


def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = subcommands.add_parser(
        "compare",
        help="measure what quantisation costs, by layer",
        description="Compare a compiled model with its original, tensor by tensor. Without --onnx the reference is the "
        "compiled model itself in float32, which shows what the quantisation of activations costs; with it, that of "
        "weights is in the numbers too.",
    )
    parser.add_argument("model", help="the .rknn file")
    parser.add_argument("--onnx", metavar="FILE", help="the ONNX file that the model was compiled from")
    parser.add_argument(
        "--inputs",
        nargs="+",
        default=[],
        metavar="[NAME=]FILE",
        help=".npy files, or an .npz file with an array for each input, in ONNX order and before mean and standard "
        "deviation; several inferences along the first dimension (default: random numbers, the same every time)",
    )
    parser.add_argument("--layers", action="store_true", help="show every layer")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw every layer into an SVG file")
    graph_choice.add_argument(parser)
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare, and print the outputs, the layers if asked for, and advice."""
    with extra("simulator", "ezrknn compare"):
        from ..simulator import comparison, references
        from ..simulator.overflow import warning as overflow_warning
    with load(arguments.model) as model:
        number, samples = _what_to_run(model, arguments)
        graph = model.graphs[number]
        compiled = references.Compiled(model, number, rounding=True)
        reference: references.Network
        if arguments.onnx:
            reference = references.Original(arguments.onnx, graph)
        else:
            reference = references.Compiled(model, number, rounding=False)
        result = comparison.compare(graph, compiled, reference, samples)
        chosen = graph_choice.describe(model, number)
    if (overflow := overflow_warning(result.overflows)) is not None:
        warnings.warn(overflow, RuntimeWarning, stacklevel=2)
    description = describe(graph, result, layers=arguments.layers)
    description["graph"] = number
    description["reference"] = arguments.onnx or "the compiled model in float32"
    description["inputs"] = arguments.inputs or "random"
    description["samples"] = len(samples)
    if arguments.svg:
        _write(arguments.svg, _chart(Path(arguments.model).name, graph, result, description["reference"]))
    if arguments.json:
        print(json.dumps(description, indent=2))
    else:
        print("\n\n".join(_sections(graph, result, description, chosen, layers=arguments.layers)))
    return 0


def _what_to_run(model: Model, arguments: argparse.Namespace) -> tuple[int, list[Sample]]:
    """Return the graph's number and the samples. Arrays choose a dynamic model's graph by their shapes."""
    from ..simulator import samples

    number = graph_choice.choose(model, arguments.graph)
    if not arguments.inputs:
        return number, [samples.random_sample(model.graphs[number])]
    first = model.graphs[0]
    metadata = {**metadata_beside(arguments.model), **metadata_in(model.custom_string)}
    names = [first.tensors[index].name for index in first.inputs]
    arrays = read_arrays(arguments.inputs, names, described_inputs(metadata))
    if arguments.graph is None:
        fitting = (index for index, graph in enumerate(model.graphs) if samples.fits(graph, arrays))
        number = next(fitting, number)
    return number, samples.split(model.graphs[number], arrays)


def describe(graph: Graph, result: Comparison, *, layers: bool) -> dict[str, Any]:
    """Return the result as plain values; ``snr_db`` is null without an error, ``noise_added`` a share of the signal."""
    worst = result.worst()
    return {
        "outputs": [{**_tensor(graph, index), **_errors(difference)} for index, difference in result.outputs],
        "layers": [_layer(graph, layer) for layer in result.layers] if layers else None,
        "layers_without_reference": result.missing,
        "worst_layer": _layer(graph, worst[0]) if worst else None,
        "beyond_float16": sorted({one.layer for one in result.overflows}),
        "advice": _advice(graph, result),
    }


def _tensor(graph: Graph, index: int) -> dict[str, Any]:
    tensor = graph.tensors[index]
    return {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype.name.lower()}


def _errors(difference: Difference) -> dict[str, Any]:
    return {
        "cosine": difference.cosine,
        "max_error": _finite(difference.max_error),
        "snr_db": _finite(difference.snr_db),
    }


def _layer(graph: Graph, layer: LayerError) -> dict[str, Any]:
    return {
        "layer": layer.number if layer.number >= 0 else None,
        "operator": layer.operator,
        **_tensor(graph, layer.tensor),
        **_errors(layer.difference),
        "noise_added": _finite(_amplitude(layer.added)),
    }


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _amplitude(noise: float) -> float:
    """Turn a ratio of powers into one of root mean squares, which is easier to picture."""
    return math.sqrt(noise)


def _sections(
    graph: Graph, result: Comparison, description: Mapping[str, Any], chosen: str, *, layers: bool
) -> Iterator[str]:
    yield folded("\n".join(_heading(description, chosen)))
    yield _outputs(graph, result)
    if layers:
        yield _layers(graph, result)
    if result.missing:
        missing = f"{result.missing} layers have no counterpart of the same name and shape in the reference"
        yield folded(f"{missing}: not compared.")
    yield folded(_advice(graph, result))


def _heading(description: Mapping[str, Any], chosen: str) -> Iterator[str]:
    yield f"reference: {description['reference']}"
    if description["inputs"] == "random":
        yield "inputs: random numbers in the calibrated range, the same every time (--inputs takes real ones)"
    else:
        yield f"inputs: {description['samples']} of {', '.join(description['inputs'])}"
    if chosen:
        yield chosen


def _outputs(graph: Graph, result: Comparison) -> str:
    table = Table(["output", "dtype", "cosine", "max error", "SNR (dB)"], ["dtype"])
    for index, difference in result.outputs:
        table.row(*_cells(graph, index), *_error_cells(difference))
    return table.render()


def _layers(graph: Graph, result: Comparison) -> str:
    worst = {layer.tensor for layer in result.worst()}
    columns = ["layer", "operator", "tensor", "dtype", "cosine", "max error", "SNR (dB)", "noise added (%)", ""]
    table = Table(columns, ["dtype", "max error", "cosine", "operator"])
    for layer in result.layers:
        table.row(
            layer.number if layer.number >= 0 else None,
            layer.operator,
            *_cells(graph, layer.tensor),
            *_error_cells(layer.difference),
            100 * _amplitude(layer.added),
            "<- worst" if layer.tensor in worst else "",
        )
    return table.render()


def _cells(graph: Graph, index: int) -> tuple[str, str]:
    tensor = graph.tensors[index]
    return tensor.name, tensor.dtype.name.lower()


def _error_cells(difference: Difference) -> tuple[str, float, str]:
    # The last digits of a cosine are the telling ones.
    snr = difference.snr_db
    return f"{difference.cosine:.6f}", difference.max_error, f"{snr:8.1f}" if math.isfinite(snr) else "no error"


def _advice(graph: Graph, result: Comparison) -> str:
    """Return one line: the layers that lose most, and what to do about it."""
    blamed = result.worst(_BLAMED)
    if not blamed:
        return "No layer loses anything."
    names = ", ".join(f"{graph.tensors[layer.tensor].name} ({layer.operator.strip('()')})" for layer in blamed)
    share = sum(layer.added for layer in blamed) / result.total_added if math.isfinite(result.total_added) else 1.0
    who = f"Most is lost in {names}: {share:.0%} of the noise that layers add."
    quantized = any(graph.tensors[layer.tensor].quantization is not None for layer in blamed)
    if not quantized:
        return f"{who} They are not quantised: what is lost is float16's."
    return f"{who} Calibrate with more or better samples, or keep these in float16 (hybrid quantisation)."


def _chart(name: str, graph: Graph, result: Comparison, reference: str) -> str:
    worst = {layer.tensor for layer in result.worst(_BLAMED)}
    bars: Sequence[Bar] = [
        Bar(
            label=graph.tensors[layer.tensor].name,
            detail=layer.operator,
            snr_db=layer.difference.snr_db,
            noise_added=100 * _amplitude(layer.added),
            marked=layer.tensor in worst,
        )
        for layer in result.layers
    ]
    return error_chart(f"{name}: error by layer", f"reference: {reference}", bars)


def _write(file: Path, text: str) -> None:
    publish_text(printable(text), file)
