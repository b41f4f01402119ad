# SPDX-License-Identifier: Apache-2.0
"""``ezrknn info``: the description of a model, without running it."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any

from .._contexts.model_source import ModelSource
from .._messages.wording import option
from ..model import Kind
from ..model.format.graph import DUMMY
from ..model.reports import sightings
from .modelled import modelled, modelled_table
from .table import Table, folded, terminal_width

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from ..model import ApiTensor, Graph, Model, Node, Preprocessing, Tensor
    from ..model.reports import Sighting

_MARKERS = ("InputOperator", "OutputOperator")  # they mark where a graph begins and ends, and compute nothing


def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = subcommands.add_parser(
        "info",
        help="describe a model",
        description="Describe a .rknn model: target, memory, inputs and outputs, operators; with --layers each layer.",
    )
    parser.add_argument("model", help="the .rknn file")
    parser.add_argument(
        "--layers",
        action="store_true",
        help="show every layer, and how long it would take on the NPU: modelled, not measured",
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the description of the model."""
    with ModelSource.of(arguments.model) as source:
        with source.parsed() as model:
            description = describe(model)
        if arguments.layers:
            description["modelled"] = modelled(source)
    if arguments.json:
        print(json.dumps(description, indent=2))
    else:
        print("\n\n".join(_sections(description)))
    return 0


def describe(model: Model) -> dict[str, Any]:
    """Return everything that the command prints, as plain values; sizes are in bytes."""
    graph = model.graphs[0]
    layers = [_layer(graph, node) for node in graph.nodes if node.op not in _MARKERS]
    return {
        "target_platform": model.target_platform,
        "toolkit_version": ".".join(map(str, model.toolkit_version)),
        "compiler": model.compiler,
        "schema_version": model.schema_version,
        "framework": model.framework,
        "custom_string": model.custom_string,
        "batch_size": model.batch_size,
        "core_modes": list(graph.core_modes),
        "file_bytes": model.size,
        "weight_bytes": model.weight_bytes,
        "internal_bytes": model.internal_bytes,
        "inputs": [
            {**_border(tensor, described, model.batch_size), **_preprocessing(preprocessing)}
            for tensor, described, preprocessing in zip(
                _tensors(graph, graph.inputs), _described(graph, graph.inputs, model.inputs), graph.preprocessing
            )
        ],
        "outputs": [
            _border(tensor, described, model.batch_size)
            for tensor, described in zip(
                _tensors(graph, graph.outputs), _described(graph, graph.outputs, model.outputs)
            )
        ],
        "dynamic_shapes": [_input_shapes(each) for each in model.graphs] if model.dynamic else [],
        "operators": dict(Counter(layer["operator"] for layer in layers).most_common()),
        "layers": layers,
        "reported": [_reported(sighting) for sighting in sightings(model)],
    }


def _reported(sighting: Sighting) -> dict[str, Any]:
    report = sighting.report
    return {
        "layers": [node.name for node in sighting.layers],
        "what": report.what,
        "socs": list(report.socs),
        "versions": report.versions,
        "symptom": report.symptom,
        "advice": report.advice,
        "source": report.source,
        "text": sighting.text,
    }


def _tensors(graph: Graph, indices: Sequence[int]) -> list[Tensor]:
    return [graph.tensors[index] for index in indices]


def _described(graph: Graph, indices: Sequence[int], described: Sequence[ApiTensor]) -> Iterator[ApiTensor | None]:
    """Return the API's description of each tensor, which the file keeps by name."""
    by_name = {tensor.name: tensor for tensor in described}
    return (by_name.get(tensor.name) for tensor in _tensors(graph, indices))


def _border(tensor: Tensor, described: ApiTensor | None, batch: int) -> dict[str, Any]:
    """Describe an input or output; the shape is in ONNX order, with the batch of one call."""
    quantization = tensor.quantization
    return {
        "name": tensor.name,
        "dtype": described.dtype if described else tensor.dtype.name.lower(),
        "layout": described.layout if described else "UNDEFINED",
        "shape": [size * batch if axis == 0 else size for axis, size in enumerate(tensor.shape)],
        "scale": quantization.scale[0] if quantization else None,
        "zero_point": quantization.zero_point[0] if quantization else None,
    }


def _preprocessing(preprocessing: Preprocessing | None) -> dict[str, Any]:
    if preprocessing is None:
        return {"mean": None, "std": None}
    return {"mean": list(preprocessing.mean), "std": list(preprocessing.std)}


def _input_shapes(graph: Graph) -> dict[str, list[int]]:
    return {tensor.name: list(tensor.shape) for tensor in _tensors(graph, graph.inputs)}


