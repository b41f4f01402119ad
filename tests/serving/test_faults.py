# SPDX-License-Identifier: Apache-2.0
"""Faults under load: every admitted request is answered, right or with its error.

``make test-serve`` runs all of them; the default suite only those that need few seconds.
"""

from __future__ import annotations

import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .conftest import MODEL, Answer, Array, ServerProcess, inference

LONG = pytest.mark.skipif("EZ_RKNN_SERVE_LONG" not in os.environ, reason="make test-serve runs it")
IMAGE: Array = np.zeros((1, 3, 16, 16), np.float32)


def many(server: ServerProcess, count: int, **more: Any) -> list[Answer]:
    with ThreadPoolExecutor(count) as clients:
        return list(clients.map(lambda _: server.infer(IMAGE, **more), range(count)))


def test_a_full_queue_answers_503_with_retry_after(folder: Path) -> None:
    """Every request gets an answer, and those that were admitted their outputs."""
    (folder / f"{MODEL}.toml").write_text("queue = 2\n")
    server = ServerProcess(folder, "--simulator", "compute=off,timing=fixed:200000")
    answers = many(server, 8)
    assert {answer.status for answer in answers} == {200, 503}
    refused = [answer for answer in answers if answer.status == 503]
    assert all(answer.headers["Retry-After"] for answer in refused)
    assert server.stop() == 0


@LONG
def test_a_time_limit_is_one_for_the_queue(folder: Path) -> None:
    """What waits longer is answered 503; what runs is answered."""
    server = ServerProcess(folder, "--simulator", "compute=off,timing=fixed:300000", "--schedule", "0")
    answers = many(server, 6, timeout=100_000)
    assert {answer.status for answer in answers} == {200, 503}
    assert any("0.1 s" in answer.json["error"] for answer in answers if answer.status == 503)
    assert server.stop() == 0


def test_sigterm_answers_what_was_admitted(folder: Path) -> None:
    """Then the process ends by itself, with status 0."""
    server = ServerProcess(folder, "--simulator", "compute=off,timing=fixed:300000", "--schedule", "0")
    body, length = inference(IMAGE)
    connections = [server.connection() for _ in range(3)]
    for connection in connections:
        connection.request("POST", f"/v2/models/{MODEL}/infer", body, {"Inference-Header-Content-Length": str(length)})
    pending = f'ez_rknn_pending_requests{{model="{MODEL}",version="1"}} 3.0'
    while pending not in server.ask("GET", "/metrics").body.decode():
        pass  # until all are admitted
    server.process.send_signal(signal.SIGTERM)
    assert [connection.getresponse().status for connection in connections] == [200, 200, 200]
    for connection in connections:
        connection.close()
    assert server.stop() == 0


@LONG
def test_a_lost_device_is_reset(folder: Path) -> None:
    """Meanwhile requests get an error, and afterwards outputs again."""
    server = ServerProcess(folder, "--simulator", "timing=off,fault=rknn_run#3:lose", simulator="")
    statuses: list[int] = []
    while len(statuses) < 4 or statuses[-1] != 200:  # or the test's time is up
        statuses.append(server.infer(IMAGE).status)
    assert statuses[:2] == [200, 200]
    assert statuses[2] == 500
    assert statuses[-1] == 200
    assert set(statuses) <= {200, 500, 503}
    assert server.stop() == 0


@LONG
def test_a_hung_worker_delays_no_other_request(folder: Path) -> None:
    """Its own request gets an error once its time is up."""
    fault = "compute=off,timing=off,fault=rknn_run#2:hang"
    server = ServerProcess(folder, "--simulator", fault, "--option", "run_timeout_ms=300", "--schedule", "all")
    answers = [answer.status for answer in many(server, 12)]
    assert answers.count(200) == 11
    assert answers.count(500) == 1
    assert server.infer(IMAGE).status == 200
    server.stop()


@LONG
def test_clients_that_go_leave_nothing_behind(folder: Path) -> None:
    """In the middle of a body, and while they wait."""
    server = ServerProcess(folder, "--simulator", "compute=off,timing=fixed:20000")
    descriptors = Path(f"/proc/{server.process.pid}/fd")
    assert server.infer(IMAGE).status == 200
    before = len(os.listdir(descriptors))
    body, length = inference(IMAGE)
    head = f"POST /v2/models/{MODEL}/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    head += f"Inference-Header-Content-Length: {length}\r\n\r\n"
    for part in (body[:100], body, b""):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(head.encode() + part)
    idle = f'ez_rknn_pending_requests{{model="{MODEL}",version="1"}} 0.0'
    # The connection that asks is one more.
    while idle not in server.ask("GET", "/metrics").body.decode() or len(os.listdir(descriptors)) > before + 1:
        pass  # until the server has noticed, or the test's time is up
    assert server.infer(IMAGE).status == 200
    assert server.stop() == 0


@LONG
def test_a_model_reloads_under_load(folder: Path) -> None:
    """No request notices."""
    server = ServerProcess(folder, "--model-control", "--simulator", "compute=off,timing=fixed:1000")
    with ThreadPoolExecutor(3) as clients:
        answers = [clients.submit(lambda: server.infer(IMAGE).status) for _ in range(100)]
        for _ in range(3):
            assert server.ask("POST", f"/v2/repository/models/{MODEL}/load").status == 200
        assert {answer.result(60) for answer in answers} == {200}
    assert server.stop() == 0
