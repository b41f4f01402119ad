# SPDX-License-Identifier: Apache-2.0
"""The vendor's compiler and its simulator, as two functions.

Runs only where ``rknn-toolkit2`` is installed (x86-64 Linux, CPython 3.8 to 3.12); ``tests/data/README.md`` says how to
get an environment for it. Nothing in the package imports this module.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from rknn.api import RKNN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Arrays = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Recipe:
    """The compiler options for a model.

    ``config`` and ``build`` are the arguments of the compiler's functions of the same names. ``custom_operators`` are
    objects for its ``reg_custom_op``. ``calibration`` holds one list of input arrays for each sample, in ONNX order and
    layout; it is used when ``build`` asks for quantisation.
    """

    config: dict[str, Any]
    build: dict[str, Any] = field(default_factory=dict)
    custom_operators: tuple[Any, ...] = ()
    calibration: Sequence[Arrays] = ()


class CompilerError(Exception):
    """The compiler returned a failure; its output on stdout gives the reason."""


def compile_model(
    model: onnx.ModelProto, recipe: Recipe, path: Path, cases: Sequence[Arrays]
) -> list[list[NDArray[Any]]]:
    """Compile ``model`` to ``path``; return, for each case, the outputs of the official simulator.

    A case is one array for each input in ONNX order and layout (NCHW), raw: the simulator applies mean and standard
    deviation. For a batched model the first dimension is the batch.
    """
    with _compiled(model, recipe) as rknn:
        _check("export_rknn", rknn.export_rknn(str(path)))
        _check("init_runtime", rknn.init_runtime())
        return [_simulate(rknn, case) for case in cases]


@contextmanager
def _compiled(model: onnx.ModelProto, recipe: Recipe) -> Iterator[RKNN]:
    rknn = RKNN()
    try:
        with tempfile.TemporaryDirectory() as directory:
            source = Path(directory, "model.onnx")
            onnx.save(model, str(source))
            _check("config", rknn.config(**recipe.config))
            for operator in recipe.custom_operators:
                _check("reg_custom_op", rknn.reg_custom_op(operator))
            _check("load_onnx", rknn.load_onnx(model=str(source)))
            _check("build", rknn.build(**_build_arguments(recipe, Path(directory))))
            yield rknn
    finally:
        rknn.release()


def _build_arguments(recipe: Recipe, directory: Path) -> dict[str, Any]:
    arguments = {"do_quantization": False, **recipe.build}
    if arguments["do_quantization"]:
        arguments["dataset"] = str(_write_dataset(recipe.calibration, directory))
    return arguments


def _write_dataset(samples: Sequence[Arrays], directory: Path) -> Path:
    """Write the compiler's calibration list: one line per sample, with one ``.npy`` file for each input."""
    lines = []
    for number, sample in enumerate(samples):
        files = [directory / f"sample{number}_{index}.npy" for index in range(len(sample))]
        for file, array in zip(files, sample):
            np.save(file, array)
        lines.append(" ".join(map(str, files)))
    dataset = directory / "dataset.txt"
    dataset.write_text("\n".join(lines) + "\n")
    return dataset


def _simulate(rknn: RKNN, case: Arrays) -> list[NDArray[Any]]:
    outputs = rknn.inference(inputs=list(case), data_format=["nchw"] * len(case))
    if outputs is None:
        raise CompilerError("inference returned nothing")
    return [np.asarray(output) for output in outputs]


def _check(call: str, status: int) -> None:
    if status != 0:
        raise CompilerError(f"{call} returned {status}")
