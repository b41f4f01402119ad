# SPDX-License-Identifier: Apache-2.0
"""The graph of a ``.rknn`` file, as frozen values.

Everything here is plain data that :func:`ez_rknn_async.model.load` has checked: indices are in range, sizes fit the
file, names are text. Large data (weights) stays in the file until :meth:`Model.buffer` is called for it.

The numbers of the fields, and how each fact was found, are in ``docs/reference/rknn-format.md``.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

CUSTOM_PREFIX = "cst"
# Index of the tensor that stands for none: the compiler puts an empty one first in every graph.
DUMMY = 0


class _OpenEnum(enum.IntEnum):
    """An enumeration of a format that others extend: a number that has no name yet is ``UNKNOWN``.

    A runtime may well know it, so a model that has one can be loaded; only code that needs its meaning refuses it.
    """

    @classmethod
    def _missing_(cls, value: object) -> _OpenEnum | None:
        return cls.__members__.get("UNKNOWN")


class DType(_OpenEnum):
    """Element type of a tensor; the values are ONNX's ``TensorProto.DataType``, as in the file."""

    UNKNOWN = -1
    OPAQUE = 0  # compressed by the compiler
    FLOAT32 = 1
    UINT8 = 2
    INT8 = 3
    UINT16 = 4
    INT16 = 5
    INT32 = 6
    INT64 = 7
    BOOL = 9
    FLOAT16 = 10
    FLOAT64 = 11
    UINT32 = 12
    UINT64 = 13
    BFLOAT16 = 16
    INT4 = 64


class Layout(_OpenEnum):
    """The order of a tensor's bytes."""

    UNKNOWN = -1
    PLAIN = 0  # row-major over the logical shape
    NHWC = 1
    NCHW = 2
    NC1HWC2 = 64  # channels in blocks of C2 elements
    PACKED_WEIGHT = 65  # convolution weights in cout/cin blocks


class Kind(_OpenEnum):
    """The role of a tensor."""

    UNKNOWN = -1
    DUMMY = 0
    INPUT = 1
    OUTPUT = 2
    INTERMEDIATE = 3
    WEIGHT = 4
    CONSTANT = 5
    LUT = 6
    HELPER = 8  # added by the compiler for its own use
    REGISTER_COMMANDS = 9
    TASKS = 10


@dataclass(frozen=True)
class ChannelQuantization:
    """Affine quantisation: ``real = (quantised - zero_point) * scale``, per tensor (one value) or per channel.

    ``span`` is the range that the scale was chosen for: the least and the largest value met in calibration, widened to
    include zero. Only a tensor that is quantised as a whole has one, and not all of those.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    span: tuple[float, float] | None = None


@dataclass(frozen=True)
class Tensor:
    """One tensor of a graph; ``index`` is its place in :attr:`Graph.tensors`."""

    index: int
    name: str
    dtype: DType
    layout: Layout
    kind: Kind
    shape: tuple[int, ...]  # logical, in ONNX order
    native_shape: tuple[int, ...]  # as stored: [N, C1, H, W, C2], or tuples of block sizes for packed weights
    quantization: ChannelQuantization | None
    size: int  # bytes allocated
    buffer: int  # index for Model.buffer, 0: no data in the file

    @property
    def is_constant(self) -> bool:
        """True if its numbers are in the file and not computed."""
        return self.buffer > 0 and self.kind in (Kind.WEIGHT, Kind.CONSTANT, Kind.HELPER)

    @property
    def is_placeholder(self) -> bool:
        """True if it stands for an operand that was left out: in ONNX, one with an empty name."""
        return not self.name or self.name.startswith("empty_placeholder")


@dataclass(frozen=True)
class Node:
    """One operator, in execution order; ``index`` is its place in :attr:`Graph.nodes`."""

    index: int
    op: str
    name: str
    on_npu: bool  # False: the runtime computes it on the CPU
    inputs: tuple[int, ...]  # tensor indices
    outputs: tuple[int, ...]  # DUMMY: an unused result
    attributes: Mapping[str, Any]  # ONNX attributes (int, float, str, tuples of them) from all places in the file
    tasks: tuple[int, ...]  # NPU tasks per core list (1 core; 2 cores: core 0, core 1; 3 cores: ...)
    work: tuple[int, ...]  # elements written per core; index 0: 1 core, 3-4: 2 cores, 6-8: 3 cores
    lut_tasks: tuple[int, ...] = ()  # tasks that load look-up tables, where ``tasks`` does not count them

    @property
    def is_custom(self) -> bool:
        """True if only its author can execute it: the compiler marks such operators with a prefix."""
        return self.op.startswith(CUSTOM_PREFIX)


@dataclass(frozen=True)
class Preprocessing:
    """The normalisation of an input before it is quantised: ``(x - mean) / std`` per channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Graph:
    """One executable graph. A dynamic-shape model has one for each legal set of input shapes, largest first."""

    tensors: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    preprocessing: tuple[Preprocessing | None, ...]  # one for each input
    core_modes: tuple[int, ...] = field(default=(1,))  # numbers of cores it can run on: (1,), (1, 2) or (1, 2, 3)
