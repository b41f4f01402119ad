# SPDX-License-Identifier: Apache-2.0
"""What a server costs beside a session in process: throughput with each inference 2 ms of simulated NPU on three cores.

Inputs are 150 kB of pixels. Client and server share the machine's processors, so the figures are ratios of measurements
of one run on one machine, and lower than with a client elsewhere. At the end: many requests, and what they leave.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import numpy as np

from ez_rknn_async import InferenceSession, connect

MODEL = Path(__file__).resolve().parent.parent / "tests" / "data" / "snippet.rknn"
SIMULATOR = "compute=off,timing=fixed:2000"
CLIENTS = 12
IMAGE = np.zeros((1, 3, 224, 224), np.uint8)
Infer = Callable[[], object]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3000, help="of each transport")
    parser.add_argument("--soak", type=int, default=0, help="requests of the last part")
    arguments = parser.parse_args()
    options = {"runtime_library": "simulator", "simulator": SIMULATOR, "schedule": [0, 1, 2]}
    with InferenceSession(MODEL, provider_options=options) as session:
        alone = rate(lambda: session.submit(IMAGE).result(), arguments.requests)
    print(f"{'session.submit in process':34}{alone:8.0f} /s")
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (process, port, grpc_port):
        for name, client in (
            ("REST, binary", over_rest(f"http://127.0.0.1:{port}")),
            ("gRPC", over_grpc(grpc_port)),
        ):
            with client as infer:
                report(name, rate(infer, arguments.requests), alone)
        if arguments.soak:
            with over_rest(f"http://127.0.0.1:{port}") as infer:
                soak(process.pid, infer, arguments.soak)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        stack.enter_context(served(Path(folder), "--unix", f"{folder}/npu.sock"))
        infer = stack.enter_context(over_rest(f"unix://{folder}/npu.sock"))
        report("REST, binary, Unix socket", rate(infer, arguments.requests), alone)


def rate(infer: Infer, requests: int) -> float:
    """Return the requests a second of several clients at once."""
    left = iter(range(requests))
    lock = threading.Lock()

    def client() -> None:
        while True:
            with lock:
                if next(left, None) is None:
                    return
            infer()

    infer()
    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return requests / (time.perf_counter() - start)


def report(name: str, found: float, alone: float) -> None:
    """Print one line."""
    print(f"{name:34}{found:8.0f} /s  {found / alone:5.2f} of it", flush=True)


def soak(pid: int, infer: Infer, requests: int) -> None:
    """Print what the server holds before and after many requests."""
    rate(infer, 1000)
    before = held(pid)
    rate(infer, requests)
    after = held(pid)
    print(f"{requests} requests: {before[0]} kB, {before[1]} descriptors before, {after[0]} kB, {after[1]} after")


def held(pid: int) -> tuple[int, int]:
    """Return a process's proportional memory in kB, and its descriptors."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    (memory,) = (line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))
    return int(memory), len(os.listdir(f"/proc/{pid}/fd"))


@contextlib.contextmanager
def served(folder: Path, *more: str) -> Iterator[tuple[Any, int, int]]:
    """Run a server, and return its process and ports."""
    shutil.copy(MODEL, folder)
    command = [
        sys.executable,
        "-c",
        "from ez_rknn_async.cli import main; raise SystemExit(main())",
        "serve",
        str(folder),
    ]
    flags = ["--port", "0", "--grpc-port", "0", "--runtime-library", "simulator", "--simulator", SIMULATOR]
    process = subprocess.Popen([*command, *flags, "--schedule", "all", *more], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("Serving on "))
        port = line.split()[2].rstrip(",").rpartition(":")[2]
        yield process, int(port) if port.isdigit() else 0, int(line.split()[-1])
        process.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def over_rest(address: str) -> Iterator[Infer]:
    """Yield an inference over REST."""
    with connect(address, MODEL.stem, connections=CLIENTS) as remote:
        yield lambda: remote.run(None, IMAGE)


@contextlib.contextmanager
def over_grpc(port: int) -> Iterator[Infer]:
    """Yield an inference over gRPC."""
    import grpc

    from ez_rknn_async.serving.grpc_messages import SERVICE, message_class

    tensor = {"name": "input", "datatype": "UINT8", "shape": IMAGE.shape}
    make, answer = message_class("ModelInferRequest"), message_class("ModelInferResponse")
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = channel.unary_unary(f"/{SERVICE}/ModelInfer", make.SerializeToString, answer.FromString)

        def infer() -> object:
            return method(make(model_name=MODEL.stem, inputs=[tensor], raw_input_contents=[IMAGE.tobytes()]))

        yield infer


if __name__ == "__main__":
    main()
