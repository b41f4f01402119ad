# SPDX-License-Identifier: Apache-2.0
"""Portions of a graph that are nearly independent, each with a limited number of bytes of weights.

ONNX Runtime's optimisers copy all the weights that they are given before they free any. Given one portion after the
other, they copy little at a time. A value that one portion computes and a later one needs is an output of the former
and an input of the latter, under the same name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import helper, shape_inference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def portions(model: onnx.ModelProto, sizes: Mapping[str, int], limit: int) -> Iterator[onnx.ModelProto]:
    """Yield models that together compute what ``model`` does, in the order in which they must run.

    A portion ends before the operator whose weights would exceed the limit, or before the next one with weights where
    the types and shapes of all values that cross the border are known.

    Args:
        sizes: bytes of each weight, by the name of its initialiser; others are not counted.
        limit: bytes of a portion's weights; a single operator may have more.
    """
    if sum(sizes.values()) <= limit:
        yield model
        return
    values = _values(model)
    nodes = model.graph.node
    last_uses = {name: place for place, node in enumerate(nodes) for name in node.input}
    last_uses.update((value.name, len(nodes)) for value in model.graph.output)
    begin = 0
    for end in (*_borders(nodes, values, last_uses, sizes, limit), len(nodes)):
        yield _portion(model, nodes[begin:end], {name for name, place in last_uses.items() if place >= end}, values)
        begin = end


def _values(model: onnx.ModelProto) -> Mapping[str, onnx.ValueInfoProto]:
    """Return the values of known type and shape, and the model's inputs and outputs, whose types must be known."""
    graph = shape_inference.infer_shapes(model).graph
    values = {value.name: value for value in graph.value_info if _is_known(value.type.tensor_type)}
    values.update((value.name, value) for value in (*graph.input, *graph.output))
    return values


def _is_known(tensor: onnx.TypeProto.Tensor) -> bool:
    return bool(tensor.elem_type) and tensor.HasField("shape") and all(dim.dim_value > 0 for dim in tensor.shape.dim)


def _borders(
    nodes: Sequence[onnx.NodeProto],
    values: Mapping[str, onnx.ValueInfoProto],
    last_uses: Mapping[str, int],
    sizes: Mapping[str, int],
    limit: int,
) -> Iterator[int]:
    """Yield the places of the nodes that begin another portion."""
    taken: set[str] = set()  # weights of the portion so far
    needed = -1  # the last place where a value of unknown shape is used: no border up to there
    for place, node in enumerate(nodes):
        weights = {name for name in node.input if name in sizes}
        # Only before weights: the operators after one that has some are often fused with it.
        if weights - taken and taken and place > needed and sum(sizes[name] for name in taken | weights) > limit:
            yield place
            taken = set()
        taken |= weights
        needed = max([needed, *(last_uses.get(name, -1) for name in node.output if name not in values)])


def _portion(
    model: onnx.ModelProto,
    nodes: Sequence[onnx.NodeProto],
    needed_later: set[str],
    values: Mapping[str, onnx.ValueInfoProto],
) -> onnx.ModelProto:
    made = dict.fromkeys(name for node in nodes for name in node.output if name)
    taken = dict.fromkeys(name for node in nodes for name in node.input if name)
    initializers = [one for one in model.graph.initializer if one.name in taken]
    constants = {one.name for one in initializers}
    portion = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    portion.graph.CopyFrom(
        helper.make_graph(
            nodes,
            model.graph.name,
            [values[name] for name in taken if name not in made and name not in constants],
            [values[name] for name in made if name in needed_later],
            initializers,
            # The shapes that cannot be inferred.
            value_info=[value for value in model.graph.value_info if value.name in made],
        )
    )
    return portion
