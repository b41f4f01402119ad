# SPDX-License-Identifier: Apache-2.0
"""The error for forms that the format document does not explain."""

from __future__ import annotations

from ...errors import RknnModelError


class UnsupportedFormError(RknnModelError):
    """A legal part of the file in an unknown form; guessing would give wrong numbers."""
