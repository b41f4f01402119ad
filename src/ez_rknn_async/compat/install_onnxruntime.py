# SPDX-License-Identifier: Apache-2.0
"""Put the stand-in in the place of ``onnxruntime``."""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

logger = logging.getLogger("ez_rknn_async.compat")

NAME = "onnxruntime"
# Not a package of this one: it stands on sys.path, where the processes that multiprocessing starts find it.
STAND_IN = Path(__file__).parent / NAME / "stand-in"
# What the arguments were, as JSON: the environment reaches those processes, too.
ARGUMENTS = "EZ_RKNN_ONNXRUNTIME_INSTALLED"
_CAPI_MODULES = ("", ".onnxruntime_pybind11_state", "._pybind_state")


def install_as_onnxruntime(
    models: Mapping[str | os.PathLike[str], str | os.PathLike[str] | None] | None = None,
    provider_options: Mapping[str, Any] | None = None,
    dispatch_batches: bool | None = None,
) -> None:
    """Let every later ``import onnxruntime`` of this process get :mod:`ez_rknn_async.compat.onnxruntime`.

    So do the processes that ``multiprocessing`` starts from it. Call it before the program imports ``onnxruntime``:
    names imported from it earlier stay the originals.

    Args:
        models: the ``.rknn`` file for an ONNX model, by the model's path or file name; None keeps a model on the CPU.
            Other models run on the NPU if their ``.rknn`` lies beside them.
        provider_options: for every session on the NPU; what the program itself says for our providers comes first.
        dispatch_batches: True for programs that feed more samples than a model was compiled for: each becomes a task of
            its own. Right only where samples do not depend on one another.

    Raises:
        RknnTypeError, RknnValueError: an argument is of another type, or an option does not exist.
    """
    if NAME in sys.modules and not _is_stand_in(sys.modules[NAME]):
        logger.warning(
            "onnxruntime was imported before the stand-in was installed: what was imported from it keeps running on "
            "the CPU; call install_as_onnxruntime() first"
        )
    stand_in = importlib.import_module(f"{__package__}.{NAME}")
    stand_in.configure(models, provider_options, dispatch_batches)
    _place(stand_in)
    _tell_children(models, provider_options, dispatch_batches)


def install_again() -> None:
    """Install in a process that multiprocessing has started as in the one that started it."""
    _stay_off_path()
    install_as_onnxruntime(**json.loads(os.environ.get(ARGUMENTS, "{}")))


def _tell_children(models: Any, provider_options: Any, dispatch_batches: bool | None) -> None:
    named = {os.fspath(model): compiled and os.fspath(compiled) for model, compiled in (models or {}).items()}
    arguments = {"models": named, "provider_options": provider_options, "dispatch_batches": dispatch_batches}
    try:
        os.environ[ARGUMENTS] = json.dumps(arguments, default=os.fspath)
    except TypeError as error:
        os.environ.pop(ARGUMENTS, None)
        logger.warning("processes that multiprocessing starts will not have these provider options: %s", error)
    _stay_off_path()
    sys.path.insert(0, str(STAND_IN))


def _stay_off_path() -> None:
    sys.path[:] = [entry for entry in sys.path if entry != str(STAND_IN)]


def _is_stand_in(module: ModuleType) -> bool:
    return module.__name__ != NAME


def _place(stand_in: ModuleType) -> None:
    if stand_in.genuine is None:
        for each in _CAPI_MODULES:
            sys.modules[f"{NAME}.capi{each}"] = importlib.import_module(f"{stand_in.__name__}.substitute_capi{each}")
        if not any(isinstance(finder, _Absent) for finder in sys.meta_path):
            sys.meta_path.append(_Absent())
    else:
        # onnxruntime.quantization and the other tools are found where they are installed.
        stand_in.__path__ = [*stand_in.__path__, *(p for p in stand_in.genuine.__path__ if p not in stand_in.__path__)]
    sys.modules[NAME] = stand_in


class _Absent:
    """The last finder on ``sys.meta_path``: explains why a tool of ONNX Runtime cannot be imported."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """Find nothing; refuse a tool of ONNX Runtime with what to install."""
        if name.startswith(f"{NAME}."):
            raise ModuleNotFoundError(
                f"{name} is part of ONNX Runtime itself, which is not installed; the stand-in of ez_rknn_async runs "
                "compiled models only. Install it: pip install onnxruntime",
                name=name,
            )
