# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's exceptions, and ours as kinds of them.

Programs catch ``onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument`` and its neighbours. What a session on the
NPU raises is therefore both: the class of this package, and that of ONNX Runtime that means the same.
"""

from __future__ import annotations

import importlib
from typing import Any

from ...errors import (
    RknnClosedError,
    RknnDeviceError,
    RknnError,
    RknnInUseError,
    RknnModelError,
    RknnRuntimeNotFoundError,
    RknnTimeoutError,
    RknnTypeError,
    RknnValueError,
)
from .genuine import genuine

_STATE = "onnxruntime.capi.onnxruntime_pybind11_state"


def _exception(name: str) -> Any:
    """ONNX Runtime's own class; where it is not installed, or has no such class, one in its place."""
    found = getattr(importlib.import_module(_STATE), name, None) if genuine is not None else None
    return found or type(name, (Exception,), {"__module__": _STATE, "__doc__": f"ONNX Runtime's {name}."})


DeviceReset = _exception("DeviceReset")
EPFail = _exception("EPFail")
EngineError = _exception("EngineError")
Fail = _exception("Fail")
InvalidArgument = _exception("InvalidArgument")
InvalidGraph = _exception("InvalidGraph")
InvalidProtobuf = _exception("InvalidProtobuf")
ModelLoadCanceled = _exception("ModelLoadCanceled")
ModelLoaded = _exception("ModelLoaded")
ModelRequiresCompilation = _exception("ModelRequiresCompilation")
NoModel = _exception("NoModel")
NoSuchFile = _exception("NoSuchFile")
NotFound = _exception("NotFound")
NotImplemented = _exception("NotImplemented")
RuntimeException = _exception("RuntimeException")

_MEANINGS = {
    RknnError: Fail,
    RknnRuntimeNotFoundError: EPFail,
    RknnModelError: InvalidProtobuf,
    RknnTimeoutError: RuntimeException,
    RknnDeviceError: RuntimeException,
    RknnClosedError: Fail,
    RknnInUseError: Fail,
    RknnValueError: InvalidArgument,
    RknnTypeError: InvalidArgument,
}


def _both(name: str, ours: type[RknnError], theirs: Any) -> Any:
    return type(name, (ours, theirs), {"__module__": __name__, "__doc__": ours.__doc__})


_BOTH = {ours: _both(ours.__name__, ours, theirs) for ours, theirs in _MEANINGS.items()}
# By their own names in this module, so that pickle finds them.
globals().update({kind.__name__: kind for kind in _BOTH.values()})

NoSuchModelError = _both("NoSuchModelError", RknnModelError, NoSuchFile)
NotOnNpuError = _both("NotOnNpuError", RknnError, NotImplemented)


def no_such_model(message: str) -> RknnModelError:
    """An error for a model that does not exist."""
    error: RknnModelError = NoSuchModelError(message)
    return error


def not_on_npu(message: str) -> RknnError:
    """An error for what an NPU cannot do."""
    error: RknnError = NotOnNpuError(message)
    return error


def as_both(error: RknnError) -> RknnError:
    """The same error, object, text and traceback, as one of ONNX Runtime's, too.

    Raise what is returned by name: a bare ``raise`` keeps the class that the error had before, on some interpreters.
    """
    kind = _BOTH.get(type(error))
    if kind is not None:
        error.__class__ = kind
    return error
