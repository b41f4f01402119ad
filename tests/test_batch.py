# SPDX-License-Identifier: Apache-2.0
"""Batch dispatch: samples as separate tasks, with outputs of any shape."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import RknnDeviceError, RknnTimeoutError
from ez_rknn_async._running import batch
from ez_rknn_async._runtime.tensor_attribute import TensorAttribute
from ez_rknn_async._tensors.outputs import Choice
from ez_rknn_async._tensors.shapes import shape_sets
from ez_rknn_async._transport.copying import Copying, CopyingRequest
from ez_rknn_async._transport.signature import Signature


def tensor(name: str, *shape: int) -> TensorAttribute:
    return TensorAttribute(name, shape, "UNDEFINED", "float16", 2, 1.0, 0)


def model(*inputs: TensorAttribute, outputs: tuple[TensorAttribute, ...]) -> Signature:
    return Signature.of(shape_sets(inputs, outputs, ()), "nchw")


def run_batch(signature: Signature, feed: Any, queue: Any, **options: Any) -> list[Any]:
    return batch.run_batch(signature, Copying(signature), feed, queue, **options)


def submit(request: CopyingRequest) -> Future[list[Any]]:
    """Fill every output with the first value of the first input, like a runtime."""
    future: Future[list[Any]] = Future()
    for array in request.arrays:
        array[...] = request.sources[0].array.ravel()[0]
    future.set_result(request.arrays)
    return future


X = np.array([[1.0, 0], [2.0, 0], [3.0, 0]], np.float32)


@pytest.mark.parametrize(
    ("shape", "joined"), [((1, 4), (3, 4)), ((6, 4), (18, 4)), ((5,), (15,)), ((), (3,)), ((1, 2, 2), (3, 2, 2))]
)
def test_results_are_joined_along_the_outputs_own_first_dimension(
    shape: tuple[int, ...], joined: tuple[int, ...]
) -> None:
    """Nothing is cut off: the library that this one replaces kept [2,4] of [12,4]."""
    signature = model(tensor("x", 1, 2), outputs=(tensor("y", *shape),))
    (y,) = run_batch(signature, [X], submit)
    assert y.shape == joined
    assert [set(np.ravel(part)) for part in np.split(y, 3)] == [{1.0}, {2.0}, {3.0}]


def test_the_samples_of_several_inputs_go_together() -> None:
    """Sample i is row i of each; a single number is a row without dimensions."""
    signature = model(tensor("x", 1, 2), tensor("t"), outputs=(tensor("y", 1),))
    seen: list[Any] = []

    def spy(request: CopyingRequest) -> Future[list[Any]]:
        seen.append([p.array.tolist() for p in request.sources])
        return submit(request)

    run_batch(signature, {"x": X, "t": [7.0, 8.0, 9.0]}, spy)
    assert seen == [[[[1.0, 0.0]], 7.0], [[[2.0, 0.0]], 8.0], [[[3.0, 0.0]], 9.0]]


def test_a_model_compiled_for_a_batch_takes_that_many_rows_at_once() -> None:
    """Six rows for a model of three are two tasks."""
    signature = model(tensor("x", 3, 2), outputs=(tensor("y", 3, 1),))
    (y,) = run_batch(signature, [np.concatenate([X, X + 10])], submit)
    assert y.ravel().tolist() == [1, 1, 1, 11, 11, 11]


def test_results_may_be_received_in_an_array_of_the_joined_shape() -> None:
    """Each task writes into its own part of it."""
    signature = model(tensor("x", 1, 2), outputs=(tensor("y", 1, 4), tensor("z", 1)))
    mine = np.empty((3, 4), np.float16)
    y, z = run_batch(signature, [X], submit, outputs={"y": mine}, choice=Choice(native=False))
    assert y is mine
    assert mine.tolist() == [[1] * 4, [2] * 4, [3] * 4]
    assert (z.dtype, z.tolist()) == (np.dtype(np.float32), [1, 2, 3])
    with pytest.raises(ValueError, match=r"needs float32 or float16 and \[3, 4\]"):
        run_batch(signature, [X], submit, outputs={"y": np.empty((1, 4), np.float32)})


@pytest.mark.parametrize(
    ("x", "t", "message"),
    [
        (X, np.zeros(2), "different numbers of samples: 3 of 'x', 2 of 't'"),
        (X[:0], np.zeros(0), "a multiple of 1, and not 0"),
        (np.float32(1), np.zeros(1), r"'x' has shape \[\]"),
        (np.zeros((3, 5)), np.zeros(3), r"sample 0 of 3.*\[1, 5\], but the model takes \[1, 2\]"),
    ],
)
def test_refuses_an_invalid_batch_with_a_clear_error(x: Any, t: Any, message: str) -> None:
    """It is refused before anything reaches the NPU."""
    signature = model(tensor("x", 1, 2), tensor("t"), outputs=(tensor("y", 1),))
    with pytest.raises(ValueError, match=message):
        run_batch(signature, [x, t], pytest.fail)


def test_refuses_rows_that_do_not_make_whole_samples() -> None:
    """Padding would invent results."""
    signature = model(tensor("x", 2, 2), outputs=(tensor("y", 2),))
    with pytest.raises(ValueError, match="a multiple of 2"):
        run_batch(signature, [X], pytest.fail)


def test_an_error_names_its_sample_and_keeps_its_class() -> None:
    """The first error is raised after all tasks have ended: none may write into the caller's arrays later."""
    futures: list[Future[list[Any]]] = []

    def failing(request: CopyingRequest) -> Future[list[Any]]:
        future = submit(request)
        if len(futures) > 0:
            future = Future()
            future.set_exception(RknnDeviceError("rknn_run failed", code=-1, symbol="RKNN_ERR_FAIL", call="rknn_run"))
        futures.append(future)
        return future

    signature = model(tensor("x", 1, 2), outputs=(tensor("y", 1),))
    with pytest.raises(RknnDeviceError, match=r"sample 1 of 3 \(counted from 0\): rknn_run failed") as caught:
        run_batch(signature, [X], failing)
    assert (caught.value.code, caught.value.call) == (-1, "rknn_run")
    assert len(futures) == 3


def test_a_failed_submission_waits_for_those_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their tasks still write into the arrays."""
    accepted: list[Future[list[Any]]] = []
    waited: list[Future[list[Any]]] = []
    monkeypatch.setattr(batch, "wait", waited.extend)

    def refusing(request: CopyingRequest) -> Future[list[Any]]:
        if len(accepted) == 2:
            raise RknnTimeoutError("run submit timed out")
        accepted.append(submit(request))
        return accepted[-1]

    signature = model(tensor("x", 1, 2), outputs=(tensor("y", 1),))
    with pytest.raises(RknnTimeoutError, match="sample 2 of 3"):
        run_batch(signature, [X], refusing)
    assert len(accepted) == 2
    assert waited == accepted
