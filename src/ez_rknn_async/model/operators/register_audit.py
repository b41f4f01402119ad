# SPDX-License-Identifier: Apache-2.0
"""Every register that the compiler writes for a convolution, and what the simulated NPU makes of it.

The numbers of a convolution are partly in registers (:mod:`.dpu`). A field that was the same in every file so far may
still change what is computed, in the first file where it differs: so it is compared, and an unknown value is refused
rather than left out. Of 7,940 convolutions in 1,680 files, for six SoCs and by compilers from 2.2 to 2.5, none is.

Registers that are not listed here, by group:

* ``0x1004`` to ``0x118C`` (CNA and its buffers): sizes, strides, addresses and formats of input and weights. The graph
  has them too, and :mod:`.dpu` reads the geometry of transposed convolutions. The conversion of pixels (``0x104C`` to
  ``0x1060``) and the padding (``0x1184``, ``0x1084``) repeat scale and zero point of the input; compressed weights
  (``0x1100`` to ``0x117C``) are refused by their type.
* ``0x3004`` to ``0x3018``, ``0x301C`` and ``0x3020`` on RK3562 and newer: sizes and precision of the sum.
* ``0x4004`` to ``0x403C``, ``0x40B8``, ``0x40C0`` and ``0x40D0``: addresses, sizes and formats of the result.
* ``0x4070`` to ``0x4078`` on RK3588 and RK356x, ``0x407C`` to ``0x4084`` on newer ones: the elementwise operator, which
  the node's name says, and its operand's scale and zero point, which the tensor has.
* ``0x4090`` to ``0x40AC`` on RK3588 and RK356x, ``0x4070``, ``0x4074`` and ``0x4078`` on newer ones: bounds of a clip
  and operands that repeat constants of the graph.
* ``0x4100`` to ``0x412C``: look-up tables, whose function the node's name says; their parameters are read
  (:mod:`.table_parameters`).
* ``0x5000`` to ``0x506C``: the addresses from which operands are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .unsupported import UnsupportedFormError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ANY = 0xFFFFFFFF


@dataclass(frozen=True)
class Register:
    """A register whose value matters to the numbers.

    ``free``: the bits that are read, or known to have no effect. The others have one of the values ``known``.
    """

    address: int
    meaning: str
    free: int = 0
    known: tuple[int, ...] = (0,)
    quantized_only: bool = False  # in floating point it holds something else, which is read or has no effect


# RK3588, RK3566 and RK3568.
_OLDER = (
    Register(0x4040, "first multiplier and bias: which are bypassed", 0x10, (0x20140, 0x148, 0x43)),
    Register(0x4044, "bias of a whole layer"),
    Register(0x4048, "first multiplier: operand, shift, and of a whole layer the number", 0x3F01, (0, 0x40000000)),
    Register(0x404C, "limit after the first multiplier"),
    Register(0x4050, "per layer or per channel; blocks of the result", _ANY),
    Register(0x4054, "zero point of a whole layer's weights", _ANY),
    Register(0x4060, "second multiplier and offset: which are bypassed; ReLU and its kin", 0x200FB),
    Register(0x4064, "offset before a clip or a table", _ANY),
    Register(0x4068, "second multiplier: operand, shift, number", _ANY),
    Register(0x406C, "upper bound of a clip", _ANY),
    Register(0x407C, "limit after the elementwise operator"),
    Register(0x4080, "zero point of the result, which the tensor has", _ANY),
    Register(0x4084, "scale of the result; above it, if the result is float16", 0x1FFFF),
    Register(0x4088, "shift of the result", 0x3F, quantized_only=True),
    Register(0x40C4, "unknown"),
)
_RK3588 = (
    Register(0x301C, "shift of the sum of products", 0x1F),
    Register(0x3030, "unknown"),
    *_OLDER,
)
_RK356X = (
    Register(0x3018, "shift of the sum of products", 0x1F),
    Register(0x302C, "unknown"),
    *(Register(one.address, one.meaning, 0xFB) if one.address == 0x4060 else one for one in _OLDER),
)
_NEWER = (
    Register(0x3024, "shift of the sum of products, and of something beside it", 0x3FF),
    Register(0x4048, "lower limit of a sum", known=(0x80000000,)),
    Register(0x404C, "upper limit of a sum", known=(0x7FFFFFFF,)),
    Register(0x4058, "lower limit after the first multiplier", known=(0x80000000,)),
    Register(0x405C, "upper limit after the first multiplier", known=(0x7FFFFFFF,)),
    Register(0x408C, "upper limit of the elementwise operand", known=(0x7FFFFFFF,)),
    Register(0x4094, "unknown"),
    Register(0x40A8, "upper limit after the elementwise operator", known=(0x7FFFFFFF,)),
    Register(0x40AC, "zero point of the result, which the tensor has", _ANY),
    Register(0x40B0, "scale of the result; above it, if the result is float16", 0x1FFFF),
    Register(0x40B4, "shift of the result", 0x3F, quantized_only=True),
    Register(0x40BC, "unknown"),
    Register(0x40C8, "unknown"),
)
_RK3562 = (
    *_NEWER,
    Register(0x4038, "first multiplier: which part is bypassed, shift", 0x3F00, (0x120080, 0x100092), True),
    Register(0x4040, "limit after the first multiplier", quantized_only=True),
    Register(0x4060, "second multiplier and offset: which are bypassed; ReLU and its kin", 0x20033),
)
_RK3576 = (
    *_NEWER,
    Register(0x4038, "first multiplier: which part is bypassed", 0, (0x120080, 0x100092), True),
    Register(0x4060, "second multiplier and offset: which are bypassed; ReLU and its kin", 0xF23),
)
REGISTERS: Mapping[str, Sequence[Register]] = {
    "rk3588": _RK3588,
    "rk3566": _RK356X,
    "rk3568": _RK356X,
    "rk3562": _RK3562,
    "rk3576": _RK3576,
    "rv1126b": _RK3576,
}


def check_registers(registers: Mapping[int, int], target: str, *, quantized: bool) -> None:
    """Check the registers of a convolution on the SoC ``target``.

    Raises:
        UnsupportedFormError: one has a value that is not known; names it.
    """
    for one in REGISTERS.get(target, ()):
        value = registers.get(one.address, one.known[0])
        if one.quantized_only and not quantized:
            continue
        if value & ~one.free & 0xFFFFFFFF not in one.known:
            raise UnsupportedFormError(
                f"register {one.address:#x} ({one.meaning}) of its commands is {value:#x}, which is not known"
            )
