# SPDX-License-Identifier: Apache-2.0
"""``connect()``: another process's model, with a session's methods."""

from __future__ import annotations

import asyncio
import http.server
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ez_rknn_async
from ez_rknn_async import InferenceSession, RknnClosedError, RknnError, RknnValueError
from ez_rknn_async.serving.remote_session import RemoteSession

from .conftest import MODEL, ServerProcess

IMAGES = np.random.default_rng(4).normal(size=(12, 1, 3, 16, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def remote(server: ServerProcess) -> Iterator[RemoteSession]:
    with ez_rknn_async.connect(f"http://127.0.0.1:{server.port}", MODEL) as remote:
        yield remote


@pytest.fixture(scope="module")
def expected(data: Path) -> list[bytes]:
    with InferenceSession(data / f"{MODEL}.rknn", provider_options={"runtime_library": "simulator"}) as session:
        return [session.run(None, image)[0].tobytes() for image in IMAGES]


def test_every_way_to_run_gives_a_sessions_outputs(remote: RemoteSession, expected: list[bytes]) -> None:
    """Bit for bit, and where there is an order, in it."""
    assert [remote.run(None, {"x": image})[0].tobytes() for image in IMAGES] == expected
    futures = [remote.submit(image, ["y"]) for image in IMAGES]
    assert [future.result(60)[0].tobytes() for future in futures] == expected
    assert [outputs[0].tobytes() for outputs in remote.map(IMAGES)] == expected
    called: queue.Queue[Any] = queue.Queue()
    for number, image in enumerate(IMAGES):
        remote.run_async(None, image, lambda *outcome: called.put(outcome), number)
    outcomes = [called.get(timeout=60) for _ in IMAGES]
    assert [(results[0].tobytes(), number, error) for results, number, error in outcomes] == [
        (output, number, "") for number, output in enumerate(expected)
    ]

    async def awaited() -> list[Any]:
        return await asyncio.gather(*(remote.run_awaitable(None, image) for image in IMAGES))

    assert [outputs[0].tobytes() for outputs in asyncio.run(awaited())] == expected


def test_describes_the_model(remote: RemoteSession) -> None:
    """As the server does."""
    (arg,) = remote.get_inputs()
    assert (arg.name, arg.shape, arg.type) == ("x", [1, 3, 16, 16], "tensor(float)")
    assert [arg.name for arg in remote.get_outputs()] == ["y"]
    assert remote.stats["inference_count"] > 0


WRONG: dict[str, Any] = {
    "token": "a\r\nb",
    "timeout": float("nan"),
    "connections": 0,
    "model": "",
    "certificate": "nix",
}


def test_refusals_are_typed(server: ServerProcess, remote: RemoteSession) -> None:
    """With the server's words."""
    address = f"http://127.0.0.1:{server.port}"
    with pytest.raises(RknnValueError, match="no model 'nix'"):
        ez_rknn_async.connect(address, "nix")
    with pytest.raises(RknnValueError, match="there is no"):
        ez_rknn_async.connect(address, "../../metrics")
    with pytest.raises(RknnValueError, match=r"\[1, 3, 16, 16\]"):
        remote.run(None, np.zeros((1, 2, 16, 16), np.float32))
    for wrong in (
        "127.0.0.1:8000",
        "http://h:x",
        "http://[",
        "http://u:p@h",
        "http://h/v2",
        "http://h?x",
        "unix://x",
        5,
    ):
        with pytest.raises(RknnValueError, match="address takes 'http://HOST:PORT', 'https://HOST:PORT' or 'unix"):
            ez_rknn_async.connect(wrong, MODEL)  # type: ignore[arg-type]
    with pytest.raises(RknnValueError, match="connect\\(\\) speaks REST: give the server's REST port"):
        ez_rknn_async.connect("grpc://board:8001", MODEL)
    for name, value in WRONG.items():
        with pytest.raises(RknnValueError, match=f"{name}.* takes|{name}='nix'"):
            ez_rknn_async.connect(address.replace("http", "https"), **{"model": MODEL, name: value})
    with pytest.raises(RknnValueError, match=r"larger than .* max_body"):
        remote.run(None, np.zeros((2000, 3, 16, 16), np.float32))
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(RknnError, match="does not answer"):
        ez_rknn_async.connect(f"http://127.0.0.1:{port}", MODEL)
    closed = ez_rknn_async.connect(address, MODEL)
    closed.close()
    with pytest.raises(RknnClosedError):
        closed.run(None, IMAGES[0])


class Stranger(http.server.BaseHTTPRequestHandler):
    """Answers what no server of the protocol does."""

    answer = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    "answer",
    [b"<html>", b"[]", b"{}", b"\xff", b'{"inputs": [{}]}', b'{"inputs": [{"datatype": "BYTES"}]}', b'{"inputs": 5}'],
)
def test_other_servers_are_told_apart(answer: bytes) -> None:
    """A router's page, say."""
    stranger = type("_", (Stranger,), {"answer": answer})
    with http.server.HTTPServer(("127.0.0.1", 0), stranger) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(RknnError, match="Open Inference Protocol"):
            ez_rknn_async.connect(f"http://127.0.0.1:{server.server_port}", "model")
        thread.join()


CLIENT = """
import sys, numpy, ez_rknn_async
with ez_rknn_async.connect(sys.argv[1], sys.argv[2]) as remote:
    image = numpy.zeros((1, 3, 16, 16), numpy.float32)
    for number in range(10**9):
        remote.run(None, image)
        if number == 5:
            print("running", flush=True)
"""


def test_a_killed_program_disturbs_no_other(folder: Path, tmp_path: Path) -> None:
    """They share one socket; what the killed one had asked for is withdrawn or runs unheard."""
    path = tmp_path / "npu.sock"
    server = ServerProcess(folder, "--unix", str(path), "--simulator", "compute=off,timing=fixed:2000")
    address = f"unix://{path}"
    with ez_rknn_async.connect(address, MODEL) as remote:
        command = [sys.executable, "-c", CLIENT, address, MODEL]
        for _ in range(2):
            with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
                assert other.stdout is not None
                other.stdout.readline()
                answers = [remote.submit(IMAGES[0]) for _ in range(20)]
                other.send_signal(signal.SIGKILL)
                assert [len(answer.result(60)) for answer in answers] == [1] * 20
        assert remote.stats["inference_stats"]["success"]["count"] >= 40
    assert server.stop() == 0
