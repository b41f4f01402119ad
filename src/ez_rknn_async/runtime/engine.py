"""The native engine, from Python: submit tasks, run them, collect their completions.

The engine itself is C++ (``native/engine``); its interface, with who may call what when, is described in
``native/include/ez_rknn_engine.h``. This module adds nothing but types and the life of the C structures.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import RknnClosedError, RknnError, RknnTimeoutError
from .abi import NATIVE, ffi

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .context import Context
    from .library import Library

ENGINE_LIBRARY = NATIVE / "libez_rknn_engine.so"

# The runtime function during which a task failed, by EZR_CALL_*.
CALLS = ("", "rknn_set_input_shapes", "rknn_inputs_set", "rknn_run", "rknn_outputs_get")

OK, TIMEOUT, CLOSED = 0, -101, -102


@functools.cache
def native() -> Any:
    """The engine's library, loaded once a process."""
    return ffi.dlopen(str(ENGINE_LIBRARY))


@dataclass(frozen=True)
class Result:
    """How a task ended. Times are nanoseconds of ``CLOCK_MONOTONIC``."""

    id: int
    tag: int
    code: int
    call: str
    worker: int
    submitted_ns: int
    started_ns: int
    input_ns: int
    npu_ns: int
    finished_ns: int
    message: str  # why it failed, in the runtime's own words; "" when it has none


class Task:
    """The C structures of one task; whoever submits it keeps the arrays behind its pointers until it has ended."""

    __slots__ = ("inputs", "outputs", "result", "task")

    def __init__(self, inputs: int, outputs: int) -> None:
        self.inputs = ffi.new("rknn_input[]", inputs)
        self.outputs = ffi.new("rknn_output[]", outputs)
        self.task = ffi.new("ezr_task *", {"input_count": inputs, "output_count": outputs})
        self.task.inputs, self.task.outputs = self.inputs, self.outputs
        self.result = ffi.new("ezr_result *")

    def set_input(self, index: int, array: Any, type_: int, format_: int, pass_through: bool) -> None:
        """Point input ``index`` to a contiguous array."""
        entry = self.inputs[index]
        entry.index, entry.buf, entry.size = index, ffi.from_buffer(array), array.nbytes
        entry.type, entry.fmt, entry.pass_through = type_, format_, pass_through

    def set_shapes(self, attributes: Any) -> None:
        """Which of its shapes a dynamic model runs with: ``rknn_tensor_attr[]``, one for each input; None otherwise."""
        self.task.shapes = ffi.NULL if attributes is None else attributes

    def set_output(self, index: int, array: Any, want_float: bool) -> None:
        """Point output ``index`` to the contiguous array that receives it."""
        entry = self.outputs[index]
        entry.index, entry.buf, entry.size = index, ffi.from_buffer(array), array.nbytes
        entry.want_float, entry.is_prealloc = want_float, 1


class Engine:
    """Worker threads over a set of contexts, in groups with a queue each."""

    def __init__(
        self,
        library: Library,
        workers: Sequence[tuple[Context, int]],
        routes: Sequence[int],
        *,
        queue_capacity: int,
        completion_capacity: int,
        ordered: bool,
    ) -> None:
        """Start the threads.

        Args:
            library: the runtime library that made the contexts.
            workers: each context with the index of its group.
            routes: task *i* goes to group ``routes[i % len(routes)]``.
            queue_capacity: how many tasks may wait in each group's queue.
            completion_capacity: how many finished tasks may wait to be collected.
            ordered: whether completions come in the order of submission.
        """
        self._native = native()
        c_workers = ffi.new("ezr_worker[]", [(context.handle, group) for context, group in workers])
        c_routes = ffi.new("uint32_t[]", list(routes))
        config = ffi.new(
            "ezr_config *",
            {
                "runtime": {
                    "set_input_shapes": _optional(library, "rknn_set_input_shapes"),
                    "inputs_set": library.function("rknn_inputs_set"),
                    "run": library.function("rknn_run"),
                    "outputs_get": library.function("rknn_outputs_get"),
                    "outputs_release": library.function("rknn_outputs_release"),
                    "last_error": _optional(library, "ez_rknn_last_error"),
                },
                "workers": c_workers,
                "worker_count": len(workers),
                "group_count": max(group for _, group in workers) + 1,
                "routes": c_routes,
                "route_count": len(routes),
                "queue_capacity": queue_capacity,
                "completion_capacity": completion_capacity,
                "ordered": ordered,
            },
        )
        handle = ffi.new("ezr_engine **")
        status = self._native.ezr_create(config, handle)
        if status != OK:
            raise RknnError(f"the engine could not start {len(workers)} worker threads (status {status})")
        self._engine = handle[0]

    def run(self, task: Task, timeout_ms: int) -> Result:
        """Run a task and wait until it has ended.

        Raises:
            RknnTimeoutError: no worker took it up in time; it was withdrawn.
            RknnClosedError: the engine is closed.
        """
        status = self._native.ezr_run(self._engine, task.task, timeout_ms, 0, task.result)
        if status != OK:
            raise _refusal(status, timeout_ms)
        return _result(task.result)

    def submit(self, task: Task, tag: int, timeout_ms: int) -> int:
        """Queue a task and return its id; :meth:`next_completion` will give out a result with this ``tag``.

        Raises:
            RknnTimeoutError: the queue stayed full; nothing was accepted.
            RknnClosedError: the engine is closed.
        """
        task.task.tag = tag
        identifier: int = self._native.ezr_submit(self._engine, task.task, timeout_ms)
        if identifier < 0:
            raise _refusal(identifier, timeout_ms)
        return identifier

    def next_completion(self) -> Result | None:
        """Wait for the next completion; None once the engine is closed and all were given out."""
        result = ffi.new("ezr_result *")
        return _result(result) if self._native.ezr_next_completion(self._engine, -1, result) == OK else None

    def close(self) -> None:
        """Accept no more work; what was accepted is still executed."""
        self._native.ezr_close(self._engine, 0)

    def destroy(self) -> None:
        """Wait for the accepted work and end the threads. No other call may be under way or follow."""
        self._native.ezr_destroy(self._engine, -1, ffi.NULL, 0)


def transpose(source: Any, destination: Any, outer: int, rows: int, columns: int) -> None:
    """``destination[o, c, r] = source[o, r, c]`` for two contiguous arrays of the same element size."""
    native().ezr_transpose(
        ffi.from_buffer(source), ffi.from_buffer(destination), outer, rows, columns, source.dtype.itemsize
    )


def _optional(library: Library, name: str) -> Any:
    return library.function(name) if library.has(name) else ffi.NULL


def _result(result: Any) -> Result:
    return Result(
        result.id,
        result.tag,
        result.code,
        CALLS[result.call],
        result.worker,
        result.submitted_ns,
        result.started_ns,
        result.input_ns,
        result.npu_ns,
        result.finished_ns,
        ffi.string(result.message).decode("utf-8", "replace"),
    )


def _refusal(status: int, timeout_ms: int) -> RknnError:
    if status == TIMEOUT:
        return RknnTimeoutError(
            f"run submit timed out: no worker was free within {timeout_ms} ms",
            hint="raise submit_timeout_ms or max_queue_size, or submit less",
        )
    if status == CLOSED:
        return RknnClosedError("the session is closed")
    return RknnError(f"the engine refused the task (status {status})")
