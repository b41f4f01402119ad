# SPDX-License-Identifier: Apache-2.0
"""Convolutions in their mathematical form.

A convolution's parameters are scattered over the file: geometry in the node (or in registers), weights in a packed
tensor, and, where it is quantised, scales and zero points between the bias buffer and the commands for the NPU
(:mod:`.dpu`). :func:`convolution` combines them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..format.graph import DType, Kind, Layout
from .constants import constant
from .convolution_weight import Weight
from .dpu import dpu
from .hidden_rounding import Convolved, hidden_rounding, is_separate, spans_are_extremes
from .image_weights import is_image_weight, unpack_image_weight
from .quantized_convolution import channel_parameters, unit_of_sum, weight_and_bias
from .register_audit import check_registers
from .registers import lookup_table
from .stages import BINARY, LEAKY, TABLE_GAINS, Activation, Binary, fused_functions, table_gain
from .table_parameters import elu_alpha, softplus_reach, swish_beta
from .unsupported import UnsupportedFormError
from .weights import has_zero_points, unpack, unpack_depthwise_with_zero_points

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..format.file import Model
    from ..format.graph import Graph, Node, Tensor
    from .dpu import Dpu
    from .registers import LookupTable, RegisterFile
    from .stages import Stage

    Array = np.ndarray[Any, np.dtype[Any]]


_HIGHEST = 127


@dataclass(frozen=True)
class Convolution:
    """A convolution, plain or transposed, and its fused operators.

    ``pads`` are (top, left, bottom, right).
    """

    weight: Weight
    bias: Array | None  # float32 [Cout]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilations: tuple[int, int]
    group: int
    transposed: bool
    output_padding: tuple[int, int]  # zero unless transposed
    stages: tuple[Stage, ...]  # applied from left to right
    computed_bias: int | None = None  # the tensor [Cout] added to the sum, if it is not in the file


def convolution(model: Model, graph: Graph, node: Node, registers: RegisterFile) -> Convolution:
    """Return the convolution that ``node`` computes.

    Raises:
        UnsupportedFormError: it is stored in an unknown form.
    """
    return _ConvolutionDecoder(model, graph, node, registers).convolution()


class _ConvolutionDecoder:
    """A decoder of one convolution; it identifies the tensors first, and reads everything else when it is needed."""

    def __init__(self, model: Model, graph: Graph, node: Node, registers: RegisterFile) -> None:
        self._model = model
        self._graph = graph
        self._node = node
        self._registers = registers
        self._transposed = node.op.startswith("ConvTranspose")
        self._functions = fused_functions(node.op[len("ConvTranspose" if self._transposed else "Conv") :])
        self._source, self._weight = (graph.tensors[index] for index in node.inputs[:2])
        self._result = graph.tensors[node.outputs[0]]
        self._computed = {*graph.inputs, *(output for maker in graph.nodes for output in maker.outputs)}
        self._bias, self._computed_bias, self._fused = self._further_operands()
        if len(self._source.shape) != 4 or len(self._result.shape) != 4:
            raise UnsupportedFormError(f"its input has {len(self._source.shape)} dimensions instead of 4")

    def convolution(self) -> Convolution:
        """Decode all parts."""
        commands = self._registers.first_compute(self._node)
        check_registers(commands, self._model.target_platform, quantized=self._weight.dtype is DType.INT8)
        weight, bias, unit = self._weight_and_bias()
        stages = self._all_stages(weight, bias, unit)
        kernel = (weight.shape[2], weight.shape[3])
        strides, pads, dilations = self._geometry(kernel)
        return Convolution(
            weight=weight.of_transposed(self._depthwise) if self._transposed else weight,
            bias=None if bias is None else bias.astype(np.float32),
            strides=strides,
            pads=pads,
            dilations=dilations,
            group=self._source.shape[1] if self._depthwise else 1,
            transposed=self._transposed,
            output_padding=self._output_padding(kernel, strides, pads, dilations) if self._transposed else (0, 0),
            stages=stages,
            computed_bias=self._computed_bias,
        )

    # Operands

    def _further_operands(self) -> tuple[Tensor | None, int | None, list[int]]:
        """Return the bias, a computed bias, and the fused operators' operands, without the compiler's own helpers."""
        bias, computed, fused = None, None, []
        for index in self._node.inputs[2:]:
            tensor = self._graph.tensors[index]
            if tensor.kind is Kind.HELPER or tensor.name.startswith("temp"):
                continue
            if bias is None and tensor.kind is Kind.WEIGHT and len(tensor.shape) == 1:
                bias = tensor
            else:
                fused.append(index)
        expected = sum(function in BINARY for function in self._functions)
        real = [index for index in fused if index in self._computed]
        if len(real) > expected and self._graph.tensors[real[0]].shape == self._result.shape[1:2]:
            computed = real.pop(0)
            fused.remove(computed)
            if self._weight.dtype is DType.INT8:
                raise UnsupportedFormError("its bias is computed, which in an int8 model has no scale in the file")
        if len(real) > expected:
            raise UnsupportedFormError(f"it has {len(real)} computed operands instead of {expected}")
        return bias, computed, fused

    @cached_property
    def _depthwise(self) -> bool:
        """True for a depthwise convolution, whose packed weight has one block in place of the output channels."""
        group, channels = int(self._node.attributes.get("group", 1)), self._source.shape[1]
        if group > 1 and group != channels:
            raise UnsupportedFormError(f"it has {group} groups for {channels} channels")
        if group > 1:
            return True
        # A fused transposed convolution has no parameter table with its groups.
        return self._transposed and self._weight.shape[:2] == (channels, 1) == (self._result.shape[1], 1)

    # Numbers

    def _weight_and_bias(self) -> tuple[Weight, Array | None, float | None]:
        """Return the weight with the output channels first, the bias, and the unit of the sum if there is one."""
        stored, offsets = self._stored_weight()
        channels = self._result.shape[1]
        if self._weight.dtype is DType.INT8:
            data = None if self._bias is None else self._model.constant_bytes(self._graph, self._bias)
            parameters = channel_parameters(self._dpu, data, channels, self._depthwise, offsets)
            unit = unit_of_sum(
                self._dpu,
                self._functions,
                self._table_gain(),
                self._result,
                self._factors(),
                parameters.per_layer,
                self._depthwise,
            )
            return (*weight_and_bias(stored, parameters, unit, self._dpu.sum_shift(), self._source), unit)
        bias = None if self._bias is None else self._flat(self._bias, channels)
        if self._weight.dtype is DType.INT4:
            scale = self._four_bit_scale(channels)
            return Weight(stored, scale[:, None, None, None]), None if bias is None else bias * scale, None
        if self._weight.dtype not in (DType.FLOAT16, DType.BFLOAT16, DType.FLOAT32):
            raise UnsupportedFormError(f"its weights are {self._weight.dtype.name}")
        return Weight(stored), bias, None

    def _stored_weight(self) -> tuple[Array, Array | None]:
        """Return the stored numbers, output channels first, without padding, and the offsets stored among them."""
        if self._weight.index in self._computed:
            raise UnsupportedFormError("its weights are computed by the network, not constants")
        if self._weight.layout is not Layout.PACKED_WEIGHT:
            if self._weight.dtype is DType.OPAQUE:
                raise UnsupportedFormError("its weights are compressed; compile the model without compress_weight")
            raise UnsupportedFormError(f"its weights are stored as {self._weight.layout.name}")
        offsets = None
        if self._depthwise and has_zero_points(self._model, self._graph, self._weight):
            stored, offsets = unpack_depthwise_with_zero_points(self._model, self._graph, self._weight)
            offsets = offsets[: self._source.shape[1]].astype(np.float64)
        elif is_image_weight(self._model, self._graph, self._weight):
            stored = unpack_image_weight(self._model, self._graph, self._weight)
        else:
            stored = unpack(self._model, self._graph, self._weight)
        channels, inputs = self._result.shape[1], self._source.shape[1]
        if self._depthwise:
            stored = stored.transpose(1, 0, 2, 3)
            inputs = 1
        if stored.shape[0] < channels or stored.shape[1] < inputs:
            raise UnsupportedFormError(f"its weights are for {list(stored.shape[:2])} channels, not {channels, inputs}")
        return stored[:channels, :inputs], offsets

    def _factors(self) -> list[Tensor]:
        """Return the operands of the fused multiplications."""
        binary = [function for function in self._functions if function in BINARY]
        return [self._graph.tensors[index] for function, index in zip(binary, self._fused) if function == "Mul"]

    def _four_bit_scale(self, channels: int) -> Array:
        name = self._weight.name + "_w4a16_weight"
        for tensor in self._graph.tensors:
            if tensor.name == name:
                data = self._model.constant_bytes(self._graph, tensor)
                if len(data) >= 2 * channels:
                    return np.frombuffer(data, "<f2", channels).astype(np.float64)
        raise UnsupportedFormError("the scales of its 4-bit weights are missing")

    def _flat(self, tensor: Tensor, count: int) -> Array:
        """Return the first ``count`` numbers of a vector that may be padded."""
        numbers = constant(self._model, self._graph, tensor).reshape(-1)
        if numbers.size < count:
            raise UnsupportedFormError(f"its bias has {numbers.size} numbers for {count} channels")
        return numbers[:count]

    @cached_property
    def _dpu(self) -> Dpu:
        commands = self._registers.first_compute(self._node)
        if not commands:
            raise UnsupportedFormError("the commands for the NPU, which hold its scales, are missing")
        leaky = any(function in LEAKY for function in self._functions)
        operand = self._graph.tensors[self._fused[0]] if self._fused else None
        return dpu(self._model, self._graph, commands, self._result, leaky, operand)

    # Geometry

    def _geometry(self, kernel: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int, int, int], tuple[int, int]]:
        attributes = self._node.attributes
        if self._transposed and "strides" not in attributes:
            return self._transposed_geometry(kernel)
        dilations = _pair(attributes.get("dilations", (1, 1)))
        top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
        return _pair(attributes.get("strides", (1, 1))), (top, left, bottom, right), dilations

    def _transposed_geometry(
        self, kernel: tuple[int, int]
    ) -> tuple[tuple[int, int], tuple[int, int, int, int], tuple[int, int]]:
        """Read the geometry from registers: a fused transposed convolution may have no parameters in the node."""
        strides, dilations, leading = self._dpu.transposed_geometry(kernel)
        sizes = zip(self._source.shape[2:], self._result.shape[2:], kernel, strides, dilations, leading)
        bottom, right = (
            max(0, (source - 1) * stride + dilation * (width - 1) + 1 - result - pad)
            for source, result, width, stride, dilation, pad in sizes
        )
        return strides, (leading[0], leading[1], bottom, right), dilations

    def _output_padding(
        self,
        kernel: tuple[int, int],
        strides: tuple[int, int],
        pads: tuple[int, int, int, int],
        dilations: tuple[int, int],
    ) -> tuple[int, int]:
        """Derive the output padding from the output's size."""
        sizes = zip(self._source.shape[2:], self._result.shape[2:], kernel, strides, dilations, pads[:2], pads[2:])
        return _pair(
            [
                max(0, result - ((source - 1) * stride - head - tail + dilation * (width - 1) + 1))
                for source, result, width, stride, dilation, head, tail in sizes
            ]
        )

    # Fused operators

    def _all_stages(self, weight: Weight, bias: Array | None, unit: float | None) -> tuple[Stage, ...]:
        stages = tuple(self._stages(unit))
        if unit is None or bias is None or not is_separate(stages, self._depthwise, self._transposed):
            return stages
        if not spans_are_extremes(self._model, self._graph):
            return stages
        convolved = Convolved(self._depthwise, self._transposed, self._reach(weight, bias))
        rounding = hidden_rounding(self._graph, stages, self._result, convolved)
        return stages if rounding is None else (rounding, *stages)

    def _reach(self, weight: Weight, bias: Array) -> tuple[float, float]:
        """Return the least and the largest sum that the weights can make of the input's span."""
        quantization = self._source.quantization
        assert quantization is not None  # or the weights would have no scale
        low, high = ((end - quantization.zero_point[0]) * quantization.scale[0] for end in (-128, 127))
        numbers = weight.real().astype(np.float64)
        below, above = (part.sum(axis=(1, 2, 3)) for part in (np.minimum(numbers, 0), np.maximum(numbers, 0)))
        return float((above * low + below * high + bias).min()), float((above * high + below * low + bias).max())

    def _stages(self, unit: float | None) -> Iterator[Stage]:
        fused = iter(self._fused)
        for function in self._functions:
            if function not in BINARY:
                yield Activation(function, self._parameters(function, unit))
            elif (operand := next(fused, None)) is not None:
                yield Binary(function, operand)
            else:
                raise UnsupportedFormError(f"the operand of its {function} is missing")

    def _parameters(self, function: str, unit: float | None) -> dict[str, float]:
        floating = unit is None
        if function == "Clip":
            low, high = self._dpu.clip_bounds(unit)
            if not low < high:  # compilers before 2.5 wrote zeros for bounds that are too large
                return {"min": -math.inf, "max": self._end_of_range(unit)}
            return {"min": low, "max": high if self._dpu.keeps_upper_bound(low, unit) else self._end_of_range(unit)}
        if function == "LeakyRelu":
            return {"alpha": self._dpu.leaky_slope(floating)}
        if function == "HardSigmoid":
            alpha, beta = self._dpu.hard_sigmoid(floating)
            return {"alpha": alpha, "beta": beta}
        if function == "Elu":
            table = self._table("Elu")
            if table is None:
                raise UnsupportedFormError("its table for Elu is missing")
            return {"alpha": elu_alpha(table)}
        if function == "Swish" and (table := self._table("exSwish")) is not None:
            beta = swish_beta(table)
            return {} if beta == 1 else {"beta": beta}
        return {}

    def _end_of_range(self, unit: float | None) -> float:
        """Return a substitute for a clip's upper bound, which is lost when there is no lower one.

        The range of an int8 result ends at the bound as well, for calibration has met nothing beyond it; unless the
        range was widened to include zero.
        """
        quantization = self._result.quantization
        end = 0.0 if quantization is None else (_HIGHEST - quantization.zero_point[0]) * quantization.scale[0]
        if unit is None or self._functions[-1] != "Clip" or not end > 0:
            raise UnsupportedFormError(
                "the upper bound of its Clip is not in the file, for there is no lower one from which it is counted; "
                "give it both when compiling"
            )
        return end

    def _table_gain(self) -> float | None:
        """Return the gain from arguments to places in the table of the fused activation that has one."""
        function = next((function for function in self._functions if function in TABLE_GAINS), None)
        if function == "Softplus" and (table := self._table("Softplus")) is not None:
            return table_gain(softplus_reach(table))
        return None if function is None else TABLE_GAINS[function]

    def _table(self, name: str) -> LookupTable | None:
        """Return the model's one table for a function."""
        for tensor in self._graph.tensors:
            if tensor.kind is Kind.LUT and tensor.name == name:
                return lookup_table(self._model, self._graph, tensor)
        return None


def _pair(numbers: tuple[int, ...] | list[int]) -> tuple[int, int]:
    first, second = (int(number) for number in numbers)
    return first, second
