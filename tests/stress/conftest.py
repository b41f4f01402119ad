# SPDX-License-Identifier: Apache-2.0
"""Frequent thread switches for the tests of this folder."""

from __future__ import annotations

from ..session.conftest import open_session

__all__ = ["open_session"]
