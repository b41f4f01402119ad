# SPDX-License-Identifier: Apache-2.0
"""Checks of a graph's inputs and outputs, so that a program can exchange them with the runtime.

Tensors inside the graph may have unknown forms: only the NPU sees them. Inputs and outputs are converted by the host,
in buffers whose sizes follow from these very fields. So each field is checked before a runtime sees the file. The rules
are listed in ``docs/reference/rknn-format.md``; the C++ reader of the simulated NPU has the same ones.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NoReturn

from .graph import DType, Kind, Layout

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .flatbuffer import Reader
    from .graph import Graph, Tensor

# Bytes of an element, for the types that the runtime's interface can convert.
ELEMENT_SIZES = {
    DType.FLOAT32: 4,
    DType.UINT8: 1,
    DType.INT8: 1,
    DType.INT16: 2,
    DType.INT32: 4,
    DType.INT64: 8,
    DType.BOOL: 1,
    DType.FLOAT16: 2,
    DType.BFLOAT16: 2,
}
ZERO_POINTS = {DType.INT8: (-128, 127), DType.UINT8: (0, 255), DType.INT16: (-(2**15), 2**15 - 1)}
_LAYOUTS = (Layout.PLAIN, Layout.NHWC, Layout.NCHW, Layout.NC1HWC2)
_INPUT_KINDS = (Kind.INPUT,)
_OUTPUT_KINDS = (Kind.INPUT, Kind.OUTPUT, Kind.INTERMEDIATE, Kind.CONSTANT)
_SMALLEST_SCALE, _LARGEST_SCALE = 1.0000000031710769e-30, 1.0000000150474662e30  # in float32, as the file has them
_MAX_BYTES = 2**31 - 1  # sizes are 32-bit numbers in the runtime's interface
_LARGEST_ELEMENT = 8  # bytes, of the types that a program may pass instead
_SURFACE_ALIGNMENT = 4  # pixels
_ROW_ALIGNMENT = 16  # pixels, at most: images of bytes
MAX_RANK = 16


def check_ports(reader: Reader, graph: Graph, position: int, tensors: tuple[int, ...], batch: int) -> None:
    """Refuse a graph with inputs or outputs that no program could use.

    Args:
        reader: of the file.
        graph: with indices that are in range.
        position: of the graph in the FlatBuffer.
        tensors: the positions of its tensors.
        batch: runs of the graph for one call.
    """
    if not graph.outputs:
        reader.fail(position, "a graph has no outputs")
    for what, indices, kinds in (("input", graph.inputs, _INPUT_KINDS), ("output", graph.outputs, _OUTPUT_KINDS)):
        names = [graph.tensors[index].name for index in indices]
        if len(set(names)) < len(names) or "" in names:
            reader.fail(position, f"the {what}s {names[:8]} of a graph cannot be told apart")
        for index in indices:
            _Port(reader, what, graph.tensors[index], tensors[index], batch).check(kinds)


def check_same_ports(reader: Reader, position: int, graphs: Iterable[Graph]) -> None:
    """Refuse a model whose graphs differ in their inputs or outputs by more than shape."""
    first, *others = (
        [[_identity(graph.tensors[index]) for index in indices] for indices in (graph.inputs, graph.outputs)]
        for graph in graphs
    )
    if any(other != first for other in others):
        reader.fail(position, "its graphs differ in their inputs or outputs")


def _identity(tensor: Tensor) -> tuple[object, ...]:
    quantization = tensor.quantization
    affine = None if quantization is None else (quantization.scale, quantization.zero_point)
    return tensor.name, tensor.dtype, len(tensor.shape), affine


class _Port:
    """One input or output under examination."""

    def __init__(self, reader: Reader, what: str, tensor: Tensor, position: int, batch: int) -> None:
        self._reader = reader
        self._what = what
        self._tensor = tensor
        self._position = position
        self._batch = batch

    def check(self, kinds: tuple[Kind, ...]) -> None:
        tensor = self._tensor
        if tensor.dtype not in ELEMENT_SIZES:
            possible = ", ".join(dtype.name.lower() for dtype in ELEMENT_SIZES)
            self._fail(f"has element type {tensor.dtype.name.lower()}; it can be {possible}")
        if tensor.layout not in _LAYOUTS:
            self._fail(f"has layout {tensor.layout.name}")
        if tensor.kind not in kinds:
            self._fail(f"is a tensor of kind {tensor.kind.name}")
        self._check_shape()
        self._check_size()
        self._check_quantization()

    def _check_shape(self) -> None:
        shape, native = self._tensor.shape, self._tensor.native_shape
        if len(native) > MAX_RANK or not all(shape) or not all(native):
            self._fail(f"has shape {list(shape)}, stored as {list(native[:MAX_RANK])}")
        if self._tensor.layout is Layout.NC1HWC2:
            fits = len(shape) == 4 and len(native) == 5 and (native[0], *native[2:4]) == (shape[0], *shape[2:])
            fits = fits and native[1] * native[4] >= shape[1]
        else:
            fits = not native or math.prod(native) == math.prod(shape)
        if not fits:
            self._fail(f"of shape {list(shape)} cannot be stored as {list(native)}")

    def _check_size(self) -> None:
        tensor = self._tensor
        element = ELEMENT_SIZES[tensor.dtype]
        stored = padded = math.prod(tensor.native_shape or tensor.shape) * element
        if tensor.layout is Layout.NC1HWC2:
            batch, blocks, height, width, block = tensor.native_shape
            surface = height * up(width, _ROW_ALIGNMENT) + _SURFACE_ALIGNMENT
            padded = batch * blocks * surface * block * element
            # Resizing on RK3562, the compiler counts more blocks than the channels fill, and allocates the latter.
            stored = batch * -(-tensor.shape[1] // block) * height * width * block * element
        if max(padded, math.prod(tensor.shape) * _LARGEST_ELEMENT) * self._batch > _MAX_BYTES:
            self._fail(f"of shape {list(tensor.shape)} does not fit into 2 GiB")
        if stored > tensor.size:
            self._fail(f"needs {stored} bytes, but has {tensor.size}")

    def _check_quantization(self) -> None:
        quantization, bounds = self._tensor.quantization, ZERO_POINTS.get(self._tensor.dtype)
        if quantization is None:
            return
        if len(quantization.scale) != 1:
            self._fail(f"has {len(quantization.scale)} scales where one is needed")
        scale, zero_point = quantization.scale[0], quantization.zero_point[0]
        if bounds and not (is_scale(scale) and bounds[0] <= zero_point <= bounds[1]):
            self._fail(f"has the impossible scale {scale} or zero point {zero_point}")

    def _fail(self, message: str) -> NoReturn:
        self._reader.fail(self._position, f"{self._what} {self._tensor.name!r} {message}")


def is_scale(scale: float) -> bool:
    """Check if values stay finite when they are divided or multiplied by ``scale``."""
    return _SMALLEST_SCALE < scale < _LARGEST_SCALE


def up(number: int, multiple: int) -> int:
    """Round ``number`` up to a multiple of ``multiple``."""
    return -(-number // multiple) * multiple
