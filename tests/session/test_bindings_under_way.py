# SPDX-License-Identifier: Apache-2.0
"""Several bindings under way at once, in every way to run."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import (
    OrtValue,
    RknnInUseError,
    RknnTimeoutError,
)
from ez_rknn_async._runtime.memory import Memory

from .conftest import OpenSession, feed_of
from .values import bound, held_back, memory_files, on_npu, room


def test_bindings_run_on_every_core(open_session: OpenSession, runs_by_core: Callable[[], list[int]]) -> None:
    """That library had zero copy on one core only, and synchronously."""
    session = open_session(schedule=[0, 1, 2], simulator="compute=off")
    bindings = [bound(session) for _ in range(6)]
    for _ in range(3):
        for future in [session.submit(binding) for binding in bindings]:
            assert [v.device_name() for v in future.result()] == ["rknpu2"]
    assert runs_by_core() == [6, 6, 6]


def test_each_core_gives_the_same_results(open_session: OpenSession) -> None:
    """Every context imports the memory at the same place."""
    session = open_session("block_int8", simulator="compute=on", schedule=[0, 1, 2])
    feeds = [feed_of(session, seed) for seed in range(6)]
    bindings = [bound(session, feed) for feed in feeds]
    futures = [session.submit(binding) for binding in bindings]
    for future, feed in zip(futures, feeds):
        for value, expected in zip(future.result(), session.run(None, feed)):
            assert np.array_equal(value.numpy(), expected)


def test_a_run_allocates_nothing(open_session: OpenSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds after the first run, on any core; that library allocated unbound outputs again in every run."""
    session = open_session(schedule=[0, 1, 2])
    name, output = session.input_names[0], session.output_names[0]
    bindings = [bound(session), bound(session), session.io_binding()]
    bindings[1].bind_output(output)
    bindings[2].bind_ortvalue_input(name, OrtValue.ortvalue_from_numpy(feed_of(session)[name]))
    for binding in bindings:
        session.run_with_iobinding(binding)
    monkeypatch.delattr(Memory, "allocate")
    monkeypatch.delattr(Memory, "from_fd")
    before = memory_files()
    for _ in range(6):
        for future in [session.submit(binding) for binding in bindings]:
            future.result()
        bindings[1].bind_cpu_input  # noqa: B018 - what is bound stays bound
    assert memory_files() == before


def test_a_binding_under_way_cannot_be_used(open_session: OpenSession) -> None:
    """The binding, and each of its values, raises an error instead of racing."""
    session = open_session()
    (name,), (output,) = session.input_names, session.output_names
    x, y = on_npu(session, feed_of(session)[name], name), room(session, output)
    host = OrtValue.ortvalue_from_numpy(feed_of(session)[name])
    binding, other = session.io_binding(), session.io_binding()
    binding.bind_ortvalue_input(name, x)
    binding.bind_ortvalue_output(output, y)
    other.bind_ortvalue_input(name, host)
    with held_back(session):
        futures = [session.submit(binding), session.submit(other)]
        uses: list[Callable[[], object]] = [
            y.numpy,
            x.numpy,
            lambda: np.asarray(y),
            lambda: x.update_inplace(np.zeros(x.shape(), np.float32)),
            lambda: y.update_inplace(np.zeros(y.shape(), np.float32)),
            lambda: host.update_inplace(np.zeros(x.shape(), np.float32)),
            lambda: session.run(None, {name: x}),
            lambda: session.run_with_iobinding(binding),
            lambda: session.submit(binding),
            lambda: session.run_with_iobinding_async(binding, print),
            lambda: asyncio.run(session.run_with_iobinding_awaitable(binding)),
            binding.get_outputs,
            binding.copy_outputs_to_cpu,
            lambda: binding.bind_cpu_input(name, feed_of(session)[name]),
            lambda: binding.bind_output(output),
            binding.clear_binding_inputs,
            binding.synchronize_outputs,
        ]
        for use in uses:
            with pytest.raises(RknnInUseError):
                use()
        assert y.shape() == session.get_outputs()[0].shape
    for future in futures:
        future.result()
    y.numpy()
    x.update_inplace(np.zeros(x.shape(), np.float32))
    session.run_with_iobinding(binding)


def test_several_inferences_may_read_one_value(open_session: OpenSession) -> None:
    """Two models may look at one frame, but none may write where another reads."""
    session = open_session("activations_fp16")
    (name,) = session.input_names
    x = on_npu(session, feed_of(session)[name], name, io_kind="input")
    readers = [session.io_binding() for _ in range(2)]
    for binding in readers:
        binding.bind_ortvalue_input(name, x)
    writer = bound(session)
    writer.bind_ortvalue_output(session.output_names[0], x)
    with held_back(session):
        futures = [session.submit(binding) for binding in readers]
        with pytest.raises(RknnInUseError, match="is an input of an inference under way"):
            session.submit(writer)
    for future in futures:
        future.result()
    session.run_with_iobinding(writer)


