# SPDX-License-Identifier: Apache-2.0
"""Put the stand-in in the place of ``onnxruntime``."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from types import ModuleType

logger = logging.getLogger("ez_rknn_async.compat")

NAME = "onnxruntime"
_CAPI_MODULES = ("", ".onnxruntime_pybind11_state", "._pybind_state")


def install_as_onnxruntime(
    models: Mapping[str | os.PathLike[str], str | os.PathLike[str] | None] | None = None,
    provider_options: Mapping[str, Any] | None = None,
) -> None:
    """Let every later ``import onnxruntime`` of this process get :mod:`ez_rknn_async.compat.onnxruntime`.

    Call it before the program imports ``onnxruntime``: names imported from it earlier stay the originals.

    Args:
        models: the ``.rknn`` file for an ONNX model, by the model's path or file name; None keeps a model on the CPU.
            Other models run on the NPU if their ``.rknn`` lies beside them.
        provider_options: for every session on the NPU; what the program itself says for our providers comes first.

    Raises:
        RknnTypeError, RknnValueError: an argument is of another type, or an option does not exist.
    """
    if NAME in sys.modules and not _is_stand_in(sys.modules[NAME]):
        logger.warning(
            "onnxruntime was imported before the stand-in was installed: what was imported from it keeps running on "
            "the CPU; call install_as_onnxruntime() first"
        )
    stand_in = importlib.import_module(f"{__package__}.{NAME}")
    stand_in.configure(models, provider_options)
    _place(stand_in)


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
