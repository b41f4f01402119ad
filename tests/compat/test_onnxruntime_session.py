# SPDX-License-Identifier: Apache-2.0
"""The session of the stand-in, on the NPU and in ONNX Runtime."""

from __future__ import annotations

import copy
import logging
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ez_rknn_async

genuine = pytest.importorskip("onnxruntime")

from ez_rknn_async.compat import onnxruntime as ort  # noqa: E402
from ez_rknn_async.compat.onnxruntime import exceptions  # noqa: E402
from ez_rknn_async.compat.onnxruntime.models import OPTIONS, configure  # noqa: E402

state = genuine.capi.onnxruntime_pybind11_state
SIMULATOR = "RKNPU2SimulatorExecutionProvider"
IMAGE = np.ones((1, 4, 16, 16), np.float32)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"providers": ["CPUExecutionProvider"]},
        {"providers": {"CUDAExecutionProvider", "CPUExecutionProvider"}},
        {"providers": [("CUDAExecutionProvider", {"device_id": 0}), "CPUExecutionProvider"]},
        {"providers": ["CUDAExecutionProvider", "CPUExecutionProvider"], "provider_options": [{"device_id": 0}, {}]},
        {"providers": ["CPUExecutionProvider"], "provider_options": []},
        {"providers": ort.get_available_providers(), "provider_options": None},
        {"provider_options": {"arena_extend_strategy": "kSameAsRequested"}},
        {"sess_options": genuine.SessionOptions(), "enable_fallback": False, "disabled_optimizers": []},
    ],
)
def test_runs_a_compiled_model_on_the_npu_whatever_the_program_names(folder: Path, arguments: Any) -> None:
    """Programs name the providers of other machines, and their options."""
    with ort.InferenceSession(str(folder / "npu.onnx"), **arguments) as session:
        assert session.get_providers() == [SIMULATOR]
        (output,) = session.run(None, {session.get_inputs()[0].name: IMAGE})
    with ez_rknn_async.InferenceSession(folder / "npu.rk3588.rknn") as native:
        np.testing.assert_array_equal(output, native.run(None, [IMAGE])[0])


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"providers": ["CPUExecutionProvider"]},
        {"providers": [SIMULATOR]},
        {"providers": ort.get_available_providers()},
        {"providers": [SIMULATOR, ("CPUExecutionProvider", {})], "provider_options": [{"schedule": 0}, {}]},
    ],
)
def test_runs_another_model_in_onnxruntime_and_says_so(
    folder: Path, arguments: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that is slower than expected should find out why."""
    with caplog.at_level(logging.WARNING, "ez_rknn_async"):
        session = ort.InferenceSession(str(folder / "cpu.onnx"), **arguments)
    assert session.get_providers()[-1] == "CPUExecutionProvider"
    np.testing.assert_array_equal(session.run(["y"], {"x": np.array([-1, 2], np.float32)})[0], [0, 2])
    (record,) = caplog.records
    assert "cpu.onnx' runs on the CPU" in record.getMessage()
    assert "'cpu.rk3588.rknn' or 'cpu.rknn'" in record.getMessage()


def test_the_log_tells_why_a_model_stays_on_the_cpu(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It may be meant so, or nothing but bytes is known of it."""
    configure({"npu.onnx": None}, None)
    with caplog.at_level(logging.WARNING, "ez_rknn_async"):
        ort.InferenceSession(folder / "npu.onnx")
        ort.InferenceSession((folder / "cpu.onnx").read_bytes())
    assert "configured to stay there" in caplog.records[0].getMessage()
    assert "nothing is configured for" in caplog.records[1].getMessage()


def test_both_kinds_serve_one_program(folder: Path) -> None:
    """And each is a session to it."""
    sessions = [ort.InferenceSession(folder / name) for name in ("npu.onnx", "cpu.onnx")]
    assert all(isinstance(session, ort.InferenceSession) for session in sessions)
    assert "RKNPU2Simulator" in repr(sessions[0])
    assert "onnxruntime_inference_collection" in repr(sessions[1])


def test_a_programs_own_subclass_works(folder: Path) -> None:
    """Some wrap the session that way."""

    class Session(ort.InferenceSession):
        def __init__(self, path: str) -> None:
            super().__init__(path, providers=["CPUExecutionProvider"])
            self.path = path

    session = Session(str(folder / "npu.onnx"))
    assert session.get_inputs()[0].shape == [1, 4, 16, 16]
    assert session.path.endswith("npu.onnx")


class Reopening(ort.InferenceSession):
    """A session as some programs define it, to be pickled."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __getstate__(self) -> dict[str, str]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, str]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]


@pytest.mark.parametrize("name", ["npu", "cpu"])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda session: pickle.loads(pickle.dumps(session))])
def test_a_subclass_that_opens_the_model_again_is_pickled(folder: Path, name: str, copied: Any) -> None:
    """It says itself how."""
    session = Reopening(str(folder / f"{name}.onnx"))
    again = copied(session)
    assert again.path == session.path
    assert again.get_providers() == session.get_providers()


def test_options_are_those_of_environment_call_and_program(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later ones win."""
    monkeypatch.setenv(OPTIONS, '{"schedule": [2], "threads_per_core": 2}')
    configure(None, {"schedule": [1]})
    with ort.InferenceSession(folder / "npu.onnx", providers=[(SIMULATOR, {"threads_per_core": 3})]) as session:
        options = session.get_provider_options()[SIMULATOR]
    assert (options["schedule"], options["threads_per_core"]) == ((1,), 3)


@pytest.mark.parametrize("binding_of", [lambda session: session.io_binding(), ort.IOBinding])
@pytest.mark.parametrize("name", ["npu", "cpu"])
def test_binds_values_of_onnxruntime(folder: Path, name: str, binding_of: Any) -> None:
    """The same lines, whichever kind the session is."""
    session = ort.InferenceSession(folder / f"{name}.onnx")
    array = IMAGE if name == "npu" else np.ones(2, np.float32)
    binding = binding_of(session)
    binding.bind_ortvalue_input(session.get_inputs()[0].name, ort.OrtValue.ortvalue_from_numpy(array))
    binding.bind_output(session.get_outputs()[0].name, "cpu")
    session.run_with_iobinding(binding)
    np.testing.assert_array_equal(binding.copy_outputs_to_cpu()[0], session.run(None, {"x": array})[0])


@pytest.mark.parametrize("theirs", [state.InvalidArgument, ValueError, RuntimeError, ez_rknn_async.RknnError])
def test_errors_of_the_npu_are_also_onnxruntimes(folder: Path, theirs: Any) -> None:
    """Programs catch these."""
    session = ort.InferenceSession(folder / "npu.onnx")
    with pytest.raises(theirs, match=r"shape \[1, 2, 3\]"):
        session.run(None, {"x": np.zeros((1, 2, 3), np.float32)})


def test_a_damaged_compiled_model_is_an_invalid_protobuf(folder: Path) -> None:
    """It is no reason to fall back to the CPU in silence."""
    (folder / "npu.rk3588.rknn").write_bytes(b"RKNN of no kind")
    with pytest.raises(state.InvalidProtobuf):
        ort.InferenceSession(folder / "npu.onnx")


def test_a_mapping_to_a_missing_file_is_no_such_file(folder: Path) -> None:
    """It names both models."""
    configure({"npu.onnx": "missing.rknn"}, None)
    with pytest.raises(state.NoSuchFile, match=r"missing\.rknn.*npu\.onnx"):
        ort.InferenceSession(folder / "npu.onnx")


@pytest.mark.parametrize("kind", exceptions._BOTH.values(), ids=lambda kind: kind.__name__)
def test_errors_survive_pickling(kind: Any) -> None:
    """They come from workers' processes too."""
    error = pickle.loads(pickle.dumps(kind("it failed", hint="wait")))
    assert type(error) is kind
    assert str(error) == "it failed; wait"


def test_methods_without_a_meaning_on_the_npu_refuse_when_called(folder: Path) -> None:
    """Asking whether there is one does not raise."""
    session = ort.InferenceSession(folder / "npu.onnx")
    assert callable(session.get_tuning_results)
    with pytest.raises(state.NotImplemented, match=r"get_tuning_results\(\) has no meaning"):
        session.get_tuning_results()
    with pytest.raises(AttributeError, match="no_such_method"):
        session.no_such_method()


@pytest.mark.parametrize("name", ["npu", "cpu"])
@pytest.mark.parametrize("copying", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_session_is_not_copied(folder: Path, name: str, copying: Any) -> None:
    """The refusal says what to do."""
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        copying(ort.InferenceSession(folder / f"{name}.onnx"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"providers": 3}, "providers takes a sequence"), ({"providers": [3]}, "a name or a pair")],
)
def test_refuses_providers_of_another_type(folder: Path, arguments: Any, message: str) -> None:
    """In the program's own terms."""
    with pytest.raises(state.InvalidArgument, match=message):
        ort.InferenceSession(folder / "npu.onnx", **arguments)


