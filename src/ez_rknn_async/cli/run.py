# SPDX-License-Identifier: Apache-2.0
"""``ezrknn run``: one inference on arrays or images from files, or on random numbers."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._host.files import published
from .._host.paths import file_name
from .._options.run_options import DISPATCH_BATCH
from ..errors import RknnError, RknnModelError, RknnValueError
from ..model import load
from ..model.format.graph import DType
from ..session import InferenceSession
from . import feeds, session_options
from .array_files import read_arrays
from .table import Table, folded

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Array = npt.NDArray[Any]

_LEAST_COSINE = 0.999  # what the simulated NPU's int8 arithmetic is held to


def register(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = subcommands.add_parser(
        "run",
        help="run one inference",
        description="Run one inference, on files or on random numbers, and write each output to a .npy file.",
    )
    parser.add_argument("model", help="the .rknn file")
    feeds.add_arguments(parser)
    parser.add_argument(
        "--dispatch-batch",
        action="store_true",
        help="run each sample of larger arrays on its own, spread over the cores",
    )
    parser.add_argument("--output-dir", type=Path, default=Path(), metavar="DIR", help="where outputs go (here)")
    parser.add_argument(
        "--expect",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="a .npy file with what an output should be, or an .npz file with several; the status is 1 if one is not",
    )
    parser.add_argument(
        "--cosine",
        type=float,
        default=_LEAST_COSINE,
        metavar="X",
        help=f"how similar an output has to be to what --expect names ({_LEAST_COSINE}; 1: equal)",
    )
    parser.add_argument("--json", action="store_true", help="describe the outputs as JSON")
    session_options.add_arguments(parser)
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the model, write its outputs, describe them, and compare them with what is expected."""
    if not -1 <= arguments.cosine <= 1:
        raise RknnValueError(f"--cosine {arguments.cosine} is not between -1 and 1")
    options = session_options.provider_options(arguments)
    with InferenceSession(arguments.model, provider_options=options) as session:
        expected = _expected(arguments.expect, session.output_names)
        feed = feeds.feed(arguments, session.get_inputs(), session.get_modelmeta().custom_metadata_map)
        outputs = session.run(None, feed, {DISPATCH_BATCH: arguments.dispatch_batch})
        names, provider = session.output_names, session.get_providers()[0]
    _warn_of_overflow(arguments.model, feed, dict(zip(names, outputs)))
    _make(arguments.output_dir)
    written = [_write(arguments.output_dir, name, output) for name, output in zip(names, outputs)]
    compared = [
        _compare(name, output, expected[name], arguments.cosine)
        for name, output in zip(names, outputs)
        if name in expected
    ]
    if arguments.json:
        described: dict[str, Any] = {"provider": provider, "inputs": arguments.input or "random", "outputs": written}
        if arguments.expect:
            described["expected"] = compared
        print(json.dumps(described, indent=2))
    else:
        _print(written, compared, feeds.described(arguments))
    return 0 if all(entry["as_expected"] for entry in compared) else 1


def _print(written: Sequence[Mapping[str, Any]], compared: Sequence[Mapping[str, Any]], inputs: str) -> None:
    table = Table(["output", "shape", "dtype", "min", "max", "mean", "file"], ["mean", "dtype", "min", "max", "file"])
    for entry in written:
        table.row(*(str(entry[key]) if key in ("shape",) else entry[key] for key in entry))
    print(table.render())
    print(folded(f"inputs: {inputs}"))
    if compared:
        expected = Table(["output", "as expected", "cosine", "max error", "SNR (dB)"])
        for entry in compared:
            # The last digits of a cosine are the telling ones.
            cosine = "" if entry["cosine"] is None else f"{entry['cosine']:.6f}"
            snr = entry["snr_db"]
            expected.row(entry["name"], "yes" if entry["as_expected"] else "NO", cosine, entry["max_error"], snr)
        print("\n" + expected.render())


def _expected(given: Sequence[str], names: Sequence[str]) -> dict[str, Array]:
    arrays = read_arrays(given, names, {})
    unknown = next((name for name in arrays if name not in names), None)
    if unknown is not None:
        raise RknnValueError(f"--expect names {unknown!r}, but the model's outputs are {', '.join(map(repr, names))}")
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


def _compare(name: str, output: Array, expected: Array, least_cosine: float) -> dict[str, Any]:
    """Compare an output with what it should be; of another size it is not as expected, whatever it holds."""
    if output.size != expected.size or [n for n in output.shape if n != 1] != [n for n in expected.shape if n != 1]:
        raise RknnValueError(f"output {name!r} has shape {list(output.shape)}, --expect {list(expected.shape)}")
    from ..simulator.error_measures import Tally

    tally = Tally()
    tally.add(output, expected)
    difference = tally.difference()
    equal = difference.max_error == 0
    similar = difference.cosine >= least_cosine and math.isfinite(difference.max_error)
    return {
        "name": name,
        "as_expected": equal or (similar and least_cosine < 1),
        "cosine": difference.cosine,
        "max_error": difference.max_error if math.isfinite(difference.max_error) else None,
        "snr_db": difference.snr_db if math.isfinite(difference.snr_db) else None,
    }


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        words = "it is a file" if folder.is_file() else error.strerror
        raise RknnError(f"--output-dir {folder} cannot be made: {words}") from error


def _write(folder: Path, name: str, output: Array) -> dict[str, Any]:
    # A tensor's name may hold a slash; a file's may not, nor, in a C locale, anything but ASCII.
    file = folder / f"{file_name(name.replace('/', '_'))}.npy"
    with published(file) as made, made.open("wb") as content:
        np.save(content, output)
    statistics = {"min": float(output.min()), "max": float(output.max()), "mean": float(output.mean())}
    return {"name": name, "shape": list(output.shape), "dtype": str(output.dtype), **statistics, "file": str(file)}
