# SPDX-License-Identifier: Apache-2.0
"""The shapes with which a model can run.

Most models have one set of shapes. A *dynamic* model was compiled for several: each is a graph of its own in the file,
and before each run the runtime is told which of them to use. No other shapes can run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import RknnValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._runtime.tensor_attribute import TensorAttribute
    from ..model import Model

    Shape = tuple[int, ...]

# The shapes of the inputs and of the outputs of one graph, in ONNX order.
GraphShapes = tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]

# The most sets of shapes that the message of an error lists.
_LISTED = 16


@dataclass(frozen=True)
class ShapeSet:
    """Inputs and outputs of one set of shapes, as the runtime describes them."""

    inputs: tuple[TensorAttribute, ...]
    outputs: tuple[TensorAttribute, ...]


def graph_shapes(model: Model) -> tuple[GraphShapes, ...]:
    """Return the shapes of inputs and outputs of each graph of a dynamic model, in ONNX order, largest first.

    Empty for a static model.
    """
    if not model.dynamic:
        return ()
    return tuple(
        (tuple(g.tensors[i].shape for i in g.inputs), tuple(g.tensors[i].shape for i in g.outputs))
        for g in model.graphs
    )


def shape_sets(
    inputs: Sequence[TensorAttribute],
    outputs: Sequence[TensorAttribute],
    graphs: Sequence[GraphShapes],
) -> tuple[ShapeSet, ...]:
    """Return each set of shapes; the first has the attributes that the runtime reports for a new context.

    Args:
        inputs, outputs: as the runtime reports them.
        graphs: of :func:`graph_shapes`.
    """
    if not graphs:
        return (ShapeSet(tuple(inputs), tuple(outputs)),)
    return tuple(
        ShapeSet(
            tuple(_reshaped(a, shape) for a, shape in zip(inputs, input_shapes)),
            tuple(_reshaped(a, shape) for a, shape in zip(outputs, output_shapes)),
        )
        for input_shapes, output_shapes in graphs
    )


def choose(sets: Sequence[ShapeSet], shapes: Sequence[Shape], orders: Sequence[str]) -> int:
    """Return the index of the set whose inputs have these shapes.

    Args:
        sets: those of the model.
        shapes: one for each input, in the runtime's order of dimensions.
        orders: the order in which the user gave each: ``"NCHW"`` or ``"NHWC"``.

    Raises:
        RknnValueError: there is none: each shape is legal for its input, but not together with the others. The message
            shows shapes in the orders that the user gave them.
    """
    for index, candidate in enumerate(sets):
        if all(a.shape == shape for a, shape in zip(candidate.inputs, shapes)):
            return index
    first = sets[0].inputs
    listed = [_text(first, [a.shape for a in s.inputs], orders) for s in sets[:_LISTED]]
    raise RknnValueError(
        f"the shapes {_text(first, shapes, orders)} do not go together; the model takes {', or '.join(listed)}"
        + f", and {len(sets) - _LISTED} more" * (len(sets) > _LISTED)
    )


def listing(shapes: Sequence[Shape]) -> str:
    """List alternative shapes, for the message of an error."""
    more = f" or {len(shapes) - _LISTED} more" * (len(shapes) > _LISTED)
    return " or ".join(str(list(shape)) for shape in shapes[:_LISTED]) + more


def to_nchw(nhwc: Shape) -> Shape:
    """Return the same image's shape in NCHW order."""
    n, h, w, c = nhwc
    return (n, c, h, w)


def to_nhwc(nchw: Shape) -> Shape:
    """Return the same image's shape in NHWC order."""
    n, c, h, w = nchw
    return (n, h, w, c)


def _reshaped(attribute: TensorAttribute, shape: Shape) -> TensorAttribute:
    ordered = to_nhwc(shape) if attribute.format == "NHWC" and len(shape) == 4 else shape
    # The size follows from the number of elements: attributes of one tensor have one element type.
    size = attribute.size // max(attribute.elements, 1) * math.prod(ordered)
    # Only the runtime knows the distance between its rows.
    return replace(attribute, shape=ordered, size=size, row=0, size_with_stride=0)


def _text(inputs: Sequence[TensorAttribute], shapes: Sequence[Shape], orders: Sequence[str]) -> str:
    shown = [_turned(a, shape) if order == "NCHW" else shape for a, shape, order in zip(inputs, shapes, orders)]
    return " with ".join(f"{a.name} {list(shape)}" for a, shape in zip(inputs, shown))


def _turned(attribute: TensorAttribute, shape: Shape) -> Shape:
    return to_nchw(shape) if attribute.format == "NHWC" and len(shape) == 4 else shape


def named(attributes: Sequence[TensorAttribute], kind: str) -> list[TensorAttribute]:
    """Return the same attributes, with names for tensors that have none: ``"input_0"`` and so on."""
    return [a if a.name else replace(a, name=f"{kind}_{i}") for i, a in enumerate(attributes)]
