"""A loaded model, ready to run: its graphs as ONNX Runtime sessions.

A session is safe to run from several threads at once and computes on the thread that calls it, so all cores share the
one-thread session of a graph; when several cores work on one inference together, that is another session with as
many threads. Sessions are made when first needed. A graph with custom operators has a session for each of its stages
(:mod:`.stages`), between which the host computes.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from typing import TYPE_CHECKING, Any

import onnx
import onnxruntime as ort

from .lowering import Pool, lower
from .pruning import without_unread
from .stages import split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model import Model
    from .lowering import Lowered
    from .lowering.lowered import Port


# What moves transposes, first on any graph and then once more: :mod:`.lowering.layout` says what goes wrong.
# The other one makes one rounding of two that follow each other, to a scale between theirs.
_WRONG_OPTIMIZERS = ["TransposeOptimizer", "TransposeOptimizer_CPUExecutionProvider", "DoubleQDQPairsRemover"]


class Executable:
    """All graphs of one model, lowered: the model's file is not needed any more.

    Raises:
        RknnModelError: the model has something that cannot be executed; the text names it.
    """

    def __init__(self, model: Model) -> None:
        pool = Pool() if len(model.graphs) > 1 else None
        self.graphs: tuple[Lowered, ...] = tuple(lower(model, index, pool=pool) for index in range(len(model.graphs)))
        self.stages: tuple[tuple[Lowered, ...], ...] = tuple(split(graph) for graph in self.graphs)
        self._sessions: dict[tuple[int, int, int], ort.InferenceSession] = {}
        self._lock = threading.Lock()  # guards _sessions

    def open(self) -> None:
        """Opens the sessions of the first graph: what ONNX Runtime refuses is refused when a model is loaded."""
        for stage in range(len(self.stages[0])):
            self.session(0, stage, 1)

    def session(self, graph: int, stage: int, threads: int) -> ort.InferenceSession:
        """The session that runs a stage of ``graph`` with ``threads`` threads."""
        with self._lock:
            key = (graph, stage, threads)
            if key not in self._sessions:
                self._sessions[key] = open_session(self.stages[graph][stage], threads)
                _give_back_memory()
            return self._sessions[key]

    def bind(self, graph: int, stage: int, threads: int, addresses: Mapping[str, int]) -> Binding:
        """Ties what a stage takes and gives to memory addresses, by name, so that a run copies nothing.

        The memory must stay valid as long as the binding, and be as large as the stage's ports say.
        """
        session, lowered = self.session(graph, stage, threads), self.stages[graph][stage]
        binding = session.io_binding()
        for port in lowered.inputs:
            binding.bind_input(port.name, "cpu", 0, _element_type(port), port.shape, addresses[port.name])
        for port in lowered.outputs:
            binding.bind_output(port.name, "cpu", 0, _element_type(port), port.shape, addresses[port.name])
        return Binding(session, binding)


def _give_back_memory() -> None:
    """What opening a session has freed, which can be twice the weights, and which the C library would keep."""
    with contextlib.suppress(AttributeError):  # a C library other than glibc
        ctypes.CDLL(None).malloc_trim(0)


class Binding:
    """A session with its inputs and outputs in place."""

    def __init__(self, session: ort.InferenceSession, binding: Any) -> None:
        self._session = session
        self._binding = binding

    def run(self) -> None:
        """One inference, from the bound inputs to the bound outputs."""
        self._session.run_with_iobinding(self._binding)


def _element_type(port: Port) -> Any:
    # Old releases of ONNX Runtime (1.19, the last one for Python 3.9) take numpy's types only; numpy has no bfloat16.
    bfloat16 = onnx.TensorProto.BFLOAT16
    return bfloat16 if port.element_type == bfloat16 else onnx.helper.tensor_dtype_to_np_dtype(port.element_type)


def open_session(lowered: Lowered, threads: int = 1) -> ort.InferenceSession:
    """An ONNX Runtime session with the numbers of the NPU: no fusion may skip a rounding to int8 or float16."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Without this, DequantizeLinear-op-QuantizeLinear becomes an integer kernel that rounds in other places.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    # Idle threads of a group would otherwise spin and take the processor from the other cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    names, arrays = list(lowered.weights), list(lowered.weights.values())
    options.add_external_initializers(names, [ort.OrtValue.ortvalue_from_numpy(array) for array in arrays])
    return ort.InferenceSession(
        without_unread(lowered.skeleton).SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=_WRONG_OPTIMIZERS,
    )
