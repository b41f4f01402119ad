# SPDX-License-Identifier: Apache-2.0
"""A server process, and the plainest of clients."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

Array = npt.NDArray[Any]
MODEL = "tiny_conv_int8"


@dataclass
class Answer:
    """What the server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def outputs(self) -> dict[str, Array]:
        """The float32 outputs of an inference, sent as bytes."""
        length = int(self.headers["Inference-Header-Content-Length"])
        found, offset = {}, length
        for output in json.loads(self.body[:length])["outputs"]:
            size = output["parameters"]["binary_data_size"]
            found[output["name"]] = np.frombuffer(self.body[offset : offset + size], "<f4").reshape(output["shape"])
            offset += size
        return found


class ServerProcess:
    """``ezrknn serve``, listening."""

    def __init__(self, folder: Path, *arguments: str, simulator: str = "compute=off", prologue: str = "") -> None:
        command = [sys.executable, "-c", prologue + "from ez_rknn_async.cli import main; raise SystemExit(main())"]
        environment = {**os.environ, "EZ_RKNN_RUNTIME_LIBRARY": "simulator", "EZ_RKNN_SIMULATOR": simulator}
        self.process = subprocess.Popen(
            [*command, "serve", str(folder), "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        assert self.process.stdout is not None
        self.printed: list[str] = []
        for line in self.process.stdout:
            self.printed.append(line)
            if line.startswith("Serving on "):
                break
        else:
            raise AssertionError("".join(self.printed))
        address, *grpc = line.split()[2].rstrip(","), *line.split()[-1:]
        self.port = int(address.rpartition(":")[2]) if address.startswith("http") else 0
        self.grpc_port = int(grpc[0]) if "gRPC" in line else 0

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send one request; a dictionary is sent as JSON."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        with contextlib.closing(self.connection()) as connection:
            connection.request(method, path, data, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def infer(self, array: Array, name: str = MODEL, datatype: str = "FP32", **more: Any) -> Answer:
        """Send one inference in binary, and ask for binary outputs."""
        body, length = inference(array, datatype, **more)
        return self.ask("POST", f"/v2/models/{name}/infer", body, Inference_Header_Content_Length=str(length))

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it, and return its exit status."""
        self.process.send_signal(number)
        with self.process:
            assert self.process.stdout is not None
            self.printed += self.process.stdout.readlines()
            return self.process.wait(60)


def inference(array: Array, datatype: str = "FP32", **more: Any) -> tuple[bytes, int]:
    """Return the body of an inference, and the length of its JSON."""
    parameters = {"binary_data_output": True, **more}
    entry = {"name": "x", "datatype": datatype, "shape": array.shape, "parameters": {"binary_data_size": array.nbytes}}
    header = json.dumps({"inputs": [entry], "parameters": parameters}).encode()
    return header + array.tobytes(), len(header)


@pytest.fixture
def folder(data: Path, tmp_path: Path) -> Path:
    """A repository of one model."""
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(data / f"{MODEL}.rknn", models)
    return models


@pytest.fixture(scope="session")
def server(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server of several models that computes; one of them is damaged, one laid out as Triton does."""
    models = tmp_path_factory.mktemp("models")
    shutil.copy(data / f"{MODEL}.rknn", models)
    (models / "laid_out" / "3").mkdir(parents=True)
    shutil.copy(data / f"{MODEL}.rknn", models / "laid_out" / "3" / "model.rknn")
    (models / "laid_out" / "model.toml").write_text("max_batch = 2\ninput_datatype = 'UINT8'\n")
    (models / "damaged.rknn").write_bytes(b"RKNN" + bytes(100))
    flags = ("--grpc-port", "0", "--schedule", "all", "--shared-memory", "--model-control")
    process = ServerProcess(models, *flags, simulator="timing=off")
    yield process
    assert process.stop() == 0
