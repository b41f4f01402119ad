# SPDX-License-Identifier: Apache-2.0
"""The model that is compiled: the package's, with fixed shapes, and constants for inputs that never change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import numpy_helper

if TYPE_CHECKING:
    from .model import Assets, RealModel

_PLAIN_NAME = re.compile(r"[\w.:/-]+$")


def original(model: RealModel, assets: Assets) -> onnx.ModelProto:
    """Load a model and give its inputs their shapes, in the order of ``model.shapes``."""
    proto = onnx.load(str(assets.path(model.package, model.path)))
    graph = proto.graph
    constants = {initializer.name for initializer in graph.initializer}
    inputs = {value.name: value for value in graph.input if value.name not in constants}
    if unknown := inputs.keys() - model.shapes.keys() - model.pinned.keys():
        raise SystemExit(f"{model.name}: nothing is given for {', '.join(sorted(unknown))}")
    for name, value in model.pinned.items():
        graph.initializer.append(numpy_helper.from_array(_constant(inputs[name], model, value), name))
    for name, shape in model.shapes.items():
        dims = inputs[name].type.tensor_type.shape.dim
        for dim, size in zip(dims, shape, strict=True):
            dim.dim_value = size
    kept = [inputs[name] for name in model.shapes]
    del graph.input[:]
    graph.input.extend(kept)
    for place, value in enumerate(graph.output):
        value.type.tensor_type.ClearField("shape")  # what a symbol stood for is no longer known
        if not _PLAIN_NAME.match(value.name):
            _rename(graph, value, f"output{place}")
    del graph.value_info[:]
    return proto


def _rename(graph: onnx.GraphProto, output: onnx.ValueInfoProto, name: str) -> None:
    """Give an output another name: the compiler loses those that are more than a name."""
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [name if each == output.name else each for each in names]
    output.name = name


def _constant(value: onnx.ValueInfoProto, model: RealModel, pinned: Any) -> np.ndarray[Any, Any]:
    dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    if pinned is True:
        return np.ones(next(iter(model.shapes.values())), dtype)
    return np.asarray(pinned, dtype)
