# SPDX-License-Identifier: Apache-2.0
"""What is off unless asked for, and the socket."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest

from ez_rknn_async.cli import main
from ez_rknn_async.serving.process import _tcp

from .conftest import ServerProcess


def test_only_those_with_the_token_are_served(folder: Path, tmp_path: Path) -> None:
    """But for the probes of health."""
    (tmp_path / "token").write_text("secret\n")
    server = ServerProcess(folder, "--token-file", str(tmp_path / "token"))
    assert server.ask("GET", "/v2/health/live").status == 200
    for shown in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}):
        answer = server.ask("GET", "/v2", **shown)
        assert answer.status == 401
        assert "token" in answer.json["error"]
    assert server.ask("GET", "/v2", Authorization="Bearer secret").status == 200
    for path in ("/v2/repository/models/x/load", "/v2/systemsharedmemory/region/r/register"):
        refused = server.ask("POST", path, {"key": "/x", "byte_size": 1}, Authorization="Bearer secret")
        assert refused.status in (501, 503)
        assert "start" in refused.json["error"]
    assert server.stop() == 0


def test_serves_on_a_unix_socket(folder: Path, tmp_path: Path) -> None:
    """Also where a killed server has left its own behind; it is removed at the end."""
    path = tmp_path / "npu.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    server = ServerProcess(folder, "--unix", str(path))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET /v2/health/live HTTP/1.0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    assert server.stop() == 0
    assert not path.exists()


def test_answers_do_not_wait_for_acknowledgements() -> None:
    """A server's connections inherit TCP_NODELAY from asyncio only where the listener names its protocol."""
    with _tcp("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


MISTAKES = {
    "no folder": (["nix"], "is not a folder"),
    "port": (["{folder}", "--port", "70000"], "--port 70000 is no port"),
    "half of TLS": (["{folder}", "--tls-key", "k"], "belong together"),
    "empty token": (["{folder}", "--token-file", "/dev/null"], "is empty"),
    "a file for a socket": (["{folder}", "--unix", "{folder}/tiny_conv_int8.rknn"], "is no socket"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_on_the_command_line_are_named(folder: Path, capsys: pytest.CaptureFixture[str], mistake: str) -> None:
    """In one line, in terms of the flags."""
    arguments, words = MISTAKES[mistake]
    given = ["serve", *(argument.format(folder=folder) for argument in arguments), "--runtime-library", "simulator"]
    assert main(given) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_settings_that_are_wrong_make_the_model_unavailable(folder: Path) -> None:
    """The index says which."""
    (folder / "tiny_conv_int8.toml").write_text("queue = 0\n")
    server = ServerProcess(folder)
    (entry,) = server.ask("POST", "/v2/repository/index").json
    assert "queue = 0 must be a whole number of at least 1" in entry["reason"]
    assert server.infer(np.zeros(3, np.float32)).status == 503
    assert server.stop() == 0
