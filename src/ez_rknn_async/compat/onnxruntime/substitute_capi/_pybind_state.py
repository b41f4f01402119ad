# SPDX-License-Identifier: Apache-2.0
"""The other name of :mod:`.onnxruntime_pybind11_state`."""

from .onnxruntime_pybind11_state import *  # noqa: F403
