# SPDX-License-Identifier: Apache-2.0
"""Classification of handwritten digits on the NPU, in the library's three ways to run.

    python examples/digits/demo.py

Without an NPU, the simulated one executes the same file. Its answers are those of the compiled model; its times are
modelled from the layers in the file, and the table says so.
"""

from __future__ import annotations

import statistics
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from data import HERE, TEST_SET, enlarge
from ez_rknn_async import InferenceSession, make_provider_options
from ez_rknn_async.planning import evaluate, read_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Images = NDArray[np.uint8]  # [N, 1, 1, 48, 48]: one network input for each digit
    Logits = NDArray[np.float32]  # [N, 10]

MODEL = HERE / "digits_i8.rknn"
SIMULATOR = "RKNPU2SimulatorExecutionProvider"
DEPTH = 3  # frames in flight in a pipeline
LATENCY_RUNS = 400
THROUGHPUT_RUNS = 3000


def main() -> None:
    """Print the accuracy of each way to run, then the gain from the cores."""
    test = np.load(TEST_SET)
    images = enlarge(test["images"])[:, np.newaxis]
    print(f"{len(images)} handwritten digits that the network has never seen; {MODEL.name} on {where()}\n")
    show_accuracy(images, test)
    print()
    show_speed(images)


def where() -> str:
    """Return the device that a session without options uses."""
    return "the simulated NPU" if simulated() else "the NPU"


def simulated() -> bool:
    """Check if a session without options uses the simulated NPU."""
    with InferenceSession(MODEL) as session:
        return session.get_providers()[0] == SIMULATOR


# The three ways to run


def classify_one_by_one(session: InferenceSession, images: Images) -> Logits:
    """Call ``run``: pass an image, wait for its logits."""
    return np.concatenate([session.run(None, {"image": image})[0] for image in images])


def classify_with_callbacks(session: InferenceSession, images: Images) -> Logits:
    """Call ``run_async``: pass every image, receive each result in a callback."""
    logits = np.full((len(images), 10), np.nan, np.float32)
    errors: list[str] = []
    finished = threading.Semaphore(0)

    def receive(results: list[NDArray[Any]] | None, index: int, error: str) -> None:
        if results is None:
            errors.append(error)
        else:
            logits[index] = results[0]
        finished.release()

    for index, image in enumerate(images):
        session.run_async(None, {"image": image}, receive, index)
    for _ in images:
        finished.acquire()
    if errors:
        raise SystemExit(f"{len(errors)} inferences failed, the first with: {errors[0]}")
    return logits


def classify_in_a_pipeline(session: InferenceSession, images: Images) -> Logits:
    """Call ``run_pipeline``: pass an image, get the logits of the one passed ``DEPTH`` calls before."""
    flush = images[:DEPTH]  # the last frames come out as these go in
    results = [session.run_pipeline({"image": image}, depth=DEPTH) for image in (*images, *flush)]
    return np.concatenate([result[0] for result in results if result is not None])


WAYS: dict[str, Callable[[InferenceSession, Images], Logits]] = {
    "run": classify_one_by_one,
    "run_async": classify_with_callbacks,
    "run_pipeline": classify_in_a_pipeline,
}
SCHEDULES = {"core 0": [0], "cores 0, 1, 2": [0, 1, 2]}


def show_accuracy(images: Images, test: Any) -> None:
    """Print the share of digits that each way gets right, next to the network before compilation."""
    labels = test["labels"]
    print("                                   correct   as the float network")
    for cores, schedule in SCHEDULES.items():
        with InferenceSession(MODEL, provider_options=make_provider_options(schedule=schedule)) as session:
            for way, classify in WAYS.items():
                answers = classify(session, images).argmax(axis=1)
                agreement = (answers == test["float_logits"].argmax(axis=1)).mean()
                print(f"  int8   {way:13} {cores:13} {(answers == labels).mean():6.2%}   {agreement:6.2%}")
    reference = (test["float_logits"].argmax(axis=1) == labels).mean()
    print(f"  float  before compilation        {reference:6.2%}")


# The gain from the cores


class Speed(NamedTuple):
    """Images per second with all workers busy, and the median time of one image alone in milliseconds."""

    throughput: float
    latency_ms: float


MODES: dict[str, dict[str, Any]] = {
    "one core": {"schedule": [0]},
    "three cores, an image each": {"schedule": [0, 1, 2]},
    "three cores on each image": {"tp_mode": "0,1,2"},
}


def show_speed(images: Images) -> None:
    """Compare one core, three cores and tensor parallelism."""
    modelled = simulated()
    # Modelled times are computed, not waited for: so they are the same on every machine.
    speeds = {mode: compute(cores) if modelled else measure(images, cores) for mode, cores in MODES.items()}
    alone = speeds["one core"]
    kind = "modelled" if modelled else "measured"
    print(f"  {kind + ' times':26}   images/s            latency")
    for mode, speed in speeds.items():
        faster = speed.throughput / alone.throughput
        sooner = alone.latency_ms / speed.latency_ms
        print(f"  {mode:26} {speed.throughput:10.0f}  {faster:5.2f}x  {speed.latency_ms:7.3f} ms  {sooner:5.2f}x")


def compute(cores: dict[str, Any]) -> Speed:
    """Simulate single runs, then full queues, in virtual time."""
    single, full = (
        evaluate(read_plan({"seconds": 1, "model": [{"file": MODEL, "in_flight": in_flight, **cores}]})).models[0]
        for in_flight in (1, "saturated")
    )
    return Speed(full.rate, single.requests.percentile_ms(50))


def measure(images: Images, cores: dict[str, Any]) -> Speed:
    """Measure the latency of single runs, then the throughput with full queues."""
    with InferenceSession(MODEL, provider_options=make_provider_options(**cores)) as session:
        latencies = [timed(lambda image=image: session.run(None, {"image": image})) for image in images[:LATENCY_RUNS]]
        many = np.resize(images, (THROUGHPUT_RUNS, *images.shape[1:]))
        seconds = timed(lambda: classify_with_callbacks(session, many))
    return Speed(len(many) / seconds, statistics.median(latencies) * 1000)


def timed(action: Callable[[], object]) -> float:
    """Return the time that ``action`` takes, in seconds."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
