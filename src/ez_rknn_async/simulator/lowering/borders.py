# SPDX-License-Identifier: Apache-2.0
"""The inputs and outputs of a lowered graph.

*Native*: in the model's own types, as the simulated runtime exchanges them with the device process; the runtime has
already normalised and quantised the inputs. *Float*: in the user's real numbers, with that work inside the graph, as
an exported model should have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from ...model.format.graph import DType
from .grid import FLOATS, grid_of, is_real
from .lowered import GraphPort

if TYPE_CHECKING:
    from ...model.format.graph import Preprocessing
    from .builder import GraphBuilder


def native_input(to: GraphBuilder, index: int) -> GraphPort:
    """Declare a graph input in the model's own type."""
    tensor = to.tensor(index)
    grid = grid_of(tensor)
    if grid is not None:
        to.define(index, to.dequantized(tensor.name, grid), grid)
    elif tensor.dtype in FLOATS and tensor.dtype != DType.FLOAT32:
        value = to.add("Cast", tensor.name, to=TensorProto.FLOAT)
        if tensor.dtype is DType.FLOAT16:
            to.keeps_half(value)
        to.define(index, value)
    else:
        to.define(index, tensor.name)
    return GraphPort(tensor.name, int(tensor.dtype), tensor.shape)


def float_input(to: GraphBuilder, index: int, preprocessing: Preprocessing | None) -> GraphPort:
    """Declare a graph input in real numbers, normalised and rounded as the runtime does it."""
    tensor = to.tensor(index)
    if not is_real(tensor):
        return native_input(to, index)
    value = _normalised(to, tensor.name, tensor.shape, preprocessing)
    to.result(index, value)
    return GraphPort(tensor.name, TensorProto.FLOAT, tensor.shape)


def _normalised(to: GraphBuilder, value: str, shape: tuple[int, ...], preprocessing: Preprocessing | None) -> str:
    if preprocessing is None or len(shape) < 2:
        return value
    channels = shape[1]
    # The file keeps four numbers however many channels there are; the ones beyond are copies.
    mean = np.array(preprocessing.mean[:channels], np.float32)
    std = np.array(preprocessing.std[:channels], np.float32)
    if not mean.any() and (std == 1).all():
        return value
    along_channels = (-1,) + (1,) * (len(shape) - 2)
    centred = to.add("Sub", value, to.initializer(mean.reshape(along_channels)))
    return to.add("Div", centred, to.initializer(std.reshape(along_channels)))


def native_output(to: GraphBuilder, index: int, name: str) -> GraphPort:
    """Declare a graph output in the model's own type."""
    tensor = to.tensor(index)
    grid = grid_of(tensor)
    if grid is not None:
        to.name(to.quantized(to.value(index), grid), name)
    else:
        to.name(to.add("Cast", to.value(index), to=int(tensor.dtype)), name)
    return GraphPort(name, int(tensor.dtype), tensor.shape)


def float_output(to: GraphBuilder, index: int, name: str) -> GraphPort:
    """Declare a graph output in real numbers."""
    tensor = to.tensor(index)
    value = to.value(index)
    if is_real(tensor):
        to.name(to.half(value) if tensor.dtype == DType.FLOAT16 else value, name)
        return GraphPort(name, TensorProto.FLOAT, tensor.shape)
    to.name(to.add("Cast", value, to=int(tensor.dtype)), name)
    return GraphPort(name, int(tensor.dtype), tensor.shape)
