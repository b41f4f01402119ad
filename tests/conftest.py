# SPDX-License-Identifier: Apache-2.0
"""Fixtures for every test."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture
def tiny_switch_interval() -> Iterator[None]:
    """Make the interpreter switch threads as often as it can, so that no code relies on late switches."""
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(former)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """The committed models and recordings; see tests/data/README.md."""
    return ROOT / "tests" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The collection of models and recordings of the vendor's tools, if it lies beside the project."""
    if not SHARED.is_dir():
        pytest.skip("the collection ../shared is not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def originals() -> ModuleType:
    """The ONNX graphs that the models of tests/data were compiled from: ``tools/test_graphs.py``."""
    pytest.importorskip("onnx")
    return importlib.import_module("test_graphs")
