"""Does every core get its work? Throughput of schedules against one core, on the simulated NPU with compute off.

Every figure is a ratio of two measurements of the same run on the same machine. Each inference takes a fixed 2 ms of
simulated NPU time, so what is missing to the ideal ratio is what our own code costs.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from ez_rknn_async import InferenceSession, make_provider_options

MODEL = Path(__file__).resolve().parent.parent / "tests" / "data" / "snippet.rknn"
NPU_MICROSECONDS = 2000
TASKS = 1500


def throughput(tasks: int, simulator: str, **options: Any) -> float:
    """Inferences a second of run_async() with one submitting thread."""
    provider_options = make_provider_options(runtime_library="simulator", simulator=simulator, **options)
    with InferenceSession(MODEL, provider_options=provider_options) as session:
        feed = {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()}
        count, done = 0, threading.Event()

        def callback(_results: Any, _user_data: Any, error: str) -> None:
            nonlocal count
            assert error == "", error
            count += 1
            if count == tasks:
                done.set()

        start = time.perf_counter()
        for _ in range(tasks):
            session.run_async(None, feed, callback)
        done.wait()
        return tasks / (time.perf_counter() - start)


def others_beside_a_slow_core() -> float:
    """The share of their own speed that cores 1 and 2 keep while core 0 is ten times slower."""
    simulator = f"compute=off,timing=fixed:{NPU_MICROSECONDS}"
    options = make_provider_options(
        runtime_library="simulator",
        simulator=f"{simulator},slowdown=0:10",
        schedule=[0, 1, 2],
        sequential_callbacks=False,
        max_queue_size=TASKS,
    )
    with InferenceSession(MODEL, provider_options=options) as session:
        feed = {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()}
        finished: dict[int, float] = {}
        others, done = TASKS // 5 * 2, threading.Event()

        def callback(_results: Any, number: int, error: str) -> None:
            assert error == "", error
            if number % 3:
                finished[number] = time.perf_counter()
                if len(finished) == others:
                    done.set()

        start = time.perf_counter()
        for number in range(others // 2 * 3):
            session.run_async(None, feed, callback, number)
        done.wait()
        rate = others / (max(finished.values()) - start)
    return rate / throughput(others, simulator, schedule=[1, 2])


def main() -> None:
    """Measure and print."""
    simulator = f"compute=off,timing=fixed:{NPU_MICROSECONDS}"
    one = throughput(TASKS // 3, simulator, schedule=[0])
    print(f"input 1x3x224x224 float32, {NPU_MICROSECONDS / 1000:g} ms of NPU time an inference, run_async, compute off")
    print(f"schedule=[0]                       {one:7.1f} inferences/s")
    for schedule in ([0, 1], [0, 1, 2], [0, 0, 1]):
        rate = throughput(TASKS, simulator, schedule=schedule)
        print(f"{f'schedule={schedule}':<33}  {rate:7.1f} inferences/s  {rate / one:5.2f} x one core")
    share = others_beside_a_slow_core()
    print(f"core 0 ten times slower: cores 1 and 2 keep {share:.1%} of their speed")


if __name__ == "__main__":
    main()
