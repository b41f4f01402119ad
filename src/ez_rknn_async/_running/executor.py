"""The running part of a session: its contexts, the engine's threads, the dispatcher.

A session that is dropped still owes its callers what it accepted. So everything that runs lives here, apart from the
session object, and :meth:`Executor.close` ends it in the one right order: no more work in, everything accepted
delivered, threads joined, contexts given back.
"""

from __future__ import annotations

import collections
import functools
import logging
import os
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from .._contexts.custom_ops import missing_operators
from .._contexts.lanes import Lanes
from .._contexts.pool import Contexts, counted_apart
from .._host import greenlets
from .._observing.health import faults_of, read_health
from .._observing.stats import StatsReader
from .._options.init_flags import check_flushes
from .._runtime.engine import RUN_TIMEOUT, Engine, Result, Task
from .._runtime.timeouts import within
from .._tensors.nan_warnings import NanWarnings
from .._tensors.node_arg import quantization
from .._tensors.shapes import graph_shapes, named, shape_sets
from .._transport.choice import direct_transport
from .._transport.copying import Copying
from .._transport.signature import Interface
from .._values.binding_request import LastBound
from .._values.ports import Ports
from ..errors import RknnClosedError, RknnError, RknnTimeoutError
from . import greenlet_run
from .async_admission import Admission
from .delivery import Delivery, Dispatcher, Listener, Runnable
from .inflight import Gate
from .replacing import Replacing
from .task_errors import Failures

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .._contexts.custom_ops import CustomOps
    from .._contexts.model_source import ModelSource
    from .._observing.health import SessionHealth
    from .._options.plan import Plan
    from .._options.provider_options import ProviderOptions
    from .._runtime.library import Library
    from ..model import Model
    from .delivery import Watcher

    Array = npt.NDArray[Any]


AnyRequest = TypeVar("AnyRequest", bound=Runnable)

logger = logging.getLogger("ez_rknn_async")

# How long the end of a session waits for threads that are stuck inside the runtime.
STUCK_WAIT_MS = 1000
# What such threads, and those of an end that was interrupted, may still use: kept for the life of the process.
_LOST: list[Dispatcher | Executor] = []


