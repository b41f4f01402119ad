# SPDX-License-Identifier: Apache-2.0
"""Warnings of quantised NaNs: an integer cannot hold NaN, which becomes the largest number that it can hold.

The conversion kernels look for NaN only where they cannot estimate a result, at no measurable cost, and leave a mark in
the conversion (see :attr:`._runtime.kernels.Conversion.met_nan`). What the runtime itself converts (``io_mode="copy"``)
is not checked: that would cost more than the conversion.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from .._host import greenlets
from .._messages.callers import user_stacklevel

if TYPE_CHECKING:
    from .._runtime.kernels import Conversion


class NanWarnings:
    """Warnings, at most one for each input."""

    def __init__(self) -> None:
        self._lock = greenlets.lock()  # guards _warned
        self._warned: set[str] = set()

    def warn(self, name: str) -> None:
        """Warn that NaN was quantised for the input of that name."""
        if name in self._warned:
            return
        with self._lock:
            if name in self._warned:
                return
            self._warned.add(name)
        warnings.warn(
            f"input {name!r} is quantised and was given NaN, which became the largest number that it can hold; "
            "this is said once a session",
            UserWarning,
            stacklevel=user_stacklevel(),
        )


def look_at_value(conversion: Conversion) -> None:
    """Warn, once for each conversion, if it has written NaN to a value on the NPU."""
    if conversion.met_nan[0]:
        conversion.met_nan[0] = 0  # inferences need not warn of it again
        if not conversion.is_reported:
            conversion.is_reported = True
            NanWarnings().warn(conversion.name)
