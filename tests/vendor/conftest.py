# SPDX-License-Identifier: Apache-2.0
"""The vendor's own ``librknnrt.so``, under our binding, engine and sessions, on a faked kernel driver.

These tests run inside an emulated aarch64 Python whose C library stands behind the faked driver; ``make test-vendor``
prepares it. Everywhere else they are skipped.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ez_rknn_async import InferenceSession, make_provider_options

from .npu import FakeNpu
from .raw import Raw

LIBRARY = os.environ.get("EZ_RKNN_VENDOR_LIBRARY")
DRIVER = os.environ.get("EZ_RKNN_FAKE_DRIVER")

OpenSession = Callable[..., InferenceSession]


@pytest.fixture(scope="session")
def vendor_library() -> str:
    """The path of the vendor's library."""
    if not LIBRARY or not DRIVER:
        pytest.skip("runs against the vendor's library, which `make test-vendor` fetches")
    return LIBRARY


@pytest.fixture(scope="session")
def _driver(vendor_library: str) -> FakeNpu:
    return FakeNpu(Path(str(DRIVER)), Path(__file__).parent / "driver" / "fake_npu.h")


@pytest.fixture
def npu(_driver: FakeNpu) -> Iterator[FakeNpu]:
    """The faked NPU; no allocation of a test may be left when it ends."""
    _driver.forget()
    before, stale = len(_driver.memories()), _driver.count("DESTROYED_NOTHING")
    yield _driver
    _driver.forget()
    gc.collect()  # an exception keeps the variables of the frames that it went through
    assert len(_driver.memories()) == before, "memory that the NPU can reach was not given back"
    assert _driver.count("DESTROYED_NOTHING") == stale, "memory was given back that did not exist (any more)"
    assert _driver.count("UNKNOWN") == 0, "the driver was asked for something that it does not know"


@pytest.fixture(params=["copy", "direct"])
def io_mode(request: pytest.FixtureRequest) -> str:
    """Each mode: the runtime's general calls, and memory that is bound once."""
    return str(request.param)


@pytest.fixture
def open_session(npu: FakeNpu, vendor_library: str, data: Path) -> Iterator[OpenSession]:
    """Opens sessions on the vendor's library by model name or path, and closes them after the test."""
    sessions: list[InferenceSession] = []

    def open_(model: str | Path = "tiny_conv_int8", **options: Any) -> InferenceSession:
        path = model if isinstance(model, Path) else data / f"{model}.rknn"
        options = make_provider_options(runtime_library=vendor_library, **options)
        with pytest.warns(UserWarning, match="update librknnrt"):  # 1.5.2 is old
            sessions.append(InferenceSession(path, provider_options=options))
        return sessions[-1]

    yield open_
    for session in sessions:
        session.close()


@pytest.fixture
def raw(npu: FakeNpu, vendor_library: str, data: Path) -> Iterator[Callable[[str | Path], Raw]]:
    """Opens models with the library's own calls, without our code, and closes them after the test."""
    opened: list[Raw] = []

    def open_(model: str | Path) -> Raw:
        opened.append(Raw(vendor_library, model if isinstance(model, Path) else data / f"{model}.rknn"))
        return opened[-1]

    yield open_
    for context in opened:
        context.close()
