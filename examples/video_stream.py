# SPDX-License-Identifier: Apache-2.0
"""Frame rate and latency of a stream of camera frames through every core, in order.

    python examples/video_stream.py [--frames N]

The camera is simulated: an endless pan over held-out digits. ``session.map`` takes frames as the cores need them, keeps
each core busy and yields the results in the order of the frames. Without an NPU, the simulated one computes the digits,
and the figures are those of the same stream in virtual time, so that this machine is no limit; the last line says so.
"""

from __future__ import annotations

import argparse
import collections
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ez_rknn_async import InferenceSession, make_provider_options
from ez_rknn_async.planning import evaluate, read_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Frame = NDArray[np.uint8]

DIGITS = Path(__file__).resolve().parent / "digits"
MODEL = DIGITS / "digits_i8.rknn"
SIMULATOR = "RKNPU2SimulatorExecutionProvider"
SQUARE = 6  # the network sees each pixel as a square of 6 x 6
WIDTH = 48  # of a frame and of a digit
STEP = 4  # columns that the camera moves from frame to frame


def camera(frames: int) -> Iterator[Frame]:
    """Yield frames, uint8 [1, 1, 48, 48]: a window that moves over a wall of digits."""
    images = np.load(DIGITS / "digits_test.npz")["images"][:, 0]
    wall = np.concatenate(list(images.repeat(SQUARE, axis=1).repeat(SQUARE, axis=2)), axis=1)
    for number in range(frames):
        left = number * STEP % (wall.shape[1] - WIDTH)
        yield wall[np.newaxis, np.newaxis, :, left : left + WIDTH]


class Stopwatch:
    """The time at which each frame was taken, and the latency of its result."""

    def __init__(self) -> None:
        self._taken: collections.deque[float] = collections.deque()
        self.milliseconds: list[float] = []

    def taking(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Yield the same frames; note each when it is taken."""
        for frame in frames:
            self._taken.append(time.perf_counter())
            yield frame

    def result(self) -> None:
        """Note that the result of the oldest frame has come."""
        self.milliseconds.append((time.perf_counter() - self._taken.popleft()) * 1000)


def classify(session: InferenceSession, frames: int) -> tuple[list[int], list[float], float]:
    """Return the digit in each frame, the latency of each in milliseconds, and the seconds that all took."""
    watch, digits = Stopwatch(), []
    start = time.perf_counter()
    for (scores,) in session.map([frame] for frame in watch.taking(camera(frames))):
        watch.result()
        digits.append(int(scores.argmax()))
    return digits, watch.milliseconds, time.perf_counter() - start


def main() -> None:
    """Parse the command line and print the figures."""
    parser = argparse.ArgumentParser(description="Frame rate and latency of a stream of camera frames.")
    parser.add_argument("--frames", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.frames < 2:
        parser.error("--frames must be at least 2")
    for cores, options in {"core 0": {"schedule": [0]}, "every core": {"schedule": "all"}}.items():
        with InferenceSession(MODEL, provider_options=make_provider_options(**options)) as session:
            _, latencies, seconds = classify(session, arguments.frames)
            is_simulated = session.get_providers() == [SIMULATOR]
        if is_simulated:
            latencies, seconds = in_virtual_time(options, arguments.frames)
        median, slow = statistics.median(latencies), np.percentile(latencies, 99)
        print(
            f"{cores:10}  {arguments.frames / seconds:7.0f} frames/s   "
            f"latency {median:6.2f} ms (median) {slow:6.2f} ms (99 %)"
        )
    if is_simulated:
        print("on the simulated NPU: these times are computed from the model's layers")


def in_virtual_time(options: dict[str, Any], frames: int) -> tuple[list[float], float]:
    """Return the latency of each frame in milliseconds, and the seconds of all, with queues that are kept full."""
    plan = read_plan({"seconds": 1, "model": [{"file": MODEL, "in_flight": "saturated", **options}]})
    requests = evaluate(plan).models[0].requests
    latencies = [float(ns) / 1e6 for ns in requests.latency_ns[:frames]]
    return latencies, float(requests.delivered[:frames].max()) / 1e9 * frames / len(latencies)


if __name__ == "__main__":
    main()
