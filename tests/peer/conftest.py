# SPDX-License-Identifier: Apache-2.0
"""Fixtures for programs written for the library that this one replaces: no provider is named, and only documented
options are set.

Every test here runs under both import names. The tests map what such programs rely on (and the defects of that library)
to proofs, but for what tests/session, tests/test_options.py and their neighbours prove already: each module's docstring
says where it is.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

import pytest

from ez_rknn_async import InferenceSession

from ..session.conftest import living_contexts as living_contexts
from ..session.conftest import runs_by_core as runs_by_core

OpenSession = Callable[..., InferenceSession]


@pytest.fixture(params=["ez_rknn_async", "ztu_somemodelruntime_ez_rknn_async"])
def api(request: pytest.FixtureRequest) -> ModuleType:
    """The package, under each of its two import names."""
    return importlib.import_module(request.param)


@pytest.fixture(autouse=True)
def simulated_npu(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Every session is on the simulated NPU with compute off; call it to set that NPU up differently."""
    monkeypatch.setenv("EZ_RKNN_RUNTIME_LIBRARY", "simulator")

    def configure(settings: str) -> None:
        monkeypatch.setenv("EZ_RKNN_SIMULATOR", settings)

    configure("compute=off")
    return configure


@pytest.fixture
def open_session(api: ModuleType, data: Path) -> Iterator[OpenSession]:
    """Opens sessions as these programs do, by model name and provider options, and closes them after the test."""
    sessions: list[InferenceSession] = []

    def open_(model: str = "tiny_conv_int8", **options: Any) -> InferenceSession:
        path = str(data / f"{model}.rknn")
        sessions.append(api.InferenceSession(path, provider_options=api.make_provider_options(**options)))
        return sessions[-1]

    yield open_
    for session in sessions:
        session.close()
