# SPDX-License-Identifier: Apache-2.0
"""``set_providers()`` while the session is in use: no accepted task is lost, and no caller notices."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, IOBinding, OrtValue, RknnClosedError, RknnInUseError
from ez_rknn_async._contexts.pool import Contexts

from .conftest import OpenSession, feed_of
from .test_running import Collector
from .values import bound, held_back, memfd, on_npu, room
from .ways import WAYS

HANGING = "compute=off,fault=rknn_run#1:hang"


def exchange(session: InferenceSession, simulator: str = "compute=off", **options: Any) -> None:
    """Load the model again."""
    session.set_providers(None, {"runtime_library": "simulator", "simulator": simulator, **options})


def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        threading.Event().wait(0.001)


def in_thread(call: Callable[[], Any]) -> Future[Any]:
    """Call on a separate thread, and return the future."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(call)
    pool.shutdown(wait=False)
    return future


def test_delivers_accepted_tasks_of_every_way(open_session: OpenSession) -> None:
    """They end on the former contexts; a stream and a pipeline begun there go on with the new ones."""
    session = open_session(simulator="compute=off,timing=fixed:5000", max_queue_size=50)
    feed = feed_of(session)
    collector = Collector(3)
    for number in range(3):
        session.run_async(None, feed, collector, number)
    futures = [session.submit(feed) for _ in range(3)]
    assert session.run_pipeline(feed, depth=2) is None
    assert session.run_pipeline(feed, depth=2) is None
    stream = session.map([feed] * 5, depth=2)
    assert next(stream)
    waiting = in_thread(lambda: session.run(None, feed))
    wait_until(lambda: waiting.done() or session.stats.cores["auto"].queued + session.stats.cores["auto"].running > 0)
    exchange(session)
    assert [number for _, number, error in collector.calls if error == ""] == [0, 1, 2]
    assert all(len(future.result(0)) == 1 for future in futures)
    assert len(waiting.result(60)) == 1
    assert len(list(stream)) == 4
    assert session.run_pipeline(feed, depth=2) is not None
    assert len(session.drain_pipeline()) == 2


def callbacks(session: InferenceSession, feed: Any) -> list[Any]:
    """Return the results of four calls, in any order."""
    collector = Collector(4)
    for number in range(4):
        session.run_async(None, feed, collector, number)
    calls = collector.wait()
    assert sorted(number for _, number, _ in calls) == [0, 1, 2, 3]
    return [results for results, _, _ in calls]


