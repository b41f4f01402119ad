# SPDX-License-Identifier: Apache-2.0
"""The native engine, from Python: submit tasks, run them, collect their completions.

The engine itself is C++ (``native/engine``); ``native/include/ez_rknn_engine.h`` describes its interface, and which
calls may run at once. This module adds nothing but types and the lifetime of the C structures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from .._messages.wording import option
from ..errors import RknnClosedError, RknnError, RknnTimeoutError
from .abi import ffi
from .native import address_of, brief, native
from .task import results_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .library import Library
    from .task import EngineTask, Result

OK, TIMEOUT, CLOSED, INTERRUPTED, BUSY = 0, -101, -102, -106, -107
ROOM, STALLED, RELEASED = 1, 2, 3  # the events of next_events() besides completions, which are OK
CANCELLED = -108  # Result.code of a task that was withdrawn
DISCARDED = -1  # Result.code, with no Result.call, of a task that close() discarded (RKNN_ERR_FAIL)
RUN_TIMEOUT = -2  # Result.code of a task that the watchdog ended (RKNN_ERR_TIMEOUT)
INTERRUPTIBLE = 1
DEVICE_UNAVAILABLE = -3  # Result.code of a task for which no worker is left (RKNN_ERR_DEVICE_UNAVAILABLE)
_NO_ID = 2**63 - 1
# The most events taken at once. Those taken no longer hold submissions up, though their callbacks are still to come.
_AT_ONCE = 16
# The interval at which a thread that waits for the engine's end checks for signals.
_SLICE_MS = 100
WORKER_STATES = ("ready", "set aside", "lost")  # by EZR_WORKER_*
STAGES = ("queue", "input", "npu", "output", "total")


class Engine:
    """Worker threads over a set of contexts, in groups with a queue each."""

    def __init__(
        self,
        library: Library,
        workers: Sequence[tuple[int, int]],
        routes: Sequence[int],
        *,
        queue_capacity: int,
        completion_capacity: int,
        ordered: bool,
        least_loaded: bool = False,
        pacing: bool = False,
        run_timeout_ms: int = 0,
    ) -> None:
        """Start the threads.

        Args:
            library: the runtime library that made the contexts.
            workers: the handle of each context, with the index of its group.
            routes: task *i* goes to group ``routes[i % len(routes)]``.
            queue_capacity: the most tasks that may wait in each group's queue.
            completion_capacity: the most finished tasks that may wait to be collected.
            ordered: deliver completions in the order of submission.
            least_loaded: send tasks to whichever routed group is free first, instead of by the rule above.
            pacing: admit tasks no faster than the contexts sustain.
            run_timeout_ms: how long a worker may have a task before it is set aside; 0: no limit.
        """
        self._native = native()
        self._groups = max(group for _, group in workers) + 1
        self._workers = len(workers)
        self.has_watchdog = run_timeout_ms > 0
        c_workers = ffi.new("ezr_worker[]", list(workers))
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
                    "set_io_mem": _optional(library, "rknn_set_io_mem"),
                    "mem_sync": _optional(library, "rknn_mem_sync"),
                    "last_error": _optional(library, "ez_rknn_last_error"),
                },
                "workers": c_workers,
                "worker_count": len(workers),
                "group_count": self._groups,
                "routes": c_routes,
                "route_count": len(routes),
                "queue_capacity": queue_capacity,
                "completion_capacity": completion_capacity,
                "ordered": ordered,
                "dispatch": int(least_loaded),
                "pacing": pacing,
                "run_timeout_ms": run_timeout_ms,
            },
        )
        handle = ffi.new("ezr_engine **")
        status = self._native.ezr_create(config, handle)
        if status != OK:
            raise RknnError(f"the engine could not start {len(workers)} worker threads (status {status})")
        self._engine = handle[0]
        # One thread collects.
        self._collected = ffi.new("ezr_result[]", _AT_ONCE), ffi.new("int32_t[]", _AT_ONCE)
        self._run = self._native.ezr_run  # looked up once: every run() passes through here
        self._address = address_of(self._engine)
        self._try_submit, self._submit_at_once = brief("ezr_try_submit", 2), brief("ezr_submit", 3)
        self._try_collect = brief("ezr_next_completions", 5)
        self._collecting = (self._address, 0, _AT_ONCE, *map(address_of, self._collected))

    def run(
        self, task: EngineTask, tag: int, timeout_ms: int, *, interruptible: bool, keep: Callable[[bool], None]
    ) -> int:
        """Run a task and wait until it has ended; return its code. The rest is in ``task.outcome()``.

        Args:
            task: what to run.
            tag: comes back in the result, and in a RELEASED event.
            timeout_ms: the longest wait for a worker.
            interruptible: run Python's signal handlers while this waits. When one raises, the task is given up.
            keep: called in that case, with True if the task's arrays stay in use until a RELEASED event with its tag,
                because a worker has taken it up.

        Raises:
            RknnTimeoutError: no worker took it up in time; it was withdrawn.
            RknnClosedError: the engine is closed.
        """
        flags = INTERRUPTIBLE if interruptible else 0
        structure, result = task.task, task.result
        structure.tag, result.id = tag, _NO_ID
        try:
            status = self._run(self._engine, structure, timeout_ms, flags, result)
            while status == INTERRUPTED:
                # The interpreter has run the signal handlers since the last call.
                status = self._native.ezr_resume(self._engine, task.result.id, task.result)
        except BaseException:
            # A handler raised, perhaps before the status above was stored: only the result tells which run it was.
            keep(True)  # first, as a second signal may interrupt what follows
            if self._native.ezr_leave(self._engine, task.result.id) != BUSY:
                keep(False)
            raise
        if status != OK:
            raise _refusal(status, timeout_ms)
        code: int = result.code
        return code

    def submit(self, task: EngineTask, tag: int, timeout_ms: int, *, unordered: bool) -> int:
        """Queue a task and return its id; :meth:`next_events` will return a result with this ``tag``.

        Raises:
            RknnTimeoutError: the queue stayed full; nothing was accepted.
            RknnClosedError: the engine is closed.
        """
        structure = task.task
        structure.tag, structure.unordered = tag, unordered
        if timeout_ms == 0:
            identifier = self._submit_at_once(self._address, task.address, 0)
        else:
            identifier = self._try_submit(self._address, task.address)
            if identifier == TIMEOUT:
                identifier = self._native.ezr_submit(self._engine, structure, timeout_ms)
        if identifier < 0:
            raise _refusal(identifier, timeout_ms)
        return identifier

    def cancel(self, identifier: int) -> bool:
        """Withdraw a submitted task; False if a worker has taken it up. Its result, CANCELLED, is still an event."""
        withdrawn: bool = self._native.ezr_cancel(self._engine, identifier) == OK
        return withdrawn

    def notify_room(self) -> None:
        """Ask for a ROOM event as soon as a submission may succeed."""
        self._native.ezr_notify_room(self._engine)

    def next_events(self) -> list[tuple[int, Result | None]]:
        """Wait for completions (OK) or ROOM, STALLED, RELEASED; empty once there are no more and the engine is closed.

        Every event but ROOM has a result; that of STALLED and RELEASED says only which task and worker. Several events
        are returned at once if there are any, because each return waits for the interpreter, which may be busy.
        """
        results, events = self._collected
        # Those that are there already, without letting another thread have the interpreter in between.
        count: int = self._try_collect(*self._collecting)
        if count == TIMEOUT:
            count = self._native.ezr_next_completions(self._engine, -1, _AT_ONCE, results, events)
        if count == CLOSED:
            return []
        return [
            (event, None if event == ROOM else result)
            for event, result in zip(ffi.unpack(events, count), results_of(results, count))
        ]

    def add_lane(self, contexts: Sequence[int]) -> int:
        """Add one more context for every worker, given by their handles, and return the lane for tasks to name.

        Raises:
            RknnClosedError: the engine is closed.
        """
        lane: int = self._native.ezr_add_lane(self._engine, ffi.new("rknn_context[]", list(contexts)))
        if lane < 0:
            raise _refusal(lane, 0)
        return lane

    def replace_worker(self, worker: int, handle: int | None) -> bool:
        """Replace a context that was set aside; None: there will be no other. Return False if it is too late."""
        replaced: bool = self._native.ezr_replace_worker(self._engine, worker, handle or 0) == OK
        return replaced

    def stats(self) -> tuple[Any, Any]:
        """Return the counts of each group (``ezr_group_stats[]``), and the times of each of the :data:`STAGES`
        (``ezr_stage_stats[]``)."""
        groups, stages = ffi.new("ezr_group_stats[]", self._groups), ffi.new("ezr_stage_stats[]", len(STAGES))
        self._native.ezr_stats(self._engine, groups, stages)
        return groups, stages

    def health(self) -> Any:
        """Return the health of each worker: ``ezr_worker_health[]``."""
        workers = ffi.new("ezr_worker_health[]", self._workers)
        self._native.ezr_health(self._engine, workers)
        return workers

    def close(self, *, discard: bool = False) -> None:
        """Accept no more work; what was accepted is still executed, or discarded if no worker has taken it up."""
        self._native.ezr_close(self._engine, discard)

    def join(self) -> None:
        """Wait until all accepted work has ended and all threads but those set aside have; it must have been closed.

        On the main thread it can be interrupted: a signal handler that raises ends it.
        """
        while self._native.ezr_join(self._engine, _SLICE_MS) == TIMEOUT:
            pass  # the interpreter runs signal handlers here

    def destroy(self, timeout_ms: int) -> set[int]:
        """Wait for the accepted work and end the threads. No other call may be under way or follow.

        Threads that were set aside are waited for at most ``timeout_ms``; the handles of the contexts that are then
        still inside the runtime are returned, and must never be destroyed.
        """
        left = ffi.new("rknn_context[]", self._workers)
        count = self._native.ezr_destroy(self._engine, timeout_ms, left, self._workers)
        return {left[i] for i in range(min(count, self._workers))}


def _optional(library: Library, name: str) -> Any:
    return library.function(name) if library.has(name) else ffi.NULL


def _refusal(status: int, timeout_ms: int) -> RknnError:
    if status == TIMEOUT:
        return RknnTimeoutError(
            f"run submit timed out: no worker was free within {timeout_ms} ms",
            hint=f"raise {option('submit_timeout_ms')} or {option('max_queue_size')}, or submit less",
        )
    if status == CLOSED:
        return RknnClosedError("the session is closed")
    return RknnError(f"the engine refused the task (status {status})")
