"""The running part of a session: its contexts, the engine's threads, the dispatcher.

A session that is dropped still owes its callers what it accepted. So everything that runs lives here, apart from the
session object, and :meth:`Executor.close` ends it in the one right order: no more work in, everything accepted
delivered, threads joined, contexts given back.
"""

from __future__ import annotations

import collections
import os
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable

from .dispatcher import Delivery, Dispatcher
from .errors import RknnClosedError, RknnError
from .interface import Interface
from .runtime import status
from .runtime.context import Context
from .runtime.engine import Engine, Result, Task
from .shapes import shape_sets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from .interface import Request
    from .options import ProviderOptions
    from .plan import Plan
    from .runtime.context import TensorAttribute
    from .runtime.library import Library
    from .shapes import GraphShapes

    Array = npt.NDArray[Any]


class Executor:
    """Runs one model on the contexts of a plan.

    Attributes:
        interface: the model's inputs and outputs; it makes the requests that this executor runs.
    """

    def __init__(
        self,
        library: Library,
        model: str | bytes,
        graphs: Sequence[GraphShapes],
        plan: Plan,
        options: ProviderOptions,
    ) -> None:
        """Create the contexts and start the threads; when something fails, what was made before is given back."""
        self._pid = os.getpid()
        self._timeout_ms = options.submit_timeout_ms
        with ExitStack() as undo:
            contexts = _open_contexts(library, model, plan, options, undo)
            inputs, outputs = _named(contexts[0].inputs(), "input"), _named(contexts[0].outputs(), "output")
            self.interface = Interface(shape_sets(inputs, outputs, graphs), options.layout)
            self.versions = contexts[0].versions()
            self._engine = Engine(
                library,
                [(context, worker.group) for context, worker in zip(contexts, plan.workers)],
                plan.routes,
                queue_capacity=plan.queue_capacity,
                completion_capacity=plan.completion_capacity,
                ordered=options.sequential_callbacks,
            )
            self._contexts = undo.pop_all()
        self._dispatcher = Dispatcher(self._engine)
        self._tasks: collections.deque[Task] = collections.deque()
        self._gate = _Gate()

    def run(self, request: Request) -> list[Array]:
        """Run one inference and return all outputs.

        Raises:
            RknnTimeoutError: no worker was free in time.
            RknnError: the runtime refused or failed.
        """
        with self._entered() as task:
            _fill(task, request)
            result = self._engine.run(task, self._timeout_ms)
            if result.code < 0:
                raise failure(result)
        return request.arrays

    def submit(self, request: Request, receive: Callable[[list[Array], Result], None]) -> int:
        """Queue one inference; ``receive`` gets its outputs and its result on the dispatcher's thread.

        Raises:
            RknnTimeoutError: the queue stayed full; ``receive`` will not be called.
        """
        with self._entered() as task:
            _fill(task, request)
            delivery = Delivery([p.array for p in request.inputs], request.arrays, receive)
            return self._dispatcher.submit(task, delivery, self._timeout_ms)

    def is_delivering(self) -> bool:
        """Whether the caller runs inside a callback of this executor."""
        return self._dispatcher.is_current_thread()

    def close(self) -> None:
        """Accept no more, deliver what was accepted, end the threads, give the contexts back. May be called twice.

        Called from inside a callback it does not wait: the rest follows when that callback has returned.
        """
        if os.getpid() != self._pid:
            return  # a forked child: the threads and the contexts are its parent's
        if not self._gate.close():
            return
        self._engine.close()
        if self._dispatcher.is_current_thread():
            # This thread cannot join itself; another one ends what is left.
            threading.Thread(target=self._finish, name="ez-rknn-close").start()
        else:
            self._finish()

    def _finish(self) -> None:
        self._gate.wait_until_empty()
        self._dispatcher.join()
        self._engine.destroy()
        self._contexts.close()

    @contextmanager
    def _entered(self) -> Iterator[Task]:
        if os.getpid() != self._pid:
            raise RknnError(
                "this session was created before fork(), and NPU contexts do not survive it",
                hint="create the session in the child process, or start it with the 'spawn' method",
            )
        with self._gate:
            # A pool and not a thread's own: a signal handler may call run() while run() is under way.
            task = self._tasks.pop() if self._tasks else Task(len(self.interface.inputs), len(self.interface.outputs))
            try:
                yield task
            finally:
                self._tasks.append(task)


class _Gate:
    """Counts the calls under way, so that closing waits for them and refuses new ones."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards the two below
        self._inside = 0
        self._open = True

    def __enter__(self) -> None:
        with self._changed:
            if not self._open:
                raise RknnClosedError("the session is closed")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._inside -= 1
            if not self._open and self._inside == 0:
                self._changed.notify_all()

    def close(self) -> bool:
        """Refuse everyone from now on; False when that was so already."""
        with self._changed:
            was_open, self._open = self._open, False
            return was_open

    def wait_until_empty(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._inside == 0)


def failure(result: Result) -> RknnError:
    """The exception for a task that failed."""
    return status.error(result.code, result.call, result.message)


def _fill(task: Task, request: Request) -> None:
    for index, item in enumerate(request.inputs):
        task.set_input(index, item.array, item.type, item.format, item.pass_through)
    for index, receiver in enumerate(request.outputs):
        task.set_output(index, receiver.array, receiver.want_float)
    task.set_shapes(request.shapes)


def _open_contexts(
    library: Library, model: str | bytes, plan: Plan, options: ProviderOptions, undo: ExitStack
) -> list[Context]:
    contexts: list[Context] = []
    with library.simulator_settings(options.simulator):
        for worker in plan.workers:
            share = contexts and not options.disable_dup_context
            context = contexts[0].duplicate() if share else Context.open(library, model)
            undo.callback(context.destroy)
            contexts.append(context)
            if worker.core_mask is not None:
                context.set_core_mask(worker.core_mask)
    return contexts


def _named(attributes: Sequence[TensorAttribute], kind: str) -> list[TensorAttribute]:
    return [a if a.name else replace(a, name=f"{kind}_{i}") for i, a in enumerate(attributes)]