def test_two_exchanges_at_once_both_succeed(open_session: OpenSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session does not look closed while one of them has removed the old executor and not yet installed the new
    one."""
    session = open_session()
    enter, entering, go_on = session._deployment._enter, threading.Event(), threading.Event()

    def enter_slowly(*arguments: Any) -> None:
        entering.set()
        assert go_on.wait(60)
        enter(*arguments)

    monkeypatch.setattr(session._deployment, "_enter", enter_slowly)
    first = in_thread(session.reset)
    assert entering.wait(60)
    second = in_thread(session.reset)
    wait([second], timeout=0.5)  # until it has failed, if it does
    go_on.set()
    first.result(60)
    second.result(60)
    assert len(session.run(None, feed_of(session))) == 1


def test_a_coroutine_in_line_goes_on_with_its_original_feed(
    open_session: OpenSession, release_hangs: Callable[[], None]
) -> None:
    """It was copied before the first await, so the caller may change the arrays meanwhile."""
    session = open_session("tiny_conv_fp16", simulator="fault=rknn_run#2:hang", schedule=0, max_queue_size=1)
    feed = feed_of(session)
    (expected,) = session.run(None, feed)

    async def main() -> Any:
        busy = [session.submit(feed) for _ in range(2)]
        waiting = asyncio.ensure_future(session.run_awaitable(None, feed))
        await asyncio.sleep(0)
        for array in feed.values():
            array.fill(77)
        exchanging = in_thread(session.reset)
        (output,) = await waiting
        release_hangs()
        exchanging.result(60)
        assert all(np.array_equal(future.result(60)[0], expected) for future in busy)
        return output

    assert np.array_equal(asyncio.run(main()), expected)


@pytest.mark.parametrize("way", sorted(WAYS))
def test_callers_on_other_threads_never_notice(open_session: OpenSession, way: str) -> None:
    """At any moment, a call that is too late for the former contexts is served by the new ones.

    Its callback may then come before those of the former contexts.
    """
    session = open_session(schedule=[0, 1])
    feed, stop = feed_of(session), threading.Event()

    def use() -> int:
        rounds = 0
        while not stop.is_set() or rounds == 0:
            outcomes = callbacks(session, feed) if way == "run_async" else WAYS[way](session, feed, 4)
            assert all(isinstance(outcome, list) for outcome in outcomes), outcomes
            rounds += 1
        return rounds

    users = [in_thread(use) for _ in range(1 if way == "run_pipeline" else 2)]
    for _ in range(4):
        exchange(session, schedule=[0, 1])
    stop.set()
    assert all(user.result(60) > 0 for user in users)


def test_callers_waiting_for_a_place_get_one_of_the_new_queue(
    open_session: OpenSession, release_hangs: Callable[[], None]
) -> None:
    """They are threads and coroutines, while a hang on the former contexts still blocks set_providers()."""
    session = open_session(simulator=HANGING, schedule=0, max_queue_size=1)
    feed = feed_of(session)
    running = session.submit(feed)
    wait_until(lambda: session.stats.cores["0"].running == 1)
    queued = session.submit(feed)
    coroutines = threading.Event()

    async def several() -> list[Any]:
        tasks = [asyncio.ensure_future(session.run_awaitable(None, feed)) for _ in range(3)]
        await asyncio.sleep(0)  # each has found the queue full
        coroutines.set()
        return await asyncio.gather(*tasks)

    waiting = [in_thread(lambda: session.run(None, feed)), in_thread(lambda: session.submit(feed).result(60))]
    awaiting = in_thread(lambda: asyncio.run(several()))
    coroutines.wait()
    exchanging = in_thread(lambda: exchange(session, schedule=0, max_queue_size=5))
    assert [len(future.result(60)) for future in (*waiting, awaiting)] == [1, 1, 3]
    assert not running.done()
    assert not queued.done()
    assert not exchanging.done()
    release_hangs()
    exchanging.result(60)
    assert len(running.result(0)) == len(queued.result(0)) == 1


def test_closing_sends_away_all_coroutines_in_line(
    open_session: OpenSession, release_hangs: Callable[[], None]
) -> None:
    """If only the first were sent away, the others would wait until their time is over."""
    session = open_session(simulator=HANGING, schedule=0, max_queue_size=1)
    feed = feed_of(session)
    session.submit(feed)
    wait_until(lambda: session.stats.cores["0"].running == 1)
    session.submit(feed)

    async def main() -> list[Any]:
        tasks = [asyncio.ensure_future(session.run_awaitable(None, feed)) for _ in range(4)]
        await asyncio.sleep(0)
        closing = in_thread(session.close)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        release_hangs()
        await asyncio.wrap_future(closing)
        return outcomes

    assert [type(outcome) for outcome in asyncio.run(main())] == [RknnClosedError] * 4


def test_bindings_and_values_go_on(open_session: OpenSession) -> None:
    """Values keep their content, and a binding its values; its own outputs are allocated again."""
    session = open_session(simulator="", schedule=[0])
    feed, (name,) = feed_of(session), session.output_names
    (expected,) = session.run(None, feed)
    kept = OrtValue.ortvalue_from_shape_and_type(
        expected.shape, np.float32, "rknpu2", session=session, name=name, io_kind="output"
    )
    mine = np.zeros(expected.shape, np.float32)
    into_value, into_array, by_itself = bound(session, feed), bound(session, feed), bound(session, feed)
    into_value.bind_ortvalue_output(name, kept)
    into_array.bind_ortvalue_output(name, OrtValue.ortvalue_from_numpy(mine))
    session.run_with_iobinding(by_itself)
    (before,) = by_itself.get_outputs()
    exchange(session, simulator="", schedule=[1, 2])
    assert np.array_equal(before.numpy(), expected)
    for binding in (into_value, into_array, by_itself):
        for _ in range(2):
            session.run_with_iobinding(binding)
    assert np.array_equal(kept.numpy(), expected)
    assert np.array_equal(mine, expected)
    (after,) = by_itself.get_outputs()
    assert after is not before
    assert np.array_equal(after.numpy(), expected)
    by_itself.bind_cpu_input(session.input_names[0], next(iter(feed.values())))
    session.run_with_iobinding(by_itself)
    session.close()
    assert np.array_equal(kept.numpy(), expected)
    assert np.array_equal(before.numpy(), expected)


def test_a_binding_under_way_is_delivered_and_then_goes_on(open_session: OpenSession) -> None:
    """It is in use meanwhile, as always."""
    session = open_session(simulator="compute=off")
    binding = bound(session)
    with held_back(session):
        future = session.submit(binding)
        executor = session._deployment.executor
        exchanging = in_thread(lambda: exchange(session))
        wait_until(lambda: session._deployment.executor is not executor or exchanging.done())
        with pytest.raises(RknnInUseError):
            session.run_with_iobinding(binding)
        assert not exchanging.done()
    exchanging.result(60)
    assert len(future.result(0)) == 1
    session.run_with_iobinding(binding)


def test_a_binding_takes_the_layout_of_the_new_options(open_session: OpenSession) -> None:
    """Newly allocated outputs have the new shape; running with a value of the old shape is a clear error."""
    session = open_session(simulator="")
    feed, (name,) = feed_of(session), session.output_names
    (plain,) = session.run(None, feed)
    by_itself, given = bound(session, feed), bound(session, feed)
    given.bind_ortvalue_output(name, OrtValue.ortvalue_from_numpy(np.zeros_like(plain)))
    exchange(session, simulator="", output_layout="nhwc")
    session.run_with_iobinding(by_itself)
    assert np.array_equal(by_itself.get_outputs()[0].numpy(), plain.transpose(0, 2, 3, 1))
    with pytest.raises(ValueError, match="has shape"):
        session.run_with_iobinding(given)


def test_a_session_closed_during_an_exchange_is_closed(
    open_session: OpenSession,
    living_contexts: Callable[[], int],
    calls_of: Callable[[str], int],
    release_hangs: Callable[[], None],
) -> None:
    """The contexts loaded meanwhile are destroyed; close() does not wait for them."""
    session = open_session(schedule=0)
    feed, before, loaded = feed_of(session), living_contexts(), calls_of("rknn_init")
    exchanging = in_thread(lambda: exchange(session, simulator="compute=off,fault=rknn_init#1:hang"))
    wait_until(lambda: calls_of("rknn_init") > loaded)
    session.close()
    release_hangs()
    with pytest.raises(RknnClosedError):
        exchanging.result(60)
    assert living_contexts() == before - 1
    with pytest.raises(RknnClosedError):
        session.run(None, feed)


def test_a_failed_exchange_leaves_everything_unchanged(
    open_session: OpenSession, living_contexts: Callable[[], int]
) -> None:
    """Statistics, bindings and contexts stay too."""
    session = open_session(schedule=[0, 1])
    binding, before = bound(session), living_contexts()
    session.run(None, feed_of(session))
    with pytest.raises(RuntimeError, match="rknn_set_core_mask failed"):
        exchange(session, simulator="compute=off,fault=rknn_set_core_mask#2:fail=-1", schedule=[0, 1])
    assert living_contexts() == before
    session.run_with_iobinding(binding)
    assert sum(core.completed for core in session.stats.cores.values()) == 2


Maker = Callable[[InferenceSession, Any], Any]
MAKERS: dict[str, Maker] = {
    "ortvalue_from_numpy": lambda session, array: on_npu(session, array),
    "ortvalue_from_shape_and_type": lambda session, array: room(session, "x"),
    "ortvalue_from_dmabuf": lambda session, array: _from_dmabuf(session, array),
}


def _from_dmabuf(session: InferenceSession, array: Any) -> OrtValue:
    with memfd(1 << 16) as fd:
        return OrtValue.ortvalue_from_dmabuf(fd, array.shape, None, size=1 << 16, session=session, name="x")


@pytest.mark.parametrize("way", sorted(MAKERS))
def test_a_value_created_during_an_exchange_is_on_the_new_contexts(
    open_session: OpenSession, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The session is not closed at any moment."""
    session = open_session()
    lend = Contexts.lend

    def lend_too_late(contexts: Contexts, *arguments: Any) -> Any:
        monkeypatch.setattr(Contexts, "lend", lend)
        session.reset()
        return lend(contexts, *arguments)

    monkeypatch.setattr(Contexts, "lend", lend_too_late)
    assert MAKERS[way](session, feed_of(session)["x"]).shape() == session.get_inputs()[0].shape
    session.close()
    with pytest.raises(RknnClosedError):
        MAKERS[way](session, np.zeros((1, 3, 16, 16), np.float32))


BINDERS: dict[str, Callable[[IOBinding, Any], Any]] = {
    "bind_cpu_input": lambda binding, array: binding.bind_cpu_input("x", array),
    "bind_output": lambda binding, array: binding.bind_output("y", "rknpu2"),
}


@pytest.mark.parametrize("change", sorted(BINDERS))
def test_a_binding_changed_during_an_exchange_is_on_the_new_contexts(
    open_session: OpenSession, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Calls of the session itself are retried likewise."""
    session = open_session()
    binding, lend = session.io_binding(), Contexts.lend

    def lend_too_late(contexts: Contexts, *arguments: Any) -> Any:
        monkeypatch.setattr(Contexts, "lend", lend)
        session.reset()
        return lend(contexts, *arguments)

    monkeypatch.setattr(Contexts, "lend", lend_too_late)
    BINDERS[change](binding, feed_of(session)["x"])
    binding.bind_cpu_input("x", feed_of(session)["x"])
    session.run_with_iobinding(binding)
