# SPDX-License-Identifier: Apache-2.0
"""The ``.rknn`` file format: parse a model, inspect it, unpack its constants and weights.

Needs no NPU, no runtime library and no ONNX.

>>> with load("model.rknn") as model:                    # doctest: +SKIP
...     print(model.target_platform, [tensor.shape for tensor in model.graphs[0].tensors])
"""

from .format.container import Header
from .format.file import ApiTensor, Model, Source, load, read_header
from .format.graph import ChannelQuantization, DType, Graph, Kind, Layout, Node, Preprocessing, Tensor
from .format.target import check_target
from .operators.constants import constant, real_constant
from .operators.registers import LookupTable, RegisterFile, Task, lookup_table
from .operators.weights import has_zero_points, unpack, unpack_depthwise_with_zero_points

Quantization = ChannelQuantization  # under the name that users of this module know

__all__ = [
    "load",
    "read_header",
    "check_target",
    "Model",
    "Header",
    "ApiTensor",
    "Source",
    "Graph",
    "Node",
    "Tensor",
    "DType",
    "Layout",
    "Kind",
    "Quantization",
    "Preprocessing",
    "constant",
    "real_constant",
    "unpack",
    "has_zero_points",
    "unpack_depthwise_with_zero_points",
    "RegisterFile",
    "Task",
    "LookupTable",
    "lookup_table",
]
