# SPDX-License-Identifier: Apache-2.0
"""``--graph``: the choice of a graph of a model with dynamic shapes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..errors import RknnValueError

if TYPE_CHECKING:
    import argparse

    from ..model import Graph, Model


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--graph`` to a command."""
    parser.add_argument(
        "--graph",
        type=int,
        metavar="N",
        help="which shapes of a dynamic model, counted from 0 as `ezrknn info` lists them (default: the largest)",
    )


def choose(model: Model, number: int | None) -> int:
    """Return the number of the graph asked for; by default that of the graph with the largest inputs."""
    graphs = model.graphs
    if number is None:
        return max(range(len(graphs)), key=lambda index: _input_elements(graphs[index]))
    if not 0 <= number < len(graphs):
        raise RknnValueError(f"the model has no graph {number}; it has {len(graphs)}, counted from 0")
    return number


def describe(model: Model, number: int) -> str:
    """Describe the graph and its shapes; return "" if there is only one graph."""
    if len(model.graphs) == 1:
        return ""
    graph = model.graphs[number]
    tensors = [graph.tensors[index] for index in graph.inputs]
    shapes = ", ".join(f"{tensor.name} {'x'.join(map(str, tensor.shape))}" for tensor in tensors)
    return f"graph {number} of {len(model.graphs)} ({shapes})"


def _input_elements(graph: Graph) -> int:
    return sum(math.prod(graph.tensors[index].shape) for index in graph.inputs)