def _layer(graph: Graph, node: Node) -> dict[str, Any]:
    outputs = _tensors(graph, [index for index in node.outputs if index != DUMMY])
    constants = (tensor for tensor in _tensors(graph, node.inputs) if tensor.kind in (Kind.WEIGHT, Kind.CONSTANT))
    return {
        "operator": node.op,
        "name": node.name,
        "device": "NPU" if node.on_npu else "CPU",
        "outputs": [tensor.name for tensor in outputs],
        "shape": list(outputs[0].shape) if outputs else [],
        "dtype": outputs[0].dtype.name.lower() if outputs else "",
        "weight_bytes": sum(tensor.size for tensor in constants),
    }


def _sections(description: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parts of the text, in the reader's order."""
    yield _summary(description)
    yield _inputs(description["inputs"])
    yield _outputs(description["outputs"])
    if description["dynamic_shapes"]:
        yield _dynamic_shapes(description["dynamic_shapes"])
    yield _operators(description["operators"])
    if "modelled" in description:
        yield _layers(description["layers"])
        yield modelled_table(description["modelled"])
    if description["reported"]:
        yield "\n".join(_reports(description["reported"]))
    if description["core_modes"] == [1]:
        spread = f"use {option('schedule')} to spread runs over the cores"
        yield folded(f"It runs on one core at a time (no tensor parallelism): {spread}.")


def _reports(reported: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "Reported of boards, and shown by no simulator:"
    for entry in reported:
        yield folded(entry["text"], "* ")
        yield folded(entry["advice"], "  -> ")


def _summary(description: Mapping[str, Any]) -> str:
    rows = {
        "target": description["target_platform"],
        "toolkit": description["toolkit_version"],
        "compiler": description["compiler"],
        "framework": description["framework"],
        "custom string": description["custom_string"],
        "batch size": str(description["batch_size"]),
        "cores for one run": " or ".join(map(str, description["core_modes"])),
        "file": _kib(description["file_bytes"]),
        "weights": _kib(description["weight_bytes"]),
        "internal memory": _kib(description["internal_bytes"]),
    }
    width = max(map(len, rows))
    return "\n".join(_aligned(name, value, width) for name, value in rows.items() if value)


def _aligned(name: str, value: str, width: int) -> str:
    """Return a line; a value that is longer than the terminal is wide goes on below itself."""
    room = terminal_width()
    lines = [value] if room is None else textwrap.wrap(value, room - width - 2) or [value]
    return f"{name:<{width}}  " + ("\n" + " " * (width + 2)).join(lines)


def _inputs(inputs: Sequence[Mapping[str, Any]]) -> str:
    table = Table(
        ["input", "dtype", "layout", "shape", "scale", "zero point", "mean", "std"], ["std", "mean", "layout", "dtype"]
    )
    for entry in inputs:
        table.row(*_border_cells(entry), _numbers(entry["mean"]), _numbers(entry["std"]))
    return table.render()


def _outputs(outputs: Sequence[Mapping[str, Any]]) -> str:
    table = Table(["output", "dtype", "layout", "shape", "scale", "zero point"], ["layout", "dtype"])
    for entry in outputs:
        table.row(*_border_cells(entry))
    return table.render()


def _border_cells(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        entry["name"],
        entry["dtype"],
        entry["layout"],
        _shape(entry["shape"]),
        entry["scale"],
        entry["zero_point"],
    )


def _dynamic_shapes(shapes: Sequence[Mapping[str, Sequence[int]]]) -> str:
    names = list(shapes[0])
    table = Table([f"dynamic shape of {name}" for name in names])
    for entry in shapes:
        table.row(*(_shape(entry.get(name, ())) for name in names))
    return table.render()


def _operators(operators: Mapping[str, int]) -> str:
    table = Table(["operator", "layers"])
    for operator, count in operators.items():
        table.row(operator, count)
    return table.render()


def _layers(layers: Sequence[Mapping[str, Any]]) -> str:
    columns = ["layer", "operator", "device", "output", "shape", "dtype", "weights (KiB)"]
    table = Table(columns, ["weights (KiB)", "dtype", "device", "shape"])
    for number, layer in enumerate(layers):
        name = layer["outputs"][0] if layer["outputs"] else layer["name"]
        table.row(
            number,
            layer["operator"],
            layer["device"],
            name,
            _shape(layer["shape"]),
            layer["dtype"],
            layer["weight_bytes"] / 1024,
        )
    return table.render()


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) if shape else "scalar"


def _numbers(values: Sequence[float] | None) -> str:
    return "" if values is None else ", ".join(f"{value:g}" for value in values)


def _kib(size: int) -> str:
    return f"{size / 1024:.1f} KiB"
