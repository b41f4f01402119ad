# SPDX-License-Identifier: Apache-2.0
"""Mistakes on the command line: messages name flags, not keyword arguments."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from ez_rknn_async._messages.wording import option, provider_option
from ez_rknn_async.cli import main, parser
from ez_rknn_async.cli.flags import FLAGS, written

from .conftest import Ezrknn

SIMULATOR = ["--runtime-library", "simulator"]
# Terms of the Python interface for which the command line has others.
PYTHON = re.compile(r"provider option|run option|(layout|io_mode|schedule|tp_mode|simulator)='|session\.|reset\(\)")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An input that fits the small convolutions."""
    np.save(tmp_path / "ok.npy", np.zeros((1, 3, 16, 16), np.float32))
    return tmp_path / "ok.npy"


ARGUMENTS: dict[str, tuple[list[str], str]] = {
    "layout": (["--layout", "nwhc"], "--layout nwhc is not one of nchw"),
    "io mode": (["--io-mode", "fast"], "--io-mode fast is not one of auto, direct, copy"),
    "core": (["--schedule", "7"], "--schedule names core 7, but rk3588 has cores 0 to 2; use --schedule 0,1,2"),
    "cores": (["--schedule", "a"], "--schedule takes a core"),
    "tensor parallel": (["--tp-mode", "4"], "--tp-mode 4 is not one of"),
    "both": (["--schedule", "0", "--tp-mode", "0,1"], "--schedule 0 and --tp-mode 0,1 are both set"),
    "threads": (["--threads-per-core", "0"], "--threads-per-core 0 must be at least 1"),
    "settings": (["--simulator", "tming=off"], "--simulator tming=off: there is no setting 'tming'"),
    "unknown option": (["--option", "laoyut=nhwc"], "unknown provider option 'laoyut'; did you mean 'layout'?"),
    "no value": (["--option", "run_timeout_ms"], "write it as --option NAME=VALUE"),
    "wrong value": (["--option", "run_timeout_ms=soon"], "--option run_timeout_ms takes an integer, not 'soon'"),
    "twice": (
        ["--layout", "nhwc", "--option", "layout=nchw"],
        "layout is given twice: with --layout and with --option",
    ),
    "time": (
        ["--simulator", "compute=off,timing=fixed:100000", "--option", "run_timeout_ms=10"],
        "--option run_timeout_ms=10 allows",
    ),
}


@pytest.mark.parametrize("mistake", ARGUMENTS)
def test_names_the_flag_of_a_wrong_argument(data: Path, image: Path, ezrknn_refuses: Ezrknn, mistake: str) -> None:
    """The user corrects what they typed."""
    arguments, words = ARGUMENTS[mistake]
    said = ezrknn_refuses("run", data / "tiny_conv_int8.rknn", "--input", image, *SIMULATOR, *arguments)
    assert words in said
    if mistake != "unknown option":
        assert not PYTHON.search(said)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 16, 16, 3), "it is in NHWC order: set --layout nhwc, or"),
        ((16, 16, 3), "or set --layout nhwc and"),
        ((4, 3, 16, 16), "set --dispatch-batch"),
    ],
)
def test_advises_flags_for_a_wrong_shape(
    data: Path, tmp_path: Path, ezrknn_refuses: Ezrknn, shape: tuple[int, ...], words: str
) -> None:
    """The advice is the same as in Python, in the terms of this interface."""
    np.save(tmp_path / "x.npy", np.zeros(shape, np.float32))
    said = ezrknn_refuses("run", data / "tiny_conv_int8.rknn", *SIMULATOR, "--input", tmp_path / "x.npy")
    assert words in said
    assert not PYTHON.search(said)


def test_advised_flags_work(data: Path, tmp_path: Path, ezrknn: Ezrknn) -> None:
    """--layout nhwc serves a frame from a camera, and --dispatch-batch several frames."""
    np.save(tmp_path / "x.npy", np.zeros((4, 16, 16, 3), np.uint8))
    flags = ["--layout", "nhwc", "--dispatch-batch", "--output-dir", tmp_path]
    ezrknn("run", data / "tiny_conv_int8.rknn", *SIMULATOR, "--input", tmp_path / "x.npy", *flags)
    assert np.load(tmp_path / "y.npy").shape == (4, 8, 16, 16)


