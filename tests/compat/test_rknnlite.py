# SPDX-License-Identifier: Apache-2.0
"""RKNNLite's interface: what a program sees of each call, and that it never sees an exception."""

from __future__ import annotations

import inspect
import logging
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async.compat.rknnlite import RKNN, RKNNLite
from ez_rknn_async.compat.rknnlite.toolkit import OF_THE_COMPILER

from .conftest import OpenLite

IMAGE = np.zeros((1, 16, 16, 3), np.uint8)

pytestmark = pytest.mark.usefixtures("compute_off")


def reasons(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("rknnlite"))


def test_the_constants_are_rknnlites() -> None:
    """Programs pass them, or their numbers."""
    names = ("AUTO", "0", "1", "2", "0_1", "0_1_2", "ALL")
    assert [getattr(RKNNLite, f"NPU_CORE_{name}") for name in names] == [0, 1, 2, 4, 3, 7, 0xFFFF]


def test_arguments_have_rknnlites_names_and_order() -> None:
    """Programs give some by position, and others by name."""
    expected = {
        "__init__": "verbose verbose_file",
        "load_rknn": "path key_path",
        "init_runtime": "target device_id async_mode core_mask",
        "inference": "inputs data_type data_format inputs_pass_through get_frame_id reuse_outputs",
        "list_support_target_platform": "rknn_model",
    }
    for name, parameters in expected.items():
        assert list(inspect.signature(getattr(RKNNLite, name)).parameters)[1:] == parameters.split()


def test_attributes_before_between_and_after(data: Path) -> None:
    """The runtime is there only while it is; the model stays until the program drops it."""
    lite = RKNNLite(verbose=False)
    assert (lite.rknn_data, lite.rknn_runtime, lite.verbose, lite.target) == (None, None, False, None)
    assert Path(lite.root_dir).is_dir()
    assert isinstance(lite.rknn_log.logger, logging.Logger)
    lite.load_rknn(str(data / "tiny_conv_int8.rknn"))
    assert len(lite.rknn_data) == (data / "tiny_conv_int8.rknn").stat().st_size
    lite.init_runtime()
    lite.rknn_data = None
    assert lite.rknn_runtime is not None
    assert lite.inference([IMAGE]) is not None
    lite.release()
    assert lite.rknn_runtime is None


def test_each_level_of_the_log_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Programs call them to say things of their own."""
    log = RKNNLite().rknn_log
    log.logger.setLevel(logging.DEBUG)
    for level in ("d", "i", "w", "e", "p"):
        getattr(log, level)(f"at {level}")
    assert [record.levelname for record in caplog.records] == ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


def test_a_file_gets_the_whole_log(tmp_path: Path, data: Path) -> None:
    """verbose_file has what standard error does not show."""
    lite = RKNNLite(verbose_file=str(tmp_path / "log.txt"))
    lite.load_rknn(str(data / "tiny_conv_int8.rknn"))
    lite.init_runtime()
    lite.inference([])
    lite.release()
    written = (tmp_path / "log.txt").read_text()
    assert "I init_runtime: <RKNNRuntime <InferenceSession" in written
    assert "E inference: inputs has 0 array(s), but the model has 1 input(s)" in written
    assert "Traceback" in written


def test_a_log_file_that_cannot_be_written_does_not_raise(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing does."""
    RKNNLite(verbose_file=str(tmp_path / "missing" / "log.txt"))
    assert "verbose_file:" in reasons(caplog)


def test_a_missing_file_is_told_when_it_is_loaded(caplog: pytest.LogCaptureFixture) -> None:
    """Rather than when it is to run."""
    assert RKNNLite().load_rknn("missing.rknn") == -1
    assert "load_rknn: the model file 'missing.rknn' cannot be opened" in reasons(caplog)


