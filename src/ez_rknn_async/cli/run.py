# SPDX-License-Identifier: Apache-2.0
"""``ezrknn run``: one inference on arrays from files."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._host.paths import file_name
from .._messages.names import no_input
from .._options.run_options import DISPATCH_BATCH
from ..errors import RknnModelError, RknnValueError
from ..model import load
from ..model.format.graph import DType
from ..session import InferenceSession
from .array_files import read_arrays
from .session_options import add_arguments, provider_options
from .table import Table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Array = npt.NDArray[Any]


def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = subcommands.add_parser(
        "run",
        help="run one inference on .npy files",
        description="Run one inference and write each output to a .npy file.",
    )
    parser.add_argument("model", help="the .rknn file")
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="a .npy file for an input, one for each, named or in the model's order; or an .npz file with all of them",
    )
    parser.add_argument(
        "--dispatch-batch",
        action="store_true",
        help="run each sample of larger arrays on its own, spread over the cores",
    )
    parser.add_argument("--output-dir", type=Path, default=Path(), metavar="DIR", help="where outputs go (here)")
    parser.add_argument("--json", action="store_true", help="describe the outputs as JSON")
    add_arguments(parser)
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the model, write its outputs and describe them."""
    with InferenceSession(arguments.model, provider_options=provider_options(arguments)) as session:
        feed = _feed(arguments.input, session.input_names)
        outputs = session.run(None, feed, {DISPATCH_BATCH: arguments.dispatch_batch})
        names, provider = session.output_names, session.get_providers()[0]
    _warn_of_overflow(arguments.model, feed, dict(zip(names, outputs)))
    arguments.output_dir.mkdir(parents=True, exist_ok=True)
    written = [_write(arguments.output_dir, name, output) for name, output in zip(names, outputs)]
    if arguments.json:
        print(json.dumps({"provider": provider, "outputs": written}, indent=2))
        return 0
    table = Table(["output", "shape", "dtype", "min", "max", "mean", "file"])
    for entry in written:
        table.row(*(str(entry[key]) if key in ("shape",) else entry[key] for key in entry))
    print(table.render())
    return 0


def _feed(given: Sequence[str], names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    arrays = read_arrays(given, names)
    missing = [name for name in names if name not in arrays]
    unknown = next((name for name in arrays if name not in names), None)
    if unknown is not None:
        raise RknnValueError(no_input(unknown, names, missing))
    if missing:
        raise RknnValueError(f"nothing is given for input {missing[0]!r}; add --input {missing[0]}=FILE.npy")
    return arrays


def _warn_of_overflow(path: str, feed: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
    """Warn if numbers arise that float16 cannot hold; name the layers where the simulated NPU is installed."""
    message = _overflow_in_layers(path, feed)
    if message is None:
        wrong = [name for name, output in outputs.items() if output.dtype.kind == "f" and not np.isfinite(output).all()]
        message = f"there are infinities or NaN in output {', '.join(wrong)}" if wrong else None
    if message is not None:
        warnings.warn(message, RuntimeWarning, stacklevel=2)


def _overflow_in_layers(path: str, feed: Mapping[str, Array]) -> str | None:
    """Compute the layers once more; None if nothing is wrong or nothing can be said."""
    try:
        from ..simulator import overflow, references, samples
    except ModuleNotFoundError:  # a board, without ONNX Runtime
        return None
    with load(path) as model:
        graph = model.graphs[0]
        floating = {tensor.name for tensor in graph.tensors if tensor.dtype is DType.FLOAT16}
        given = {graph.tensors[index].name for index in graph.inputs}
        if not floating or given != set(feed) or not samples.fits(graph, feed):
            return None
        try:
            network = references.Compiled(model, 0, rounding=True)
            inferences = samples.split(graph, feed)
        except (RknnModelError, RknnValueError):
            return None
        found = [one for sample in inferences for one in overflow.overflows(graph, network.run(sample))]
    return overflow.warning(found)


def _write(folder: Path, name: str, output: npt.NDArray[Any]) -> dict[str, Any]:
    # A tensor's name may hold a slash; a file's may not, nor, in a C locale, anything but ASCII.
    file = folder / f"{file_name(name.replace('/', '_'))}.npy"
    np.save(file, output)
    statistics = {"min": float(output.min()), "max": float(output.max()), "mean": float(output.mean())}
    return {"name": name, "shape": list(output.shape), "dtype": str(output.dtype), **statistics, "file": str(file)}