def test_passes_the_rest_of_onnxruntime_through() -> None:
    """The very objects."""
    for name in ("SessionOptions", "OrtValue", "GraphOptimizationLevel", "capi", "set_seed", "__version__"):
        assert getattr(ort, name) is getattr(genuine, name)
    assert set(dir(ort)) >= {name for name in dir(genuine) if not name.startswith("_")}
    with pytest.raises(AttributeError, match="no_such_name"):
        ort.no_such_name  # noqa: B018


def test_offers_the_providers_of_both() -> None:
    """The NPU's first: programs that take the first are right."""
    assert ort.get_available_providers()[0] == SIMULATOR
    assert ort.get_available_providers()[-1] == "CPUExecutionProvider"
    assert set(ort.get_all_providers()) > set(genuine.get_all_providers())


@pytest.mark.parametrize("mapped", [False, True])
def test_the_metadata_of_the_onnx_model_is_kept(folder: Path, mapped: bool) -> None:
    """Wherever the compiled model is."""
    if mapped:
        (folder / "elsewhere").mkdir()
        shutil.move(folder / "npu.rk3588.rknn", folder / "elsewhere" / "x.rknn")
        configure({"npu.onnx": folder / "elsewhere" / "x.rknn"}, None)
    for name in ("npu", "cpu"):
        session = ort.InferenceSession(folder / f"{name}.onnx")
        assert session.get_modelmeta().custom_metadata_map["character"] == "abc"


def test_takes_the_content_of_a_compiled_model(folder: Path, data: Path) -> None:
    """Programs read files themselves."""
    shutil.rmtree(folder)
    with ort.InferenceSession((data / "conv_c4_int8.rknn").read_bytes()) as session:
        assert session.get_providers() == [SIMULATOR]