class Executor:
    """Runs one model on the contexts of a plan.

    Attributes:
        library: the runtime library.
        contexts: of the workers, in the lane that all others come after.
        interface: the model's inputs and outputs; it makes the requests that this executor runs.
        versions: of the runtime library and of the driver.
        depth: how many tasks under way keep every worker busy.
        stats: what was done, and how long it took.
        last_bound: the values' memory that its contexts are bound to.
        failure: makes the exception for a task that failed.
        cores: of each group of workers, such as ``"0"`` or ``"0,1,2"``.
    """

    def __init__(
        self,
        library: Library,
        source: ModelSource,
        model: Model,
        plan: Plan,
        options: ProviderOptions,
        watchers: Sequence[Watcher] = (),
        lender: Executor | None = None,
        custom_ops: CustomOps | None = None,
    ) -> None:
        """Create the contexts and start the threads; when something fails, what was made before is given back.

        Args:
            library: the runtime.
            source: the model for the runtime; held until the executor has ended.
            model: what the file says.
            plan: which contexts there are, on which cores.
            options: the session's.
            watchers: are told of each task.
            lender: runs the model with the weights that this one leaves out.
            custom_ops: for every context.
        """
        self.library = library
        self._pid = os.getpid()
        self._timeout_ms = options.submit_timeout_ms
        self._load_timeout_ms = options.load_timeout_ms
        self._watchers = tuple(watchers)
        with ExitStack() as undo:
            source.hold()
            undo.callback(source.let_go)
            self._source = source
            open_contexts = functools.partial(
                Contexts,
                library,
                source,
                plan,
                counted_apart(options),
                None if lender is None else lender.contexts,
                custom_ops,
            )
            self.contexts: Contexts = open_contexts()
            self._lanes = Lanes(
                self.contexts,
                # The runtime loads no dynamic-shape model with the weights of another context: 1.5.2 refuses it, and
                # keeps what it had allocated by then.
                lambda first: open_contexts(first=None if model.dynamic else first),
                options.load_timeout_ms,
            )
            undo.callback(self._lanes.close)
            first = self.contexts[0]
            inputs, outputs = named(first.inputs(), "input"), named(first.outputs(), "output")
            sets = shape_sets(inputs, outputs, graph_shapes(model))
            self.interface = Interface(sets, options.layout, options.output_dtype == "native", options.output_layout)
            self._direct = direct_transport(self._lanes, self.interface, model, options)
            check_flushes(options, library, is_direct=self._direct is not None)
            self._nans = NanWarnings()
            self._quantises = any(quantization(i.attribute) is not None for i in self.interface.inputs)
            self.interface.transport = self._direct or Copying(
                self.interface.inputs, self._lanes, model.graphs[0].preprocessing, self._nans
            )
            self.versions, memory = first.versions(), first.memory()
            self._engine = Engine(
                library,
                [(context, worker.group) for context, worker in zip(self.contexts, plan.workers)],
                plan.routes,
                queue_capacity=plan.queue_capacity,
                completion_capacity=plan.completion_capacity,
                ordered=options.sequential_callbacks,
                least_loaded=options.dispatch == "least_loaded",
                pacing=options.enable_pacing,
                run_timeout_ms=options.run_timeout_ms,
            )
            self._lanes.attach(self._engine, self._check_process)
            undo.pop_all()
        self._admission = Admission(self._notify_room)
        self._gate = Gate()
        replacing = Replacing(self._engine, self._lanes, self._direct, self._gate, options.load_timeout_ms)
        self._dispatcher = Dispatcher(
            self._engine, Listener(self._look_for_nan, self._admission.room, replacing.set_aside, self._lanes.release)
        )
        # Every worker has a task, and one more waits for it.
        self.depth = 2 * len(plan.workers)
        self.stats = StatsReader(self._engine, plan.groups, memory)
        self._tasks: collections.deque[Task] = collections.deque()
        self.cores = plan.groups
        self._prefers_nhwc = options.zero_copy_layout == "nhwc"
        self._making = greenlets.lock()  # guards _ports
        self._ports: Ports | None = None
        self.last_bound = LastBound()
        self.failure = Failures(options.run_timeout_ms, missing_operators(model, custom_ops))

    def listen(self) -> None:
        """Begin to deliver on a thread of the calling one's kind; to be called once, where the session is opened.

        Without a watchdog there is nothing to deliver before the first task, and threads can begin with it. A greenlet
        belongs to the thread that begins it.
        """
        if self._engine.has_watchdog or (greenlets.framework() is not None and greenlets.in_main_thread()):
            self._dispatcher.start()

    def run(self, request: Runnable) -> list[Array]:
        """Run one inference and return all outputs.

        On the main thread it can be interrupted: a signal handler that raises ends it.

        Raises:
            RknnTimeoutError: no worker was free in time, or the run took too long.
            RknnError: the runtime refused or failed.
        """
        interruptible = threading.get_ident() == threading.main_thread().ident
        self._check_process()
        if self._dispatcher.serves_greenlets():
            return greenlet_run.run(self, request, self._timeout_ms)
        with self._dispatcher.holding(request) as hold, self._gate:
            task = self._filled(request)
            hold.result = result = self._engine.run(
                task, hold.tag, self._timeout_ms, interruptible=interruptible, keep=hold.keep
            )
            self._tasks.append(task)
            for watcher in self._watchers:
                watcher.task(result)
            if result.code < 0:
                if result.code == RUN_TIMEOUT and self._engine.has_watchdog:
                    hold.keep(True)
                raise self.failure(result)
        self._look_for_nan(request)
        return request.arrays

    def submit(
        self,
        request: AnyRequest,
        receive: Callable[[AnyRequest, Result], None],
        *,
        unordered: bool = False,
        timeout_ms: int | None = None,
    ) -> int:
        """Queue one inference and return its id; ``receive`` gets its result on the dispatcher's thread.

        Args:
            request: what to run.
            receive: is called with the request and the result once the task has ended, however it ended.
            unordered: as soon as it has ended; otherwise in the order of submission, if the session is so.
            timeout_ms: how long to wait for a place in the queue; None: as the session's options say.

        Raises:
            RknnTimeoutError: the queue stayed full; ``receive`` will not be called.
        """
        self._check_process()
        for watcher in self._watchers:
            receive = watcher.watching(receive)
        timeout = self._timeout_ms if timeout_ms is None else timeout_ms
        delivery = Delivery(request, receive)
        if timeout and self._dispatcher.serves_greenlets():
            return self._admission.submit_waiting(lambda: self._submit(delivery, 0, unordered), timeout / 1000)
        return self._submit(delivery, timeout, unordered)

    def _submit(self, delivery: Delivery, timeout_ms: int, unordered: bool) -> int:
        with self._gate:
            task = self._filled(delivery.request)
            identifier = self._dispatcher.submit(task, delivery, timeout_ms, unordered=unordered)
            self._tasks.append(task)
        return identifier

    async def submit_awaitable(self, request: AnyRequest, receive: Callable[[AnyRequest, Result], None]) -> int:
        """:meth:`submit`, unordered, for a coroutine: while the queue is full the event loop goes on."""
        return await self._admission.submit(
            lambda: self.submit(request, receive, unordered=True, timeout_ms=0), self._timeout_ms / 1000
        )

    def check_open(self) -> None:
        """See that something could be run.

        Raises:
            RknnClosedError: the session is closed.
            RknnError: this process is a fork of the one that has the session.
        """
        self._check_process()
        with self._gate:
            pass

    def health(self) -> SessionHealth:
        """How its workers are.

        Raises:
            RknnClosedError: it is closed.
            RknnError: this process is a fork of the one that has the session.
        """
        self._check_process()
        with self._gate:
            return read_health(self._engine, self.cores)

    def state(self) -> str:
        """``"open"``, and what is wrong with its workers if anything is; ``"closed"``; or ``"of another process"``.

        It asks neither the runtime nor the NPU.
        """
        if os.getpid() != self._pid:
            return "of another process"
        try:
            workers = self.health().workers
        except RknnClosedError:
            return "closed"
        except RknnError:
            return "open, all workers lost"
        return f"open{faults_of(workers)}"

    def lane(self, inputs: Sequence[str], outputs: Sequence[str]) -> tuple[int, Contexts]:
        """The contexts, and their number, for inferences whose tensors are bound in these ways; see :attr:`Form.way`.

        Raises:
            RknnError: the runtime has no more contexts.
        """
        number = self._lanes.number((tuple(inputs), tuple(outputs)))
        return number, self._lanes[number]

    @property
    def ports(self) -> Ports:
        """The inputs and outputs as values see them: always the same ones.

        Raises:
            RknnError: tensors go through copies.
        """
        with self._making:
            if self._ports is None:
                self._ports = Ports(self.interface, self.contexts, prefers_nhwc=self._prefers_nhwc)
            return self._ports

    def cancel(self, identifier: int) -> bool:
        """Withdraw a submitted task; False if a worker has taken it up or the session is closed."""
        try:
            with self._gate:
                return self._engine.cancel(identifier)
        except RknnClosedError:
            return False

    def is_delivering(self) -> bool:
        """Whether the caller runs inside a callback of this executor."""
        return self._dispatcher.is_current_thread()

    def close(self, *, cancel: bool = False, patient: bool = True) -> None:
        """Accept no more, deliver what was accepted, end the threads, give the contexts back. May be called twice.

        Called from inside a callback it does not wait: the rest follows when that callback has returned. On the main
        thread it can be interrupted: a signal handler that raises ends it, and what was still to do is left.

        Args:
            cancel: what no worker has taken up ends with :data:`DISCARDED` instead.
            patient: wait for the runtime to take the contexts back, however long it takes. Otherwise that is done on
                another thread, which a finalizer cannot do: it may run where none can be started.
        """
        if os.getpid() != self._pid:
            return  # a forked child: the threads and the contexts are its parent's
        if sys.is_finalizing():
            return  # past the finalizers, which were interrupted: no thread of Python's runs that could be waited for
        if not self._gate.close():
            return
        self._admission.close()
        self._engine.close(discard=cancel)
        if self._dispatcher.is_current_thread():
            # This thread cannot join itself; another one ends what is left.
            threading.Thread(target=self._finish, args=(False,), name="ez-rknn-close").start()
            return
        try:
            self._finish(patient)
        except BaseException:
            _LOST.append(self)
            raise

    def _finish(self, patient: bool) -> None:
        self._gate.wait_until_empty()
        self._dispatcher.join()
        self._engine.join()
        self.stats.freeze()
        self._lanes.detach()
        lost = self._engine.destroy(STUCK_WAIT_MS)
        if lost:
            logger.error("%d contexts are lost: their threads are stuck inside the runtime", len(lost))
            _LOST.append(self._dispatcher)
        if patient:
            self._lanes.close(lost)
        else:
            self._give_back(lost)
        if not lost:
            self.last_bound.forget()
        self._source.let_go()

    def _give_back(self, lost: set[int]) -> None:
        try:
            within(self._load_timeout_ms, "giving contexts back", lambda: self._lanes.close(lost), lambda _: None)
        except RknnTimeoutError:
            logger.exception("contexts are lost")
            _LOST.append(self)

    def _look_for_nan(self, request: Runnable) -> None:
        if self._quantises:
            self._nans.look(request.conversions)

    def _notify_room(self) -> None:
        with self._gate:
            self._engine.notify_room()

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise RknnError(
                "this session was created before fork(), and NPU contexts do not survive it",
                hint="create the session in the child process, or start it with the 'spawn' method",
            )

    def _filled(self, request: Runnable) -> Task:
        """The request in structures of the pool; the engine has copied them when its call returns."""
        try:
            # A pool and not a thread's own: a signal handler may call run() while run() is under way.
            task = self._tasks.pop()
        except IndexError:
            task = Task(len(self.interface.inputs), len(self.interface.outputs))
        request.fill(task)
        return task
