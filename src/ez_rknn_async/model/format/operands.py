# SPDX-License-Identifier: Apache-2.0
"""Checks of a custom operator's operands, so that a program can compute it.

The operator's author gets every operand with its shape and its numbers, converted by the host: so they are checked like
inputs and outputs. The C++ reader of the simulated NPU has the same checks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NoReturn

from .graph import DType, Kind
from .ports import ELEMENT_SIZES, MAX_RANK, ZERO_POINTS, is_scale, up

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .flatbuffer import Reader
    from .graph import Graph, Node, Tensor

_MAX_TENSORS = 256  # tensors read, and as many written: each is described to the operator's functions separately
_MAX_BYTES = 2**31 - 1  # of all memory that the program and the device share
_ALIGNMENT = 64
_REAL = (DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)
_REAL_WITH_SCALE = (DType.INT8, DType.UINT8, DType.INT16, DType.INT32)
_FLOAT = 4  # bytes


def check_operands(reader: Reader, graph: Graph, positions: Sequence[int]) -> None:
    """Refuse a graph with a custom operator that no program could compute; ``positions`` are those of its nodes."""
    ports = (*graph.inputs, *graph.outputs)
    shared = sum(up(_stored_bytes(graph.tensors[index]), _ALIGNMENT) for index in ports)
    known = set(graph.inputs)  # tensors that are computed
    for node in graph.nodes:
        known.update(filter(None, node.outputs))
        if not node.is_custom:
            continue
        position = positions[node.index]
        if max(len(node.inputs), len(node.outputs)) > _MAX_TENSORS:
            reader.fail(
                position,
                f"custom operator {node.op!r} has more than the {_MAX_TENSORS} inputs or outputs that are possible",
            )
        for tensor in _operands(graph, node, known):
            _Operand(reader, position, tensor).check()
            shared += up(_operator_bytes(tensor), _ALIGNMENT)
        if shared > _MAX_BYTES:
            reader.fail(position, "the tensors of its custom operators do not fit into 2 GiB")


def check_same_operators(reader: Reader, position: int, graphs: Iterable[Graph]) -> None:
    """Refuse graphs of one model, which begins at ``position``, that differ in their custom operators."""
    if len({tuple(node.op for node in graph.nodes if node.is_custom) for graph in graphs}) > 1:
        reader.fail(position, "its graphs differ in their custom operators")


def _operands(graph: Graph, node: Node, known: set[int]) -> list[Tensor]:
    """Return the tensors that it reads, computed before or constant, and those it writes; the rest is scratch space."""
    read = [
        index for index in node.inputs if index in known or graph.tensors[index].kind in (Kind.WEIGHT, Kind.CONSTANT)
    ]
    return [graph.tensors[index] for index in (*read, *filter(None, node.outputs))]


def _stored_bytes(tensor: Tensor) -> int:
    return math.prod(tensor.shape) * ELEMENT_SIZES[tensor.dtype]


def _operator_bytes(tensor: Tensor) -> int:
    """Return the bytes of the tensor as the operator sees it: real numbers are float32."""
    real = tensor.dtype in _REAL or (tensor.quantization is not None and tensor.dtype in _REAL_WITH_SCALE)
    return math.prod(tensor.shape) * (_FLOAT if real else ELEMENT_SIZES[tensor.dtype])


class _Operand:
    """One operand under examination, of the operator at ``position``."""

    def __init__(self, reader: Reader, position: int, tensor: Tensor) -> None:
        self._reader = reader
        self._position = position
        self._tensor = tensor

    def check(self) -> None:
        tensor = self._tensor
        if tensor.dtype not in ELEMENT_SIZES:
            self._fail(f"has element type {tensor.dtype.name.lower()}")
        shape, native = tensor.shape, tensor.native_shape
        if len(native) > MAX_RANK or not all(shape) or not all(native):
            self._fail(f"has shape {list(shape)}, stored as {list(native[:MAX_RANK])}")
        bounds = ZERO_POINTS.get(tensor.dtype)
        if bounds and tensor.quantization is not None:
            scale, zero_point = tensor.quantization.scale[0], tensor.quantization.zero_point[0]
            if not (is_scale(scale) and bounds[0] <= zero_point <= bounds[1]):
                self._fail(f"has the impossible scale {scale} or zero point {zero_point}")

    def _fail(self, message: str) -> NoReturn:
        self._reader.fail(self._position, f"operand {self._tensor.name!r} of a custom operator {message}")
