# SPDX-License-Identifier: Apache-2.0
"""Sessions on the simulated NPU, and its counters."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, make_provider_options
from ez_rknn_async._runtime.abi import ffi
from ez_rknn_async._runtime.library import load
from ez_rknn_async._runtime.locate import SIMULATOR_LIBRARY

OpenSession = Callable[..., InferenceSession]


@pytest.fixture(autouse=True)
def _check_order_of_destruction(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Check that no test destroys a context whose duplicates or borrowers still exist."""
    yield
    logged = [record.getMessage() for when in ("setup", "call", "teardown") for record in caplog.get_records(when)]
    if not any("fault=rknn_destroy" in text for text in logged):
        assert not [text for text in logged if "the context is destroyed, but" in text]


@pytest.fixture
def open_session(data: Path) -> Iterator[OpenSession]:
    """Opens sessions on the simulated NPU by model name, and closes them after the test."""
    sessions: list[InferenceSession] = []

    def open_(model: str = "tiny_conv_int8", simulator: Any = "compute=off", **options: Any) -> InferenceSession:
        provider_options = make_provider_options(runtime_library="simulator", simulator=simulator, **options)
        sessions.append(InferenceSession(data / f"{model}.rknn", provider_options=provider_options))
        return sessions[-1]

    yield open_
    for session in sessions:
        session.close()


@pytest.fixture
def runs_by_core() -> Callable[[str], list[int]]:
    """Counts the inferences of each core of an SoC since the test began, as the simulated NPU counts them."""
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
def release_hangs() -> Iterator[Callable[[], None]]:
    """Lets the calls that hang by a fault go on, also at the test's end; waits until one hangs."""
    release = load(str(SIMULATOR_LIBRARY)).function("ez_rknn_simulator_release_hangs")

    def wait_and_release() -> None:
        while release() == 0:
            threading.Event().wait(0.001)

    yield wait_and_release
    release()


@pytest.fixture
def calls_of() -> Callable[[str], int]:
    """Counts the calls of a function of the simulated NPU in this process; a call that hangs counts."""
    count = load(str(SIMULATOR_LIBRARY)).function("ez_rknn_simulator_calls")
    return lambda name: int(count(name.encode()))


@pytest.fixture
def living_contexts() -> Callable[[], int]:
    """Counts the contexts of the simulated NPU in this process, after the unused ones are gone."""
    gc.collect()
    return load(str(SIMULATOR_LIBRARY)).function("ez_rknn_simulator_contexts")


class AlarmError(BaseException):
    """Raised by the signal handler of these tests, as KeyboardInterrupt is by Python's."""


@pytest.fixture
def alarm() -> Iterator[Callable[[float], None]]:
    """Takes seconds: by then there is a signal on the main thread, whose handler raises."""

    def handler(_signal: int, _frame: FrameType | None) -> None:
        raise AlarmError

    def ring() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    # Not SIGALRM, which pytest uses to watch over the tests.
    previous, timers = signal.signal(signal.SIGUSR1, handler), list[threading.Timer]()

    def start(seconds: float) -> None:
        timers.append(threading.Timer(seconds, ring))
        timers[-1].start()

    yield start
    for timer in timers:
        timer.cancel()
        timer.join()
    signal.signal(signal.SIGUSR1, previous)


def feed_of(session: InferenceSession, seed: int = 0) -> dict[str, Any]:
    """Return random inputs that fit a model."""
    generator = np.random.default_rng(seed)
    return {i.name: generator.random(i.shape, np.float32) for i in session.get_inputs()}
