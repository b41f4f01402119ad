# SPDX-License-Identifier: Apache-2.0
"""What programs written for ONNX Runtime do out of habit."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, OrtValue, RknnTypeError, RknnValueError

INT8, IMAGE = "conv_c4_int8.rknn", np.linspace(-3, 3, 1024, dtype=np.float32).reshape(1, 4, 16, 16)


@pytest.mark.parametrize("model", [INT8, "conv_c4_fp16.rknn"])
def test_a_feed_cast_to_the_type_of_the_input_is_right(data: Path, model: str) -> None:
    """``feed.astype(...)`` by NodeArg.type keeps the numbers, also of a model that is quantised inside."""
    with InferenceSession(data / model) as session:
        (given,), (returned,) = session.get_inputs(), session.get_outputs()
        assert given.type == returned.type == "tensor(float)"
        assert given.dtype == ("int8" if model == INT8 else "float16")
        assert given.native_type == f"tensor({given.dtype})"
        assert session.run(None, [IMAGE])[0].dtype == np.float32


def test_the_type_of_native_outputs_is_their_own(data: Path) -> None:
    """As run() returns them; what it takes is the same."""
    with InferenceSession(data / INT8, provider_options={"output_dtype": "native"}) as session:
        assert session.run(None, [IMAGE])[0].dtype == np.int8
        assert session.get_outputs()[0].type == "tensor(int8)"
        assert session.get_inputs()[0].type == "tensor(float)"


def test_the_type_of_memory_is_the_one_in_it(data: Path) -> None:
    """Who writes there has to know."""
    with InferenceSession(data / INT8) as session:
        assert session.get_native_inputs()[0].type == "tensor(int8)"


@pytest.mark.parametrize("io_mode", ["direct", "copy"])
def test_the_first_quantised_feed_is_logged(data: Path, io_mode: str, caplog: pytest.LogCaptureFixture) -> None:
    """Once: with scale and zero point, as the feed may have been cast by mistake."""
    with InferenceSession(data / INT8, provider_options={"io_mode": io_mode}) as session:
        quantization = session.get_inputs()[0].quantization
        assert quantization is not None
        quantised = np.clip(np.round(IMAGE / quantization.scale) + quantization.zero_point, -128, 127).astype(np.int8)
        with caplog.at_level(logging.INFO, "ez_rknn_async"):
            (real,) = session.run(None, [IMAGE])
            assert caplog.records == []
            for _ in range(3):
                np.testing.assert_array_equal(session.run(None, [quantised])[0], real)
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert f"(quantised - {quantization.zero_point}) * {quantization.scale:g}" in record.getMessage()


def test_private_members_can_be_read(data: Path) -> None:
    """By the names that they have in ONNX Runtime."""
    path = str(data / INT8)
    with InferenceSession(path) as session:
        assert session._model_path == path
        assert session._providers == session.get_providers()
        assert session._provider_options == session.get_provider_options()
        assert [each.name for each in session._inputs_meta] == session.input_names
        assert [each.name for each in session._outputs_meta] == session.output_names
        assert session._sess.get_providers() == session.get_providers()
    with InferenceSession(Path(path).read_bytes()) as session:
        assert session._model_path is None


def test_methods_and_arguments_without_a_meaning_are_accepted(data: Path) -> None:
    """A session stays on its device, and its weights are compiled."""
    with InferenceSession(data / INT8, enable_fallback=False, disabled_optimizers=["x"]) as session:
        session.disable_fallback()
        session.enable_fallback()
        assert session.get_overridable_initializers() == []
    with pytest.raises(RknnTypeError, match="no argument 'enable_fallbak'"):
        InferenceSession(data / INT8, enable_fallbak=False)


def test_runs_on_lists_of_values(data: Path) -> None:
    """By position; outputs are added to the list."""
    with InferenceSession(data / INT8) as session:
        fetched: list[OrtValue] = []
        value = OrtValue.ortvalue_from_numpy(IMAGE)
        session.run_with_ortvaluevector(None, ["x"], [value], session.output_names, fetched, [])
        np.testing.assert_array_equal(fetched[0].numpy(), session.run(None, [IMAGE])[0])


def test_runs_on_onnxruntimes_vectors(data: Path) -> None:
    """Which hold values of its native class."""
    ort = pytest.importorskip("onnxruntime")
    state = ort.capi.onnxruntime_pybind11_state
    with InferenceSession(data / INT8) as session:
        feeds, fetched = state.OrtValueVector(), state.OrtValueVector()
        feeds.push_back(ort.OrtValue.ortvalue_from_numpy(IMAGE)._ortvalue)
        session.run_with_ortvaluevector(None, ["x"], feeds, session.output_names, fetched, [])
        np.testing.assert_array_equal(fetched[0].numpy(), session.run(None, [IMAGE])[0])


def test_values_on_a_gpu_are_in_the_programs_memory(data: Path) -> None:
    """There is no GPU; an address in its memory is refused."""
    value = OrtValue.ortvalue_from_numpy(IMAGE, "cuda", 0)
    assert value.device_name() == "cpu"
    with InferenceSession(data / INT8) as session:
        binding = session.io_binding()
        binding.bind_ortvalue_input("x", value)
        binding.bind_output(session.output_names[0], "cuda")
        session.run_with_iobinding(binding)
        np.testing.assert_array_equal(binding.get_outputs()[0].numpy(), session.run(None, [IMAGE])[0])
        with pytest.raises(RknnValueError, match="no GPU"):
            binding.bind_input("x", "cuda", 0, np.float32, IMAGE.shape, 4096)


def test_metadata_of_the_original_model_is_found_beside_it(data: Path, tmp_path: Path) -> None:
    """And stays what it was when the session was opened."""
    shutil.copy(data / "custom_string_fp16.rknn", tmp_path / "x.rk3588.rknn")
    sidecar = tmp_path / "x.metadata.json"
    sidecar.write_text(json.dumps({"character": "abc", "target_platform": "overridden"}))
    with InferenceSession(tmp_path / "x.rk3588.rknn") as session:
        sidecar.unlink()
        session.reset()
        found = session.get_modelmeta().custom_metadata_map
    assert found["character"] == "abc"
    assert found["target_platform"] == "rk3588"
    assert "rknn_custom_string" in found


def test_bytes_have_no_metadata_beside_them(data: Path) -> None:
    """Only the file's own."""
    with InferenceSession((data / INT8).read_bytes()) as session:
        assert set(session.get_modelmeta().custom_metadata_map) == {"target_platform"}
