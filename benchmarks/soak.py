# SPDX-License-Identifier: Apache-2.0
"""A soak test for leaks: many inferences in every way to run, and many sessions, while memory is watched.

    python benchmarks/soak.py [--runs N] [--cycles N]

Nothing is computed and no time is modelled, so only our own code runs: a million inferences take minutes. The exit
status is 0 only if nothing grew: less than 1 kB of resident memory for each 1,000 runs (or sessions) after the warm-up,
and no more threads and file descriptors than before.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import gc
import itertools
import os
import resource
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ez_rknn_async import InferenceSession, RknnError, make_provider_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MODEL = Path(__file__).resolve().parent.parent / "tests" / "data" / "tiny_conv_int8.rknn"
OPTIONS = make_provider_options(
    runtime_library="simulator", simulator={"compute": "off", "timing": "off"}, schedule=[0, 1, 2]
)
IO_MODES = ("direct", "copy")
ALLOWED = 1.0  # kB of resident memory for each 1,000 runs
SAMPLES = 40
BATCH = 8
FAILING = 10  # one run in this many fails
BOUND = np.int8  # the type of the model's input inside the NPU
COROUTINES = 8


# The ways to run: each runs a session `runs` times


def run(session: InferenceSession, feed: Any, runs: int) -> None:
    """Run one inference after the other in one thread."""
    for _ in range(runs):
        session.run(None, feed)


def run_async(session: InferenceSession, feed: Any, runs: int) -> None:
    """Submit with callbacks."""
    finished = threading.Semaphore(0)
    errors: list[str] = []

    def receive(_results: Any, _user_data: Any, error: str) -> None:
        if error:
            errors.append(error)
        finished.release()

    for _ in range(runs):
        session.run_async(None, feed, receive)
    for _ in range(runs):
        finished.acquire()
    if errors:
        raise RuntimeError(errors[0])


def run_pipeline(session: InferenceSession, feed: Any, runs: int) -> None:
    """Run a window of three frames, drained at the end."""
    for _ in range(runs):
        session.run_pipeline(feed, depth=3)
    session.drain_pipeline()


def submit(session: InferenceSession, feed: Any, runs: int) -> None:
    """Submit futures, and cancel a few."""
    pending: list[Any] = []
    for number in range(runs):
        pending.append(session.submit(feed))
        if number % 50 == 0:
            pending[-1].cancel()
        if len(pending) == BATCH or number == runs - 1:
            for future in pending:
                if not future.cancelled():
                    future.result()
            pending.clear()


def stream(session: InferenceSession, feed: Any, runs: int) -> None:
    """Map a stream, in order and as results complete."""
    for ordered in (True, False):
        for _ in session.map((feed for _ in range(runs // 2)), ordered=ordered):
            pass


def coroutines(session: InferenceSession, feed: Any, runs: int) -> None:
    """Await from several coroutines at once, on a new event loop each time."""

    async def client() -> None:
        for _ in range(runs // COROUTINES):
            await session.run_awaitable(None, feed)

    async def clients() -> None:
        await asyncio.gather(*(client() for _ in range(COROUTINES)))

    asyncio.run(clients())


def batch(session: InferenceSession, feed: Any, runs: int) -> None:
    """Dispatch batches, of which each sample is a run."""
    batched = {name: np.repeat(array, BATCH, axis=0) for name, array in feed.items()}
    for _ in range(runs // BATCH):
        session.run(None, batched, {"ztu_modelrt_dispatch_batch": True})


def binding(session: InferenceSession, feed: Any, runs: int) -> None:
    """Bind values in NPU memory again for each batch of runs."""
    for _ in range(runs // BATCH):
        bound = session.io_binding()
        for name, array in feed.items():
            bound.bind_cpu_input(name, array.astype(BOUND))
        for name in session.output_names:
            bound.bind_output(name)
        for _ in range(BATCH):
            session.run_with_iobinding(bound)
        bound.copy_outputs_to_cpu()


def failing(session: InferenceSession, feed: Any, runs: int) -> None:
    """Run with every tenth run failing in the runtime, as exceptions and as futures."""
    failures = 0
    for _ in range(runs // 2):
        future = session.submit(feed)
        for attempt in (lambda: session.run(None, feed), future.result):
            try:
                attempt()
            except RknnError:
                failures += 1
    if abs(failures - runs // FAILING) > 1:
        raise RuntimeError(f"{failures} of {runs} runs failed")


MODES: dict[str, Callable[[InferenceSession, Any, int], None]] = {
    "run": run,
    "run_async": run_async,
    "run_pipeline": run_pipeline,
    "submit": submit,
    "map": stream,
    "asyncio": coroutines,
    "batch": batch,
    "binding": binding,
}


# Watching


class Growth(NamedTuple):
    """The change of the process while something was done many times."""

    name: str
    runs: int
    seconds: float
    slope: float  # kB of resident memory for each 1,000 runs
    resident: float  # MB at the end
    threads: int  # more than before
    descriptors: int  # more than before

    @property
    def none(self) -> bool:
        """True if nothing grew."""
        return self.slope < ALLOWED and self.threads <= 0 and self.descriptors <= 0


def watch(name: str, runs: int, do: Callable[[int], None]) -> Growth:
    """Do something ``runs`` times, in portions, after a warm-up of half as many."""
    portion = max(BATCH * 10, runs // SAMPLES)
    for _ in range(SAMPLES // 2):
        do(portion)
    threads, descriptors = os_threads(), open_descriptors()
    done, kilobytes = [0], [resident_kb()]
    start = time.perf_counter()
    while done[-1] < runs:
        do(portion)
        done.append(done[-1] + portion)
        kilobytes.append(resident_kb())
    seconds = time.perf_counter() - start
    return Growth(
        name,
        done[-1],
        seconds,
        slope(done, kilobytes) * 1000,
        kilobytes[-1] / 1024,
        os_threads() - threads,
        open_descriptors() - descriptors,
    )


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the median slope between two samples: a leak shows in most pairs, one step of the allocator in few."""
    pairs = itertools.combinations(zip(x, y), 2)
    return statistics.median((y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in pairs)


def resident_kb() -> float:
    """Return the resident memory of this process in kB, without garbage."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024


def os_threads() -> int:
    """Return the number of the process's threads, those of the native engine included."""
    # The minimum of many samples: the kernel lists a thread for a moment after it was joined.
    return min(len(os.listdir("/proc/self/task")) for _ in range(100))


def open_descriptors() -> int:
    """Return the number of the process's open file descriptors."""
    return len(os.listdir("/proc/self/fd"))


# The two parts


def soak_modes(runs: int) -> Iterator[Growth]:
    """Watch every way to run on one session for each IO mode, and one session whose runs fail."""
    share = runs // (len(IO_MODES) * len(MODES))
    for io_mode in IO_MODES:
        with InferenceSession(MODEL, provider_options={**OPTIONS, "io_mode": io_mode}) as session:
            feed = feed_of(session)
            for name, mode in MODES.items():
                if mode is binding and io_mode == "copy":
                    continue  # copy mode has no memory to keep a value in
                yield watch(f"{name}, {io_mode}", share, functools.partial(mode, session, feed))
    faulty = {"compute": "off", "timing": "off", "fault": f"rknn_run#every{FAILING}:fail=-1"}
    with InferenceSession(MODEL, provider_options={**OPTIONS, "simulator": faulty}) as session:
        yield watch("failing", share, functools.partial(failing, session, feed_of(session)))


def feed_of(session: InferenceSession) -> dict[str, Any]:
    """Return zeros for every input."""
    return {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()}


def soak_cycles(cycles: int) -> Growth:
    """Watch sessions that are created, run once and closed."""

    def create_run_close(count: int) -> None:
        for _ in range(count):
            with InferenceSession(MODEL, provider_options=OPTIONS) as session:
                session.run(None, feed)

    with InferenceSession(MODEL, provider_options=OPTIONS) as session:
        feed = feed_of(session)
    return watch("sessions", cycles, create_run_close)


def soak(runs: int, cycles: int) -> Iterator[Growth]:
    """Watch both parts; 0 leaves one out."""
    if runs:
        yield from soak_modes(runs)
    if cycles:
        yield soak_cycles(cycles)


HEADER = "                         runs    runs/s   RSS [MB]   growth [kB/1,000 runs]   threads   descriptors"


def show(growth: Growth) -> None:
    """Print one line of the table."""
    verdict = "" if growth.none else "   GROWS"
    print(
        f"{growth.name:19}  {growth.runs:>8}  {growth.runs / growth.seconds:8.0f}   {growth.resident:8.1f}   "
        f"{growth.slope:22.3f}   {growth.threads:+7d}   {growth.descriptors:+11d}{verdict}",
        flush=True,
    )


def main() -> int:
    """Measure and print; return status 0 if nothing grew."""
    parser = argparse.ArgumentParser(description="A soak test for leaks of memory, threads and file descriptors.")
    parser.add_argument("--runs", type=int, default=1_000_000, help="inferences, over all modes (default: %(default)s)")
    parser.add_argument("--cycles", type=int, default=0, help="sessions to create, run and close (default: none)")
    arguments = parser.parse_args()
    print(HEADER)
    growths: list[Growth] = []
    for growth in soak(arguments.runs, arguments.cycles):
        show(growth)
        growths.append(growth)
    return 0 if all(growth.none for growth in growths) else 1


if __name__ == "__main__":
    sys.exit(main())
