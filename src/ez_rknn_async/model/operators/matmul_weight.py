# SPDX-License-Identifier: Apache-2.0
"""The constant of a matrix product that the compiler has not turned into a convolution.

A product with a constant is a convolution, unless the constant differs within a batch. Then it is packed like a
convolution's weight, once for each element of the batch, and has one scale and one zero point, in registers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..format.graph import DType
from .dpu import dpu
from .quantized_convolution import unit_of_sum
from .unsupported import UnsupportedFormError
from .weights import unpack_batch

if TYPE_CHECKING:
    from ..format.elements import Array
    from ..format.file import Model
    from ..format.graph import Graph, Node
    from .registers import RegisterFile

_REAL = (DType.FLOAT16, DType.BFLOAT16, DType.FLOAT32)


def matmul_weight(model: Model, graph: Graph, node: Node, registers: RegisterFile) -> Array:
    """Return the first operand of ``node``, a product [rows, columns] for each element of a batch: float32.

    Raises:
        UnsupportedFormError: it is stored in an unknown form.
    """
    weight, other = (graph.tensors[index] for index in node.inputs[:2])
    result = graph.tensors[node.outputs[0]]
    rows, columns = weight.shape[0], other.shape[1]
    stored = unpack_batch(model, graph, weight, other.shape[0])[:, :rows, :columns, 0, 0]
    if weight.dtype in _REAL:
        return np.ascontiguousarray(stored, np.float32)
    if weight.dtype is not DType.INT8 or other.quantization is None:
        raise UnsupportedFormError(f"its constant {weight.name!r} is {weight.dtype.name}")
    settings = dpu(model, graph, registers.first_compute(node), result)
    if not settings.per_layer():
        raise UnsupportedFormError(f"its constant {weight.name!r} has a scale for each row")
    # As in a convolution, the NPU multiplies by the integers of the other factors.
    factors = [graph.tensors[node.inputs[2]]] if node.attributes.get("c_type") == "mul" else []
    unit = unit_of_sum(settings, (), None, result, factors, per_layer=True, depthwise=False)
    shifted = stored.astype(np.float64) + settings.layer_zero_point(depthwise=False)
    return (shifted * (unit / other.quantization.scale[0])).astype(np.float32)
