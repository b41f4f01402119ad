# SPDX-License-Identifier: Apache-2.0
"""The exported names: an addition or a loss is a decision, not an accident."""

from __future__ import annotations

import copy
import inspect
import pickle
import rlcompleter
import subprocess
import sys
import traceback
import typing
from typing import Any

import pytest

import ez_rknn_async
import ztu_somemodelruntime_ez_rknn_async

EXPORTS = [
    "ConversionError",
    "ConversionReport",
    "ExecutionMode",
    "ExecutionOrder",
    "GraphOptimizationLevel",
    "Finding",
    "IOBinding",
    "InferenceSession",
    "LayerReport",
    "ModelMetadata",
    "NodeArg",
    "OrtValue",
    "OutputReport",
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
    "connect",
    "convert",
    "get_all_providers",
    "get_available_providers",
    "get_device",
    "make_provider_options",
    "make_rknpu2_provider_options",
    "make_rknpu3_provider_options",
    "set_default_logger_severity",
    "verify",
]


def test_the_package_exports_exactly_these_names() -> None:
    """Each of them exists, and none is listed twice."""
    assert sorted(ez_rknn_async.__all__) == sorted(EXPORTS)
    for name in EXPORTS:
        assert hasattr(ez_rknn_async, name)


def test_the_other_documented_import_name_has_the_same_objects() -> None:
    """Sessions and exceptions of the two can be mixed."""
    assert ztu_somemodelruntime_ez_rknn_async.__all__ == ez_rknn_async.__all__
    for name in EXPORTS:
        assert getattr(ztu_somemodelruntime_ez_rknn_async, name) is getattr(ez_rknn_async, name)


def test_every_export_has_a_docstring() -> None:
    """help() is documentation too."""
    for name in EXPORTS:
        assert getattr(ez_rknn_async, name).__doc__


def test_completion_only_offers_public_names() -> None:
    """Subpackages and the package's own imports are hidden."""
    assert sorted(dir(ez_rknn_async)) == sorted([*EXPORTS, "__version__"])
    completer = rlcompleter.Completer({"rknn": ez_rknn_async})
    offered: list[str] = []
    while (completion := completer.complete("rknn.", len(offered))) is not None:
        offered.append(completion.partition(".")[2].partition("(")[0])
    assert sorted(offered) == sorted(EXPORTS)


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_belongs_to_the_package(name: str) -> None:
    """Tracebacks, help() and pickles name the package; pickles must outlive a move between modules."""
    export = getattr(ez_rknn_async, name)
    assert export.__module__ == "ez_rknn_async"
    assert pickle.loads(pickle.dumps(export)) is export


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_can_be_inspected(name: str) -> None:
    """Signatures and type hints are complete; a class's source is not found, rather than another one's."""
    export = getattr(ez_rknn_async, name)
    if inspect.isfunction(export):
        assert inspect.getsource(export).startswith(f"def {export.__name__}(")
        assert inspect.signature(export)
    else:
        with pytest.raises(OSError, match=r"source code not available|could not find class definition"):
            inspect.getsource(export)


@pytest.mark.skipif(sys.version_info < (3, 10), reason="Python 3.9 cannot evaluate int | None")
@pytest.mark.parametrize("name", EXPORTS)
def test_type_hints_can_be_evaluated(name: str) -> None:
    """Validators and documentation tools evaluate them; typing looks in the package that a class names as its own."""
    export = getattr(ez_rknn_async, name)
    assert typing.get_type_hints(export) is not None


def errors() -> list[Any]:
    """Return one error of each class, with all attributes set."""
    of_call: dict[str, Any] = {"code": -3, "symbol": "RKNN_ERR_X", "call": "rknn_run", "hint": "wait"}
    carrying = {
        "RknnModelError": {**of_call, "offset": 12},
        "RknnRuntimeNotFoundError": {"tried": [("/a", "not there")], "hint": "install it"},
    }
    classes = [getattr(ez_rknn_async, name) for name in EXPORTS if name.startswith("Rknn") and name.endswith("Error")]
    return [kind("it failed", **carrying.get(kind.__name__, of_call)) for kind in classes]


@pytest.mark.parametrize("error", errors(), ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error: Any) -> None:
    """It comes back from another process with its message, its code and its hint."""
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert (str(again), vars(again)) == (str(error), vars(error))
    assert traceback.format_exception_only(type(error), error)[0].startswith(f"ez_rknn_async.{type(error).__name__}: ")


def test_another_process_can_unpickle_an_error() -> None:
    """It may not have imported the package yet."""
    program = "import pickle, sys; print(repr(pickle.load(sys.stdin.buffer)))"
    error = ez_rknn_async.RknnTimeoutError("too late")
    command = [sys.executable, "-c", program]
    shown = subprocess.run(command, input=pickle.dumps(error), capture_output=True, check=True, timeout=60).stdout
    assert shown.decode().strip() == repr(error)


def test_importing_the_package_loads_only_what_runs_models() -> None:
    """A program that only runs models need not wait for the rest."""
    program = "import sys, ez_rknn_async; print(*(name for name in sys.argv[1:] if name in sys.modules))"
    rooms = (f"ez_rknn_async.{room}" for room in ("cli", "compat", "converting", "planning", "serving", "simulator"))
    command = [sys.executable, "-c", program, "asyncio", "importlib.metadata", *rooms]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() == []


def test_names_that_are_loaded_later_are_public_like_the_others() -> None:
    """For tracebacks, pickles and help()."""
    assert ez_rknn_async.convert.__module__ == ez_rknn_async.connect.__module__ == "ez_rknn_async"
    assert pickle.loads(pickle.dumps(ez_rknn_async.ConversionError)) is ez_rknn_async.ConversionError
