# SPDX-License-Identifier: Apache-2.0
"""Batch dispatch: each sample of a batch is a task of its own, spread over the cores.

Each output has one array for all samples, allocated before the first sample runs. Each task writes into its own part of
it, so nothing is concatenated, copied or trimmed afterwards.
"""

from __future__ import annotations

import functools
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable

from .._messages.shape_advice import advice
from .._tensors.as_array import as_array
from .._tensors.inputs import arrange
from .._tensors.outputs import AS_THE_SESSION, Receiver
from .._tensors.shapes import listing
from ..errors import RknnError, RknnValueError
from .futures import submit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from .._tensors.inputs import Input
    from .._tensors.outputs import Choice
    from .._transport.protocol import Transport
    from .._transport.request import Request
    from .._transport.signature import Signature
    from .executor import Executor

    Array = npt.NDArray[Any]
    Shape = tuple[int, ...]


def run_batch_on(
    executor: Executor, feed: Any, *, outputs: Mapping[str, Any] | None = None, choice: Choice = AS_THE_SESSION
) -> list[Array]:
    """Run a batch on an executor; see :func:`run_batch`.

    Inside a callback, whose thread would have to deliver the results, the samples run one after the other instead.
    """
    if executor.is_delivering():
        queue: Callable[[Request], Future[list[Array]]] = functools.partial(_run_now, executor)
    else:
        queue = functools.partial(submit, executor)
    return run_batch(executor.signature, executor.transport, feed, queue, outputs=outputs, choice=choice)


def run_batch(
    signature: Signature,
    transport: Transport,
    feed: Any,
    queue: Callable[[Request], Future[list[Array]]],
    *,
    outputs: Mapping[str, Any] | None = None,
    choice: Choice = AS_THE_SESSION,
) -> list[Array]:
    """Run every sample of a feed, and return the outputs of all.

    Args:
        signature: the model's inputs and outputs.
        transport: moves the tensors of a sample.
        feed: as for one inference, but the first dimension of each input is a multiple of the model's own.
        queue: queues one inference.
        outputs: arrays to receive outputs, by name, each with the shape of the whole batch.
        choice: the element type and layout of the outputs.

    Returns:
        For each output, the samples' results concatenated along the first dimension: two samples of [6, 4] give
        [12, 4].

    Raises:
        RknnError: a sample failed; the error is that of the first one, with its number. All others have ended by then.
    """
    samples = _samples(signature.inputs, arrange(feed, signature.input_names))
    count = len(samples)
    whole: list[Receiver] = []
    pending: list[Future[list[Array]]] = []
    try:
        for number, sample in enumerate(samples):
            with _naming(number, count):
                given, chosen = signature.check(sample)
                shapes = [a.shape for a in signature.sets[chosen].outputs]
                if number == 0:
                    whole = signature.receivers_of([_joined(shape, count) for shape in shapes], outputs, choice)
                parts = [
                    Receiver(_part_of(shape, r.array, number, count), r.want_float, r.order)
                    for r, shape in zip(whole, shapes)
                ]
                pending.append(queue(transport.request(given, chosen, parts, private=False)))
        wait(pending)
    except Exception:
        wait(pending)  # nothing writes into the caller's arrays once this call has ended
        raise
    except BaseException:
        # Except when interrupted, as in run(): what it would wait for may never end.
        for future in pending:
            future.cancel()
        raise
    for number, future in enumerate(pending):
        with _naming(number, count):
            future.result()
    return [receiver.array for receiver in whole]


def _run_now(executor: Executor, request: Request) -> Future[list[Array]]:
    future: Future[list[Array]] = Future()
    try:
        future.set_result(executor.run(request))
    except RknnError as error:
        future.set_exception(error)
    return future


def _samples(inputs: Sequence[Input], values: Sequence[Any]) -> list[list[Array]]:
    """Return the feed of each sample, as views."""
    arrays = [as_array(value, i.attribute.name) for i, value in zip(inputs, values)]
    counts = {i.attribute.name: _count(i, array) for i, array in zip(inputs, arrays)}
    if len(set(counts.values())) != 1:
        listed = ", ".join(f"{count} of {name!r}" for name, count in counts.items())
        raise RknnValueError(f"the inputs have different numbers of samples: {listed}")
    (count,) = set(counts.values())
    shapes = [i.attribute.shape for i in inputs]
    return [[_part_of(s, a, number, count) for s, a in zip(shapes, arrays)] for number in range(count)]


def _count(of: Input, array: Array) -> int:
    """Return the number of samples in an array; each is as long as the model's own first dimension."""
    if array.ndim != max(1, len(of.attribute.shape)):
        raise RknnValueError(
            f"input {of.attribute.name!r} has shape {list(array.shape)}, but a batch is many samples of the model's "
            f"{listing([expected.shape for expected in of.expected])}, one after the other along the first dimension"
            + advice(array.shape, of.expected)
        )
    if array.ndim == 0 or len(array) == 0 or len(array) % of.batch:
        raise RknnValueError(
            f"input {of.attribute.name!r} has shape {list(array.shape)}: dispatching a batch needs a first dimension "
            f"that is a multiple of {of.batch}, and not 0"
        )
    return len(array) // of.batch


def _joined(shape: Shape, count: int) -> Shape:
    return (count * shape[0], *shape[1:]) if shape else (count,)


def _part_of(shape: Shape, array: Array, number: int, count: int) -> Array:
    """Return one sample's part of a tensor of this shape, as a view."""
    length = len(array) // count
    part = array[number * length : (number + 1) * length]
    return part if shape else part.reshape(array.shape[1:])


@contextmanager
def _naming(number: int, count: int) -> Iterator[None]:
    """Prefix an error with the number of its sample."""
    try:
        yield
    except RknnError as error:
        error.args = (f"sample {number} of {count} (counted from 0): {error}",)
        raise
