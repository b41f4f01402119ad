"""Which provider a session runs on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ez_rknn_async import InferenceSession, get_all_providers, get_available_providers, get_device
from ez_rknn_async._options.providers import RKNPU2, RKNPU2_SIMULATOR, choose
from ez_rknn_async._runtime.locate import ENVIRONMENT
from ez_rknn_async.errors import RknnRuntimeNotFoundError


def test_a_machine_without_an_npu_has_the_simulated_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says that the CPU computes."""
    monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "simulator")
    assert get_available_providers() == ["RKNPU2SimulatorExecutionProvider"]
    assert get_device() == "CPU"
    assert get_all_providers() == ["RKNPU2ExecutionProvider", "RKNPU2SimulatorExecutionProvider"]


def test_a_machine_whose_runtime_does_not_load_still_has_the_simulated_npu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking what there is never raises."""
    monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "/nowhere/librknnrt.so")
    assert get_available_providers() == [RKNPU2_SIMULATOR]


def test_a_board_has_both_the_npu_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What get_available_providers() says can be given to a session as it is: the first is used."""
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
    """As ONNX Runtime takes them."""
    assert choose(providers, None) == (name, options)


@pytest.mark.parametrize(
    ("providers", "options", "message"),
    [
        (["CPUExecutionProvider"], None, "there is no provider 'CPUExecutionProvider'"),
        (["RKNPU2ExecutionProvider", "RKNNExecutionProvider"], None, "twice"),
        ([("RKNPU2ExecutionProvider", {"schedule": 0})], {"layout": "nhwc"}, "in one place"),
    ],
)
def test_what_cannot_be_meant_is_refused(providers: Any, options: Any, message: str) -> None:
    """A session that silently ran elsewhere would be worse."""
    with pytest.raises(ValueError, match=message):
        choose(providers, options)


def test_no_runtime_is_not_hidden_from_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the question is harmless; running on another device than asked for is not."""
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
def test_the_npu_asked_for_by_name_where_there_is_none_is_a_warning(
    data: Path, monkeypatch: pytest.MonkeyPatch, providers: Any
) -> None:
    """The numbers are right and the speed is not: who measures should know. As with ONNX Runtime, it is no error."""
    _without_npu(monkeypatch)
    with pytest.warns(UserWarning, match="no Rockchip NPU.*simulated.*name RKNPU2SimulatorExecutionProvider") as caught:
        session = InferenceSession(data / "tiny_conv_fp16.rknn", providers=providers)
    with session:
        assert session.get_providers() == [RKNPU2_SIMULATOR]
    assert [warning.filename for warning in caught] == [__file__]


def test_set_providers_warns_and_reset_does_not(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for each time that the provider is asked for."""
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
def test_who_asks_for_the_simulated_npu_or_for_nothing_is_not_warned(
    data: Path, monkeypatch: pytest.MonkeyPatch, providers: Any, options: dict[str, Any]
) -> None:
    """Warnings are errors in these tests."""
    _without_npu(monkeypatch)
    with InferenceSession(data / "tiny_conv_fp16.rknn", providers=providers, provider_options=options) as session:
        assert session.get_providers() == [RKNPU2_SIMULATOR]


def test_a_runtime_chosen_by_the_environment_is_not_warned_of(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was asked for, too."""
    monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "simulator")
    InferenceSession(data / "tiny_conv_fp16.rknn", providers=["RKNPU2ExecutionProvider"]).close()
