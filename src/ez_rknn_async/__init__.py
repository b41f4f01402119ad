# SPDX-License-Identifier: Apache-2.0
"""Run ``.rknn`` models on every core of a Rockchip NPU, with the API of ONNX Runtime.

>>> from ez_rknn_async import InferenceSession, make_provider_options
>>> session = InferenceSession("model.rknn", provider_options=make_provider_options(schedule=[0, 1, 2]))
>>> outputs = session.run(None, {"input": image})

Where there is no NPU the same program runs on a simulated one.
"""

import logging as _logging
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from ._options.keywords import Rknpu2ProviderOptions, make_provider_options
from ._options.log_severity import set_default_logger_severity
from ._options.providers import get_all_providers, get_available_providers, get_device
from ._options.rknpu3_options import (
    RknnProviderOptions,
    Rknpu3ProviderOptions,
    make_rknpu3_provider_options,
)
from ._options.run_options import RunOptions
from ._options.session_options import ExecutionMode, ExecutionOrder, GraphOptimizationLevel, SessionOptions
from ._tensors.metadata import ModelMetadata
from ._tensors.node_arg import NodeArg, Quantization
from ._values.io_binding import IOBinding
from ._values.ort_value import OrtValue
from .errors import (
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
from .session import InferenceSession

__all__ = [
    "InferenceSession",
    "connect",
    "make_provider_options",
    "make_rknpu2_provider_options",
    "make_rknpu3_provider_options",
    "RknnProviderOptions",
    "Rknpu2ProviderOptions",
    "Rknpu3ProviderOptions",
    "SessionOptions",
    "RunOptions",
    "GraphOptimizationLevel",
    "ExecutionMode",
    "ExecutionOrder",
    "get_available_providers",
    "get_all_providers",
    "get_device",
    "set_default_logger_severity",
    "OrtValue",
    "IOBinding",
    "SessionIOBinding",
    "NodeArg",
    "Quantization",
    "ModelMetadata",
    "convert",
    "verify",
    "ConversionReport",
    "OutputReport",
    "LayerReport",
    "Finding",
    "RknnError",
    "ConversionError",
    "RknnRuntimeNotFoundError",
    "RknnModelError",
    "RknnTimeoutError",
    "RknnDeviceError",
    "RknnClosedError",
    "RknnInUseError",
    "RknnValueError",
    "RknnTypeError",
]

# Documented aliases.
make_rknpu2_provider_options = make_provider_options
SessionIOBinding = IOBinding

# Imported when they are asked for: most programs only run models, and these would double what importing costs.
_LATER = {
    "convert": "converting.api",
    "verify": "converting.api",
    "ConversionReport": "converting.report",
    "OutputReport": "converting.report",
    "LayerReport": "converting.report",
    "Finding": "converting.finding",
    "ConversionError": "converting.finding",
    "connect": "serving.remote_session",
}

if _TYPE_CHECKING:
    from .converting.api import convert, verify
    from .converting.finding import ConversionError, Finding
    from .converting.report import ConversionReport, LayerReport, OutputReport
    from .serving.remote_session import connect

    __version__: str
else:

    def __getattr__(name: str) -> object:
        if name == "__version__":
            value = _version()
        elif name in _LATER:
            from importlib import import_module

            value = getattr(import_module(f".{_LATER[name]}", __name__), name)
            _claim(value)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def _version() -> str:
    """Return the version of what is installed. Importing what finds it takes as long as importing the package."""
    from importlib import metadata

    try:
        return metadata.version("ez-rknn-async")
    except metadata.PackageNotFoundError:  # a source tree that was not installed
        return "0+source"


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def _claim(public: _Any) -> None:
    """Make tracebacks, pickles and help() name what a program imports, not the room where it is defined."""
    public.__module__ = __name__
    # Since Python 3.13 inspect.getsource() would look for this line in this file, and show another class's source.
    if "__firstlineno__" in vars(public):
        del public.__firstlineno__


for _name in __all__:
    if _name not in _LATER:
        _claim(globals()[_name])

_logging.getLogger("ez_rknn_async").addHandler(_logging.NullHandler())
