# SPDX-License-Identifier: Apache-2.0
"""``convert`` and ``verify`` for programs. What they need is imported when they are called."""

from __future__ import annotations

import os

# At run time too, for typing.get_type_hints().
from collections.abc import Callable, Iterator, Mapping, Sequence  # noqa: TC003
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Union

from numpy.typing import NDArray  # noqa: TC002

from ..errors import RknnError, RknnTypeError, RknnValueError
from .report import ConversionReport  # noqa: TC001

AnyPath = Union[str, "os.PathLike[str]"]


def convert(
    model: AnyPath,
    target: str = "rk3588",
    output: AnyPath | None = None,
    *,
    images: AnyPath | Sequence[AnyPath] = (),
    toolkit_python: AnyPath | None = None,
    min_cosine: float = 0.9,
    verify_on: str | None = None,
    official_simulator: bool = False,
    on_stage: Callable[[str], None] = lambda stage: None,
    **recipe: Any,
) -> ConversionReport:
    """Convert an ONNX model into a ``.rknn`` file, and verify it on the simulated NPU.

    Args:
        model: the ONNX file, or a recipe (``.toml``), whose settings the others here replace.
        target: the SoC, such as "rk3588".
        output: the file to write (default: beside the model). Its recipe (``.toml``), metadata (``.metadata.json``),
            report (``.html``) and the compiler's log (``.log``) are written beside it.
        images: what to calibrate with: folders, images, ``.npy``, ``.npz``, lists. Without, the result is in float16.
        toolkit_python: a Python that has rknn-toolkit2 (default: what ``ezrknn toolkit install`` installed).
        min_cosine: below it the result counts as unusable.
        verify_on: "npu" for this machine's NPU, or an SoC, to run the result through a session as well.
        official_simulator: ask the compiler's own simulator too.
        on_stage: is called with the name of each stage.
        recipe: any other setting of a recipe, such as ``dtype``, ``mean``, ``std``, ``cut``, ``shapes``, ``config``.

    Returns:
        The report; ``report.usable`` is False if the result is of no use, and ``report.findings[0]`` says why.

    Raises:
        RknnError: it cannot be converted.
    """
    with _packages("convert"):
        from .building import prepare
        from .conversion import Demands
        from .conversion import convert as run
        from .recipe import load, make
        from .toolkit import find
    paths = [images] if isinstance(images, (str, os.PathLike)) else list(images)
    settings = {**recipe, "targets": [target], **({"images": [os.fspath(path) for path in paths]} if paths else {})}
    if os.fspath(model).endswith(".toml"):
        known = load(model)
        settings = {**_fields(known), **settings}
    else:
        settings["model"] = os.fspath(model)
    environment = find(toolkit_python)
    prepared = prepare(make(settings))
    path = Path(output) if output is not None else Path(settings["model"]).with_suffix(".rknn")
    check_output(path, settings["model"])
    return run(prepared, target, path, environment, Demands(min_cosine, verify_on, official_simulator), on_stage)


def verify(
    model: AnyPath,
    original: AnyPath,
    inputs: Sequence[Mapping[str, NDArray[Any]]] = (),
    *,
    images: AnyPath | Sequence[AnyPath] = (),
    min_cosine: float = 0.9,
    verify_on: str | None = None,
) -> ConversionReport:
    """Measure a compiled model on the simulated NPU against its ONNX original in ONNX Runtime.

    Args:
        model: the ``.rknn`` file.
        original: the ONNX file.
        inputs: samples: an array for each input, in ONNX order and before mean and deviation.
        images: more samples: folders, images, ``.npy``, ``.npz``, lists; images are prepared as the metadata says.
        min_cosine: below it the model counts as unusable.
        verify_on: "npu" for this machine's NPU, or an SoC, to run the model through a session as well.

    Returns:
        The report, as of :func:`convert`.

    Raises:
        RknnError: a file is damaged, or the two do not belong together.
    """
    with _packages("verify"):
        from .existing import verify_existing
    if isinstance(inputs, dict):
        raise RknnTypeError("inputs takes a list of dictionaries, one for each sample; put the dictionary into a list")
    paths = [images] if isinstance(images, (str, os.PathLike)) else list(images)
    return verify_existing(
        Path(model), Path(original), list(inputs), [os.fspath(path) for path in paths], min_cosine, verify_on
    )


def check_output(path: Path, model: str) -> None:
    """Check where a result is to be written, before anything is built.

    Raises:
        RknnValueError: the folder is not there, or the model itself would be replaced.
    """
    if not path.parent.is_dir():
        raise RknnValueError(f"{path} cannot be written: there is no folder {str(path.parent)!r}")
    if path.suffix != ".rknn":
        raise RknnValueError(f"{path} should end in .rknn: other files are written beside it under its name")
    if not os.access(path.parent, os.W_OK):
        raise RknnValueError(f"{path} cannot be written: no permission for the folder {str(path.parent)!r}")


def _fields(recipe: Any) -> dict[str, Any]:
    return {name: getattr(recipe, name) for name in recipe.__dataclass_fields__}


@contextmanager
def _packages(function: str) -> Iterator[None]:
    """Explain a missing package in the words of the function that needs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("onnx", "onnxruntime"):
            raise
        raise RknnError(
            f"{function} needs the package {error.name}, which is not installed",
            hint="install it with: pip install 'ez-rknn-async[convert]'",
        ) from error
