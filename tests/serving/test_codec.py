# SPDX-License-Identifier: Apache-2.0
"""The codec of REST bodies: what goes in comes out, and nothing that a stranger sends does worse than a refusal."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ez_rknn_async.serving.codec import encode_response, parse_infer, parse_length
from ez_rknn_async.serving.datatypes import DATATYPES, datatype_of, dtype_of, pack_elements
from ez_rknn_async.serving.refusal import RefusedError
from ez_rknn_async.serving.request import InferResponse, WantedOutput

NUMERIC = [name for name in DATATYPES if name not in ("BYTES", "BF16")]


def body(entry: dict[str, Any], tail: bytes = b"", **more: Any) -> tuple[bytes, int]:
    header = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], **entry}], **more}).encode()
    return header + tail, len(header)


@pytest.mark.parametrize("datatype", NUMERIC)
def test_reads_the_bytes_of_every_datatype(datatype: str) -> None:
    """An input is a view of the body, bit for bit what the client sent."""
    sent = np.arange(6).astype(dtype_of(datatype)).reshape(2, 3)
    entry = {"datatype": datatype, "shape": [2, 3], "parameters": {"binary_data_size": sent.nbytes}}
    (tensor,) = parse_infer(*body(entry, sent.tobytes())).inputs
    value = tensor.value()
    assert isinstance(value, np.ndarray)
    np.testing.assert_array_equal(value, sent)
    assert value.dtype == sent.dtype


def test_widens_bf16() -> None:
    """Numpy has no such type; each is the upper half of a float32."""
    sent = (np.array([1.5, -2.0], np.float32).view(np.uint32) >> 16).astype(np.uint16)
    (tensor,) = parse_infer(*body({"datatype": "BF16", "parameters": {"binary_data_size": 4}}, sent.tobytes())).inputs
    np.testing.assert_array_equal(tensor.value(), [1.5, -2.0])


def test_reads_elements_of_different_lengths() -> None:
    """Each has its length before it."""
    tail = pack_elements([b"", b"abc"])
    (tensor,) = parse_infer(*body({"datatype": "BYTES", "parameters": {"binary_data_size": len(tail)}}, tail)).inputs
    assert tensor.value() == [b"", b"abc"]


@pytest.mark.parametrize("data", [[1, 2, 3, 4], [[1, 2], [3, 4]]])
def test_reads_flat_and_nested_json(data: Any) -> None:
    """Clients send both."""
    text, _ = body({"datatype": "UINT8", "shape": [2, 2], "data": data})
    (tensor,) = parse_infer(text, None).inputs
    np.testing.assert_array_equal(tensor.value(), [[1, 2], [3, 4]])


MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "too few": ({"data": [1.0]}, "holds 1 elements"),
    "ragged": ({"data": [[1.0], [1.0, 2.0]]}, "is not an array"),
    "text": ({"data": ["1", "2"]}, "does not hold FP32"),
    "text among numbers": ({"data": [1.0, "2"]}, "does not hold FP32"),
    "a list of objects": ({"data": [[{}], [{}]]}, "does not hold FP32"),
    "null": ({"data": [None, 1.0]}, "does not hold FP32"),
    "beyond every array": ({"shape": [0, 2**62, 2**62], "data": []}, "cannot have shape"),
    "beyond every array in bytes": (
        {"shape": [0, 2**62, 2**62], "parameters": {"binary_data_size": 0}},
        "cannot have shape",
    ),
    "fractions": ({"datatype": "INT8", "data": [1.5, 2.0]}, "does not hold INT8"),
    "range": ({"datatype": "UINT8", "data": [1, 256]}, "holds 256, but UINT8 takes 0 to 255"),
    "half in JSON": ({"datatype": "FP16", "data": [1.0, 2.0]}, "JSON cannot carry"),
    "datatype": ({"datatype": "FP8", "data": [1.0, 2.0]}, "is not one of BOOL"),
    "shape": ({"shape": [-1], "data": [1.0, 2.0]}, "must be a list"),
    "truth as length": ({"shape": [True], "data": [1.0]}, "must be a list"),
    "nothing": ({}, "needs either data"),
    "both": ({"data": [1.0, 2.0], "parameters": {"binary_data_size": 8}}, "needs either data"),
    "beyond the body": ({"parameters": {"binary_data_size": 8}}, "at most the 0 that are left"),
    "negative size": ({"parameters": {"binary_data_size": -8}}, "at most the 0 that are left"),
    "half a region": ({"parameters": {"shared_memory_byte_size": 8}}, "without shared_memory_region"),
    "parameter": ({"data": [1.0, 2.0], "parameters": {"colour": 1}}, "'colour'"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_refuses_malformed_inputs_in_words(case: str) -> None:
    """The client's developer reads the error, not our traceback."""
    entry, words = MALFORMED[case]
    text, length = body(entry)
    with pytest.raises(RefusedError, match=words) as caught:
        parse_infer(text, length).inputs[0].value()
    assert caught.value.kind.http == 400


