# SPDX-License-Identifier: Apache-2.0
"""The scaling of a convolution's accumulators before they are stored, read from the commands for the NPU.

A quantised convolution sums integers; one unit of the normalised sum stands for a real number that is in no table of
the file. It follows from the factor by which the NPU multiplies the sum: before it stores it (``OUT_SCALE /
2**OUT_SHIFT``), or before it looks up an activation (``BN multiplier / 2**BN shift``). The bounds of a fused clip and
the slope of a fused leaky ReLU are in the same place.

Where that place is differs between SoCs: registers on all but RK3576, which reads most of it from small constant
tensors named after the output.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .stages import TABLE_GAINS
from .unsupported import UnsupportedFormError

if TYPE_CHECKING:
    from ..format.file import Model
    from ..format.graph import Graph, Tensor

    Array = np.ndarray[Any, np.dtype[Any]]

_LARGEST_INTEGER, _LARGEST_HALF = 2.0**31 - 1.5, 65504.0

UNITY_SHIFT = 14  # the per-channel multipliers are fractions of 2**14
TABLE_RANGE = 32768.0  # the tables' entries for 0 to 1

BS_CFG, BS_MULTIPLIER, BN_CFG, BN_OFFSET, BN_MULTIPLIER, RELU_MAX = 0x4040, 0x4048, 0x4060, 0x4064, 0x4068, 0x406C
BS_ZERO_POINT = 0x4054
BS_OPERANDS, NEWER_BS_CFG, NEWER_BS_MULTIPLIER = 0x4050, 0x4038, 0x4044
KERNEL_PADDING, TRANSPOSED_STRIDES = 0x1074, 0x1014
BS_MULTIPLIER_BYPASSED, BN_BYPASSED, BN_OFFSET_BYPASSED = 0x10, 0x01, 0x02


def half(bits: int) -> float:
    """Return a float16 from its bits."""
    return float(np.array(bits & 0xFFFF, np.uint16).view(np.float16))


def single(bits: int) -> float:
    """Return a float32 from its bits."""
    return float(np.array(bits & 0xFFFFFFFF, np.uint32).view(np.float32))


def weight_offset(bits: int) -> int:
    """Return minus the zero point of weights, kept in a byte: -128 does not occur, and stands for +128."""
    offset = signed(bits, 8)
    return 128 if offset == -128 else offset


def signed(bits: int, width: int = 32) -> int:
    """Return a two's complement integer from its bits."""
    bits &= (1 << width) - 1
    return bits - (1 << width) if bits >> (width - 1) else bits


def fraction(bits: int) -> float:
    """Return the number written as ``bits / 2**14``: the one with the fewest decimals that is stored like that.

    ``bits`` is a signed 16-bit number: an absolute value is a leaky ReLU whose slope is -1.

    A slope is 0.1 or 0.2 in a network; taken as 1638 / 16384 it would be wrong by 2e-4, and so would the results.
    """
    bits = signed(bits, 16)
    stored = bits / 2.0**UNITY_SHIFT
    near = (round(stored, digits) for digits in range(1, 6))
    return next((number for number in near if abs(number * 2.0**UNITY_SHIFT - bits) < 1), stored)


