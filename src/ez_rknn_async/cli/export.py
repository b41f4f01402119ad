# SPDX-License-Identifier: Apache-2.0
"""``ezrknn export``: the graph that the simulated NPU runs, as an ONNX file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._host.files import published
from .._host.paths import printable
from ..errors import RknnError, RknnValueError
from ..model import load
from . import graph_choice
from .extras import extra

if TYPE_CHECKING:
    import argparse

    import onnx

# A protobuf message ends at 2 GiB; larger weights go to a file of their own.
_LARGEST_MESSAGE = 2_000_000_000


def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = subcommands.add_parser(
        "export",
        help="write a model as ONNX",
        description="Write what the compiler made of a model as a standard ONNX file, to look at it, compare it or run "
        "it anywhere. Inputs and outputs are float32 in ONNX order, under the model's own names.",
    )
    parser.add_argument("model", help="the .rknn file")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the .onnx file (default: beside the model)")
    parser.add_argument("--float", action="store_true", help="leave quantisation out: float32 with the weights as used")
    graph_choice.add_argument(parser)
    parser.add_argument("--json", action="store_true", help="describe the file as JSON")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the file and describe it."""
    with extra("simulator", "ezrknn export"):
        from ..simulator.export import export
    source = Path(arguments.model)
    target = arguments.output or source.with_suffix(".onnx")
    if target.exists() and source.exists() and target.samefile(source):
        raise RknnValueError(f"{target} is the model itself; give another file with -o")
    with load(source) as model:
        number = graph_choice.choose(model, arguments.graph)
        exported = export(model, number, rounding=not arguments.float, source=printable(source.name))
        chosen = graph_choice.describe(model, number)
        batch = model.batch_size
    _save(exported, target)
    description = _describe(exported, target, number)
    if arguments.json:
        print(json.dumps(description, indent=2))
        return 0
    print(f"{target}: {description['nodes']} operators, {description['bytes'] / 1024:.1f} KiB, {_kind(description)}")
    if chosen:
        print(f"It is {chosen}; --graph chooses another.")
    if batch > 1:
        print(f"It is one of the {batch} inferences that a call of this model makes: its batch is 1.")
    return 0


def _save(exported: onnx.ModelProto, target: Path) -> None:
    import onnx

    try:
        if exported.ByteSize() > _LARGEST_MESSAGE:
            location = f"{printable(target.name)}.data"  # protobuf's texts are UTF-8
            (target.parent / location).unlink(missing_ok=True)  # it would be appended to
            onnx.save(exported, target, save_as_external_data=True, location=location)
        else:
            with published(target) as made:
                onnx.save(exported, made)
    except OSError as error:
        raise RknnError(f"{target} cannot be written: {error.strerror}") from error


def _describe(exported: onnx.ModelProto, target: Path, number: int) -> dict[str, Any]:
    operators = [node.op_type for node in exported.graph.node]
    return {
        "file": str(target),
        "bytes": target.stat().st_size,
        "graph": number,
        "quantized": "QuantizeLinear" in operators,
        "nodes": len(operators),
        "inputs": [value.name for value in exported.graph.input],
        "outputs": [value.name for value in exported.graph.output],
        "metadata": {entry.key: entry.value for entry in exported.metadata_props},
    }


def _kind(description: dict[str, Any]) -> str:
    return "quantised (QDQ)" if description["quantized"] else "float"
