# SPDX-License-Identifier: Apache-2.0
"""The runtime's description of its own memory, for each set of shapes with which a model can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .._tensors.npu_layout import native_input, native_output
from ..errors import RknnValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._runtime.context import Context
    from .._runtime.tensor_attribute import TensorAttribute
    from .._tensors.npu_layout import NativeTensor
    from ..model import Graph, Model


class NativeSet(NamedTuple):
    """The inputs and outputs of one set of shapes, as direct I/O binds them."""

    inputs: tuple[NativeTensor, ...]
    outputs: tuple[NativeTensor, ...]


def native_sets(context: Context, descriptions: Sequence[Any], model: Model) -> tuple[NativeSet, ...]:
    """Query one for each set of shapes; afterwards the context is set to the last one.

    Args:
        context: idle, and of this model.
        descriptions: each set of shapes for ``rknn_set_input_shapes``.
        model: its file.

    Raises:
        RknnValueError: the memory of a tensor cannot be understood; the message names it.
        RknnError: the runtime does not answer.
    """
    if not model.dynamic:
        return (_set(context, model.graphs[0], current=False),)
    sets = []
    for description, graph in zip(descriptions, model.graphs):
        context.set_input_shapes(description)
        sets.append(_set(context, graph, current=True))
    return tuple(sets)


def _set(context: Context, graph: Graph, *, current: bool) -> NativeSet:
    # With shapes set, the unqualified queries answer for the current ones as well.
    inputs = zip(context.inputs(), context.native_inputs(current=current), (graph.tensors[i] for i in graph.inputs))
    outputs = zip(context.outputs(), context.native_outputs(current=current))
    return NativeSet(
        tuple(native_input(_named(a, "input"), n, stored) for a, n, stored in inputs),
        tuple(native_output(_named(a, "output"), n) for a, n in outputs),
    )


def _named(attribute: TensorAttribute, kind: str) -> TensorAttribute:
    if not attribute.name:
        raise RknnValueError(f"an {kind} has no name, by which the runtime could find it; it cannot be bound")
    return attribute
