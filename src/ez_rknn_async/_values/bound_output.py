# SPDX-License-Identifier: Apache-2.0
"""The value that an output of a binding is bound to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .ort_value import OrtValue
from .storage import CPU, DeviceTensor, HostTensor

if TYPE_CHECKING:
    from .ports import Port

    Shape = tuple[int, ...]


class BoundOutput:
    """The user's value, or one that is made when the shape is known.

    Attributes:
        value: None until it is made.
    """

    def __init__(
        self,
        port: Port,
        device: str = "",
        dtype: np.dtype[Any] | None = None,
        layout: str = "session",
        flags: str = "default",
        native: bool = False,
        *,
        value: OrtValue | None = None,
    ) -> None:
        self._port, self._device, self._dtype, self._native = port, device, dtype, native
        self._layout, self._flags = layout, flags
        self._is_given = value is not None
        self.value = value

    def at(self, port: Port, native: bool) -> BoundOutput:
        """Return the same for an output of another executor; a value that is not the user's will be made again."""
        value = self.value if self._is_given else None
        return BoundOutput(port, self._device, self._dtype, self._layout, self._flags, native, value=value)

    def value_of(self, shape: Shape) -> OrtValue:
        """Return the value for an output of this shape."""
        if self.value is None or (not self._is_given and tuple(self.value.shape()) != shape):
            self.value = OrtValue(self._make(shape))
        return self.value

    def _make(self, shape: Shape) -> HostTensor | DeviceTensor:
        if self._device != CPU:
            return self._port.allocate(shape, self._dtype, self._layout, self._flags)
        form = self._port.form(shape, None)
        dtype = self._dtype or (np.dtype(form.type) if self._native else form.real_dtype)
        return HostTensor(np.zeros(shape, dtype))
