"""What the format document does not explain."""

from __future__ import annotations

from ...errors import RknnModelError


class UnsupportedFormError(RknnModelError):
    """A part of the file is legal, but in a form that is not understood; guessing would give wrong numbers."""
