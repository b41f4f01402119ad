# SPDX-License-Identifier: Apache-2.0
"""One loaded model: a session, the queue before it, its counts, and its recovery when the device is lost."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from .._running.futures import submit
from .._running.retry import retried_for_session
from ..errors import RknnDeviceError, RknnError
from ..session import InferenceSession
from .admission import Admission, Ticket
from .description import describe, elements
from .refusal import UNAVAILABLE, RefusedError, invalid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    import numpy.typing as npt

    from .._tensors.node_arg import NodeArg
    from .settings import ModelSettings
    from .statistics import ModelStatistics

    Array = npt.NDArray[Any]
    Feed = dict[str, Any]

_LOG = logging.getLogger("ez_rknn_async.serving")
_FIRST_RETRY, _LAST_RETRY = 0.2, 10.0  # seconds between attempts to recover
_USUAL_PRIORITY = 2  # of requests that name none: 1 goes before them
# A session's queue never fills: this room gives it at most two tasks a worker, and all may be for one core.
_TASKS_PER_WORKER = 2


class ServedModel:
    """A model that takes requests. Thread-safe.

    Raises:
        RknnError: it cannot be loaded.
    """

    def __init__(
        self,
        name: str,
        version: str,
        path: str,
        settings: ModelSettings,
        options: dict[str, Any],
        statistics: ModelStatistics,
    ) -> None:
        self.settings = settings
        self.statistics = statistics
        self.session = _open(path, {**options, **settings.options})
        try:
            self.description = describe(name, version, self.session, settings.input_datatype)
            workers = len(self.session.health.workers)
            for _ in range(settings.warm_up):
                self.session.run(None, {a.name: np.zeros(a.shape, np.float32) for a in self.session.get_inputs()})
        except BaseException:
            self.session.close()
            raise
        self.output_names = tuple(self.session.output_names)
        self._inputs = {arg.name: arg for arg in self.session.get_inputs()}
        self._queue = Admission(self._submit, _TASKS_PER_WORKER * workers, settings.queue)
        self._ending = threading.Event()
        self._recovery: threading.Thread | None = None
        self._lock = threading.Lock()  # guards _recovery

    @property
    def ready(self) -> bool:
        """True if it takes requests."""
        with self._lock:
            return self._recovery is None and not self._ending.is_set()

    @property
    def pending(self) -> int:
        """The requests that are admitted and not answered."""
        return self._queue.pending

    @property
    def largest_body(self) -> int:
        """The bytes that a request may have: a batch of float64, or one sample in JSON, and what describes it."""
        if self.settings.max_body:
            return self.settings.max_body
        count = elements(list(self._inputs.values()))
        return 64 * 1024 + count * max(8 * self.settings.max_batch, 24)

    def input(self, name: str) -> NodeArg:
        """Return an input of the model.

        Raises:
            RefusedError: it has none of that name.
        """
        if name not in self._inputs:
            raise invalid(f"the model has no input {name[:128]!r}; its inputs are {', '.join(self._inputs)}")
        return self._inputs[name]

    def offer(self, feed: Feed, priority: int) -> Ticket:
        """Admit a request; its ticket's result is a list of outputs for each sample.

        Raises:
            RefusedError: the feed is not for this model, or there is no room for it.
        """
        for name in feed:
            self.input(name)
        ticket = self._queue.offer(self._samples(feed), priority or _USUAL_PRIORITY)
        ticket.add_done_callback(self._answered)
        return ticket

    def expire(self, ticket: Ticket) -> bool:
        """Withdraw a request that is still in the queue; return True if it is cancelled."""
        return self._queue.expire(ticket)

    def drain(self, seconds: float | None, reason: str) -> bool:
        """Take no more requests, and wait for those admitted; False if time was up."""
        self._queue.close(RefusedError(UNAVAILABLE, reason))
        return self._queue.wait_idle(seconds)

    def close(self, seconds: float | None = None, reason: str = "the model is being unloaded") -> None:
        """Drain, answer what is left with an error, and give the model back."""
        if not self.drain(seconds, reason):
            self._queue.fail_waiting(RefusedError(UNAVAILABLE, reason))
        self._ending.set()
        with self._lock:
            recovery = self._recovery
        if recovery is not None:
            recovery.join()
        self.session.close(cancel=True)
        self.statistics.session_ended(self.session.stats)

    def _submit(self, feed: Feed) -> Future[list[Any]]:
        return _submit(session=self.session, feed=feed)

    def _samples(self, feed: Feed) -> list[Feed]:
        """Return the feed of each sample, as views, if the client sent a batch of several."""
        counts = {_count(value, self._inputs[name].shapes) for name, value in feed.items()}
        count, *others = counts or {1}
        if others:
            raise invalid("the inputs have different numbers of samples")
        if count > self.settings.max_batch:
            raise invalid(f"the request has {count} samples; the model takes at most {self.settings.max_batch}")
        if count == 1:
            return [feed]
        return [
            {name: value[i * len(value) // count : (i + 1) * len(value) // count] for name, value in feed.items()}
            for i in range(count)
        ]

    def _answered(self, ticket: Future[list[list[Any]]]) -> None:
        assert isinstance(ticket, Ticket)
        error = None if ticket.cancelled() else ticket.exception()
        failed = ticket.cancelled() or error is not None
        self.statistics.answered(len(ticket.results), ticket.offered_ns, ticket.started_ns, failed=failed)
        if isinstance(error, RknnDeviceError) and not self.session.health.serving:
            self._recover()

    def _recover(self) -> None:
        """Begin to reset the session, on a thread of its own, unless that is under way."""
        with self._lock:
            if self._recovery is not None or self._ending.is_set():
                return
            lost = RefusedError(UNAVAILABLE, "the NPU was lost and is being reset", hint="try again later")
            self._queue.close(lost)
            self._recovery = threading.Thread(target=self._reset, args=(lost,), name="ezrknn-recovery", daemon=True)
            self._recovery.start()

    def _reset(self, lost: RefusedError) -> None:
        self._queue.fail_waiting(lost)
        pause = _FIRST_RETRY
        before = self.session.stats
        while not self._ending.is_set():
            try:
                self.session.reset()
            except RknnError as error:
                _LOG.warning("model %s is not back yet: %s", self.description.name, error)
                self._ending.wait(pause)
                pause = min(2 * pause, _LAST_RETRY)
            else:
                self.statistics.session_ended(before)
                _LOG.warning("model %s was reset after its device was lost", self.description.name)
                break
        with self._lock:
            self._recovery = None
            if not self._ending.is_set():
                self._queue.reopen()


def joined(results: Sequence[Sequence[Array]], index: int) -> Array:
    """Return one output of all samples."""
    parts = [np.asarray(outputs[index]) for outputs in results]
    return parts[0] if len(parts) == 1 else np.concatenate([np.atleast_1d(part) for part in parts])


@retried_for_session
def _submit(*, session: InferenceSession, feed: Feed) -> Future[list[Any]]:
    # The feed's memory is the request's own, which nobody changes: it need not be copied as submit() would.
    executor = session._deployment.executor
    return submit(executor, executor.request(feed, private=False))


def _open(path: str, options: dict[str, Any]) -> InferenceSession:
    return InferenceSession(path, provider_options={"max_queue_size": 64, **options})


def _count(value: Array, shapes: Sequence[Sequence[int]]) -> int:
    """Return the samples in a value; 1 for whatever the session has to judge."""
    for shape in shapes:
        if shape and value.ndim == len(shape) and value.shape[1:] == tuple(shape[1:]) and len(value):
            count, rest = divmod(len(value), shape[0])
            if not rest:
                return count
    return 1
