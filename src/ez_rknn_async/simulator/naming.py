# SPDX-License-Identifier: Apache-2.0
"""Readable names for a lowered graph, as Netron should show it.

Lowering gives everything a number. Here a tensor gets the name that it has in the file, an operator the name of the
node that it comes from (``Conv:conv0/Relu``), and a constant that of its place in the operator
(``relu1/QuantizeLinear/y_scale``). The inputs and outputs keep their names, which are the model's own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import onnx
from onnx import defs

from .lowering.builder import OPSET
from .lowering.lowered import CUSTOM_DOMAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..model import Graph
    from .lowering import Lowered


def readable(lowered: Lowered, graph: Graph) -> Lowered:
    """Return the same graph with readable names, taken from ``graph``."""
    skeleton = onnx.ModelProto()
    skeleton.CopyFrom(lowered.skeleton)
    _own_constants(skeleton.graph)
    names = _Naming(lowered, graph, skeleton.graph).names()
    _rename(skeleton.graph, names)
    return replace(
        lowered,
        skeleton=skeleton,
        weights={names[name]: array for name, array in lowered.weights.items()},
        values={index: names.get(value, value) for index, value in lowered.values.items()},
        custom_operators=(),  # plain nodes to a reader of the graph
    )


def _own_constants(graph: onnx.GraphProto) -> None:
    """Give each operator its own copy of the small constants, which lowering shares by content.

    A scale that happens to equal an upper bound should not have that bound's name.
    """
    small = {tensor.name: tensor for tensor in graph.initializer if not tensor.external_data}
    large = [tensor for tensor in graph.initializer if tensor.external_data]
    copies = []
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name in small:
                copy = onnx.TensorProto()
                copy.CopyFrom(small[name])
                copy.name = node.input[place] = f"{name}@{node.name}@{place}"
                copies.append(copy)
    del graph.initializer[:]
    graph.initializer.extend([*large, *copies])


class _Naming:
    """The new name of each value; the first value to claim a name gets it, later ones add a number."""

    def __init__(self, lowered: Lowered, graph: Graph, skeleton: onnx.GraphProto) -> None:
        self._lowered = lowered
        self._graph = graph
        self._skeleton = skeleton
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()
        self._seen: Counter[str] = Counter()

    def names(self) -> Mapping[str, str]:
        """Return the new names by the old ones."""
        ports = [port.name for port in (*self._lowered.inputs, *self._lowered.outputs)]
        for name in ports:
            self._give(name, name)
        made = {name for node in self._skeleton.node for name in node.output}
        self._outputs(made)
        self._tensors(made | set(self._lowered.weights))
        self._operators()
        self._constants()
        return self._names

    def _outputs(self, made: set[str]) -> None:
        """Name a value that is only copied to a graph output after that output; see :func:`_rename`."""
        outputs = {port.name for port in self._lowered.outputs}
        for node in self._skeleton.node:
            if node.op_type == "Identity" and node.output[0] in outputs and node.input[0] in made:
                self._names.setdefault(node.input[0], node.output[0])

    def _tensors(self, nameable: Iterable[str]) -> None:
        nameable = set(nameable)
        for index, value in self._lowered.values.items():
            name = self._graph.tensors[index].name
            if value in nameable and value not in self._names and name and name not in self._taken:
                self._give(value, name)

    def _operators(self) -> None:
        for node in self._skeleton.node:
            for place, output in enumerate(node.output):
                if output and output not in self._names:
                    name = _without_number(node.name)
                    self._give(output, f"{name}.{place}" if place else name)

    def _constants(self) -> None:
        for node in self._skeleton.node:
            for place, name in enumerate(node.input):
                if name and name not in self._names:
                    self._give(name, f"{_without_number(node.name)}/{_role(node, place)}")

    def _give(self, value: str, wanted: str) -> None:
        name = wanted
        while name in self._taken:
            self._seen[wanted] += 1
            name = f"{wanted}_{self._seen[wanted] + 1}"
        self._taken.add(name)
        self._names[value] = name


def _without_number(name: str) -> str:
    """Return ``conv0/Relu`` for ``conv0/Relu#7``."""
    return name.rpartition("#")[0] or name


def _role(node: onnx.NodeProto, place: int) -> str:
    """Return ONNX's name for an input of an operator."""
    if node.domain == CUSTOM_DOMAIN:
        return f"operand{place}"
    inputs = defs.get_schema(node.op_type, OPSET).inputs
    return inputs[min(place, len(inputs) - 1)].name


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    for initializer in graph.initializer:
        initializer.name = names[initializer.name]
    operators: Counter[str] = Counter()
    kept = []
    for node in graph.node:
        for sequence in (node.input, node.output):
            for place, name in enumerate(sequence):
                sequence[place] = names.get(name, name)
        if node.op_type == "Identity" and node.input[0] == node.output[0]:
            continue  # its source has taken the output's name
        name = _without_number(node.name)
        operators[name] += 1
        node.name = name if operators[name] == 1 else f"{name}_{operators[name]}"
        kept.append(node)
    nodes = list(kept)
    del graph.node[:]
    graph.node.extend(nodes)
