# SPDX-License-Identifier: Apache-2.0
"""A stand-in for ``onnxruntime``: models that were compiled run on the NPU, all others in ONNX Runtime itself.

``InferenceSession("x.onnx")`` opens ``x.<soc>.rknn`` or ``x.rknn`` beside it, or what the environment variable
``EZ_RKNN_ONNXRUNTIME_MODELS`` or :func:`ez_rknn_async.compat.install_as_onnxruntime` names. Without one of these the
model goes to the real onnxruntime, where that is installed. Everything else of ``onnxruntime`` is passed through; where
it is not installed, the names that programs use come from this package.
"""

from __future__ import annotations

from typing import Any

from . import process_settings as _settings
from .genuine import ABSENT as _ABSENT
from .genuine import genuine as genuine
from .models import configure as configure
from .providers import get_all_providers as get_all_providers
from .providers import get_available_providers as get_available_providers
from .session import InferenceSession as InferenceSession
from .session import IOBinding as IOBinding

if genuine is None:
    from . import substitute_capi as capi
    from .substitute_capi import onnxruntime_pybind11_state as _rest

    __version__ = _settings.FOLLOWED
else:
    _rest = genuine
    __version__ = genuine.__version__
    capi = genuine.capi

__all__ = sorted({*(name for name in (*globals(), *dir(_rest)) if not name.startswith("_"))} - {"annotations", "Any"})


def __getattr__(name: str) -> Any:
    if genuine is not None and not hasattr(_settings, name):
        return getattr(genuine, name)
    for module in (_rest, _settings):  # an older ONNX Runtime lacks some of the latter
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"onnxruntime.{name} is part of ONNX Runtime itself, {_ABSENT}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
