# SPDX-License-Identifier: Apache-2.0
"""The package ``onnxruntime.capi``, as far as programs use it, for where ONNX Runtime is not installed."""

from . import _pybind_state as _pybind_state
from . import onnxruntime_pybind11_state as onnxruntime_pybind11_state
