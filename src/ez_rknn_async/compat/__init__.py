# SPDX-License-Identifier: Apache-2.0
"""Modules that stand for those existing programs import, so that these run unchanged on the NPU."""

from .install_onnxruntime import install_as_onnxruntime as install_as_onnxruntime