def test_an_encrypted_model_is_refused(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its key would be ignored otherwise."""
    assert RKNNLite().load_rknn(str(data / "tiny_conv_int8.rknn"), key_path="key") == -1
    assert "encrypted" in reasons(caplog)


def test_a_bad_model_is_told_when_it_is_to_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Loading it only reads it."""
    (tmp_path / "bad.rknn").write_bytes(b"RKNN, but not really" * 10)
    lite = RKNNLite()
    assert (lite.load_rknn(str(tmp_path / "bad.rknn")), lite.init_runtime()) == (0, -1)
    assert lite.rknn_runtime is None
    assert "init_runtime: " in reasons(caplog)


def test_calls_in_the_wrong_order_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """With what to call first."""
    lite = RKNNLite()
    assert (lite.init_runtime(), lite.inference([IMAGE]), lite.get_sdk_version()) == (-1, None, None)
    assert (lite.list_support_target_platform(), lite.release(), lite.release()) == (None, 0, 0)
    for first in ("load_rknn()", "init_runtime()", "the path of a model"):
        assert first in reasons(caplog)


def test_wrong_arguments_are_told(open_lite: OpenLite, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is wrong with them."""
    lite = open_lite()
    assert lite.init_runtime(mask=1) == -1  # type: ignore[call-arg]
    assert lite.init_runtime(core_mask=5) == -1
    assert lite.init_runtime(core_mask="0") == -1  # type: ignore[arg-type]
    for said in ("unexpected keyword argument 'mask'", "core_mask=5 is none", "core_mask takes one of"):
        assert said in reasons(caplog)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no list": ({"inputs": "image"}, "inputs takes a list of arrays"),
    "too many": ({"inputs": [IMAGE, IMAGE]}, "inputs has 2 array(s), but the model has 1"),
    "a wrong rank": ({"inputs": [IMAGE[0, 0]]}, "has shape [16, 3]"),
    "a wrong shape": ({"inputs": [IMAGE[:, :8]]}, "has shape [1, 8, 16, 3]"),
    "nchw, unsaid": ({"inputs": [IMAGE.transpose(0, 3, 1, 2)]}, "has shape [1, 3, 16, 16]"),
    "nhwc, said to be nchw": ({"inputs": [IMAGE], "data_format": "nchw"}, "has shape"),
    "an unknown format": ({"inputs": [IMAGE], "data_format": "chwn"}, "data_format takes 'nhwc' or 'nchw'"),
    "too many formats": ({"inputs": [IMAGE], "data_format": ["nhwc"] * 2}, "data_format has 2 entries"),
    "another type": ({"inputs": [IMAGE], "data_type": "float32"}, "data_type says that input 0 is float32"),
    "no type": ({"inputs": [IMAGE], "data_type": "pixels"}, "is no type of numpy's"),
    "passed through": ({"inputs": [IMAGE], "inputs_pass_through": [1]}, "only int8 for an int8 input"),
    "no numbers": ({"inputs": [np.full(IMAGE.shape, "a")]}, "holds no real numbers"),
}


@pytest.mark.parametrize("arguments", REFUSED.values(), ids=REFUSED)
def test_what_would_give_a_wrong_answer_gives_none(
    open_lite: OpenLite, caplog: pytest.LogCaptureFixture, arguments: tuple[dict[str, Any], str]
) -> None:
    """With the reason in the log, and the object goes on."""
    lite, (given, reason) = open_lite(), arguments
    assert lite.inference(**given) is None
    assert reason in reasons(caplog)
    assert lite.inference([IMAGE]) is not None


def test_a_second_runtime_replaces_the_first(open_lite: OpenLite, runs_by_core: Callable[[], list[int]]) -> None:
    """On the cores named last; what is wrong with it leaves none."""
    lite = open_lite(core_mask=RKNNLite.NPU_CORE_0)
    former = lite.rknn_runtime
    assert former is not None
    assert lite.init_runtime(core_mask=RKNNLite.NPU_CORE_1) == 0
    assert former.graph_is_built is False
    lite.inference([IMAGE])
    assert runs_by_core() == [0, 1, 0]


def test_versions_are_told_as_a_text(open_lite: OpenLite) -> None:
    """Which programs print, or search."""
    rule, title, api, driver, end = (open_lite().get_sdk_version() or "").strip().splitlines()
    assert set(rule) == set(end) == {"="}
    assert (title, api[:7], driver[:7]) == ("RKNN VERSION:", "  API: ", "  DRV: ")


@pytest.mark.parametrize(
    ("model", "socs"), [("tiny_conv_int8", ["RK3588"]), ("rk3566_block_int8", ["RK3566", "RK3568"])]
)
def test_platforms_are_told_of_a_file_and_of_the_loaded_model(data: Path, model: str, socs: list[str]) -> None:
    """In upper case; a runtime is not needed."""
    lite, path = RKNNLite(), str(data / f"{model}.rknn")
    told = lite.list_support_target_platform(path)
    assert told == {"support_target_platform": socs, "filled_target_platform": socs[:1]}
    lite.load_rknn(path)
    assert lite.list_support_target_platform() == told


def test_platforms_of_a_missing_file_are_none(caplog: pytest.LogCaptureFixture) -> None:
    """As of anything else that cannot be told."""
    assert RKNNLite().list_support_target_platform("missing.rknn") is None
    assert "missing.rknn" in reasons(caplog)


def test_no_boards_are_connected() -> None:
    """Two lists: by ADB, and by NTB."""
    assert RKNNLite().list_devices() == ([], [])


def test_the_compilers_class_runs_models_with_its_own_arguments(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As model-zoo programs call it; a target that it does not run on is told."""
    rknn = RKNN(verbose=True)
    assert rknn.load_rknn(str(data / "tiny_conv_int8.rknn")) == 0
    assert rknn.init_runtime(target="rk3566", device_id=None, perf_debug=True, eval_mem=False) == 0
    assert "target='rk3566' is ignored: the model is for rk3588" in reasons(caplog)
    outputs = rknn.inference(inputs=[IMAGE])
    assert outputs is not None
    assert outputs[0].shape == (1, 8, 16, 16)
    rknn.release()


@pytest.mark.parametrize("name", OF_THE_COMPILER)
def test_compiling_is_refused_in_words(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A program that would compile learns where that is done."""
    assert getattr(RKNN(), name)("model.onnx", anything=1) == -1
    assert "compile with Rockchip's rknn-toolkit2" in reasons(caplog)
