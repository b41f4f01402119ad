# SPDX-License-Identifier: Apache-2.0
"""The stages of a graph, cut where the host has to compute: before and after each of its custom operators.

Stage *i* computes everything up to custom operator *i*, and the last one the outputs; a graph without custom operators
is one stage. A value that one stage computes and a later one or an operator needs is an output of the former and an
input of the latter, so to run the stages it is enough to bind values of one name to one memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import onnx
from onnx import helper, shape_inference

from ..errors import RknnModelError
from .lowering import GraphPort, Lowered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .lowering import CustomOperator


def split(lowered: Lowered) -> tuple[Lowered, ...]:
    """Split a lowered graph into its stages, in the order in which they run.

    Raises:
        RknnModelError: the shape of a value that one stage passes to another is not known beforehand.
    """
    if not lowered.custom_operators:
        return (lowered,)
    cut = list(_cut(lowered))
    ports = _ports(lowered)
    taken_later = _taken_later(cut, [port.name for port in lowered.outputs])
    return tuple(_stage(lowered, nodes, later, ports) for nodes, later in zip(cut, taken_later))


@dataclass
class _Nodes:
    """The nodes of one stage."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)

    @property
    def made(self) -> list[str]:
        return [name for node in self.nodes for name in node.output if name]

    @property
    def taken(self) -> list[str]:
        return [name for node in self.nodes for name in node.input if name]


def _cut(lowered: Lowered) -> Iterable[_Nodes]:
    operators = {operator.node: operator for operator in lowered.custom_operators}
    stage = _Nodes()
    for node in lowered.skeleton.graph.node:
        if node.name not in operators:
            stage.nodes.append(node)
            continue
        stage.nodes += _operands(node, operators[node.name])
        yield stage
        stage = _Nodes()
    yield stage


def _operands(node: onnx.NodeProto, operator: CustomOperator) -> list[onnx.NodeProto]:
    """Copy each operand to a value with a name of its own."""
    return [
        helper.make_node("Identity", [value], [port.name], name=port.name)
        for value, port in zip(node.input, operator.inputs)
    ]


def _taken_later(cut: Sequence[_Nodes], outputs: Sequence[str]) -> list[set[str]]:
    """Return, for each stage, the values that later stages or the outputs need."""
    later: list[set[str]] = []
    needed = set(outputs)
    for stage in reversed(cut):
        later.append(set(needed))
        needed |= set(stage.taken)
    return later[::-1]


def _ports(lowered: Lowered) -> Mapping[str, GraphPort]:
    """Return the type and shape of every value that is known."""
    inferred = shape_inference.infer_shapes(lowered.skeleton).graph
    ports = {value.name: _port(value) for value in inferred.value_info}
    known = [*lowered.inputs, *lowered.outputs]
    for operator in lowered.custom_operators:
        known += [*operator.inputs, *operator.outputs]
    return {**ports, **{port.name: port for port in known}}


def _port(value: onnx.ValueInfoProto) -> GraphPort:
    tensor = value.type.tensor_type
    shape = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim)
    return GraphPort(value.name, tensor.elem_type, shape if tensor.HasField("shape") else (-1,))


def _stage(lowered: Lowered, stage: _Nodes, later: set[str], ports: Mapping[str, GraphPort]) -> Lowered:
    made = dict.fromkeys(stage.made)
    operands = {port.name for operator in lowered.custom_operators for port in operator.inputs}
    outputs = [_known(name, ports) for name in made if name in later or name in operands]
    initializers = [one for one in lowered.skeleton.graph.initializer if one.name in set(stage.taken)]
    constants = {one.name for one in initializers}
    given = dict.fromkeys(name for name in stage.taken if name not in made and name not in constants)
    inputs = [_known(name, ports) for name in given]
    skeleton = onnx.ModelProto()
    skeleton.CopyFrom(lowered.skeleton)
    skeleton.graph.CopyFrom(
        helper.make_graph(
            stage.nodes,
            lowered.skeleton.graph.name,
            [port.value_info() for port in inputs],
            [port.value_info() for port in outputs],
            initializers,
        )
    )
    weights = {name: array for name, array in lowered.weights.items() if name in constants}
    return replace(
        lowered,
        skeleton=skeleton,
        weights=weights,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        values={},
        custom_operators=(),
    )


def _known(name: str, ports: Mapping[str, GraphPort]) -> GraphPort:
    port = ports.get(name)
    if port is None or min(port.shape, default=0) < 0:
        raise RknnModelError(f"the shape of {name!r}, which crosses a custom operator, is not known")
    return port
