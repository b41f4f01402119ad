# SPDX-License-Identifier: Apache-2.0
"""IO bindings: created, bound in every way, run in every way, and dropped by their last thread."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import numpy as np

from ez_rknn_async import IOBinding, OrtValue, RknnError

from ..actor import Actor, spoil
from ..ledger import Ledger, Task
from ..order import Submission
from ..samples import Array
from ..sessions import Handle, Kept
from .futures import end

INPUTS = ("cpu input", "value on the NPU", "value on the CPU")
OUTPUTS = ("nothing", "cpu", "rknpu2", "value")


def run(actor: Actor) -> None:
    """Run a fresh binding a few times, with separate inputs."""
    handle = actor.handle()
    binding: IOBinding | None = None
    for _ in range(actor.draw.randint(1, 3)):
        task, draw, keeps = actor.task(handle), _choices(actor), actor.chance(0.3)
        former, binding = binding, None  # another one after a failure: that one may be in use until its call returns
        with task.ending():
            fresh = former or handle.session.io_binding()
            bind(handle, fresh, task, draw)
            handle.session.run_with_iobinding(fresh)
            if keeps:
                keep(actor, handle, fresh, task)
            task.right(fresh.copy_outputs_to_cpu())
            binding = fresh


def submit(actor: Actor) -> None:
    """Submit several bindings at once, for futures."""
    handle, futures = actor.handle(), []
    for _ in range(actor.draw.randint(1, 4)):
        task, draw = actor.task(handle), _choices(actor)
        try:
            binding = handle.session.io_binding()
            bind(handle, binding, task, draw)
            futures.append((task, handle.session.submit(binding)))
        except RknnError as error:
            task.failed(error)
    for task, future in futures:
        end(task, _Numbers(future), cancel=actor.chance(0.2))  # type: ignore[arg-type]


class _Numbers:
    """A future of values, read as one of their numbers."""

    def __init__(self, future: Any) -> None:
        self.cancel = future.cancel
        self._future = future

    def result(self, timeout: float) -> list[Array]:
        return [value.numpy() for value in self._future.result(timeout)]


class Receiver:
    """A callback that reads its values, and is the last to have the binding."""

    def __init__(self, task: Task, ledger: Ledger, submission: Submission | None) -> None:
        self.task, self.ledger, self.submission = task, ledger, submission

    def __call__(self, values: list[OrtValue] | None, _: Any, error: str) -> None:
        if self.submission is not None and not self.submission.order.came(self.submission):
            self.ledger.violate(f"the callback of {self.task} comes after one of a later call")
        if values is None:
            self.task.failed_with(error)
            return
        with self.task.ending():
            self.task.right([value.numpy() for value in values])


def run_async(actor: Actor) -> None:
    """Run with callbacks; the thread that created the binding does not keep it."""
    handle = actor.handle()
    for _ in range(actor.draw.randint(1, 4)):
        task, draw = actor.task(handle), _choices(actor)
        try:
            binding = handle.session.io_binding()
            bind(handle, binding, task, draw)
            submission = handle.order.submission() if handle.ordered else None
            handle.session.run_with_iobinding_async(binding, Receiver(task, actor.ledger, submission), None)
        except RknnError as error:
            task.failed(error)
            continue
        if submission is not None:
            submission.has_returned()


def awaitable(actor: Actor) -> None:
    """Run coroutines, and cancel some of them."""
    handle = actor.handle()
    tasks = [(actor.task(handle), _choices(actor), actor.chance(0.25)) for _ in range(actor.draw.randint(1, 4))]

    async def main() -> None:
        calls = [asyncio.ensure_future(_await(handle, task, draw)) for task, draw, _ in tasks]
        await asyncio.sleep(0)
        for call, (task, _, cancel) in zip(calls, tasks):
            if cancel:
                task.may_be_cancelled = True
                call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        for call, (task, _, _) in zip(calls, tasks):
            if call.cancelled():
                task.cancelled()

    asyncio.run(main())


async def _await(handle: Handle, task: Task, draw: random.Random) -> None:
    try:
        binding = handle.session.io_binding()
        bind(handle, binding, task, draw)
        outputs = [value.numpy() for value in await handle.session.run_with_iobinding_awaitable(binding)]
    except Exception as error:
        task.failed(error)
    else:
        task.right(outputs)


def kept(actor: Actor) -> None:
    """Keep a binding in this thread for long, so that ``reset()`` and the end of its session meet it."""
    place, draw = actor.draw.randrange(2), _choices(actor)
    handle, binding = actor.bindings.get(place, (None, None))
    if handle is None or handle.fate.is_ending:
        handle, binding = actor.sessions.handle(place), None
    task = actor.task(handle)
    with task.ending():
        if binding is None:
            binding = handle.session.io_binding()
        bind(handle, binding, task, draw)
        handle.session.run_with_iobinding(binding)
        task.right(binding.copy_outputs_to_cpu())
        actor.bindings[place] = handle, binding
        return
    actor.bindings.pop(place, None)


def keep(actor: Actor, handle: Handle, binding: IOBinding, task: Task) -> None:
    """Leave the values that a run has written to the next thread that takes some."""
    try:
        inputs = npu_inputs(handle, task.sample.feed)
        outputs = binding.get_outputs()
        if not task.sample.differs([value.numpy() for value in outputs]):
            actor.sessions.keep(Kept(handle.samples, task.sample, inputs, outputs))
    except RknnError as error:
        if not handle.fate.excuses(error):
            actor.ledger.violate(f"values could not be made: {error!r}")


def npu_inputs(handle: Handle, feed: dict[str, Array]) -> dict[str, OrtValue]:
    """Return the feed in NPU memory."""
    return {name: _on_npu(handle, name, array) for name, array in feed.items()}


def _on_npu(handle: Handle, name: str, array: Array) -> OrtValue:
    return OrtValue.ortvalue_from_numpy(array, "rknpu2", 0, name=name, session=handle.session, io_kind="input")


def _choices(actor: Actor) -> random.Random:
    """Return random numbers of which a call may draw any amount."""
    return random.Random(actor.draw.random())


def bind(handle: Handle, binding: IOBinding, task: Task, draw: random.Random) -> None:
    """Bind a task's input, and outputs, in randomly drawn ways."""
    for name, array in task.feed().items():
        how = draw.choice(INPUTS)
        if how == "cpu input":
            binding.bind_cpu_input(name, array)
            spoil({name: array})
        elif how == "value on the NPU":
            binding.bind_ortvalue_input(name, _on_npu(handle, name, array))
        else:
            binding.bind_ortvalue_input(name, OrtValue.ortvalue_from_numpy(array))
    how = draw.choice(OUTPUTS)
    binding.clear_binding_outputs()
    for name, output in zip(handle.session.output_names, task.sample.outputs):
        if how == "value":
            binding.bind_ortvalue_output(name, OrtValue.ortvalue_from_numpy(np.full_like(output, np.nan)))
        elif how != "nothing":
            binding.bind_output(name, how)
