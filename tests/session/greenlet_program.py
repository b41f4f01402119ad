# SPDX-License-Identifier: Apache-2.0
"""A program whose threads are greenlets: ``greenlet_program.py FRAMEWORK CASE MODEL``; see test_greenlets.py.

It is a separate program because the patch cannot be undone.
"""

import asyncio
import importlib
import os
import sys
import threading
import time
import warnings
from typing import Any, Callable

FRAMEWORK, CASE, MODEL = sys.argv[1:]


def patch() -> None:
    warnings.simplefilter("ignore")  # eventlet says that it is deprecated
    if FRAMEWORK == "gevent":
        importlib.import_module("gevent.monkey").patch_all()
    else:
        importlib.import_module("eventlet").monkey_patch()
    warnings.simplefilter("error")


if CASE not in ("imported before", "late"):
    patch()

import numpy as np  # noqa: E402

from ez_rknn_async import InferenceSession, RknnError, RknnTimeoutError, make_provider_options  # noqa: E402

if CASE == "imported before":
    patch()

DISPATCH = {"ztu_modelrt_dispatch_batch": True}


def open_session(**simulator: Any) -> InferenceSession:
    options = make_provider_options(
        runtime_library="simulator",
        schedule=[0, 1, 2],
        run_timeout_ms=simulator.pop("run_timeout_ms", 0),
        simulator={"counter": "here", **simulator},
    )
    return InferenceSession(MODEL, provider_options=options)


def feed(seed: int = 0) -> dict[str, Any]:
    return {"x": np.random.default_rng(seed).random((1, 3, 16, 16), np.float32)}


def refusal_of(kind: type[Exception], call: Callable[[], object]) -> str:
    try:
        call()
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


class Ticks:
    """Counts the turns of another greenlet."""

    def __init__(self) -> None:
        self.count = 0
        threading.Thread(target=self._tick, daemon=True).start()

    def _tick(self) -> None:
        while True:
            self.count += 1
            time.sleep(0)


def every_way(session: InferenceSession) -> None:
    """Run sixty inferences in each way; more than the queues have places for."""
    feeds = [feed(seed) for seed in range(60)]
    expected = [session.run(None, one)[0] for one in feeds]

    def check(outputs: Any) -> None:
        assert len(outputs) == len(expected)
        for (mine,), right in zip(outputs, expected):
            np.testing.assert_array_equal(mine, right)

    received: list[tuple[int, Any]] = []
    last = threading.Event()

    def receive(outputs: Any, number: int, error: str) -> None:
        assert not error
        received.append((number, outputs))
        if number == 59:
            last.set()

    for number, one in enumerate(feeds):
        session.run_async(None, one, receive, number)
    assert last.wait(60)
    assert [number for number, _ in received] == list(range(60))
    check([outputs for _, outputs in received])
    futures = [session.submit(one) for one in feeds]
    check([future.result(60) for future in futures])
    check(list(session.map(feeds)))
    assert len(list(session.map(feeds, ordered=False))) == 60
    steps = [session.run_pipeline(one) for one in feeds]
    check([*steps[3:], *session.drain_pipeline()])
    (whole,) = session.run(None, {"x": np.concatenate([one["x"] for one in feeds])}, DISPATCH)
    check([[part] for part in np.split(whole, 60)])

    async def coroutines() -> list[Any]:
        return await asyncio.gather(*(session.run_awaitable(None, one) for one in feeds))

    check(asyncio.run(coroutines()))
    binding = session.io_binding()
    binding.bind_cpu_input("x", feeds[0]["x"])
    binding.bind_output(session.output_names[0])
    session.run_with_iobinding(binding)
    session.submit(binding).result(60)
    ended = threading.Event()
    session.run_with_iobinding_async(binding, lambda *_: ended.set())
    assert ended.wait(60)
    outputs: list[Any] = [None] * 60

    def run(number: int) -> None:
        outputs[number] = session.run(None, feeds[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    check(outputs)


def ways() -> None:
    with open_session() as session:
        every_way(session)
        session.reset()
        every_way(session)


def others_go_on() -> None:
    """Check that other greenlets run while this one waits for loading, for an inference and for the end."""
    ticks = Ticks()
    for wait in (
        lambda slow: slow.reset(),
        lambda slow: slow.run(None, feed()),
        lambda slow: slow.submit(feed()).result(60),
        lambda slow: [slow.run_async(None, feed(), lambda *_: None) for _ in range(40)],
        lambda slow: (slow.run_async(None, feed(), lambda *_: None), slow.close()),
    ):
        slow = open_session(fault=["rknn_run:delay=20000", "rknn_init#2:delay=50000"], counter=str(wait))
        before = ticks.count
        wait(slow)
        assert ticks.count > before
        slow.close()


def callbacks() -> None:
    """Check that callbacks may call the session, also when its queue is full, and end it."""
    session, ended = open_session(), threading.Event()

    def last(*_: Any) -> None:
        session.close()
        ended.set()

    def more(*_results: Any) -> None:
        for _ in range(20):
            session.run_async(None, feed(), lambda *_: None)
        assert len(session.run(None, feed())) == 1
        session.run_async(None, feed(), last)

    session.run_async(None, feed(), more)
    assert ended.wait(60)


def limits() -> None:
    """Check that a worker that hangs is replaced, and that a full queue refuses, as usual."""
    session = open_session(fault="rknn_run#2:hang", run_timeout_ms=100)
    outcomes = []
    for _ in range(6):
        try:
            outcomes.append(len(session.run(None, feed())))
        except RknnTimeoutError:
            outcomes.append(0)
    assert sorted(outcomes) == [0, 1, 1, 1, 1, 1]
    stuck = open_session(fault="rknn_run:hang")
    futures = [stuck.submit(feed()) for _ in range(6)]
    for future in futures:
        future.cancel()
    refusal = refusal_of(RknnTimeoutError, lambda: [stuck.submit(feed(), timeout=0.05) for _ in range(100)])
    assert "timeout=0.05" in refusal, refusal
    print("fine", flush=True)
    os._exit(0)  # the hanging calls go on hanging


def late() -> None:
    """Check that running threads cannot become greenlets."""
    session = open_session()
    assert len(session.submit(feed()).result(60)) == 1
    patch()
    refusal = refusal_of(RknnError, lambda: session.submit(feed()))
    assert "monkey.patch_all() came after this session had started its threads" in refusal
    print("fine", flush=True)
    os._exit(0)  # the threads that were running end with an error of threading's own


def pool() -> None:
    """Check that run() blocks only its own thread among the real threads of a patched program."""
    session = open_session()
    if FRAMEWORK == "gevent":
        apply = importlib.import_module("gevent").get_hub().threadpool.apply
    else:
        apply = importlib.import_module("eventlet.tpool").execute
    assert len(apply(session.run, (None, feed())) if FRAMEWORK == "gevent" else apply(session.run, None, feed())) == 1
    every_way(session)


def exit_without_close() -> None:
    """Leave accepted work to be delivered at the interpreter's end."""
    session = open_session(fault="rknn_run:delay=20000")
    for number in range(6):
        session.run_async(None, feed(), lambda _, number, error: print("delivered", number, error, flush=True), number)
    globals()["kept"] = session


CASES = {
    "ways": ways,
    "imported before": ways,
    "others go on": others_go_on,
    "callbacks": callbacks,
    "limits": limits,
    "pool": pool,
    "exit": exit_without_close,
    "late": late,
}
CASES[CASE]()
print("fine")
