# SPDX-License-Identifier: Apache-2.0
"""Classes and functions, their signatures, and a model's description.

Elsewhere: the forms of ``providers`` (tests/test_providers.py), of ``output_names`` (tests/session/test_running.py) and
of ``run_options`` (tests/test_session_options.py), the sequence in :mod:`tests.test_exports`.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

import pytest

from ..session.conftest import feed_of
from .conftest import OpenSession


@pytest.mark.parametrize("form", [str, Path, Path.read_bytes, lambda path: bytearray(path.read_bytes())])
def test_a_model_is_a_path_or_its_bytes(form: Callable[[Path], Any], api: ModuleType, data: Path) -> None:
    """That library refused a bytearray."""
    with api.InferenceSession(form(data / "tiny_conv_int8.rknn")) as session:
        assert session.input_names == ["x"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"RK", "only 2 bytes"),
        (b"ONNX" + bytes(64), "4f 4e 4e 58"),
        (b"RKNX" + bytes(64), "RKNPU3"),
        ("missing.rknn", "cannot be opened"),
        (None, "path"),
        (5, "path"),
    ],
    ids=repr,
)
def test_a_file_that_is_not_a_model_is_a_runtime_error(content: Any, message: str, api: ModuleType) -> None:
    """Programs catch RuntimeError; the message has the reason and the first bytes."""
    with pytest.raises(RuntimeError, match=message):
        api.InferenceSession(content)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"providers": []},
        {"providers": "RKNPU2ExecutionProvider"},
        {"providers": ["RKNNExecutionProvider"]},
        {"providers": [("RKNPU2ExecutionProvider", {"schedule": [0, 1]})]},
        {"provider_options": {"schedule": [0, 1]}},
        {"provider_options": [{"schedule": [0, 1]}]},
        {"providers": ["RKNPU2ExecutionProvider"], "provider_options": [{"schedule": [0, 1]}]},
        {"sess_options": None, "use_weight_from": None},
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore:RKNPU2ExecutionProvider is not available:UserWarning")
def test_opens_a_session_in_every_documented_way(arguments: Any, api: ModuleType, data: Path) -> None:
    """Each form gives one provider, and the options reach it."""
    with api.InferenceSession(str(data / "tiny_conv_int8.rknn"), **arguments) as session:
        (provider,) = session.get_providers()
        expected = (0, 1) if "schedule" in repr(arguments) else None
        assert session.get_provider_options()[provider]["schedule"] == expected


@pytest.mark.parametrize(
    "arguments",
    [
        {"providers": ["CPUExecutionProvider"]},
        {"providers": ["RKNPU3ExecutionProvider"]},
        {"providers": [("RKNPU3ExecutionProvider", {"device_id": 0})]},
        {"providers": 5},
        {"providers": [("RKNPU2ExecutionProvider", {"schedule": 0})], "provider_options": {"layout": "nhwc"}},
        {"provider_options": 5},
        {"provider_options": {"device_id": 0}},
        {"use_weight_form": None},
    ],
    ids=repr,
)
def test_rejects_meaningless_arguments_with_a_runtime_error(arguments: Any, api: ModuleType, data: Path) -> None:
    """That library ignored unknown arguments and another NPU's options; ignoring them helps no one."""
    with pytest.raises(RuntimeError):
        api.InferenceSession(str(data / "tiny_conv_int8.rknn"), **arguments)


@pytest.mark.parametrize(
    ("method", "documented"),
    [
        ("__init__", ["path_or_bytes", "sess_options", "providers", "provider_options"]),
        ("run", ["output_names", "input_feed", "run_options"]),
        ("run_async", ["output_names", "input_feed", "callback", "user_data", "run_options"]),
        ("run_pipeline", ["input_feed", "depth", "reset"]),
    ],
)
def test_documented_arguments_keep_their_names_and_places(method: str, documented: list[str], api: ModuleType) -> None:
    """Programs pass them by position as well as by name; new ones come last."""
    parameters = list(inspect.signature(getattr(api.InferenceSession, method)).parameters)
    assert parameters[1 : 1 + len(documented)] == documented


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("run", (None,)),
        ("run_async", (None, [])),
        ("run_async", (None, [], "not callable")),
        ("run_pipeline", ()),
    ],
)
def test_missing_and_uncallable_arguments_are_type_errors(
    method: str, arguments: Any, open_session: OpenSession
) -> None:
    """They are errors of any Python function."""
    with pytest.raises(TypeError):
        getattr(open_session(), method)(*arguments)


def test_inputs_and_outputs_have_names_shapes_and_onnx_types(open_session: OpenSession) -> None:
    """Generic programs read them to prepare their arrays."""
    session = open_session("two_inputs_int8")
    assert session.input_names == [a.name for a in session.get_inputs()] == ["image", "mask"]
    assert session.output_names == [a.name for a in session.get_outputs()] == ["small", "large"]
    for node in session.get_inputs() + session.get_outputs():
        assert all(type(size) is int for size in node.shape)
        assert (node.type, node.native_type) == ("tensor(float)", "tensor(int8)")  # to pass and to get; in the NPU
        assert node.layout == "NCHW"
        assert node.strides == []


def test_metadata_has_the_custom_string_only_if_there_is_one(open_session: OpenSession) -> None:
    """Programs look up this key."""
    metadata = open_session("custom_string_fp16").get_modelmeta().custom_metadata_map
    assert metadata["rknn_custom_string"] == '{"labels": ["zero", "one"]}'
    assert "rknn_custom_string" not in open_session().get_modelmeta().custom_metadata_map


@pytest.mark.parametrize("run_options", [None, {}, {"another": 1}, {"ztu_modelrt_dispatch_batch": "off"}], ids=repr)
def test_run_options_for_other_runtimes_change_nothing(run_options: Any, open_session: OpenSession) -> None:
    """Programs may leave such entries in."""
    session = open_session()
    assert session.run(None, feed_of(session), run_options)[0].shape == (1, 8, 16, 16)


def test_errors_are_runtime_errors_with_code_and_symbol(api: ModuleType) -> None:
    """One tree: old programs catch RuntimeError, new ones the kind they mean."""
    kinds = [getattr(api, name) for name in api.__all__ if name.startswith("Rknn") and name.endswith("Error")]
    assert len(kinds) >= 8
    for kind in kinds:
        assert issubclass(kind, RuntimeError)
        assert issubclass(kind, api.RknnError)
    error = api.RknnDeviceError("x", code=-3, symbol="RKNN_ERR_DEVICE_UNAVAILABLE", call="rknn_init", hint="y")
    assert (error.code, error.symbol, error.call, error.hint) == (-3, "RKNN_ERR_DEVICE_UNAVAILABLE", "rknn_init", "y")
