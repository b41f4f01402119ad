# SPDX-License-Identifier: Apache-2.0
"""The lowering of a parsed graph to an ONNX model.

One function for each operator, registered by its name in the file (:mod:`.registry`), writes into a
:class:`.builder.GraphBuilder`. To add an operator, write its function in the module of its family.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import RknnModelError
from ...model.operators.unsupported import UnsupportedFormError
from . import borders, families
from .builder import GraphBuilder
from .errors import Problem, UnsupportedOperatorError
from .lowered import CustomOperator, GraphPort, Lowered
from .pool import Pool
from .registry import lowering_of

if TYPE_CHECKING:
    from typing import Literal

    from ...model import Model
    from ...model.format.graph import Node

__all__ = ["CustomOperator", "Lowered", "Pool", "GraphPort", "Problem", "UnsupportedOperatorError", "lower"]

assert families  # imported so that its modules register


def lower(
    model: Model,
    graph_index: int = 0,
    *,
    io: Literal["native", "float"] = "native",
    rounding: bool = True,
    integers: bool = True,
    pool: Pool | None = None,
) -> Lowered:
    """Lower the NPU's computation of one graph of ``model`` to an ONNX model.

    Args:
        io: ``"native"``: inputs and outputs are dense tensors in logical (NCHW) order and the model's own types.
            ``"float"``: real numbers as float32, with normalisation and quantisation of the inputs in the graph;
            integer inputs and outputs keep their types.
        rounding: round each result to the numbers that its tensor can hold, as on the NPU. Without it, and with
            ``io="float"``, the graph computes in float32 with the weights of the file.
        integers: compute large convolutions of int8 tensors in integers, with 8-bit weights, by operators that only
            ONNX Runtime has. Without it the graph is standard ONNX, its weights float32.
        pool: holds the weights that the model's graphs have in common.

    Raises:
        UnsupportedOperatorError: some operators cannot be executed; names all of them.
    """
    graph = model.graphs[graph_index]
    to = GraphBuilder(model, graph, rounding=rounding, integers=integers, pool=pool)
    inputs = [_input(to, place, io) for place in range(len(graph.inputs))]
    problems = [problem for node in graph.nodes if (problem := _lower_node(node, to)) is not None]
    if problems:
        raise UnsupportedOperatorError(problems)
    taken = {port.name for port in inputs}
    outputs = [_output(to, index, _free_name(to.tensor(index).name, taken), io) for index in graph.outputs]
    return to.finish(inputs, outputs)


def _input(to: GraphBuilder, place: int, io: str) -> GraphPort:
    index = to.graph.inputs[place]
    to.begin(to.tensor(index).name)
    if io == "native":
        return borders.native_input(to, index)
    return borders.float_input(to, index, to.graph.preprocessing[place])


def _output(to: GraphBuilder, index: int, name: str, io: str) -> GraphPort:
    to.begin(name)
    return borders.native_output(to, index, name) if io == "native" else borders.float_output(to, index, name)


def _lower_node(node: Node, to: GraphBuilder) -> Problem | None:
    reason = _try_to_lower(node, to)
    if reason is None:
        return None
    # Placeholders for the results, so that the nodes after this one are checked as well.
    for output in node.outputs:
        to.define(output, f"missing_{output}")
    return Problem(node.op, node.name, reason)


def _try_to_lower(node: Node, to: GraphBuilder) -> str | None:
    lowering = lowering_of(node.op)
    if to.is_absorbed(node):
        return None
    if lowering is None:
        return "this operator is unknown"
    to.begin(node.name or node.op)
    try:
        lowering(node, to)
    except UnsupportedFormError as error:
        return str(error)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # An attribute or operand is missing or out of range: the compiler writes no such file.
        raise RknnModelError(
            f"the model file is damaged: layer {node.name!r} ({node.op}) lacks an attribute or operand, or has one "
            "that does not fit"
        ) from error
    return None


def _free_name(name: str, taken: set[str]) -> str:
    """Return ``name``, or a name like it that no other input or output has."""
    while name in taken:
        name += "_out"
    taken.add(name)
    return name
