# SPDX-License-Identifier: Apache-2.0
"""The codec of gRPC requests: whatever a stranger sends is read or refused."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ez_rknn_async.serving.datatypes import DATATYPES
from ez_rknn_async.serving.grpc_messages import message_class, parse_infer
from ez_rknn_async.serving.refusal import RefusedError

PARAMETER = st.one_of(
    st.builds(lambda value: {"int64_param": value}, st.integers(-(2**63), 2**63 - 1)),
    st.builds(lambda value: {"string_param": value}, st.text(max_size=4)),
    st.builds(lambda value: {"double_param": value}, st.floats()),
    st.just({}),
)
PARAMETERS = st.dictionaries(
    st.sampled_from(
        ["shared_memory_region", "shared_memory_byte_size", "shared_memory_offset", "priority", "timeout", "triton_x"]
    ),
    PARAMETER,
    max_size=3,
)
CONTENTS = st.fixed_dictionaries(
    {},
    optional={
        "fp32_contents": st.lists(st.floats(width=32), max_size=3),
        "int_contents": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3),
        "bytes_contents": st.lists(st.binary(max_size=3), max_size=2),
    },
)
TENSOR = st.fixed_dictionaries(
    {"name": st.sampled_from(["x", "y"]), "datatype": st.sampled_from([*DATATYPES, ""])},
    optional={
        "shape": st.lists(st.integers(-1, 3), max_size=3),
        "parameters": PARAMETERS,
        "contents": CONTENTS,
    },
)


@given(st.lists(TENSOR, max_size=3), st.lists(st.binary(max_size=12), max_size=3), PARAMETERS)
@settings(max_examples=200, deadline=None)
def test_any_request_is_read_or_refused(inputs: Any, raw: Any, parameters: Any) -> None:
    """Nothing else than a refusal gets out."""
    message = message_class("ModelInferRequest")(inputs=inputs, raw_input_contents=raw, parameters=parameters)
    with contextlib.suppress(RefusedError):
        for tensor in parse_infer(message).inputs:
            tensor.value(memoryview(b"12345678"))


def test_typed_bytes_are_elements() -> None:
    """They are files of images, and need be no text."""
    tensor = {"name": "x", "datatype": "BYTES", "shape": [2], "contents": {"bytes_contents": [b"\xff\x00", b""]}}
    (read,) = parse_infer(message_class("ModelInferRequest")(inputs=[tensor])).inputs
    assert read.value() == [b"\xff\x00", b""]
