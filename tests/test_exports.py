"""The names that the package offers: an addition or a loss is a decision, not an accident."""

from __future__ import annotations

import ez_rknn_async
import ztu_somemodelruntime_ez_rknn_async

EXPORTS = [
    "ExecutionMode",
    "ExecutionOrder",
    "GraphOptimizationLevel",
    "IOBinding",
    "InferenceSession",
    "ModelMetadata",
    "NodeArg",
    "OrtValue",
    "Quantization",
    "RknnClosedError",
    "RknnDeviceError",
    "RknnError",
    "RknnInUseError",
    "RknnModelError",
    "RknnProviderOptions",
    "RknnRuntimeNotFoundError",
    "RknnTimeoutError",
    "RknnTypeError",
    "RknnValueError",
    "Rknpu2ProviderOptions",
    "Rknpu3ProviderOptions",
    "RunOptions",
    "SessionIOBinding",
    "SessionOptions",
    "get_all_providers",
    "get_available_providers",
    "get_device",
    "make_provider_options",
    "make_rknpu2_provider_options",
    "make_rknpu3_provider_options",
    "set_default_logger_severity",
]


def test_the_package_exports_exactly_these_names() -> None:
    """Each of them exists, and none is there twice."""
    assert sorted(ez_rknn_async.__all__) == sorted(EXPORTS)
    for name in EXPORTS:
        assert hasattr(ez_rknn_async, name)


def test_the_documented_other_import_name_offers_the_same_objects() -> None:
    """So that sessions and exceptions of the two can be mixed."""
    assert ztu_somemodelruntime_ez_rknn_async.__all__ == ez_rknn_async.__all__
    for name in EXPORTS:
        assert getattr(ztu_somemodelruntime_ez_rknn_async, name) is getattr(ez_rknn_async, name)


def test_every_export_has_a_docstring() -> None:
    """help() is documentation too."""
    for name in EXPORTS:
        assert getattr(ez_rknn_async, name).__doc__
