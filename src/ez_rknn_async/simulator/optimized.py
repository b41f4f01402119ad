"""A graph as ONNX Runtime's optimisers leave it, with weights that all of its sessions share.

A session that optimises a graph ends up with weights of its own: the processor's order of a convolution's weights is
another than ONNX's. So that is done once, by :mod:`.optimizer`; sessions that compute take the result as it is, and its
weights from where they are. Opening one takes milliseconds, and next to no memory.

The optimisers are given one portion (:mod:`.portions`) after the other, and with each go the weights that it had
before: never is there much more than everything once. The whole is put together again: one session computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from .optimizer import give_back_memory, run_optimizers, session_options
from .portions import portions
from .pruning import without_unread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping, Sequence

    from numpy.typing import NDArray

    from .lowering import Pool

# Portions of a large model are a sixteenth of it, so that what the optimisers copy is little beside the whole. Those of
# a small one are larger: operators on two sides of a border are not fused.
PARTS = 16
SMALLEST_PORTION = 4 << 20  # bytes of weights
# After so many, memory is given back to the system; after each, what the next one asks for would have to be made anew,
# page by page.
_PORTIONS_BETWEEN = 4

# Operators that no optimiser replaces, and whose weights none reorders.
_UNCHANGED = ("Gather", "MatMulIntegerToFloat")

# Stands where the file with the weights would be. ONNX Runtime wants one to exist, and does not read it.
_NO_FILE = Path(__file__)
_NOWHERE = 1 << 40  # beyond its end: should it be read after all, that is an error


@dataclass(frozen=True)
class Optimized:
    """A graph, ready for any number of sessions."""

    skeleton: bytes  # an ONNX model without its weights, with operators that only ONNX Runtime has
    weights: Mapping[str, ort.OrtValue]  # on arrays of ours

    def open(self, threads: int) -> ort.InferenceSession:
        """A session that computes with ``threads`` threads and these very weights."""
        options = session_options(threads)
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(_NO_FILE.parent))
        for name, value in self.weights.items():
            options.add_initializer(name, value)
        session = ort.InferenceSession(self.skeleton, options, providers=["CPUExecutionProvider"])
        session.weights = self.weights  # at which it only points
        give_back_memory()
        return session


def optimize(
    skeleton: onnx.ModelProto, weights: MutableMapping[str, NDArray[Any]], pool: Pool | None = None
) -> Optimized:
    """Optimises the graph of a :class:`.lowering.Lowered`.

    Args:
        weights: is emptied on the way, so that nobody's hand is on an array that has had its turn.
        pool: where several graphs have their weights in common.
    """
    skeleton = without_unread(skeleton)
    whole = _Whole(skeleton)
    for initializer in _set_aside(skeleton, weights):
        whole.add(initializer, weights.pop(initializer.name))
    sizes = {name: array.nbytes for name, array in weights.items()}
    parts = list(portions(skeleton, sizes, max(SMALLEST_PORTION, sum(sizes.values()) // PARTS)))
    for place, (part, taken) in enumerate(zip(parts, _hand_out(parts, weights))):
        if place % _PORTIONS_BETWEEN == 0:  # before the first one: what lowering has left
            give_back_memory()
        whole.append(*run_optimizers(part, taken))
    weights.clear()  # of what nobody reads
    return whole.finish(pool)


def _set_aside(skeleton: onnx.ModelProto, weights: Mapping[str, NDArray[Any]]) -> list[TensorProto]:
    """Takes out the initialisers that the optimisers would only copy; these see inputs of the graph instead."""
    graph = skeleton.graph
    changed = {name for node in graph.node if node.op_type not in _UNCHANGED for name in node.input}
    copies = [TensorProto.FromString(one.SerializeToString()) for one in graph.initializer]
    aside = [one for one in copies if one.name in weights and one.name not in changed]
    graph.input.extend(helper.make_tensor_value_info(one.name, one.data_type, one.dims) for one in aside)
    names = {one.name for one in aside}
    del graph.initializer[:]
    graph.initializer.extend(one for one in copies if one.name not in names)
    return aside


def _hand_out(
    parts: Sequence[onnx.ModelProto], weights: MutableMapping[str, NDArray[Any]]
) -> Iterator[dict[str, NDArray[Any]]]:
    """The weights of each part; the last one that needs a weight takes it away."""
    needed = [{one.name for one in part.graph.initializer} & weights.keys() for part in parts]
    for place, names in enumerate(needed):
        later = set().union(*needed[place + 1 :])
        yield {name: weights[name] if name in later else weights.pop(name) for name in names}


class _Whole:
    """The optimised parts, put together again."""

    def __init__(self, skeleton: onnx.ModelProto) -> None:
        self._model = onnx.ModelProto(ir_version=skeleton.ir_version)
        self._model.graph.name = skeleton.graph.name
        self._model.graph.input.extend(skeleton.graph.input)
        self._model.graph.output.extend(skeleton.graph.output)
        self._parts = 0
        self._weights: dict[str, NDArray[Any]] = {}

    def add(self, initializer: TensorProto, array: NDArray[Any] | None) -> None:
        """Adds an initialiser, and its data where that is not in it."""
        self._model.graph.initializer.append(initializer)
        if array is not None:
            self._weights[initializer.name] = array
            _point_nowhere(self._model.graph.initializer[-1])

    def append(self, part: onnx.ModelProto, weights: Mapping[str, NDArray[Any]]) -> None:
        """Adds a part. Names within it become its own: the optimisers make up the same ones for every graph."""
        borders = {value.name for value in (*part.graph.input, *part.graph.output)}

        def renamed(name: str) -> str:
            return name if not name or name in borders else f"{name}@{self._parts}"

        for node in part.graph.node:
            node.name = renamed(node.name)
            node.input[:] = [renamed(name) for name in node.input]
            node.output[:] = [renamed(name) for name in node.output]
        self._model.graph.node.extend(part.graph.node)
        for one in part.graph.initializer:
            array = weights.get(one.name)
            one.name = renamed(one.name)
            self.add(one, array)
        known = {opset.domain for opset in self._model.opset_import}
        self._model.opset_import.extend(opset for opset in part.opset_import if opset.domain not in known)
        self._parts += 1

    def finish(self, pool: Pool | None) -> Optimized:
        """All of it."""
        arrays = {name: array if pool is None else pool.shared(array) for name, array in self._weights.items()}
        values = {name: ort.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}
        return Optimized(self._model.SerializeToString(), values)


def _point_nowhere(initializer: TensorProto) -> None:
    """Its data is given to each session by itself."""
    del initializer.external_data[:]
    initializer.external_data.add(key="location", value=_NO_FILE.name)
    initializer.external_data.add(key="offset", value=str(_NOWHERE))