def test_a_refused_inference_keeps_nothing_of_its_arrays(open_session: OpenSession) -> None:
    """An array of another type is converted for each inference, and may have changed since the refused one."""
    session = open_session(simulator="compute=on")
    (name,) = session.input_names
    first, second = (feed_of(session, seed)[name] for seed in (1, 2))
    x = OrtValue.ortvalue_from_numpy(first.astype(np.float64))
    bindings = [session.io_binding() for _ in range(2)]
    for binding in bindings:
        binding.bind_ortvalue_input(name, x)
    y = OrtValue.ortvalue_from_shape_and_type(session.get_outputs()[0].shape, np.float32)
    for binding in bindings:
        binding.bind_ortvalue_output(session.output_names[0], y)
    with held_back(session):
        future = session.submit(bindings[0])
        with pytest.raises(RknnInUseError):
            session.submit(bindings[1])
    future.result()
    x.update_inplace(second.astype(np.float64))
    session.run_with_iobinding(bindings[1])
    assert np.array_equal(y.numpy(), session.run(None, {name: second})[0])


def test_unreferenced_values_stay_until_the_inference_has_ended(open_session: OpenSession) -> None:
    """The NPU still writes to them."""
    session = open_session(simulator="compute=on")
    feed = feed_of(session)
    binding = bound(session, feed)
    with held_back(session):
        future = session.submit(binding)
        del binding
    assert np.array_equal(future.result()[0].numpy(), session.run(None, feed)[0])


def test_a_withdrawn_inference_frees_its_values_at_once(open_session: OpenSession) -> None:
    """cancel() has taken it from the queue, so the binding may be run again."""
    session = open_session(simulator="compute=off,timing=fixed:200000")
    first, second = bound(session), bound(session)
    running = session.submit(first)
    waiting = session.submit(second)
    assert waiting.cancel()
    second.get_outputs()
    again = session.submit(second)
    running.result()
    again.result()


def test_callbacks_get_the_values_in_order(open_session: OpenSession) -> None:
    """run_async promises the order."""
    session = open_session(schedule=[0, 1])
    told: list[Any] = []
    done = threading.Event()
    bindings = [bound(session) for _ in range(3)]

    def tell(values: list[OrtValue] | None, user_data: Any, error: str) -> None:
        assert values is not None
        told.append((user_data, error, values[0].numpy().shape))
        if user_data == 2:
            done.set()

    for number, binding in enumerate(bindings):
        session.run_with_iobinding_async(binding, tell, number)
    assert done.wait(30)
    shape = tuple(session.get_outputs()[0].shape)
    assert told == [(0, "", shape), (1, "", shape), (2, "", shape)]


def test_a_coroutine_awaits_its_values(open_session: OpenSession) -> None:
    """There are more of them than places in the queue."""
    session = open_session("tiny_conv_fp16", simulator="compute=on", schedule=[0, 1, 2], max_queue_size=1)
    feeds = [feed_of(session, seed) for seed in range(12)]

    async def infer(feed: dict[str, Any]) -> Any:
        (value,) = await session.run_with_iobinding_awaitable(bound(session, feed))
        return value.numpy()

    async def everything() -> list[Any]:
        return await asyncio.gather(*map(infer, feeds))

    for ours, feed in zip(asyncio.run(everything()), feeds):
        assert np.array_equal(ours, session.run(None, feed)[0])


def test_a_coroutine_cancelled_on_admission_keeps_its_values_in_use(
    open_session: OpenSession, release_hangs: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has stood in line, and a worker takes it up before it can be withdrawn: the NPU writes to the values."""
    session = open_session(simulator="compute=off,fault=rknn_run#2:hang", schedule=0)
    binding, executor = bound(session), session._deployment.executor
    session.submit(bound(session)).result()  # the dispatcher's thread that notifies of room begins with the first task
    submit, tries = executor.submit, []

    async def main() -> None:
        coroutine = asyncio.ensure_future(session.run_with_iobinding_awaitable(binding))

        def accept_and_cancel(*arguments: Any, **keywords: Any) -> int:
            tries.append(arguments)
            if len(tries) == 1:
                raise RknnTimeoutError("the queue is full")
            identifier = submit(*arguments, **keywords)
            coroutine.cancel()
            return identifier

        monkeypatch.setattr(executor, "submit", accept_and_cancel)
        monkeypatch.setattr(executor, "cancel", lambda _: False)
        with pytest.raises(asyncio.CancelledError):
            await coroutine

    asyncio.run(main())
    assert len(tries) == 2
    with pytest.raises(RknnInUseError):
        binding.get_outputs()
    release_hangs()
    while binding._mark.in_flight:
        threading.Event().wait(0.001)
    session.run_with_iobinding(binding)


def test_a_submission_without_a_place_leaves_its_values_free(open_session: OpenSession) -> None:
    """Nothing was accepted, so nothing is in use."""
    session = open_session(simulator="compute=off,timing=fixed:200000", max_queue_size=1)
    bindings = [bound(session) for _ in range(3)]
    futures = [session.submit(binding) for binding in bindings[:2]]
    with pytest.raises(RknnTimeoutError):
        session.submit(bindings[2], timeout=0)
    bindings[2].get_outputs()
    for future in futures:
        future.result()
    session.run_with_iobinding(bindings[2])


def test_ordinary_runs_and_bindings_do_not_disturb_each_other(open_session: OpenSession) -> None:
    """They share the contexts, and each brings its own memory."""
    session = open_session("block_fp16", simulator="compute=on")
    feed, other = feed_of(session, 1), feed_of(session, 2)
    binding = bound(session, feed)
    expected, others = session.run(None, feed), session.run(None, other)
    for _ in range(3):
        session.run_with_iobinding(binding)
        assert np.array_equal(session.run(None, other)[0], others[0])
        assert np.array_equal(binding.copy_outputs_to_cpu()[0], expected[0])