def test_a_long_text_among_numbers_takes_no_memory() -> None:
    """As an array of text, each of the other elements would be as long."""
    text, _ = body({"shape": [20_001], "data": ["x" * 30_000, *[0] * 20_000]})
    (tensor,) = parse_infer(text, None).inputs
    tracemalloc.start()
    try:
        with pytest.raises(RefusedError, match="does not hold FP32"):
            tensor.value()
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_refuses_more_tensors_than_may_be_named() -> None:
    """In words of their own: none of them is named twice."""
    text = json.dumps({"inputs": [{"name": f"x{i}"} for i in range(65)]}).encode()
    with pytest.raises(RefusedError, match="names 65 tensors, and at most 64"):
        parse_infer(text, None)


@pytest.mark.parametrize(
    ("parameters", "status"),
    [({"sequence_id": 1}, 501), ({"priority": -1}, 400), ({"timeout": "1"}, 400), ({"x": 1}, 400)],
)
def test_refuses_parameters_that_would_be_ignored(parameters: dict[str, Any], status: int) -> None:
    """A client that asks for something must not believe that it got it."""
    with pytest.raises(RefusedError) as caught:
        parse_infer(*body({"data": [1.0, 2.0]}, parameters=parameters))
    assert caught.value.kind.http == status


def test_accepts_what_real_clients_send_beside() -> None:
    """perf_analyzer's empty id, kserve's name in the body, Triton's own parameters."""
    text, _ = body({"data": [1.0, 2.0]}, id="", model_name="m", parameters={"triton_enable_empty_final_response": True})
    assert parse_infer(text, None).id == ""


@pytest.mark.parametrize("length", ["-1", "+1", " 1", "1_0", "99", "x", "\u0661", ""])
def test_refuses_lengths_that_are_none(length: str) -> None:
    """int() would take most of them."""
    with pytest.raises(RefusedError, match="must be a number of bytes"):
        parse_length(length, 10)


@given(st.binary(max_size=200), st.integers(0, 200))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_parsed_or_refused(data: bytes, length: int) -> None:
    """Nothing else than a refusal gets out."""
    with contextlib.suppress(RefusedError):
        parse_infer(data, min(length, len(data)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "data", "shape", "a"]), inner),
    max_leaves=12,
)
PARAMETERS = st.dictionaries(
    st.sampled_from(["binary_data_size", "shared_memory_region", "shared_memory_offset", "priority", "timeout"]), JSON
)
TENSOR = st.fixed_dictionaries(
    {"name": st.just("x"), "datatype": st.sampled_from(DATATYPES) | JSON, "shape": st.lists(st.integers(0, 3)) | JSON},
    optional={"data": JSON, "parameters": PARAMETERS | JSON},
)
REQUEST = st.fixed_dictionaries(
    {"inputs": st.lists(TENSOR, max_size=3) | JSON}, optional={"outputs": JSON, "parameters": PARAMETERS, "id": JSON}
)


@given(REQUEST, st.binary(max_size=64))
@settings(max_examples=250, deadline=None)
def test_any_request_is_read_or_refused(request: Any, tail: bytes) -> None:
    """The fuzz test of the codec: requests that are nearly right reach further than random bytes."""
    header = json.dumps(request).encode()
    try:
        for tensor in parse_infer(header + tail, len(header)).inputs:
            tensor.value(memoryview(tail))
    except RefusedError:
        pass


def test_deep_json_is_refused() -> None:
    """It would otherwise exhaust the parser's stack."""
    with pytest.raises(RefusedError, match="not JSON"):
        parse_infer(b'{"inputs":' + b"[" * 200_000, None)


@pytest.mark.parametrize("binary", [True, False])
def test_a_response_holds_every_bit(binary: bool) -> None:
    """JSON's numbers are float64 and shortest: float32 comes back as it was."""
    array = np.array([[0.1, -1e-30], [3.4e38, 7.0]], np.float32)
    parts, length = encode_response(InferResponse("m", "1", "a", ((WantedOutput("y", binary), array),)))
    header = json.loads(bytes(parts[0]))
    (output,) = header["outputs"]
    assert (header["id"], output["datatype"], output["shape"]) == ("a", datatype_of(array.dtype), [2, 2])
    if binary:
        assert length == len(parts[0])
        assert bytes(parts[1]) == array.tobytes()
        assert output["parameters"] == {"binary_data_size": array.nbytes}
    else:
        assert length is None
        assert np.array(output["data"], np.float32).tobytes() == array.tobytes()
