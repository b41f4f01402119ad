# SPDX-License-Identifier: Apache-2.0
"""gRPC, against a server process, with our own messages; real clients are in ``make test-serve``."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from ez_rknn_async import InferenceSession
from ez_rknn_async.serving.grpc_messages import METHODS, SERVICE, message_class

from .conftest import MODEL, Array, ServerProcess

IMAGE: Array = np.random.default_rng(1).normal(size=(1, 3, 16, 16)).astype(np.float32)
RAW = (IMAGE.tobytes(),)


class Client:
    """Calls methods by name."""

    def __init__(self, port: int) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    def call(self, name: str, /, **fields: Any) -> Any:
        request, deserialise = (
            message_class(METHODS[name].input_type)(**fields),
            message_class(METHODS[name].output_type),
        )
        method = self.channel.unary_unary(
            f"/{SERVICE}/{name}", request.__class__.SerializeToString, deserialise.FromString
        )
        return method(request, timeout=60)

    def infer(self, *, contents: Any = None, raw: Any = RAW, **more: Any) -> Any:
        tensor = {"name": "x", "datatype": "FP32", "shape": IMAGE.shape, **more}
        if contents is not None:
            tensor["contents"] = contents
        return self.call("ModelInfer", model_name=MODEL, id="7", inputs=[tensor], raw_input_contents=raw)


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> Iterator[Client]:
    client = Client(server.grpc_port)
    yield client
    client.channel.close()


@pytest.fixture(scope="module")
def expected(data: Path) -> bytes:
    with InferenceSession(data / f"{MODEL}.rknn", provider_options={"runtime_library": "simulator"}) as session:
        return session.run(None, IMAGE)[0].tobytes()


def test_outputs_are_those_of_a_session_bit_for_bit(client: Client, expected: bytes) -> None:
    """With raw and with typed contents."""
    for response in (client.infer(), client.infer(raw=(), contents={"fp32_contents": IMAGE.ravel()})):
        assert list(response.raw_output_contents) == [expected]
        assert (response.id, response.outputs[0].datatype) == ("7", "FP32")


def test_every_method_answers(client: Client) -> None:
    """Those of the protocol, and the extensions that the server names."""
    assert client.call("ServerLive").live
    assert client.call("ServerReady").ready
    assert "statistics" in client.call("ServerMetadata").extensions
    assert client.call("ModelReady", name=MODEL).ready
    assert client.call("ModelMetadata", name=MODEL).inputs[0].shape == [1, 3, 16, 16]
    assert client.call("ModelConfig", name=MODEL).config.input[0].dims == [1, 3, 16, 16]
    before = client.call("ModelStatistics", name=MODEL).model_stats[0].inference_stats.queue.count
    client.infer()
    assert client.call("ModelStatistics", name=MODEL).model_stats[0].inference_stats.queue.count == before + 1
    assert len(client.call("RepositoryIndex").models) == 3
    client.call("RepositoryModelUnload", model_name="laid_out")
    assert not client.call("ModelReady", name="laid_out").ready
    client.call("RepositoryModelLoad", model_name="laid_out")
    client.call("SystemSharedMemoryUnregister")
    assert not client.call("SystemSharedMemoryStatus").regions


def test_a_stream_goes_on_after_an_error(client: Client, expected: bytes) -> None:
    """The error is that of one request."""
    good = {"name": "x", "datatype": "FP32", "shape": IMAGE.shape}
    make = message_class("ModelInferRequest")
    requests = [
        make(model_name=name, inputs=[good], raw_input_contents=[IMAGE.tobytes()]) for name in (MODEL, "nix", MODEL)
    ]
    response = message_class("ModelStreamInferResponse")
    method = client.channel.stream_stream(f"/{SERVICE}/ModelStreamInfer", make.SerializeToString, response.FromString)
    first, failed, last = method(iter(requests), timeout=60)
    assert "no model 'nix'" in failed.error_message
    assert first.infer_response.raw_output_contents == last.infer_response.raw_output_contents == [expected]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"raw": (b"abc",)}, "has 3 bytes"),
        ({"raw": ()}, "no entry for tensor 'x'"),
        ({"raw": (b"", b"")}, "more entries"),
        ({"contents": {"fp32_contents": [1.0]}}, "beside raw_input_contents"),
        ({"raw": (), "contents": {"fp32_contents": [1.0]}}, "holds 1 elements"),
        ({"raw": (), "contents": {"int_contents": [1]}}, "belong in fp32_contents"),
        ({"datatype": "FP8"}, "is not one of BOOL"),
        ({"shape": [-1]}, "must be a list"),
        ({"name": "nix"}, "no input 'nix'"),
    ],
)
def test_malformed_requests_are_invalid_arguments(client: Client, arguments: Any, words: str) -> None:
    """In words."""
    with pytest.raises(grpc.RpcError) as caught:
        client.infer(**arguments)
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert words in caught.value.details()


def test_waits_as_long_as_a_client_can_say(client: Client, expected: bytes) -> None:
    """Longer than a lock can wait for."""
    tensor = {"name": "x", "datatype": "FP32", "shape": IMAGE.shape}
    parameters = {"timeout": {"int64_param": 2**62}}
    fields = {"inputs": [tensor], "parameters": parameters, "raw_input_contents": RAW}
    assert client.call("ModelInfer", model_name=MODEL, **fields).raw_output_contents[0] == expected


def test_the_descriptors_are_up_to_date() -> None:
    """``make stubs`` writes them from the .proto file."""
    pytest.importorskip("grpc_tools")
    stubs = importlib.import_module("stubs")
    written = (stubs.FOLDER / "descriptors.py").read_text()
    assert eval(written.partition("FILE = ")[2]) == eval(stubs.module().partition("FILE = ")[2])
