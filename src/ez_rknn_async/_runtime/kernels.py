# SPDX-License-Identifier: Apache-2.0
"""The conversion kernels, from Python: an array into a tensor's memory and back, converted while it moves.

The kernels are C++ (``native/kernels``); ``native/include/ez_rknn_kernels.h`` defines each layout and each rule. This
module adds types, the lifetime of the C structures, and a check with a clear message.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from ..errors import RknnValueError
from .abi import ffi
from .native import native
from .tensor_attribute import FORMATS, TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence


_OK = 0  # EZR_OK


class Rule(IntEnum):
    """The conversion of an element ``x``, given its channel's factors ``a`` and ``b``."""

    COPY = 0  # x
    NORMALISE = 1  # (x - a) / b in float32
    SCALE = 2  # saturate(rne(x * a) + b); a is a float32's value, b a whole number
    AFFINE = 3  # saturate(rne(x * a + b)) in float64
    DIVIDE = 4  # saturate(rne(x / a + b)) in float32
    DEQUANTISE = 5  # (x - b) * a in float32


@dataclass(frozen=True)
class MemoryLayout:
    """The layout in memory of an ``n x c x h x w`` tensor.

    Attributes:
        type: the element type, by its name in :data:`~.context.TYPES`.
        format: ``"NCHW"``, ``"NHWC"`` or ``"NC1HWC2"``.
        row: NCHW and NHWC: pixels from one row to the next; 0: as many as there are in a row.
        c1: NC1HWC2: blocks of channels.
        c2: NC1HWC2: channels in a block.
        surface: NC1HWC2: pixels from one block to the next; 0: as many as there are in the image.
    """

    type: str
    format: str
    row: int = 0
    c1: int = 0
    c2: int = 0
    surface: int = 0

    def as_c(self) -> dict[str, int]:
        """Return the fields of ``ezr_layout``."""
        return {
            "type": TYPES.index(self.type),
            "format": FORMATS.index(self.format),
            "row": self.row,
            "c1": self.c1,
            "c2": self.c2,
            "surface": self.surface,
        }

    def bytes_of(self, shape: tuple[int, int, int, int]) -> int:
        """Return the bytes that a tensor of shape ``(n, c, h, w)`` takes, gaps included."""
        size: int = native().ezr_layout_bytes(*shape, ffi.new("ezr_layout *", self.as_c()))
        return size


class Conversion:
    """One conversion, checked: the C structure and the arrays that it points to.

    Attributes:
        c: the ``ezr_conversion *``, valid as long as this object.
        source_bytes: the size of the source.
        destination_bytes: the size of the destination; all of it is written.
        name: of the tensor, for messages.
        met_nan: ``uint32_t *``, not 0 once a NaN was quantised, which made it the largest number.
        is_reported: True once the user was warned of it.
    """

    def __init__(
        self,
        shape: tuple[int, int, int, int],
        source: MemoryLayout,
        destination: MemoryLayout,
        rule: Rule = Rule.COPY,
        a: Sequence[float] = (),
        b: Sequence[float] = (),
        gap: Sequence[int] | None = None,
        name: str = "",
    ) -> None:
        """Describe a conversion of tensors of one shape.

        Args:
            shape: ``(n, c, h, w)``; for anything but an image ``(1, 1, 1, elements)`` in NCHW.
            source: the layout to read.
            destination: the layout to write.
            rule: the conversion of each element.
            a: the rule's first factor, one for all channels or one for each; empty with COPY.
            b: the rule's second factor, likewise.
            gap: for each channel, the value that fills the ends of the destination's rows; None: 0.
            name: of the tensor, for messages.

        Raises:
            RknnValueError: there is no kernel for this, or the numbers are inconsistent.
        """
        if len(a) != len(b) or (gap is not None and len(gap) != shape[1]):
            raise RknnValueError(f"{len(a)} factors a, {len(b)} factors b, gap {gap} for {shape[1]} channels")
        self._owned = [
            ffi.new("double[]", [float(factor) for factor in a]) if len(a) else ffi.NULL,
            ffi.new("double[]", [float(factor) for factor in b]) if len(b) else ffi.NULL,
            ffi.NULL if gap is None else ffi.new("int32_t[]", [int(value) for value in gap]),
        ]
        n, c, h, w = shape
        self.name = name
        self.is_reported = False
        self.met_nan: Any = ffi.new("uint32_t *")
        self.c: Any = ffi.new(
            "ezr_conversion *",
            {
                **{"n": n, "c": c, "h": h, "w": w},
                **{"from": source.as_c(), "to": destination.as_c()},
                **{"rule": int(rule), "channels": len(a)},
                **{"a": self._owned[0], "b": self._owned[1], "gap": self._owned[2]},
                "met_nan": self.met_nan,
            },
        )
        if native().ezr_check_conversion(self.c) != _OK:
            raise RknnValueError(
                f"no kernel converts {source} to {destination} for n, c, h, w = {shape} by {rule.name} "
                f"with {len(a)} pairs of factors"
            )
        self.source_bytes = source.bytes_of(shape)
        self.destination_bytes = destination.bytes_of(shape)

    def convert(self, source: Any, destination: Any) -> None:
        """Convert; both are contiguous buffers that do not overlap. The GIL is released meanwhile.

        Raises:
            RknnValueError: a buffer is smaller than its tensor.
        """
        # Given back before an error leaves: its frames would keep a memoryview in use, see context.py.
        with ffi.from_buffer(source) as from_buffer, ffi.from_buffer(destination, require_writable=True) as to_buffer:
            if len(from_buffer) < self.source_bytes or len(to_buffer) < self.destination_bytes:
                raise RknnValueError(
                    f"converting {self.source_bytes} bytes to {self.destination_bytes}, "
                    f"but the buffers have {len(from_buffer)} and {len(to_buffer)}"
                )
            native().ezr_convert(self.c, from_buffer, to_buffer)


def transpose(source: Any, destination: Any, outer: int, rows: int, columns: int) -> None:
    """Set ``destination[o, c, r] = source[o, r, c]`` for two contiguous arrays of the same element size."""
    native().ezr_transpose(
        ffi.from_buffer(source), ffi.from_buffer(destination), outer, rows, columns, source.dtype.itemsize
    )
