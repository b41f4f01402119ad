# SPDX-License-Identifier: Apache-2.0
"""A loaded model, ready to run: its graphs as ONNX Runtime sessions.

A session is safe to run from several threads at once and computes on the thread that calls it, so all cores share the
one-thread session of a graph; when several cores share one inference, that is another session with as many threads
and the same weights (:mod:`.optimized`). Sessions are created on first use. A graph with custom
operators has a session for each of its stages (:mod:`.stages`), between which the host computes.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import onnx

from .lowering import Pool, lower
from .optimized import optimize
from .soundness import cannot_be_computed, check_soundness
from .stages import split

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnxruntime as ort

    from ..model import Model
    from .lowering import Lowered
    from .lowering.lowered import GraphPort
    from .optimized import Optimized


class Executable:
    """All graphs of one model, lowered; the model's file is not needed any more.

    Raises:
        RknnModelError: the model has something that cannot be executed; the text names it.
    """

    def __init__(self, model: Model) -> None:
        self._pool = Pool() if len(model.graphs) > 1 else None
        lowered = [lower(model, index, pool=self._pool) for index in range(len(model.graphs))]
        for result, graph in zip(lowered, model.graphs):
            check_soundness(result, graph)
        self.stages: tuple[tuple[Lowered, ...], ...] = tuple(split(graph) for graph in lowered)
        # Without references to the weights, which each stage keeps until it is optimised.
        self.graphs: tuple[Lowered, ...] = tuple(replace(graph, weights={}) for graph in lowered)
        self._optimized: dict[tuple[int, int], Optimized] = {}
        self._sessions: dict[tuple[int, int, int], ort.InferenceSession] = {}
        self._lock = threading.Lock()  # guards the two above and the stages' weights

    def open(self) -> None:
        """Open the sessions of the first graph, so that ONNX Runtime refuses a model when it is loaded.

        Raises:
            RknnModelError: ONNX Runtime refuses the graph.
        """
        for place, stage in enumerate(self.stages[0]):
            nodes = list(stage.skeleton.graph.node)
            try:
                self.session(0, place, 1)
            except MemoryError:
                raise
            except Exception as error:  # ONNX Runtime's exceptions have no common base
                raise cannot_be_computed(nodes, str(error)) from error

    def session(self, graph: int, stage: int, threads: int) -> ort.InferenceSession:
        """Return the session that runs a stage of ``graph`` with ``threads`` threads."""
        with self._lock:
            key = (graph, stage, threads)
            if key not in self._sessions:
                self._sessions[key] = self._optimize(graph, stage).open(threads)
            return self._sessions[key]

    def _optimize(self, graph: int, stage: int) -> Optimized:
        key = (graph, stage)
        if key not in self._optimized:
            lowered = self.stages[graph][stage]
            self._optimized[key] = optimize(lowered.skeleton, lowered.weights, self._pool)
        return self._optimized[key]

    def bind(self, graph: int, stage: int, threads: int, addresses: Mapping[str, int]) -> Binding:
        """Bind a stage's inputs and outputs to memory addresses, by name, so that a run copies nothing.

        The memory must stay valid as long as the binding, and be as large as the stage's ports say.
        """
        session, lowered = self.session(graph, stage, threads), self.stages[graph][stage]
        binding = session.io_binding()
        for port in lowered.inputs:
            binding.bind_input(port.name, "cpu", 0, _element_type(port), port.shape, addresses[port.name])
        for port in lowered.outputs:
            binding.bind_output(port.name, "cpu", 0, _element_type(port), port.shape, addresses[port.name])
        return Binding(session, binding)


class Binding:
    """A session with its inputs and outputs in place."""

    def __init__(self, session: ort.InferenceSession, binding: Any) -> None:
        self._session = session
        self._binding = binding

    def run(self) -> None:
        """Run one inference, from the bound inputs to the bound outputs."""
        self._session.run_with_iobinding(self._binding)


def _element_type(port: GraphPort) -> Any:
    # Old releases of ONNX Runtime (1.19, the last one for Python 3.9) take numpy's types only; numpy has no bfloat16.
    bfloat16 = onnx.TensorProto.BFLOAT16
    return bfloat16 if port.element_type == bfloat16 else onnx.helper.tensor_dtype_to_np_dtype(port.element_type)


def open_session(lowered: Lowered, threads: int = 1) -> ort.InferenceSession:
    """Open a session of a lowered graph, which is kept, with the numbers of the NPU."""
    return optimize(lowered.skeleton, dict(lowered.weights)).open(threads)
