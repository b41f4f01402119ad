# SPDX-License-Identifier: Apache-2.0
"""A profile of ``run()`` with tiny tensors and no NPU time, for the first goal.

The parts are those of ``InferenceSession.run``, called one by one, each at its best: together they cost a little more,
as they evict each other from the processor's caches.
"""

from __future__ import annotations

import time
from typing import Any, Callable

from rig import TINY, feed_of, session

from ez_rknn_async._running.inflight import Run

_CALLS, _ROUNDS = 150, 300


def parts() -> dict[str, float]:
    """Return microseconds by part; ``"run()"`` is the whole."""
    with session(TINY, 0, (0,)) as opened:
        feed = feed_of(opened)
        executor = opened._deployment.executor
        request = executor.request(feed, private=False)
        task = executor._filled(request)
        engine = executor._engine

        def count_and_keep() -> None:
            with Run(executor._in_flight, request, _nothing):
                pass

        def native() -> Any:
            return engine._native.ezr_run(engine._engine, task.task, 1000, 0, task.result)

        def run_engine() -> Any:
            return engine.run(task, 0, 1000, interruptible=True, keep=_ignore)

        whole = _best(lambda: opened.run(None, feed))
        request_us = _best(lambda: executor.request(feed, private=False))
        native_us = _best(native)
        known = {
            "checking the feed, making arrays for the outputs": request_us,
            "filling the C structures": _best(lambda: request.fill(task)),
            "the native engine, with the runtime's own calls": native_us,
            "the call through cffi, and its result as a Python value": _best(run_engine) - native_us,
            "keeping close() and a lost worker out": _best(count_and_keep),
        }
        return {"run()": whole, **known, "everything between": whole - sum(known.values())}


def _nothing() -> None:
    pass


def _ignore(_: bool) -> None:
    pass


def _best(call: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        for _ in range(_CALLS):
            call()
        best = min(best, time.perf_counter() - start)
    return 1e6 * best / _CALLS


if __name__ == "__main__":
    for part, microseconds in parts().items():
        print(f"{microseconds:6.2f} µs  {part}")
