# SPDX-License-Identifier: Apache-2.0
"""The result of lowering."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import onnx
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

CUSTOM_DOMAIN = "ez_rknn_async.custom"


@dataclass(frozen=True)
class GraphPort:
    """An input or output of a lowered graph."""

    name: str
    element_type: int  # onnx.TensorProto.DataType
    shape: tuple[int, ...]

    @property
    def alignment(self) -> int:
        """Bytes of one element."""
        if self.element_type == onnx.TensorProto.BFLOAT16:  # numpy has no such type
            return 2
        return int(helper.tensor_dtype_to_np_dtype(self.element_type).itemsize)

    @property
    def size(self) -> int:
        """Bytes of the whole tensor, dense."""
        return math.prod(self.shape) * self.alignment

    def value_info(self) -> onnx.ValueInfoProto:
        """Return ONNX's declaration of it."""
        return helper.make_tensor_value_info(self.name, self.element_type, self.shape)


@dataclass(frozen=True)
class CustomOperator:
    """An operator that only its author can execute, called between two stages of the graph.

    In the skeleton it is a node of the domain :data:`CUSTOM_DOMAIN`; its tensors are dense, in logical (NCHW) order,
    and float32 unless they hold integers or truth values.
    """

    node: str  # its name in the skeleton
    inputs: tuple[GraphPort, ...]  # under names of their own: one value may be the operand of several operators
    outputs: tuple[GraphPort, ...]  # under the names of their values


@dataclass(frozen=True)
class Lowered:
    """An ONNX model with its large weights stored separately, so that they exist once in memory.

    In ``skeleton`` each of ``weights`` is an initialiser with external data that no file holds; give ONNX Runtime the
    arrays (``SessionOptions.add_external_initializers``), or ask for :meth:`to_onnx`. The weights may be taken out to
    free their memory.
    """

    skeleton: onnx.ModelProto
    weights: dict[str, NDArray[Any]]
    inputs: tuple[GraphPort, ...]
    outputs: tuple[GraphPort, ...]
    values: Mapping[int, str]  # index of a tensor in the file's graph: name of its value
    custom_operators: tuple[CustomOperator, ...] = ()  # in order of execution

    def to_onnx(self) -> onnx.ModelProto:
        """Return the model as one self-contained ONNX file."""
        model = onnx.ModelProto()
        model.CopyFrom(self.skeleton)
        for initializer in model.graph.initializer:
            if initializer.name in self.weights:
                initializer.CopyFrom(numpy_helper.from_array(self.weights[initializer.name], initializer.name))
        return model
