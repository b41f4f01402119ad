# SPDX-License-Identifier: Apache-2.0
"""A check that a lowered graph computes tensors of the very shapes and types that its file declares.

A damaged file may still be lowered: to operators that do not fit each other, or that turn small tensors into enormous
ones. ONNX's shape inference detects it in a millisecond, before anything is computed or allocated. All shapes of a
graph for an NPU are known beforehand, so an unknown one is a fault as well.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import onnx
from onnx import numpy_helper, shape_inference

from ..errors import RknnModelError
from ..model.format.graph import DUMMY, Kind
from .operands import Operator, fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from ..model import Graph
    from .lowering import Lowered

    Shapes = Mapping[str, "tuple[int, ...] | None"]

# A value that lowering puts between two tensors of the file may be larger than these: the windows of a convolution.
_GROWTH = 256
_ALWAYS_ALLOWED = 1 << 22  # elements

# Attributes that ONNX divides by, or means as extents. Its own check of shapes ended the process on a stride of 0
# (onnx 1.19, the last one for Python 3.9).
_POSITIVE = frozenset({"strides", "dilations", "kernel_shape", "group", "blocksize", "num_outputs", "hidden_size"})

_HINT = "copy or download it again; if it is as the compiler wrote it, please report it"
_MADE_BY_LOWERING = re.compile(r"(.*)/[^/]*#\d+$", re.DOTALL)


def check_soundness(lowered: Lowered, graph: Graph) -> None:
    """Check the lowered ``graph`` of a file.

    Raises:
        RknnModelError: its operators do not fit each other, or do not compute what the file declares.
    """
    shapes = {**_infer(lowered), **{one.name: tuple(one.dims) for one in lowered.skeleton.graph.initializer}}
    for index, value in lowered.values.items():
        tensor, shape = graph.tensors[index], shapes.get(value)
        if index != DUMMY and shape != tensor.shape:
            what = "something of unknown shape" if shape is None else f"shape {list(shape)}"
            raise _damaged(f"tensor {tensor.name!r} should have shape {list(tensor.shape)}, but is computed as {what}")
    for port in lowered.outputs:
        if shapes.get(port.name) != port.shape:
            raise _damaged(_culprit(port.name))
    _check_operators(lowered, graph, shapes)


def cannot_be_computed(nodes: Iterable[onnx.NodeProto], said: str) -> RknnModelError:
    """Return the error for a graph that was refused; the first of ``nodes`` that ``said`` names is the culprit.

    ``said``, the reason, is about ONNX, of which the user of a model knows nothing.
    """
    for node in nodes:
        if node.name and re.search(re.escape(node.name) + r"(?!\d)", said):
            return _damaged(_culprit(node.name))
    return _damaged("its operators do not fit each other")


def _culprit(name: str) -> str:
    made = _MADE_BY_LOWERING.match(name)
    if made is None:
        return f"output {name!r} differs in shape or type from the value computed for it"
    return f"layer {made[1]!r} cannot be computed: its operands and attributes do not fit each other"


def _infer(lowered: Lowered) -> dict[str, tuple[int, ...] | None]:
    """Return the shape of every computed value; None if it is not known."""
    _check_attributes(lowered.skeleton.graph.node)
    model = onnx.ModelProto()
    model.CopyFrom(lowered.skeleton)
    for output in model.graph.output:  # so that inference finds the shape, not only that the declared one is wrong
        output.type.tensor_type.ClearField("shape")
    try:
        inferred = shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except Exception as error:  # a damaged graph has more than one way to fail
        raise cannot_be_computed(lowered.skeleton.graph.node, str(error)) from error
    values = (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)
    return {value.name: _shape(value.type.tensor_type) for value in values}


def _check_attributes(nodes: Iterable[onnx.NodeProto]) -> None:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.name in _POSITIVE and min(attribute.ints or (attribute.i,)) < 1:
                raise _damaged(_culprit(node.name))


def _shape(tensor: onnx.TypeProto.Tensor) -> tuple[int, ...] | None:
    sizes = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim)
    return sizes if tensor.HasField("shape") and min(sizes, default=0) >= 0 else None


def _check_operators(lowered: Lowered, graph: Graph, shapes: Shapes) -> None:
    known = [math.prod(tensor.shape) for tensor in graph.tensors if tensor.kind is not Kind.DUMMY]
    limit = max(_ALWAYS_ALLOWED, _GROWTH * max(known, default=0))
    constants = _Constants(lowered)
    for node in lowered.skeleton.graph.node:
        outputs = [shapes.get(name) for name in filter(None, node.output)]
        sound = all(shape is not None and math.prod(shape) <= limit for shape in outputs)
        if not sound or not fit(Operator(node, [shapes.get(name) for name in node.input], outputs, constants.get)):
            raise _damaged(_culprit(node.name))


class _Constants:
    """The numbers of constants, and of constants that are only cast."""

    def __init__(self, lowered: Lowered) -> None:
        self._weights = lowered.weights
        self._initializers = {one.name: one for one in lowered.skeleton.graph.initializer}
        self._casts = {node.output[0]: node.input[0] for node in lowered.skeleton.graph.node if node.op_type == "Cast"}

    def get(self, name: str) -> NDArray[Any] | None:
        """Return the numbers of that value; None if they are not known beforehand."""
        name = self._casts.get(name, name)
        if name in self._weights:
            return self._weights[name]
        if name in self._initializers:
            return numpy_helper.to_array(self._initializers[name])
        return None


def _damaged(what: str) -> RknnModelError:
    return RknnModelError(f"the model file is damaged: {what}", hint=_HINT)
