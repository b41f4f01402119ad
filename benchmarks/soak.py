"""Does anything grow? Many inferences in every way that a session can run, and many sessions, with the memory watched.

    python benchmarks/soak.py [--runs N] [--cycles N]

Nothing is computed and no time is modelled, so what runs is our own code alone: a million inferences take minutes. The
exit status is 0 only if nothing grew: less than 1 kB of resident memory for each 1,000 runs (or sessions) after the
warm-up, and no thread and no file descriptor more than before.
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
FAILING = 10  # every so many runs
BOUND = np.int8  # the type of the model's input inside the NPU
COROUTINES = 8


# ---- The ways to run: each runs a session `runs` times ----


def run(session: InferenceSession, feed: Any, runs: int) -> None:
    """One thread, one inference after the other."""
    for _ in range(runs):
        session.run(None, feed)


def run_async(session: InferenceSession, feed: Any, runs: int) -> None:
    """Callbacks."""
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
    """A window of three frames, drained at the end."""
    for _ in range(runs):
        session.run_pipeline(feed, depth=3)
    session.drain_pipeline()


def submit(session: InferenceSession, feed: Any, runs: int) -> None:
    """Futures, of which a few are cancelled."""
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
    """`map`, in order and as results come."""
    for ordered in (True, False):
        for _ in session.map((feed for _ in range(runs // 2)), ordered=ordered):
            pass


def coroutines(session: InferenceSession, feed: Any, runs: int) -> None:
    """`await`, from several coroutines at once, on a new event loop each time."""

    async def client() -> None:
        for _ in range(runs // COROUTINES):
            await session.run_awaitable(None, feed)

    async def clients() -> None:
        await asyncio.gather(*(client() for _ in range(COROUTINES)))

    asyncio.run(clients())


def batch(session: InferenceSession, feed: Any, runs: int) -> None:
    """Batch dispatch: each sample is a run."""
    batched = {name: np.repeat(array, BATCH, axis=0) for name, array in feed.items()}
    for _ in range(runs // BATCH):
        session.run(None, batched, {"ztu_modelrt_dispatch_batch": True})


def binding(session: InferenceSession, feed: Any, runs: int) -> None:
    """Values that are kept in NPU memory, bound anew for each batch of runs."""
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
    """Runs of which every tenth fails in the runtime, as exceptions and as futures."""
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


# ---- Watching ----


class Growth(NamedTuple):
    """What became of the process while something was done many times."""

    name: str
    runs: int
    seconds: float
    slope: float  # kB of resident memory for each 1,000 runs
    resident: float  # MB at the end
    threads: int  # more than before
    descriptors: int  # more than before

    @property
    def none(self) -> bool:
        """Whether nothing grew."""
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
    """The median slope between any two samples: a leak shows in most pairs, a one-time step of the allocator in few."""
    pairs = itertools.combinations(zip(x, y), 2)
    return statistics.median((y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in pairs)


def resident_kb() -> float:
    """The resident memory of this process in kB, garbage left out."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024


def os_threads() -> int:
    """How many threads the process has, those of the native engine included."""
    # The least of many looks: the kernel lists a thread for a moment after it was joined.
    return min(len(os.listdir("/proc/self/task")) for _ in range(100))


def open_descriptors() -> int:
    """How many file descriptors the process has open."""
    return len(os.listdir("/proc/self/fd"))


# ---- The two parts ----


def soak_modes(runs: int) -> Iterator[Growth]:
    """Every way to run, in turn, on one session for each way in which tensors travel; and one on which runs fail."""
    share = runs // (len(IO_MODES) * len(MODES))
    for io_mode in IO_MODES:
        with InferenceSession(MODEL, provider_options={**OPTIONS, "io_mode": io_mode}) as session:
            feed = feed_of(session)
            for name, mode in MODES.items():
                if mode is binding and io_mode == "copy":
                    continue  # copies have no memory that a value could be kept in
                yield watch(f"{name}, {io_mode}", share, functools.partial(mode, session, feed))
    faulty = {"compute": "off", "timing": "off", "fault": f"rknn_run#every{FAILING}:fail=-1"}
    with InferenceSession(MODEL, provider_options={**OPTIONS, "simulator": faulty}) as session:
        yield watch("failing", share, functools.partial(failing, session, feed_of(session)))


def feed_of(session: InferenceSession) -> dict[str, Any]:
    """Zeros."""
    return {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()}


def soak_cycles(cycles: int) -> Growth:
    """Sessions that are created, run once and closed."""

    def create_run_close(count: int) -> None:
        for _ in range(count):
            with InferenceSession(MODEL, provider_options=OPTIONS) as session:
                session.run(None, feed)

    with InferenceSession(MODEL, provider_options=OPTIONS) as session:
        feed = feed_of(session)
    return watch("sessions", cycles, create_run_close)


def soak(runs: int, cycles: int) -> Iterator[Growth]:
    """Both parts; 0 leaves one out."""
    if runs:
        yield from soak_modes(runs)
    if cycles:
        yield soak_cycles(cycles)


HEADER = "                         runs    runs/s   RSS [MB]   growth [kB/1,000 runs]   threads   descriptors"


def show(growth: Growth) -> None:
    """One line of the table."""
    verdict = "" if growth.none else "   GROWS"
    print(
        f"{growth.name:19}  {growth.runs:>8}  {growth.runs / growth.seconds:8.0f}   {growth.resident:8.1f}   "
        f"{growth.slope:22.3f}   {growth.threads:+7d}   {growth.descriptors:+11d}{verdict}",
        flush=True,
    )


def main() -> int:
    """Measure, print, and say by the exit status whether anything grew."""
    parser = argparse.ArgumentParser(description="Does anything grow?")
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
