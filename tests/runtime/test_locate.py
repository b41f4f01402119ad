"""Which runtime library is taken, and what is said when it cannot be."""

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


def test_without_an_npu_the_simulated_one_is_taken_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    """The first thing to look at when numbers or times surprise."""
    with caplog.at_level(logging.INFO, "ez_rknn_async"):
        located = locate()
    assert located.library.simulated
    assert "no Rockchip NPU" in caplog.text
    assert str(SIMULATOR_LIBRARY) in caplog.text


@pytest.mark.usefixtures("on_a_board")
def test_on_a_board_the_systems_library_is_taken_or_its_absence_is_an_error() -> None:
    """A simulation in its place would be mistaken for a very slow NPU; the message names every path tried."""
    with pytest.raises(RknnRuntimeNotFoundError, match="this machine is an RK3588") as caught:
        locate()
    tried = [path for path, _ in caught.value.tried]
    assert tried == list(locating.SYSTEM_LIBRARIES)
    for path in tried:
        assert path in str(caught.value)


@pytest.mark.usefixtures("on_a_board")
@pytest.mark.parametrize("variable", ENVIRONMENT)
def test_the_environment_goes_before_the_machine(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Existing users set the second name."""
    monkeypatch.setenv(variable, "simulator")
    located = locate()
    assert located.library.simulated
    assert variable in located.reason


def test_the_option_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program knows better than the shell it was started from."""
    monkeypatch.setenv(ENVIRONMENT[0], "/nowhere/librknnrt.so")
    assert locate("simulator").library.simulated


def test_the_first_variable_goes_before_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own name, then the one of the library that this one replaces."""
    monkeypatch.setenv(ENVIRONMENT[0], "simulator")
    monkeypatch.setenv(ENVIRONMENT[1], "/nowhere/librknnrt.so")
    assert locate().library.simulated


def test_a_library_that_is_missing_is_named(data: Path) -> None:
    """The session passes the error on as it is."""
    options = make_provider_options(runtime_library="/nowhere/librknnrt.so")
    with pytest.raises(RknnRuntimeNotFoundError, match=r"/nowhere/librknnrt\.so"):
        InferenceSession(data / "tiny_conv_int8.rknn", provider_options=options)


def test_a_file_that_is_no_library_is_refused_in_words(tmp_path: Path) -> None:
    """As the loader says it."""
    file = tmp_path / "librknnrt.so"
    file.write_text("not a library")
    with pytest.raises(RknnRuntimeNotFoundError, match=r"invalid ELF header|file too short"):
        locate(str(file))


def test_a_library_without_the_functions_is_refused_by_their_names() -> None:
    """Any other library loads well enough."""
    with pytest.raises(RknnRuntimeNotFoundError, match="no function rknn_init"):
        locate("libc.so.6")


def test_the_provider_says_which_npu_it_is(data: Path) -> None:
    """By the name that programs can test."""
    options = make_provider_options(simulator="compute=off")
    with InferenceSession(data / "tiny_conv_int8.rknn", provider_options=options) as session:
        assert session.get_providers() == ["RKNPU2SimulatorExecutionProvider"]


def test_settings_of_the_simulated_npu_are_checked(data: Path) -> None:
    """A misspelt key would silently measure something else."""
    for wrong in ("timing=fast", "speed=5", {"soc": "rk9999"}):
        with pytest.raises(ValueError, match="simulator"):
            InferenceSession(
                data / "tiny_conv_int8.rknn",
                provider_options=make_provider_options(runtime_library="simulator", simulator=wrong),
            )


def test_a_model_for_another_soc_is_refused_with_what_to_do(data: Path) -> None:
    """Before the runtime sees it, which would say no more than 'invalid'."""
    options = make_provider_options(runtime_library="simulator", simulator="soc=rk3588")
    with pytest.raises(RuntimeError, match="target_platform='rk3588'"):
        InferenceSession(data / "rk3566_block_int8.rknn", provider_options=options)


def test_an_operator_that_cannot_be_executed_is_refused_at_load_by_name(data: Path) -> None:
    """The alternative is a wrong number."""
    options = make_provider_options(runtime_library="simulator")
    with pytest.raises(RuntimeError, match="GRU"):
        InferenceSession(data / "gru_clip_fp16.rknn", provider_options=options)
