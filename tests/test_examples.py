# SPDX-License-Identifier: Apache-2.0
"""The examples run, and print what they should."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import InferenceSession

ENVIRONMENT = {**os.environ, "EZ_RKNN_RUNTIME_LIBRARY": "simulator"}


def run(*arguments: Any) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        env=ENVIRONMENT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def service(root: Path) -> ModuleType:
    """The service's module."""
    path = root / "examples" / "asyncio_service.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_service_classifies_digits_over_http(root: Path) -> None:
    """It starts, serves many clients at once, and stops; its answers are the model's."""
    (share,) = re.findall(r"right: ([\d.]+)%", run(root / "examples" / "asyncio_service.py", "--self-test"))
    assert float(share) > 97


@pytest.mark.parametrize(
    ("body", "message"),
    [("{}", "image"), ("[]", "image"), ('{"image": [[1, 2]]}', "8 rows"), ("nonsense", "Expecting value")],
)
def test_the_service_answers_nonsense_with_an_error(
    body: str, message: str, service: ModuleType, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next request is answered."""
    monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "simulator")
    monkeypatch.setenv("EZ_RKNN_SIMULATOR", "compute=off")

    async def ask(session: InferenceSession) -> list[Any]:
        server = await asyncio.start_server(service.Service(session).connected, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return [await service.ask(port, text) for text in (body, f'{{"image": {np.zeros((8, 8)).tolist()}}}')]

    with InferenceSession(root / "examples" / "digits" / "digits_i8.rknn") as session:
        refused, answered = asyncio.run(ask(session))
    assert message in refused["error"]
    assert len(answered["scores"]) == 10


def test_the_video_stream_prints_frame_rate_and_latency(root: Path) -> None:
    """Figures are for one core and for all of them, computed, and so the same every time."""
    printed = run(root / "examples" / "video_stream.py", "--frames", 40)
    one, every, note = printed.splitlines()
    pattern = r"\s+(\d+) frames/s   latency +[\d.]+ ms \(median\) +[\d.]+ ms \(99 %\)"
    alone, together = re.fullmatch("core 0" + pattern, one), re.fullmatch("every core" + pattern, every)
    assert alone is not None
    assert together is not None
    assert int(together[1]) > 2.5 * int(alone[1])
    assert "computed" in note
    assert run(root / "examples" / "video_stream.py", "--frames", 40) == printed