@dataclass(frozen=True)
class Dpu:
    """The settings of one convolution on RK3588, RK3566 and RK3568.

    ``unit`` is the real value of one step of the normalised sum, None in a floating-point convolution.
    """

    registers: dict[int, int]
    constants: dict[str, Array]  # the compiler's own tensors for this output, as uint16, by the suffix of their names

    lanes = 8  # channels in a block of the bias buffer
    second_multiplier_bypassed = 0x10  # a bit of BN_CFG
    sum_shift_register = 0x301C
    out_zero_point, out_scale, out_shift = 0x4080, 0x4084, 0x4088
    operands_shift = 0

    def per_layer(self) -> bool:
        """Check if all channels share one weight scale and zero point: then neither is read from memory."""
        return not (self._register(BS_OPERANDS) >> self.operands_shift) & 1

    def layer_zero_point(self, depthwise: bool) -> int:
        """Return the number to add to each weight in per-layer mode."""
        return signed(self._register(BS_ZERO_POINT), 16)

    def multiplier_shift(self, per_layer: bool, depthwise: bool) -> int:
        """Return the right shift, in bits, of the product with the multiplier; without one, as if it were 1.0."""
        shift = (self._register(BS_MULTIPLIER) >> 8) & 63
        return shift + UNITY_SHIFT if self._register(BS_CFG) & BS_MULTIPLIER_BYPASSED else shift

    def sum_shift(self) -> int:
        """Return the right shift, in bits, of the sum of products, before the bias and the multiplier.

        Zero but in convolutions with channels whose weights are next to nothing, which networks have by the dozen after
        their normalisations were folded.
        """
        return self._register(self.sum_shift_register) & 31

    def output_gain(self) -> float:
        """Return the gain from the normalised sum to the units of the output."""
        if self.out_scale not in self.registers:
            raise UnsupportedFormError("its output scale is not where it is expected")
        # The bit above the 16 of the scale is set where another operand is added; it is not part of the number.
        scale = self.registers[self.out_scale] & 0xFFFF
        return float(scale / 2.0 ** min(63, self._register(self.out_shift)))

    def output_zero_point(self) -> int:
        """Return the number added to the units of the output."""
        return signed(self._register(self.out_zero_point))

    def table_gain(self) -> float:
        """Return the gain from the normalised sum to the argument of an activation's look-up table."""
        multiplier = self._register(BN_MULTIPLIER)
        return float((multiplier >> 16) / 2.0 ** ((multiplier >> 8) & 63))

    def slope_shift(self) -> int:
        """Return the right shift, in bits, of the sum in a leaky ReLU, before the next fused operator."""
        return (self._register(BN_MULTIPLIER) >> 8) & 63

    def second_gain(self) -> float:
        """Return the gain between the normalised sum and a fused addition, for sums that would be out of its reach.

        It is 1 but in the mean of many numbers, whose sum the compiler has split.
        """
        if self._register(BN_CFG) & (BN_BYPASSED | self.second_multiplier_bypassed):
            return 1.0
        return self._second_gain()

    def _second_gain(self) -> float:
        multiplier = self._register(BN_MULTIPLIER)
        if multiplier & 1:
            raise UnsupportedFormError("its second multiplier is an operand")
        return float(signed(multiplier >> 16, 16) / 2.0 ** self.slope_shift())

    def leaky_slope(self, floating: bool) -> float:
        """Return the slope of a fused leaky ReLU."""
        bits = self._register(BN_MULTIPLIER) >> 16
        return half(bits) if floating else fraction(bits)

    def clip_bounds(self, unit: float | None) -> tuple[float, float]:
        """Return the bounds of a fused clip, as real numbers."""
        low, high = self._real(BN_OFFSET, unit), self._real(RELU_MAX, unit)
        if self._register(BN_CFG) & BN_OFFSET_BYPASSED:
            low = 0.0
        return -low, high - low

    def keeps_upper_bound(self, low: float, unit: float | None) -> bool:
        """Check if a clip's upper bound, stored as its distance from ``low``, survives rounding."""
        if unit is None:
            return low > -_LARGEST_HALF
        return low > -_LARGEST_INTEGER * unit

    def hard_sigmoid(self, floating: bool) -> tuple[float, float]:
        """Return alpha and beta of a fused hard sigmoid: the table is 0.5 + t / 32768, and t = gain * x + offset."""
        gain, offset = self._table_argument(floating)
        # In integers any alpha will do, as long as the unit of the sum is derived from the same gain.
        return (gain if floating else TABLE_GAINS["HardSigmoid"]) / TABLE_RANGE, 0.5 + offset / TABLE_RANGE

    def _table_argument(self, floating: bool) -> tuple[float, float]:
        """Return gain and offset of the table's argument."""
        multiplier, offset = self._register(BN_MULTIPLIER), self._register(BN_OFFSET)
        if floating:
            return half(multiplier >> 16), single(offset)
        return self.table_gain(), signed(offset) / 2.0 ** ((multiplier >> 8) & 63)

    def transposed_geometry(self, kernel: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """Return strides, dilations and leading pads, all (y, x), of a transposed convolution without parameters.

        As a plain convolution of the spread-out input, it is padded by the part of the kernel that exceeds the pads.
        """
        settings = self._register(TRANSPOSED_STRIDES)
        strides = ((settings >> 11) & 7) + 1, ((settings >> 8) & 7) + 1
        dilations = ((settings >> 21) & 31) + 1, ((settings >> 16) & 31) + 1
        return strides, dilations, self._leading_pads(kernel, dilations)

    def _leading_pads(self, kernel: tuple[int, int], dilations: tuple[int, int]) -> tuple[int, int]:
        """Return the leading pads without the dilations, which do not enter into this register."""
        pads = self._register(0x1068)
        return kernel[0] - 1 - (pads & 15), kernel[1] - 1 - ((pads >> 4) & 15)

    def _register(self, address: int) -> int:
        return self.registers.get(address, 0)

    def _real(self, address: int, unit: float | None) -> float:
        bits = self._register(address)
        return single(bits) if unit is None else signed(bits) * unit


class Rk3566Dpu(Dpu):
    """The settings on RK3566 and RK3568: half as many lanes."""

    lanes = 4
    sum_shift_register = 0x3018


class NewerDpu(Dpu):
    """The common settings of RK3562 and RK3576: other places for the output's scale and for the bounds of a clip."""

    sum_shift_register = 0x3024
    out_zero_point, out_scale, out_shift = 0x40AC, 0x40B0, 0x40B4

    def layer_zero_point(self, depthwise: bool) -> int:
        """Return a depthwise weight's from the register that fills the kernel's padding."""
        if depthwise:
            return weight_offset(self._register(KERNEL_PADDING))
        return super().layer_zero_point(depthwise)

    def clip_bounds(self, unit: float | None) -> tuple[float, float]:
        """Read the bounds from registers of their own."""
        if unit is None:
            return self._real(0x4074, None), self._real(0x4078, None)
        low = self._real(0x4090, unit)
        return low, self._real(0x4078, unit) + low

    def keeps_upper_bound(self, low: float, unit: float | None) -> bool:
        """Check the same; a floating-point bound always survives, in a register of its own."""
        return unit is None or super().keeps_upper_bound(low, unit)

    def _table_argument(self, floating: bool) -> tuple[float, float]:
        """Return gain and offset; the offset is added before the multiplication."""
        multiplier, offset = self._register(BN_MULTIPLIER), self._register(BN_OFFSET)
        if floating:
            return half(multiplier >> 16), half(multiplier >> 16) * single(offset)
        return self.table_gain(), self.table_gain() * signed(offset)

    def _leading_pads(self, kernel: tuple[int, int], dilations: tuple[int, int]) -> tuple[int, int]:
        """Return the leading pads, with the dilations."""
        pads = self._register(0x1080)
        return dilations[0] * (kernel[0] - 1) - (pads & 0xFF), dilations[1] * (kernel[1] - 1) - ((pads >> 8) & 0xFF)


class Rk3562Dpu(NewerDpu):
    """The settings on RK3562."""

    lanes = 4

    def layer_zero_point(self, depthwise: bool) -> int:
        """Return the zero point if a bit says that it is there; else the filling of the kernel's padding.

        Depthwise convolutions have it in the second place, as have all that the NPU computes in the same manner.
        """
        settings = self._register(BS_ZERO_POINT)
        return signed(settings, 16) if settings >> 31 else weight_offset(self._register(KERNEL_PADDING))

    def multiplier_shift(self, per_layer: bool, depthwise: bool) -> int:
        """Read a whole layer's shift from a register, if that holds a multiplier."""
        shift = (self._register(NEWER_BS_CFG) >> 8) & 63
        return shift + UNITY_SHIFT if per_layer and not self._register(NEWER_BS_MULTIPLIER) >> 16 else shift

    def clip_bounds(self, unit: float | None) -> tuple[float, float]:
        """Return the bounds; floating-point ones are relative to an offset."""
        if unit is not None:
            return super().clip_bounds(unit)
        low = self._real(BN_OFFSET, None)
        return low, self._real(0x4078, None) + low

    def keeps_upper_bound(self, low: float, unit: float | None) -> bool:
        """Check the same, for floating-point bounds too."""
        return low > -_LARGEST_HALF if unit is None else super().keeps_upper_bound(low, unit)


class Rk3576Dpu(NewerDpu):
    """The settings on RK3576: the multipliers are in constant tensors."""

    operands_shift = 16
    second_multiplier_bypassed = 0x100

    def layer_zero_point(self, depthwise: bool) -> int:
        """Read it from the compiler's tensor."""
        if depthwise:
            return super().layer_zero_point(depthwise)
        return signed(int(self._constant("_BScfgTensor")[0]), 16)

    def multiplier_shift(self, per_layer: bool, depthwise: bool) -> int:
        """Read it from the compiler's tensors; a layer's offset, multiplier and shift have eight elements each."""
        settings = self.constants.get("_BsCfg_BScfgTensor")
        if per_layer:
            place = 8 if depthwise else 16  # depthwise weights have their offset elsewhere
            return UNITY_SHIFT if settings is None or len(settings) <= place else int(settings[place]) & 63
        settings = self.constants.get("_BScfgTensor") if settings is None else settings
        return UNITY_SHIFT if settings is None else int(settings[0]) & 63

    def _table_argument(self, floating: bool) -> tuple[float, float]:
        """Read it from the compiler's tensor; elements 0 and 1 are the offset."""
        settings = self._constant("_BnCfg_BNcfgTensor")
        offset = int(settings[0]) | int(settings[1]) << 16
        if floating:
            return half(int(settings[16])), half(int(settings[16])) * single(offset)
        return self.table_gain(), self.table_gain() * signed(offset)

    def table_gain(self) -> float:
        """Read it from the compiler's tensor; element 16 is the multiplier, element 24 the shift."""
        settings = self.constants.get("_BnCfg_BNcfgTensor")
        if settings is None or len(settings) <= 24 or not 0 < int(settings[24]) & 0xFF < 40:
            return super().table_gain()
        return float(int(settings[16]) / 2.0 ** (int(settings[24]) & 0xFF))

    def slope_shift(self) -> int:
        """Read it from the compiler's tensor: after the slope, or in its place if that is an operand."""
        settings = self._constant("_BnCfg_BNcfgTensor")
        return int(settings[8 if len(settings) > 8 else 0]) & 63

    def _second_gain(self) -> float:
        """Read it from the compiler's tensor, which is named after the operand of the addition."""
        settings = self._constant(OF_OPERAND)
        if len(settings) <= 8:
            raise UnsupportedFormError("the compiler's tensor of its second multiplier is cut short")
        return float(signed(int(settings[0]), 16) / 2.0 ** (int(settings[8]) & 63))

    def leaky_slope(self, floating: bool) -> float:
        """Read it from the compiler's tensors; depthwise convolutions have only the second one."""
        if floating and "_BsCfg_BScfgTensor" in self.constants:
            return half(int(self._constant("_BsCfg_BScfgTensor")[0]))
        bits = int(self._constant("_BnCfg_BNcfgTensor")[0])
        return half(bits) if floating else fraction(bits)

    def _constant(self, suffix: str) -> Array:
        if suffix not in self.constants:
            raise UnsupportedFormError(f"the compiler's tensor {suffix!r} for its output is missing")
        return self.constants[suffix]


DPUS: dict[str, type[Dpu]] = {
    "rk3588": Dpu,
    "rk3566": Rk3566Dpu,
    "rk3568": Rk3566Dpu,
    "rk3562": Rk3562Dpu,
    "rk3576": Rk3576Dpu,
    "rv1126b": Rk3576Dpu,
}
SETTINGS = ("_BScfgTensor", "_BnCfg_BNcfgTensor")
OF_OPERAND = "operand's _BnCfg_BNcfgTensor"
LEAKY_SETTINGS = ("_BsCfg_BScfgTensor", *SETTINGS)


def dpu(
    model: Model,
    graph: Graph,
    registers: dict[int, int],
    output: Tensor,
    leaky: bool = False,
    operand: Tensor | None = None,
) -> Dpu:
    """Return the settings of the convolution whose result is ``output``.

    ``leaky``: a leaky ReLU is fused with it, which has settings of its own. Without one, a tensor of that name belongs
    to an attention whose operand is ``output``. ``operand`` is that of a fused addition.

    Raises:
        UnsupportedFormError: the settings of this SoC are unknown.
    """
    kind = DPUS.get(model.target_platform)
    if kind is None:
        raise UnsupportedFormError(f"the settings of its fused functions are not known for {model.target_platform}")
    names = LEAKY_SETTINGS if leaky else SETTINGS
    wanted = {output.name + suffix: suffix for suffix in names}
    if operand is not None:
        wanted[operand.name + "_BnCfg_BNcfgTensor"] = OF_OPERAND
    wanted = wanted if kind is Rk3576Dpu else {}
    constants = {
        wanted[tensor.name]: _settings(model, graph, tensor)
        for tensor in graph.tensors
        if tensor.name in wanted and model.has_data(graph, tensor)
    }
    return kind(registers, constants)


def _settings(model: Model, graph: Graph, tensor: Tensor) -> Array:
    """Return the tensor's numbers; the rest of the buffer is garbage."""
    data = model.constant_bytes(graph, tensor)
    return np.frombuffer(data[: len(data) // 2 * 2], "<u2")[: math.prod(tensor.shape)]