def test_any_provider_option_can_be_given(data: Path, image: Path, tmp_path: Path, ezrknn: Ezrknn) -> None:
    """Messages name options that have no flag of their own."""
    flags = ["--option", "output_dtype=native", "--option", "run_timeout_ms=60000", "--output-dir", tmp_path]
    ezrknn("run", data / "tiny_conv_int8.rknn", *SIMULATOR, "--input", image, *flags)
    assert np.load(tmp_path / "y.npy").dtype == np.int8


def test_a_wrong_input_name_gets_the_nearest_name(data: Path, image: Path, ezrknn_refuses: Ezrknn) -> None:
    """As in Python, all names of the model follow."""
    said = ezrknn_refuses("run", data / "tiny_conv_int8.rknn", *SIMULATOR, "--input", f"X={image}")
    assert said == "ezrknn: the model has no input 'X'; did you mean 'x'?; the model's inputs are 'x'"
    said = ezrknn_refuses("compare", data / "tiny_conv_int8.rknn", "--inputs", f"X={image}")
    assert "did you mean 'x'?" in said


def test_compare_names_its_only_input_order(data: Path, tmp_path: Path, ezrknn_refuses: Ezrknn) -> None:
    """It has no --layout, so that is not advised."""
    np.save(tmp_path / "x.npy", np.zeros((16, 16, 3), np.float32))
    said = ezrknn_refuses("compare", data / "tiny_conv_int8.rknn", "--inputs", tmp_path / "x.npy")
    assert "in HWC order without its batch dimension" in said
    assert "transpose(2, 0, 1)[None]" in said
    assert "layout" not in said


def test_a_missing_custom_operator_names_the_flag(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The warning at the start names it too."""
    np.save(tmp_path / "x.npy", np.zeros((1, 3, 8, 8), np.float32))
    model = data / "custom_operator_fp16.rknn"
    assert main(["run", str(model), *SIMULATOR, "--input", str(tmp_path / "x.npy")]) == 1
    assert "no plug-in brings them: give its path with --custom-op" in capsys.readouterr().err


def test_every_flag_in_a_message_exists() -> None:
    """The user can type what a message names."""
    for flag in FLAGS.values():
        given = [flag] if flag == "--dispatch-batch" else [flag, "1"]
        parser().parse_args(["run", "model.rknn", *given])


def test_values_are_quoted_for_a_shell() -> None:
    """They are ready to be copied."""
    assert written("layout", "nhwc") == "--layout nhwc"
    assert written("schedule", [0, 1, 2]) == "--schedule 0,1,2"
    assert written("simulator", "a b") == "--simulator 'a b'"
    assert written("enable_pacing", True) == "--option enable_pacing=1"


def test_messages_use_python_terms_again_afterwards(data: Path, ezrknn_refuses: Ezrknn) -> None:
    """A program may run the command and then use the package."""
    ezrknn_refuses("run", data / "tiny_conv_int8.rknn", *SIMULATOR, "--layout", "none")
    assert provider_option("layout", "nhwc") == "the provider option layout='nhwc'"
    assert option("layout") == "layout"


def test_a_warning_is_one_line(data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The place in the source means nothing on a command line."""

    def warn(_: object) -> int:
        warnings.warn("beware", UserWarning, stacklevel=1)
        return 0

    monkeypatch.setattr("ez_rknn_async.cli.info.ModelSource.of", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        main(["info", str(data / "tiny_conv_int8.rknn")])
    assert capsys.readouterr().err.splitlines()[0] == "ezrknn: warning: beware"


def test_reports_an_unforeseen_error_in_one_line(
    data: Path, ezrknn_refuses: Ezrknn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names the flag that shows more."""

    def fail(_: object) -> None:
        raise KeyError("x\ny")

    monkeypatch.setattr("ez_rknn_async.cli.info.ModelSource.of", fail)
    said = ezrknn_refuses("info", data / "tiny_conv_int8.rknn")
    assert said.startswith("ezrknn: KeyError: ")
    assert said.endswith("(--debug shows where)")


def test_names_a_folder_that_cannot_be_created(data: Path, image: Path, ezrknn_refuses: Ezrknn) -> None:
    """With its flag."""
    said = ezrknn_refuses("run", data / "tiny_conv_int8.rknn", *SIMULATOR, "--input", image, "--output-dir", image)
    assert said == f"ezrknn: --output-dir {image} cannot be made: it is a file"
