# SPDX-License-Identifier: Apache-2.0
"""The choice of the runtime library, and the errors if there is none."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from ez_rknn_async import InferenceSession, RknnRuntimeNotFoundError, make_provider_options
from ez_rknn_async._runtime import locate as locating
from ez_rknn_async._runtime.locate import ENVIRONMENT, SIMULATOR_LIBRARY, locate


@pytest.fixture(autouse=True)
def no_choice_made(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ENVIRONMENT:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def on_a_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locating, "rockchip_soc", lambda: "rk3588")


def test_simulates_and_logs_why_if_there_is_no_npu(caplog: pytest.LogCaptureFixture) -> None:
    """It is the first thing to look at when numbers or times surprise."""
    with caplog.at_level(logging.INFO, "ez_rknn_async"):
        located = locate()
    assert located.library.simulated
    assert "no Rockchip NPU" in caplog.text
    assert str(SIMULATOR_LIBRARY) in caplog.text


@pytest.mark.usefixtures("on_a_board")
def test_a_board_uses_the_systems_library_or_fails() -> None:
    """A simulation in its place would look like a very slow NPU; the message names every path tried."""
    with pytest.raises(RknnRuntimeNotFoundError, match="this machine is an RK3588") as caught:
        locate()
    tried = [path for path, _ in caught.value.tried]
    assert tried == list(locating.SYSTEM_LIBRARIES)
    for path in tried:
        assert path in str(caught.value)


@pytest.mark.usefixtures("on_a_board")
@pytest.mark.parametrize("variable", ENVIRONMENT)
def test_the_environment_overrides_the_machine(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Existing users set the second name."""
    monkeypatch.setenv(variable, "simulator")
    located = locate()
    assert located.library.simulated
    assert variable in located.reason


def test_the_option_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program knows better than the shell it was started from."""
    monkeypatch.setenv(ENVIRONMENT[0], "/nowhere/librknnrt.so")
    assert locate("simulator").library.simulated


def test_the_first_variable_overrides_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own name precedes that of the library that this one replaces."""
    monkeypatch.setenv(ENVIRONMENT[0], "simulator")
    monkeypatch.setenv(ENVIRONMENT[1], "/nowhere/librknnrt.so")
    assert locate().library.simulated


def test_names_a_missing_library(data: Path) -> None:
    """The session passes the error on unchanged."""
    options = make_provider_options(runtime_library="/nowhere/librknnrt.so")
    with pytest.raises(RknnRuntimeNotFoundError, match=r"/nowhere/librknnrt\.so"):
        InferenceSession(data / "tiny_conv_int8.rknn", provider_options=options)


def test_refuses_a_file_that_is_not_a_library(tmp_path: Path) -> None:
    """The error has the loader's reason."""
    file = tmp_path / "librknnrt.so"
    file.write_text("not a library")
    with pytest.raises(RknnRuntimeNotFoundError, match=r"invalid ELF header|file too short"):
        locate(str(file))


def test_refuses_a_library_and_names_its_missing_functions() -> None:
    """Any other library loads without an error."""
    with pytest.raises(RknnRuntimeNotFoundError, match="no function rknn_init"):
        locate("libc.so.6")


def test_the_provider_name_tells_which_npu_it_is(data: Path) -> None:
    """Programs can test it."""
    options = make_provider_options(simulator="compute=off")
    with InferenceSession(data / "tiny_conv_int8.rknn", provider_options=options) as session:
        assert session.get_providers() == ["RKNPU2SimulatorExecutionProvider"]


def test_checks_the_settings_of_the_simulated_npu(data: Path) -> None:
    """A misspelt key would silently measure something else."""
    for wrong in ("timing=fast", "speed=5", {"soc": "rk9999"}):
        with pytest.raises(ValueError, match="simulator"):
            InferenceSession(
                data / "tiny_conv_int8.rknn",
                provider_options=make_provider_options(runtime_library="simulator", simulator=wrong),
            )


def test_refuses_a_model_for_another_soc_with_advice(data: Path) -> None:
    """The runtime, which would say no more than 'invalid', never sees it."""
    options = make_provider_options(runtime_library="simulator", simulator="soc=rk3588")
    with pytest.raises(RuntimeError, match="target_platform='rk3588'"):
        InferenceSession(data / "rk3566_block_int8.rknn", provider_options=options)


def test_refuses_an_unsupported_operator_at_load_by_name(data: Path) -> None:
    """The alternative is a wrong number."""
    options = make_provider_options(runtime_library="simulator")
    with pytest.raises(RuntimeError, match="GRU"):
        InferenceSession(data / "gru_clip_fp16.rknn", provider_options=options)
