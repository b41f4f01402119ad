"""Threads that meet at every point, for the tests of this folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from ..session.conftest import open_session

__all__ = ["open_session"]


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """The interpreter goes to another thread as often as it can, so that nothing relies on its doing that seldom."""
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(former)
