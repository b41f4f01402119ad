# SPDX-License-Identifier: Apache-2.0
"""Heads of detectors that int8 breaks, and where to cut them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx

    from .original import Original

_MOVES = ("Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast")
_PROBABILITIES = ("Sigmoid", "Softmax", "HardSigmoid")


@dataclass(frozen=True)
class Head:
    """An output that joins tensors of different ranges.

    Attributes:
        output: its name.
        parts: what it joins: the tensors to cut at.
    """

    output: str
    parts: tuple[str, ...]


def mixed_heads(original: Original) -> list[Head]:
    """Return the outputs that join probabilities with something else, such as boxes."""
    makers = _makers(original.graph)
    heads = []
    for output in original.graph.output:
        node = _behind_moves(output.name, makers)
        if node is None or node.op_type != "Concat":
            continue
        parts = tuple(dict.fromkeys(node.input))
        kinds = {_is_probability(part, makers) for part in parts}
        if kinds == {True, False}:
            heads.append(Head(output.name, parts))
    return heads


def automatic_cut(original: Original) -> tuple[str, ...]:
    """Return the outputs of the model with every mixed head cut; empty if there is none."""
    heads = {head.output: head.parts for head in mixed_heads(original)}
    if not heads:
        return ()
    return tuple(name for output in original.graph.output for name in heads.get(output.name, (output.name,)))


def second_readers(original: Original) -> Iterator[tuple[str, list[str]]]:
    """Yield class scores that a reduction reads too, with the readers."""
    for node in original.graph.node:
        if node.op_type not in _PROBABILITIES:
            continue
        scores = node.output[0]
        readers = [other for other in original.graph.node if scores in other.input]
        wanted = scores in {output.name for output in original.graph.output}
        sums = [other for other in readers if other.op_type.startswith("Reduce")]
        if sums and len(readers) + wanted > 1:
            yield scores, [f"{other.op_type} {other.name or other.output[0]!r}" for other in sums]


def _makers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    return {name: node for node in graph.node for name in node.output}


def _behind_moves(name: str, makers: dict[str, onnx.NodeProto]) -> onnx.NodeProto | None:
    """Return what computes a tensor, behind operators that only move elements."""
    node = makers.get(name)
    while node is not None and node.op_type in _MOVES:
        node = makers.get(node.input[0])
    return node


def _is_probability(name: str, makers: dict[str, onnx.NodeProto]) -> bool:
    node = _behind_moves(name, makers)
    if node is not None and node.op_type == "Concat":
        return all(_is_probability(part, makers) for part in node.input)
    # Scores times an objectness are probabilities still.
    if node is not None and node.op_type == "Mul":
        return all(_is_probability(part, makers) for part in node.input)
    return node is not None and node.op_type in _PROBABILITIES
