# SPDX-License-Identifier: Apache-2.0
"""A graph optimised by ONNX Runtime, with weights that all of its sessions share.

A session that optimises a graph ends up with weights of its own, as the processor's order of a convolution's weights
differs from ONNX's. So :mod:`.optimizer` does that once; sessions that compute use its result unchanged, and its
weights in place. Opening one takes milliseconds, and next to no memory.

The optimisers get one portion (:mod:`.portions`) after the other, and the original weights of each are freed: there is
never much more than one copy of everything. The parts are then joined, so that one session computes.
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

# Portions of a large model are a sixteenth of it, so that the optimisers' copies are small beside the whole. Those of a
# small one are larger: operators on two sides of a border are not fused.
PARTS = 16
SMALLEST_PORTION = 4 << 20  # bytes of weights
# After this many portions memory is returned to the system; after each one would be slow, since the next would have to
# fault every page in again.
_PORTIONS_BETWEEN = 4

# Operators that no optimiser replaces and whose weights none reorders.
_UNCHANGED = ("Gather", "MatMulIntegerToFloat")

# A placeholder for the file with the weights. ONNX Runtime requires one to exist, and does not read it.
_NO_FILE = Path(__file__)
_NOWHERE = 1 << 40  # beyond its end: an error, should it be read after all


@dataclass(frozen=True)
class Optimized:
    """A graph, ready for any number of sessions."""

    skeleton: bytes  # an ONNX model without its weights, with operators that only ONNX Runtime has
    weights: Mapping[str, ort.OrtValue]  # views of our arrays

    def open(self, threads: int) -> ort.InferenceSession:
        """Open a session that computes with ``threads`` threads and these very weights."""
        options = session_options(threads)
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(_NO_FILE.parent))
        for name, value in self.weights.items():
            options.add_initializer(name, value)
        session = ort.InferenceSession(self.skeleton, options, providers=["CPUExecutionProvider"])
        session.weights = self.weights  # kept alive: the session only points to them
        give_back_memory()
        return session


def optimize(
    skeleton: onnx.ModelProto, weights: MutableMapping[str, NDArray[Any]], pool: Pool | None = None
) -> Optimized:
    """Optimise the graph of a :class:`.lowering.Lowered`.

    Args:
        weights: is emptied on the way, so that no reference keeps an array alive once it is optimised.
        pool: shared by graphs that have their weights in common.
    """
    skeleton = without_unread(skeleton)
    whole = _Joined(skeleton)
    for initializer in _set_aside(skeleton, weights):
        whole.add(initializer, weights.pop(initializer.name))
    sizes = {name: array.nbytes for name, array in weights.items()}
    parts = list(portions(skeleton, sizes, max(SMALLEST_PORTION, sum(sizes.values()) // PARTS)))
    for place, (part, taken) in enumerate(zip(parts, _weights_by_part(parts, weights))):
        if place % _PORTIONS_BETWEEN == 0:  # before the first one: the memory that lowering has freed
            give_back_memory()
        whole.append(*run_optimizers(part, taken))
    weights.clear()  # unread ones
    return whole.finish(pool)


def _set_aside(skeleton: onnx.ModelProto, weights: Mapping[str, NDArray[Any]]) -> list[TensorProto]:
    """Take out the initialisers that the optimisers would only copy; these see inputs of the graph instead."""
    graph = skeleton.graph
    changed = {name for node in graph.node if node.op_type not in _UNCHANGED for name in node.input}
    copies = [TensorProto.FromString(one.SerializeToString()) for one in graph.initializer]
    aside = [one for one in copies if one.name in weights and one.name not in changed]
    graph.input.extend(helper.make_tensor_value_info(one.name, one.data_type, one.dims) for one in aside)
    names = {one.name for one in aside}
    del graph.initializer[:]
    graph.initializer.extend(one for one in copies if one.name not in names)
    return aside


def _weights_by_part(
    parts: Sequence[onnx.ModelProto], weights: MutableMapping[str, NDArray[Any]]
) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the weights of each part; the last part that needs a weight takes it out."""
    needed = [{one.name for one in part.graph.initializer} & weights.keys() for part in parts]
    for place, names in enumerate(needed):
        later = set().union(*needed[place + 1 :])
        yield {name: weights[name] if name in later else weights.pop(name) for name in names}


class _Joined:
    """The optimised parts, joined again."""

    def __init__(self, skeleton: onnx.ModelProto) -> None:
        self._model = onnx.ModelProto(ir_version=skeleton.ir_version)
        self._model.graph.name = skeleton.graph.name
        self._model.graph.input.extend(skeleton.graph.input)
        self._model.graph.output.extend(skeleton.graph.output)
        self._parts = 0
        self._weights: dict[str, NDArray[Any]] = {}

    def add(self, initializer: TensorProto, array: NDArray[Any] | None) -> None:
        """Add an initialiser, and its data if it is stored outside."""
        self._model.graph.initializer.append(initializer)
        if array is not None:
            self._weights[initializer.name] = array
            _drop_location(self._model.graph.initializer[-1])

    def append(self, part: onnx.ModelProto, weights: Mapping[str, NDArray[Any]]) -> None:
        """Add a part and make the names within it unique: the optimisers use the same ones for every graph."""
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
        """Return the joined graph."""
        arrays = {name: array if pool is None else pool.shared(array) for name, array in self._weights.items()}
        values = {name: ort.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}
        return Optimized(self._model.SerializeToString(), values)


def _drop_location(initializer: TensorProto) -> None:
    """Give the data a location that cannot be read: each session gets the data separately."""
    del initializer.external_data[:]
    initializer.external_data.add(key="location", value=_NO_FILE.name)
    initializer.external_data.add(key="offset", value=str(_NOWHERE))
