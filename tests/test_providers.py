# SPDX-License-Identifier: Apache-2.0
"""The provider of a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ez_rknn_async import InferenceSession, get_all_providers, get_available_providers, get_device
from ez_rknn_async._options.providers import RKNPU2, RKNPU2_SIMULATOR, choose
from ez_rknn_async._runtime.locate import ENVIRONMENT
from ez_rknn_async.errors import RknnRuntimeNotFoundError


def test_a_machine_without_an_npu_has_the_simulated_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It also says that the CPU computes."""
    monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "simulator")
    assert get_available_providers() == ["RKNPU2SimulatorExecutionProvider"]
    assert get_device() == "CPU"
    assert get_all_providers() == ["RKNPU2ExecutionProvider", "RKNPU2SimulatorExecutionProvider"]


def test_the_simulated_npu_is_there_even_if_the_runtime_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listing the providers never raises."""
    monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "/nowhere/librknnrt.so")
    assert get_available_providers() == [RKNPU2_SIMULATOR]


def test_a_board_has_both_providers_with_the_npu_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session takes the result of get_available_providers() directly: the first one is used."""
    monkeypatch.setattr("ez_rknn_async._options.providers._has_npu", lambda: True)
    assert get_device() == "NPU"
    assert choose(get_available_providers(), None) == (RKNPU2, {})


@pytest.mark.parametrize(
    ("providers", "name", "options"),
    [
        (None, None, {}),
        ([], None, {}),
        ("RKNPU2ExecutionProvider", RKNPU2, {}),
        (["RKNNExecutionProvider"], RKNPU2, {}),
        ([("RKNPU2ExecutionProvider", {"schedule": 0})], RKNPU2, {"schedule": 0}),
    ],
)
def test_a_provider_may_be_named_in_every_documented_way(
    providers: Any, name: str | None, options: dict[str, Any]
) -> None:
    """ONNX Runtime takes these forms."""
    assert choose(providers, None) == (name, options)


@pytest.mark.parametrize(
    ("providers", "options", "message"),
    [
        (["CPUExecutionProvider"], None, "there is no provider 'CPUExecutionProvider'.*python -m ez_rknn_async.compat"),
        ("CUDAExecutionProvider", None, "leave providers out"),
        (["CUDAExecutionProvider", "CPUExecutionProvider"], None, "none of the providers"),
        ("RKNPU3ExecutionProvider", None, "for RKNX models"),
        (["RKNPU2ExecutionProvider", "RKNNExecutionProvider"], None, "twice"),
        ([("RKNPU2ExecutionProvider", {"schedule": 0})], {"layout": "nhwc"}, "in one place"),
    ],
)
def test_refuses_meaningless_providers(providers: Any, options: Any, message: str) -> None:
    """A session that silently ran elsewhere would be worse."""
    with pytest.raises(ValueError, match=message):
        choose(providers, options)


def test_a_session_without_a_runtime_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listing is harmless; running on another device than requested is not."""
    from ez_rknn_async._runtime.locate import locate

    monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "/nowhere/librknnrt.so")
    with pytest.raises(RknnRuntimeNotFoundError, match="nowhere"):
        locate()


def _without_npu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ez_rknn_async._runtime.locate.rockchip_soc", lambda: None)
    for variable in ENVIRONMENT:
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    "providers", ["RKNPU2ExecutionProvider", ["RKNNExecutionProvider"], [("RKNPU2ExecutionProvider", {"schedule": 0})]]
)
def test_warns_if_the_requested_npu_is_absent(data: Path, monkeypatch: pytest.MonkeyPatch, providers: Any) -> None:
    """The numbers are right and the speed is not: a user who measures should know. ONNX Runtime does not fail
    either."""
    _without_npu(monkeypatch)
    with pytest.warns(UserWarning, match="no Rockchip NPU.*simulated.*name RKNPU2SimulatorExecutionProvider") as caught:
        session = InferenceSession(data / "tiny_conv_fp16.rknn", providers=providers)
    with session:
        assert session.get_providers() == [RKNPU2_SIMULATOR]
    assert [warning.filename for warning in caught] == [__file__]


def test_set_providers_warns_and_reset_does_not(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one warning for each request for the provider."""
    _without_npu(monkeypatch)
    with InferenceSession(data / "tiny_conv_fp16.rknn") as session:
        with pytest.warns(UserWarning, match="not available") as caught:
            session.set_providers(["RKNPU2ExecutionProvider"])
        assert [warning.filename for warning in caught] == [__file__]
        session.reset()


@pytest.mark.parametrize(
    ("providers", "options"),
    [
        (None, {}),
        ("RKNPU2SimulatorExecutionProvider", {}),
        (get_all_providers(), {}),
        ("RKNPU2ExecutionProvider", {"runtime_library": "simulator"}),
    ],
)
def test_does_not_warn_of_the_simulated_npu_unless_the_npu_was_requested(
    data: Path, monkeypatch: pytest.MonkeyPatch, providers: Any, options: dict[str, Any]
) -> None:
    """Warnings are errors in these tests."""
    _without_npu(monkeypatch)
    with InferenceSession(data / "tiny_conv_fp16.rknn", providers=providers, provider_options=options) as session:
        assert session.get_providers() == [RKNPU2_SIMULATOR]


def test_does_not_warn_of_a_runtime_chosen_by_the_environment(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was requested, too."""
    monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "simulator")
    InferenceSession(data / "tiny_conv_fp16.rknn", providers=["RKNPU2ExecutionProvider"]).close()
