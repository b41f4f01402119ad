# SPDX-License-Identifier: Apache-2.0
"""A comparison of a compiled model's tensors with a reference, which shows where the model loses precision.

Noise is the power of the error relative to the power of the signal. A layer's result has the noise of its inputs and
its own; the difference is the noise that the layer *adds*. (A layer may also remove noise, as an average does.)
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .error_measures import Difference, Tally
from .overflow import overflows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..model import Graph, Node
    from .overflow import Overflow
    from .references import Network, Values
    from .samples import Sample

INPUT = "(input)"  # in place of an operator: the conversion of an input


@dataclass(frozen=True)
class LayerError:
    """The error of a layer's result relative to the reference."""

    number: int  # of the layer, in the order of execution, as ``ezrknn info`` counts; -1: an input
    operator: str
    tensor: int  # index
    difference: Difference
    added: float  # noise that was not in the layer's inputs


@dataclass(frozen=True)
class Comparison:
    """All tensors that both networks have, in the order of execution."""

    layers: tuple[LayerError, ...]
    outputs: tuple[tuple[int, Difference], ...]  # by tensor index
    missing: int  # layers whose result the reference does not have
    overflows: tuple[Overflow, ...] = ()  # layers that leave float16's range, once for each sample

    @property
    def total_added(self) -> float:
        """The noise that all layers add."""
        return sum(layer.added for layer in self.layers)

    def worst(self, count: int = 1) -> list[LayerError]:
        """Return the layers that add most noise, the worst first; layers that add none are left out."""
        adding = [layer for layer in self.layers if layer.added > 0]
        return sorted(adding, key=lambda layer: layer.added, reverse=True)[:count]


def compare(graph: Graph, compiled: Network, reference: Network, samples: Iterable[Sample]) -> Comparison:
    """Run both networks on the samples and compare their tensors.

    Args:
        graph: of the compiled model, to which the tensor indices refer.
    """
    found: list[Overflow] = []
    differences = _differences(_Observed(compiled, graph, found), reference, samples)
    layers = tuple(_layers(graph, differences))
    outputs = tuple((index, differences[index]) for index in graph.outputs if index in differences)
    computing = sum(1 for _ in _computing(graph))
    missing = computing - sum(layer.number >= 0 for layer in layers)
    return Comparison(layers, outputs, missing, tuple(found))


class _Observed:
    """A network, with the layers that leave float16's range on the way."""

    def __init__(self, network: Network, graph: Graph, found: list[Overflow]) -> None:
        self._network = network
        self._graph = graph
        self._found = found

    def run(self, sample: Sample) -> Values:
        """Run the network."""
        values = self._network.run(sample)
        self._found.extend(overflows(self._graph, values))
        return values


def _differences(compiled: Network, reference: Network, samples: Iterable[Sample]) -> dict[int, Difference]:
    tallies: dict[int, Tally] = defaultdict(Tally)
    for sample in samples:
        ours, theirs = compiled.run(sample), reference.run(sample)
        for index in ours.keys() & theirs.keys():
            # The compiler adds and removes dimensions of size 1; where it changes more, elements are in another order.
            if _essential(ours[index].shape) == _essential(theirs[index].shape):
                tallies[index].add(ours[index], theirs[index])
    return {index: tally.difference() for index, tally in tallies.items()}


def _essential(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _layers(graph: Graph, differences: dict[int, Difference]) -> Iterator[LayerError]:
    noise: dict[int, float] = {}  # of each tensor; of one that the reference does not have, that of its inputs
    for index in graph.inputs:
        if index in differences:
            noise[index] = differences[index].noise
            yield LayerError(-1, INPUT, index, differences[index], added=noise[index])
    for number, node in _computing(graph):
        given = max((noise.get(index, 0.0) for index in node.inputs), default=0.0)
        known = [index for index in node.outputs if index in differences]
        noise.update((index, differences[index].noise if index in differences else given) for index in node.outputs)
        if known:
            worst = max(known, key=lambda index: differences[index].noise)
            added = max(0.0, noise[worst] - given)
            yield LayerError(number, node.op, worst, differences[worst], added)


def _computing(graph: Graph) -> Iterator[tuple[int, Node]]:
    """Yield the layers, numbered without the markers of inputs and outputs."""
    return enumerate(node for node in graph.nodes if node.op not in ("InputOperator", "OutputOperator"))
