"""That a lowered graph computes tensors of the very shapes and types that its file says.

A damaged file may still be lowered: to operators that do not fit each other, or that make enormous tensors of small
ones. ONNX's shape inference finds out in a millisecond, before anything is computed or allocated. All shapes of a graph
for an NPU are known beforehand, so one that is not is a fault as well.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import onnx
from onnx import shape_inference

from ..errors import RknnModelError
from ..model.graph import DUMMY, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..model import Graph
    from .lowering import Lowered

    Shapes = Mapping[str, "tuple[int, ...] | None"]

# What lowering puts between two tensors of the file may be larger than these: what the windows of a convolution see.
_GROWTH = 256
_ALWAYS_ALLOWED = 1 << 22  # elements

_HINT = "copy or download it again; if it is as the compiler wrote it, please report it"


def check_soundness(lowered: Lowered, graph: Graph) -> None:
    """Check the lowered ``graph`` of a file.

    Raises:
        RknnModelError: its operators do not fit each other, or do not make what the file says.
    """
    shapes = _infer(lowered)
    constants = {one.name: tuple(one.dims) for one in lowered.skeleton.graph.initializer}
    for index, value in lowered.values.items():
        tensor, shape = graph.tensors[index], shapes.get(value, constants.get(value))
        if index != DUMMY and shape != tensor.shape:
            what = "something of unknown shape" if shape is None else f"shape {list(shape)}"
            raise _damaged(f"tensor {tensor.name!r} should have shape {list(tensor.shape)}, but is computed as {what}")
    _check_sizes(lowered, graph, shapes)


def _infer(lowered: Lowered) -> Shapes:
    """The shape of every value that is computed; None where it is not known."""
    try:
        inferred = shape_inference.infer_shapes(lowered.skeleton, check_type=True, strict_mode=True, data_prop=True)
    except Exception as error:  # a damaged graph has more than one way to fail
        raise cannot_be_computed(lowered.skeleton.graph.node, str(error)) from error
    values = (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)
    return {value.name: _shape(value.type.tensor_type) for value in values}


def _shape(tensor: onnx.TypeProto.Tensor) -> tuple[int, ...] | None:
    sizes = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim)
    return sizes if tensor.HasField("shape") and min(sizes, default=0) >= 0 else None


def _check_sizes(lowered: Lowered, graph: Graph, shapes: Shapes) -> None:
    known = [math.prod(tensor.shape) for tensor in graph.tensors if tensor.kind is not Kind.DUMMY]
    limit = max(_ALWAYS_ALLOWED, _GROWTH * max(known, default=0))
    for node in lowered.skeleton.graph.node:
        for name in filter(None, node.output):
            shape = shapes.get(name)
            if shape is None or math.prod(shape) > limit:
                raise cannot_be_computed([node], node.name)


def cannot_be_computed(nodes: Iterable[onnx.NodeProto], said: str) -> RknnModelError:
    """The error for a graph that something refuses; the first of ``nodes`` that ``said`` names is the culprit.

    What it said is about ONNX, of which the user of a model knows nothing.
    """
    for node in nodes:
        if node.name and re.search(re.escape(node.name) + r"(?!\d)", said):
            layer = node.name.rpartition("/")[0]
            return _damaged(f"layer {layer!r} cannot be computed: its operands or attributes do not fit each other")
    return _damaged("a layer cannot be computed: its operands or attributes do not fit each other")


def _damaged(what: str) -> RknnModelError:
    return RknnModelError(f"the model file is damaged: {what}", hint=_HINT)
