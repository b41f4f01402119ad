# SPDX-License-Identifier: Apache-2.0
"""tritonclient, unmodified: every way to ask gives the outputs of a session, bit for bit.

Run by ``make test-serve`` in an environment of its own: MODEL HTTP GRPC INPUT.npy OUTPUT.npy.
"""

from __future__ import annotations

import asyncio
import queue
import sys
from typing import Any

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.grpc.aio as over_grpc_aio
import tritonclient.http as over_http
import tritonclient.http.aio as over_http_aio
from tritonclient.utils import InferenceServerException
from tritonclient.utils import shared_memory as shm

MODEL, HTTP, GRPC = sys.argv[1:4]
IMAGE, EXPECTED = np.load(sys.argv[4]), np.load(sys.argv[5])


def inputs(module: Any, **how: Any) -> list[Any]:
    tensor = module.InferInput("x", list(IMAGE.shape), "FP32")
    tensor.set_data_from_numpy(IMAGE, **how)
    return [tensor]


def check(result: Any) -> None:
    found = result.as_numpy("y")
    assert found.dtype == EXPECTED.dtype
    assert found.tobytes() == EXPECTED.tobytes()


def info(client: Any, *, as_json: dict[str, Any]) -> None:
    """The calls that ask about the server and its models."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert client.get_server_metadata(**as_json)["name"] == "ez-rknn-async"
    assert client.get_model_metadata(MODEL, **as_json)["inputs"][0]["name"] == "x"
    config = client.get_model_config(MODEL, **as_json)
    assert config.get("config", config)["input"][0]["data_type"] == "TYPE_FP32"
    statistics = client.get_inference_statistics(MODEL, **as_json)["model_stats"][0]
    assert int(statistics["inference_stats"]["queue"]["count"]) > 0
    index = client.get_model_repository_index(**as_json)
    assert MODEL in [model["name"] for model in (index if isinstance(index, list) else index["models"])]
    client.unload_model(MODEL)
    assert not client.is_model_ready(MODEL)
    client.load_model(MODEL)
    assert client.is_model_ready(MODEL)
    assert "no model 'nix'" in refusal(client)


def refusal(client: Any) -> str:
    """What the client raises for a model that does not exist."""
    try:
        client.get_model_metadata("nix")
    except InferenceServerException as error:
        return str(error)
    return ""


def shared(client: Any, module: Any) -> None:
    """Inputs and outputs in shared memory."""
    name = f"/ezrknn-{module.__name__.rpartition('.')[2]}"
    region = shm.create_shared_memory_region("region", name, IMAGE.nbytes + EXPECTED.nbytes)
    try:
        shm.set_shared_memory_region(region, [IMAGE])
        client.unregister_system_shared_memory()
        client.register_system_shared_memory("region", name, IMAGE.nbytes + EXPECTED.nbytes)
        assert client.get_system_shared_memory_status()
        tensor = module.InferInput("x", list(IMAGE.shape), "FP32")
        tensor.set_shared_memory("region", IMAGE.nbytes)
        wanted = module.InferRequestedOutput("y")
        wanted.set_shared_memory("region", EXPECTED.nbytes, offset=IMAGE.nbytes)
        client.infer(MODEL, [tensor], outputs=[wanted])
        found = shm.get_contents_as_numpy(region, np.float32, EXPECTED.shape, offset=IMAGE.nbytes)
        assert found.tobytes() == EXPECTED.tobytes()
        client.unregister_system_shared_memory("region")
    finally:
        shm.destroy_shared_memory_region(region)


def http() -> None:
    client = over_http.InferenceServerClient(HTTP, concurrency=4)
    for sent in (True, False):
        for received in (True, False):
            wanted = [over_http.InferRequestedOutput("y", binary_data=received)]
            check(client.infer(MODEL, inputs(over_http, binary_data=sent), outputs=wanted))
    for algorithm in ("gzip", "deflate"):
        how = {"request_compression_algorithm": algorithm, "response_compression_algorithm": algorithm}
        check(client.infer(MODEL, inputs(over_http), **how))
    check(client.infer(MODEL, inputs(over_http), request_id="7", priority=1, timeout=10_000_000))
    for request in [client.async_infer(MODEL, inputs(over_http)) for _ in range(8)]:
        check(request.get_result())
    info(client, as_json={})
    shared(client, over_http)
    client.close()


def grpc() -> None:
    client = over_grpc.InferenceServerClient(GRPC)
    check(client.infer(MODEL, inputs(over_grpc)))
    check(client.infer(MODEL, inputs(over_grpc), compression_algorithm="gzip", request_id="7", priority=1))
    results: queue.Queue[Any] = queue.Queue()

    def receive(result: Any, error: Any) -> None:
        results.put(error or result)

    for _ in range(8):
        client.async_infer(MODEL, inputs(over_grpc), receive)
    client.start_stream(receive)
    for _ in range(8):
        client.async_stream_infer(MODEL, inputs(over_grpc))
    for _ in range(16):
        check(results.get(timeout=60))
    client.stop_stream()
    info(client, as_json={"as_json": True})
    shared(client, over_grpc)
    client.close()


async def aio() -> None:
    async with over_http_aio.InferenceServerClient(HTTP) as client:
        for result in await asyncio.gather(*(client.infer(MODEL, inputs(over_http_aio)) for _ in range(8))):
            check(result)
    async with over_grpc_aio.InferenceServerClient(GRPC) as client:
        for result in await asyncio.gather(*(client.infer(MODEL, inputs(over_grpc_aio)) for _ in range(8))):
            check(result)


http()
grpc()
asyncio.run(aio())
print("tritonclient: all equal")
