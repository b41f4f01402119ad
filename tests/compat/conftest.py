# SPDX-License-Identifier: Apache-2.0
"""Objects of RKNNLite on the simulated NPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ez_rknn_async import InferenceSession
from ez_rknn_async._runtime.abi import ffi
from ez_rknn_async._runtime.library import load
from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY
from ez_rknn_async.compat.rknnlite import RKNNLite

OpenLite = Callable[..., RKNNLite]
OpenSession = Callable[..., InferenceSession]


@pytest.fixture(autouse=True)
def _simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "simulator")


@pytest.fixture
def compute_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what needs no numbers: outputs are zeros, and no device process is started."""
    monkeypatch.setenv("EZ_RKNN_SIMULATOR", "compute=off")


@pytest.fixture
def open_lite(data: Path) -> Iterator[OpenLite]:
    """Opens objects by model name as programs do, and releases them after the test."""
    opened: list[RKNNLite] = []

    def open_(model: str = "tiny_conv_int8", **arguments: Any) -> RKNNLite:
        lite = RKNNLite()
        opened.append(lite)
        assert lite.load_rknn(str(data / f"{model}.rknn")) == 0
        assert lite.init_runtime(**arguments) == 0
        return lite

    yield open_
    for lite in opened:
        lite.release()


@pytest.fixture
def open_session(data: Path) -> Iterator[OpenSession]:
    """Opens sessions of our own, which take images in NHWC order, and closes them after the test."""
    sessions: list[InferenceSession] = []

    def open_(model: str = "tiny_conv_int8", **options: Any) -> InferenceSession:
        options = {"layout": "nhwc", **options}
        sessions.append(InferenceSession(data / f"{model}.rknn", provider_options=options))
        return sessions[-1]

    yield open_
    for session in sessions:
        session.close()


@pytest.fixture
def runs_by_core() -> Callable[[str], list[int]]:
    """How many inferences each core of an SoC has run since the test began, counted by the simulated NPU."""
    library = load(str(SIMULATOR_LIBRARY))
    library.function("ez_rknn_simulator_reset_counters")()

    def count(soc: str = "rk3588") -> list[int]:
        counters: Any = ffi.new("ez_rknn_core_counters *")
        runs: list[int] = []
        while library.function("ez_rknn_simulator_counters")(soc.encode(), len(runs), counters) == 0:
            runs.append(counters.runs)
        return runs

    return count


@pytest.fixture
def calls_of() -> Callable[[str], int]:
    """How often a function of the simulated NPU has been called in this process."""
    count = load(str(SIMULATOR_LIBRARY)).function("ez_rknn_simulator_calls")
    return lambda name: int(count(name.encode()))
