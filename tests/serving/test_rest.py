# SPDX-License-Identifier: Apache-2.0
"""REST, against a server process."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import InferenceSession
from ez_rknn_async.serving.datatypes import pack_elements

from .conftest import MODEL, Array, ServerProcess, inference

INFER = f"/v2/models/{MODEL}/infer"


@pytest.fixture(scope="module")
def session(data: Path) -> Iterator[InferenceSession]:
    """The same model in this process."""
    with InferenceSession(data / f"{MODEL}.rknn", provider_options={"runtime_library": "simulator"}) as session:
        yield session


@pytest.fixture
def image() -> Array:
    return np.random.default_rng(1).normal(size=(1, 3, 16, 16)).astype(np.float32)


def test_outputs_are_those_of_a_session_bit_for_bit(
    server: ServerProcess, session: InferenceSession, image: Array
) -> None:
    """In binary and in JSON."""
    (expected,) = session.run(None, image)
    assert server.infer(image).outputs["y"].tobytes() == expected.tobytes()
    entry = {"name": "x", "datatype": "FP32", "shape": image.shape, "data": image.ravel().tolist()}
    (output,) = server.ask("POST", INFER, {"id": "7", "inputs": [entry]}).json["outputs"]
    assert np.array(output["data"], np.float32).tobytes() == expected.tobytes()


def test_a_batch_is_spread_and_joined(server: ServerProcess, session: InferenceSession) -> None:
    """Each sample is an inference of its own."""
    batch = np.random.default_rng(2).normal(size=(5, 3, 16, 16)).astype(np.float32)
    expected = np.concatenate([session.run(None, batch[i : i + 1])[0] for i in range(5)])
    assert server.infer(batch).outputs["y"].tobytes() == expected.tobytes()
    refused = server.infer(batch, "laid_out")
    assert refused.status == 400
    assert "takes at most 2" in refused.json["error"]


def test_encoded_images_are_decoded(server: ServerProcess, session: InferenceSession) -> None:
    """A PNG is its pixels; one of another size is refused before it is decoded."""
    image_module = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(3).integers(0, 255, (16, 16, 3), np.uint8)
    answers = []
    for array in (pixels, np.zeros((4, 4, 3), np.uint8)):
        file = io.BytesIO()
        image_module.fromarray(array).save(file, "PNG")
        tail = np.frombuffer(pack_elements([file.getvalue()]), np.uint8)
        header = {
            "inputs": [{"name": "x", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": tail.size}}]
        }
        text = json.dumps({**header, "parameters": {"binary_data_output": True}}).encode()
        answers.append(server.ask("POST", INFER, text + tail.tobytes(), Inference_Header_Content_Length=str(len(text))))
    (expected,) = session.run(None, pixels.transpose(2, 0, 1)[None])
    assert answers[0].outputs["y"].tobytes() == expected.tobytes()
    assert answers[1].status == 400
    assert "is 4x4, the model takes 16x16" in answers[1].json["error"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_bodies_may_be_compressed(
    server: ServerProcess, session: InferenceSession, image: Array, encoding: str
) -> None:
    """The length in the header is that of the uncompressed JSON."""
    body, length = inference(image)
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    headers = {
        "Content-Encoding": encoding,
        "Inference-Header-Content-Length": str(length),
        "Accept-Encoding": encoding,
    }
    answer = server.ask("POST", INFER, packed, **headers)
    assert answer.headers["Content-Encoding"] == encoding
    answer.body = zlib.decompress(answer.body, 32 + zlib.MAX_WBITS)
    assert answer.outputs["y"].tobytes() == session.run(None, image)[0].tobytes()


def test_a_bomb_is_refused(server: ServerProcess) -> None:
    """It stands for more than the model takes."""
    answer = server.ask("POST", INFER, gzip.compress(bytes(50_000_000)), Content_Encoding="gzip")
    assert answer.status == 413


def test_what_follows_a_compressed_body_is_refused(server: ServerProcess, image: Array) -> None:
    """It would be left out without a word."""
    body = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": image.shape, "data": image.tolist()}]})
    whole = gzip.compress(body.encode())
    assert server.ask("POST", INFER, whole, Content_Encoding="gzip").status == 200
    answer = server.ask("POST", INFER, whole + whole, Content_Encoding="gzip")
    assert answer.status == 400
    assert "something follows" in answer.json["error"]


def test_a_region_of_nothing_takes_no_memory(server: ServerProcess) -> None:
    """A region may be larger than all memory, and take none: the server reads no more than the model takes."""
    path, size = Path(f"/dev/shm/ezrknn-sparse-{os.getpid()}"), 2**36
    path.touch()
    try:
        os.truncate(path, size)
        region = {"key": path.name, "byte_size": size}
        assert server.ask("POST", "/v2/systemsharedmemory/region/sparse/register", region).status == 200
        part = {"shared_memory_region": "sparse", "shared_memory_byte_size": size}
        tensor = {"name": "x", "datatype": "FP32", "shape": [size // 4], "parameters": part}
        answer = server.ask("POST", INFER, {"inputs": [tensor]})
        assert answer.status == 413
        assert "than the" in answer.json["error"]
    finally:
        server.ask("POST", "/v2/systemsharedmemory/region/sparse/unregister")
        path.unlink()


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(server: ServerProcess) -> None:
    """Only its declared length has arrived."""
    connection = server.connection()
    connection.putrequest("POST", INFER)
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    with contextlib.closing(connection), connection.getresponse() as response:
        assert response.status == 413
        assert "max_body" in json.loads(response.read())["error"]


def test_shared_memory_carries_inputs_and_outputs(
    server: ServerProcess, session: InferenceSession, image: Array
) -> None:
    """The outputs lie where the client asked for them, and nothing of them in the response."""
    (expected,) = session.run(None, image)
    path = Path(f"/dev/shm/ezrknn-test-{os.getpid()}")
    path.write_bytes(image.tobytes() + bytes(expected.nbytes))
    try:
        region = {"key": f"/{path.name}", "offset": 0, "byte_size": path.stat().st_size}
        base = "/v2/systemsharedmemory"
        assert server.ask("POST", f"{base}/region/r/register", region).status == 200
        assert server.ask("POST", f"{base}/region/r/register", region).status == 400
        assert server.ask("GET", f"{base}/region/r/status").json == [{"name": "r", **region}]

        def part(size: int, offset: int) -> dict[str, Any]:
            return {"shared_memory_region": "r", "shared_memory_byte_size": size, "shared_memory_offset": offset}

        inputs = [{"name": "x", "datatype": "FP32", "shape": image.shape, "parameters": part(image.nbytes, 0)}]
        outputs = [{"name": "y", "parameters": part(expected.nbytes, image.nbytes)}]
        answer = server.ask("POST", INFER, {"inputs": inputs, "outputs": outputs})
        assert answer.json["outputs"] == [{"name": "y", "datatype": "FP32", "shape": list(expected.shape)}]
        assert path.read_bytes()[image.nbytes :] == expected.tobytes()
        os.truncate(path, 10)  # would kill a server that had mapped it
        assert server.ask("POST", INFER, {"inputs": inputs}).status == 400
        assert (
            server.ask(
                "POST", INFER, {**{"inputs": inputs}, "outputs": [{"name": "y", "parameters": part(9**9, 0)}]}
            ).status
            == 400
        )
        assert server.ask("POST", f"{base}/unregister").status == 200
        assert server.ask("GET", f"{base}/status").json == []
    finally:
        path.unlink()


@pytest.mark.parametrize("key", ["/../../etc/passwd", "..", "/", "", 5, "/a/b", "/no-such-region"])
def test_no_key_leads_out_of_shared_memory(server: ServerProcess, key: Any) -> None:
    """Only names of shared memory objects are keys."""
    body = {"key": key, "offset": 0, "byte_size": 1}
    assert server.ask("POST", "/v2/systemsharedmemory/region/r/register", body).status == 400


def test_a_damaged_model_is_unavailable_and_the_others_serve(server: ServerProcess) -> None:
    """With its reason, which does not tell where it lies."""
    index = {entry["name"]: entry for entry in server.ask("POST", "/v2/repository/index").json}
    assert {name: entry["state"] for name, entry in index.items()} == {
        MODEL: "READY",
        "laid_out": "READY",
        "damaged": "UNAVAILABLE",
    }
    assert index["laid_out"]["version"] == "3"
    assert "/" not in index["damaged"]["reason"]
    answer = server.ask("GET", "/v2/models/damaged")
    assert answer.status == 503
    assert index["damaged"]["reason"] in answer.json["error"]
    ready = server.ask("POST", "/v2/repository/index", {"ready": True}).json
    assert len(ready) == 2
    assert server.ask("GET", "/v2/health/ready").json == {"ready": True}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/nix", 404),
        ("GET", "/v2/models/laid_out/versions/1", 404),
        ("GET", "/v2/models/laid_out/versions/3/ready", 200),
        ("GET", "/v2/models/..%2F..%2Fetc%2Fpasswd", 404),
        ("POST", "/v2/repository/models/..%2Fx/load", 404),
        ("GET", INFER, 405),
        ("GET", "/nix", 404),
        ("POST", "/v2/repository/models/damaged/load", 400),
    ],
)
def test_statuses_are_tritons(server: ServerProcess, method: str, path: str, status: int) -> None:
    """Every error is JSON with the one key that clients read."""
    answer = server.ask(method, path)
    assert answer.status == status
    assert status == 200 or list(answer.json) == ["error"]


def test_malformed_inferences_get_400_in_words(server: ServerProcess, image: Array) -> None:
    """And the server goes on."""
    for body in (b"", b"{", b"[]", b'{"inputs": 5}', b"\xff" * 100):
        answer = server.ask("POST", INFER, body)
        assert answer.status == 400
        assert answer.json["error"]
    wrong = server.infer(image[:, :2])
    assert wrong.status == 400
    assert "[1, 3, 16, 16]" in wrong.json["error"]
    assert server.infer(image).status == 200


def test_the_metadata_names_what_clients_should_send(server: ServerProcess) -> None:
    """Of a model whose settings say so, pixels."""
    (tensor,) = server.ask("GET", "/v2/models/laid_out").json["inputs"]
    assert tensor == {"name": "x", "datatype": "UINT8", "shape": [1, 3, 16, 16]}
    config = server.ask("GET", "/v2/models/laid_out/config").json
    assert config["input"] == [{"name": "x", "data_type": "TYPE_UINT8", "dims": [1, 3, 16, 16]}]


def test_models_load_unload_and_reload_while_serving(server: ServerProcess, image: Array) -> None:
    """What is unloaded is unavailable, until it is loaded."""
    base = "/v2/repository/models/laid_out"
    assert server.ask("POST", f"{base}/unload").status == 200
    assert server.infer(image, "laid_out").status == 503
    assert server.ask("POST", f"{base}/load", {}).status == 200
    assert server.ask("POST", f"{base}/load").status == 200
    assert server.infer(image, "laid_out").status == 200


def test_counts_are_seen(server: ServerProcess, image: Array) -> None:
    """In the statistics and, under Triton's names, in the metrics."""

    def count() -> int:
        (stats,) = server.ask("GET", f"/v2/models/{MODEL}/stats").json["model_stats"]
        return int(stats["inference_stats"]["queue"]["count"])

    before = count()
    server.infer(image)
    assert count() == before + 1
    text = server.ask("GET", "/metrics").body.decode()
    labels = f'model="{MODEL}",version="1"'
    assert f"nv_inference_request_success{{{labels}}}" in text.replace("_total", "")
    assert f'ez_rknn_core_busy_seconds_total{{core="2",{labels}}}' in text or f'{labels},core="2"' in text
