# SPDX-License-Identifier: Apache-2.0
"""What is off unless asked for, and the socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
from pathlib import Path

import grpc
import numpy as np
import pytest

import ez_rknn_async
from ez_rknn_async import RknnError
from ez_rknn_async.cli import main
from ez_rknn_async.serving.grpc_messages import SERVICE, message_class
from ez_rknn_async.serving.process import _tcp

from .conftest import MODEL, ServerProcess


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


def test_the_lines_for_curl_work_as_they_stand(folder: Path, tmp_path: Path) -> None:
    """And those that make the certificate and the token before; only the port is another."""
    text = (Path(__file__).parents[2] / "docs/how-to/serve.md").read_text("utf-8")
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]

    def done(line: str) -> str:
        shell = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
        return shell.stdout

    for line in lines:
        if line.startswith("openssl "):
            done(line)
    (folder / f"{MODEL}.rknn").rename(folder / "detector.rknn")
    (given,) = (line.split() for line in lines if "--token-file token" in line)
    flags = [str(tmp_path / word) if (tmp_path / word).is_file() else word for word in given[3:]]
    server = ServerProcess(folder, *flags)
    curl = [line.replace(":8000", f":{server.port}") for line in lines if line.startswith("curl ")]
    ready, model, metrics = (done(line.replace("curl ", "curl --silent --show-error --fail ")) for line in curl)
    assert json.loads(ready) == {"ready": True}
    assert json.loads(model)["name"] == "detector"
    assert "nv_inference_request_success" in metrics
    assert server.stop() == 0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate for this machine's loopback address, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    files = str(folder / "certificate.pem"), str(folder / "key.pem")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", files[1]]
    command = ["openssl", "req", "-x509", *key, "-out", files[0], "-days", "2", *subject]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return files


def test_serves_with_tls_and_a_token(folder: Path, tmp_path: Path, certificate: tuple[str, str]) -> None:
    """Over REST and gRPC; clients that do not trust the certificate, or speak no TLS, learn why they get nothing."""
    (tmp_path / "token").write_text("secret\n")
    flags = ("--token-file", str(tmp_path / "token"), "--tls-certificate", certificate[0], "--tls-key", certificate[1])
    server = ServerProcess(folder, *flags, "--grpc-port", "0")
    address = f"https://127.0.0.1:{server.port}"
    assert f"Serving on {address}," in server.printed[-1]
    image = np.zeros((1, 3, 16, 16), np.float32)
    with ez_rknn_async.connect(address, MODEL, token="secret", certificate=certificate[0]) as remote:
        assert [output.shape for output in remote.run(None, image)] == [(1, 8, 16, 16)]
    with pytest.raises(RknnError, match=r"not trusted: self.signed certificate; name the file with it"):
        ez_rknn_async.connect(address, MODEL, token="secret")
    with pytest.raises(RknnError, match="needs its token"):
        ez_rknn_async.connect(address, MODEL, certificate=certificate[0])
    with pytest.raises(RknnError, match="does not answer"):
        ez_rknn_async.connect(address.replace("https", "http"), MODEL)
    trusted = grpc.ssl_channel_credentials(Path(certificate[0]).read_bytes())
    with grpc.secure_channel(f"127.0.0.1:{server.grpc_port}", trusted) as channel:
        request = message_class("ServerMetadataRequest")().SerializeToString()
        call = channel.unary_unary(f"/{SERVICE}/ServerMetadata")
        assert call(request, metadata=[("authorization", "Bearer secret")], timeout=60)
        with pytest.raises(grpc.RpcError, match="needs its token"):
            call(request, timeout=60)
    assert server.stop() == 0


def test_a_socket_of_this_machine_is_without_tls(folder: Path, tmp_path: Path, certificate: tuple[str, str]) -> None:
    """The certificate is for gRPC then."""
    path = tmp_path / "npu.sock"
    flags = ("--tls-certificate", certificate[0], "--tls-key", certificate[1], "--grpc-port", "0")
    server = ServerProcess(folder, "--unix", str(path), *flags)
    with ez_rknn_async.connect(f"unix://{path}", MODEL) as remote:
        assert remote.output_names == ["y"]
    assert server.stop() == 0


def test_a_plain_server_is_told_apart(folder: Path) -> None:
    """From one with TLS, in words."""
    server = ServerProcess(folder)
    with pytest.raises(RknnError, match=r"does not answer with TLS: .*; is it http://"):
        ez_rknn_async.connect(f"https://127.0.0.1:{server.port}", MODEL)
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


def test_connections_that_ask_nothing_leave_room_for_others(folder: Path) -> None:
    """More of them than the process has descriptors: those beyond the limit end at once, and the log stays empty."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512)); "
    server = ServerProcess(folder, prologue=limit)
    with contextlib.ExitStack() as stack:
        for _ in range(600):
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        idle.settimeout(30)
        with contextlib.suppress(ConnectionResetError):
            assert idle.recv(1) == b""
    answer = None
    while answer is None:
        with contextlib.suppress(OSError, http.client.HTTPException):  # until the server has seen that they are gone
            answer = server.ask("GET", "/v2/health/ready")
    assert answer.status == 200
    assert server.stop() == 0
    assert "Too many open files" not in "".join(server.printed)


def test_clients_that_go_leave_no_line_in_the_log(folder: Path) -> None:
    """A stranger could fill the disk with tracebacks, or stop a server whose log no one reads."""
    server = ServerProcess(folder)
    start = f"POST /v2/models/{MODEL}/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf"
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(start.encode())
    assert server.ask("GET", "/v2/health/ready").status == 200
    assert server.stop() == 0
    assert server.printed[-1].startswith("Serving on ")


def test_answers_do_not_wait_for_acknowledgements() -> None:
    """A server's connections inherit TCP_NODELAY from asyncio only where the listener names its protocol."""
    with _tcp("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


MODEL_FILE = "{folder}/tiny_conv_int8.rknn"
MISTAKES = {
    "no folder": (["nix"], "is not a folder"),
    "port": (["{folder}", "--port", "70000"], "--port 70000 is no port"),
    "half of TLS": (["{folder}", "--tls-key", "k"], "belong together"),
    "no certificate": (["{folder}", "--tls-certificate", "c", "--tls-key", "k"], "--tls-certificate c cannot be read"),
    "a certificate that is none": (
        ["{folder}", "--tls-certificate", MODEL_FILE, "--tls-key", MODEL_FILE],
        "are no pair",
    ),
    "empty token": (["{folder}", "--token-file", "/dev/null"], "is empty"),
    "no token": (["{folder}", "--token-file", "nix"], "--token-file nix cannot be read"),
    "a token of bytes": (["{folder}", "--token-file", MODEL_FILE], "holds no token"),
    "no seconds": (["{folder}", "--drain", "nan"], "--drain nan is no number of seconds"),
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
