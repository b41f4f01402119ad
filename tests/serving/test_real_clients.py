# SPDX-License-Identifier: Apache-2.0
"""Clients that others wrote, unmodified, in environments of their own: ``make test-serve``."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ez_rknn_async import InferenceSession

from .conftest import MODEL, ServerProcess

CLIENTS = Path(__file__).parent / "clients"


def needs(variable: str) -> pytest.MarkDecorator:
    """Skip a test unless the environment says where its client is."""
    return pytest.mark.skipif(variable not in os.environ, reason=f"{variable} is not set: see make test-serve")


@pytest.mark.parametrize(
    ("program", "variable"),
    [
        pytest.param("triton", "EZ_RKNN_TRITON_PYTHON", marks=needs("EZ_RKNN_TRITON_PYTHON")),
        pytest.param("kserve_rest", "EZ_RKNN_KSERVE_PYTHON", marks=needs("EZ_RKNN_KSERVE_PYTHON")),
    ],
)
def test_their_outputs_are_those_of_a_session(
    server: ServerProcess, data: Path, tmp_path: Path, program: str, variable: str
) -> None:
    """Bit for bit, in every way that the client offers."""
    python = os.environ[variable]
    image = np.random.default_rng(5).normal(size=(1, 3, 16, 16)).astype(np.float32)
    with InferenceSession(data / f"{MODEL}.rknn", provider_options={"runtime_library": "simulator"}) as session:
        np.save(tmp_path / "output.npy", session.run(None, image)[0])
    np.save(tmp_path / "input.npy", image)
    addresses = [f"127.0.0.1:{server.port}", f"127.0.0.1:{server.grpc_port}"]
    arrays = [str(tmp_path / name) for name in ("input.npy", "output.npy")]
    command = [python, str(CLIENTS / f"{program}.py"), MODEL, *addresses, *arrays]
    process = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert process.returncode == 0, process.stderr[-3000:]
    assert "all equal" in process.stdout


@needs("EZ_RKNN_PERF_ANALYZER")
@pytest.mark.parametrize("memory", ["none", "system"])
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_perf_analyzer_meets_no_error(server: ServerProcess, protocol: str, memory: str) -> None:
    """Over REST and gRPC, with tensors in the request and in shared memory."""
    folder = Path(os.environ["EZ_RKNN_PERF_ANALYZER"])
    port = server.port if protocol == "http" else server.grpc_port
    command = [str(folder / "perf_analyzer"), "-m", MODEL, "-i", protocol, "-u", f"127.0.0.1:{port}"]
    command += ["--shared-memory", memory, "--concurrency-range", "4", "--measurement-mode", "count_windows"]
    command += ["--measurement-request-count", "200", "--max-trials", "3", "--stability-percentage", "999"]
    if memory == "system":
        command += ["--output-shared-memory-size", str(4 * 8 * 16 * 16)]
    libraries = {**os.environ, "LD_LIBRARY_PATH": str(folder / "lib")}
    process = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, env=libraries)
    assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-1000:]
    throughput = re.search(r"Throughput: ([0-9.]+) infer/sec", process.stdout)
    assert throughput is not None
    assert float(throughput[1]) > 0
