"""Threads that meet at every point, for the tests of this folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from ..session.conftest import open_session

__all__ = ["open_session"]
