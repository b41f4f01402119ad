# SPDX-License-Identifier: Apache-2.0
"""The real values of a quantised convolution's integers.

The weights are asymmetric, per output channel: ``real = scale[c] * (stored + offset[c])``. The bias buffer holds, for
blocks of channels, biases (in units of input scale times weight scale, less the part due to the input's zero point),
offsets, and multipliers: ``scale[c] = largest scale * multiplier[c] / 2**14``. The largest scale follows from the unit
of the sum (:mod:`.dpu`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .convolution_weight import Weight
from .dpu import UNITY_SHIFT
from .stages import LEAKY
from .unsupported import UnsupportedFormError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..format.graph import Tensor
    from .dpu import Dpu

    Array = np.ndarray[Any, np.dtype[Any]]

_UNITY = float(1 << UNITY_SHIFT)


@dataclass(frozen=True)
class ChannelParameters:
    """The parameters of each output channel in a bias buffer; arrays [channels] of float64."""

    bias: Array  # integers
    offset: Array  # minus the weights' zero point
    multiplier: Array  # of 2**14
    per_layer: bool = False  # all channels have the same offset and multiplier


def channel_parameters(
    dpu: Dpu, data: memoryview | None, channels: int, depthwise: bool, offsets: Array | None
) -> ChannelParameters:
    """Read a bias buffer.

    Args:
        data: the buffer; None when the convolution has none.
        offsets: of a depthwise weight that keeps them itself; then the buffer has none.
    """
    if data is None:
        return ChannelParameters(np.zeros(channels), np.zeros(channels), np.full(channels, _UNITY), per_layer=True)
    if dpu.per_layer():
        bias = _columns(data, np.dtype("<i4"), channels)
        offset = np.full(channels, float(dpu.layer_zero_point(depthwise)))
        return ChannelParameters(bias, offset, np.full(channels, _UNITY), per_layer=True)
    lanes = dpu.lanes
    fields: list[tuple[str, str, int]] = [("bias", "<i4", lanes)]
    if offsets is None:
        fields.append(("offset", "<i2", lanes))
    fields.append(("multiplier", "<u2", lanes))
    blocks = _blocks(data, np.dtype(fields), -(-channels // lanes))
    columns = {name: blocks[name].reshape(-1)[:channels].astype(np.float64) for name, _, _ in fields}
    offset = columns["offset"] if offsets is None else offsets
    return ChannelParameters(columns["bias"], offset, columns["multiplier"])


def _columns(data: memoryview, dtype: np.dtype[Any], count: int) -> Array:
    return _blocks(data, dtype, count).astype(np.float64)


def _blocks(data: memoryview, dtype: np.dtype[Any], count: int) -> Array:
    if len(data) < count * dtype.itemsize:
        raise UnsupportedFormError(f"its bias has {len(data)} bytes instead of {count * dtype.itemsize}")
    return np.frombuffer(data, dtype, count)


def unit_of_sum(
    dpu: Dpu,
    functions: Sequence[str],
    gain: float | None,
    result: Tensor,
    factors: Sequence[Tensor],
    per_layer: bool,
    depthwise: bool,
) -> float:
    """Return the real value of one unit of the normalised sum.

    Args:
        functions: the functions fused into the convolution.
        gain: from arguments to places in the table of one of them; None if none has a table.
        factors: the second operands of the multiplications among them.
    """
    range_of_multipliers = 2.0 ** (UNITY_SHIFT - dpu.multiplier_shift(per_layer, depthwise))
    if gain is not None:
        return dpu.table_gain() / gain * range_of_multipliers
    unit = dpu.output_gain() * range_of_multipliers * _scale(result)
    if any(function in LEAKY for function in functions):
        unit /= 2.0 ** dpu.slope_shift()
    else:
        unit *= dpu.second_gain()
    return unit / math.prod(_scale(factor) for factor in factors if factor.quantization is not None)


def weight_and_bias(
    stored: Array, parameters: ChannelParameters, unit: float, shift: int, source: Tensor
) -> tuple[Weight, Array]:
    """Return the weight, as it is stored, and the bias as float64 [Cout].

    Args:
        stored: int8, output channels first.
        unit: of the sum (:func:`unit_of_sum`).
        shift: of the products' sum to the right, before the bias is added.
    """
    of_bias = unit / _scale(source) * parameters.multiplier / _UNITY
    scale = of_bias / 2.0**shift
    assert source.quantization is not None  # _scale has looked
    sums = stored.sum(axis=(1, 2, 3), dtype=np.int64) + parameters.offset * math.prod(stored.shape[1:])
    bias = (parameters.bias * of_bias + source.quantization.zero_point[0] * sums * scale) * _scale(source)
    per_channel = (-1, 1, 1, 1)
    return Weight(stored, scale.reshape(per_channel), parameters.offset.reshape(per_channel)), bias


def _scale(tensor: Tensor) -> float:
    if tensor.quantization is None or len(tensor.quantization.scale) != 1 or not tensor.quantization.scale[0] > 0:
        raise UnsupportedFormError(f"its weights are quantised, but not its operand {tensor.name!r} as a whole")
    return tensor.quantization.scale[0]
