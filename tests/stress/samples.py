# SPDX-License-Identifier: Apache-2.0
"""Inputs of a model, each with the outputs that it must give.

They are computed once, by one thread and one worker. No two tasks under way have the same input, and no two inputs give
the same outputs, so anything mixed up, written too early or read too late shows as a wrong number.
"""

from __future__ import annotations

import collections
import itertools
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ez_rknn_async import InferenceSession

Array = npt.NDArray[Any]
Feed = dict[str, Array]

DATA = Path(__file__).resolve().parent.parent / "data"
KINDS = ("float32", "uint8")
# Channels of the images that the NPU converts from pixels itself, on separate contexts.
PIXEL_CHANNELS = (1, 3, 4)


@dataclass(frozen=True, eq=False)
class Sample:
    """One input, and its outputs."""

    number: int
    kind: str  # of KINDS
    feed: Feed
    outputs: list[Array]

    def differs(self, outputs: list[Array]) -> str:
        """Describe how ``outputs`` differ from this sample's; "" if they are the same."""
        if len(outputs) != len(self.outputs):
            return f"{len(outputs)} outputs instead of {len(self.outputs)}"
        for index, (got, want) in enumerate(zip(outputs, self.outputs)):
            if got.shape != want.shape:
                return f"output {index} has shape {got.shape} instead of {want.shape}"
            if not np.array_equal(got, want):
                wrong = got != want
                where = tuple(map(int, np.argwhere(wrong)[0]))
                first = f"{got[where]} instead of {want[where]} at {where}"
                return f"output {index} is wrong in {wrong.sum()} of {wrong.size} numbers, first {first}"
        return ""


@dataclass
class Samples:
    """All samples of one model; each belongs to one task at a time."""

    model: str
    by_kind: dict[str, list[Sample]]
    _free: dict[str, collections.deque[Sample]] = field(init=False)
    _by_output: dict[bytes, Sample] = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._free = {kind: collections.deque(samples) for kind, samples in self.by_kind.items()}
        everything = list(itertools.chain.from_iterable(self.by_kind.values()))
        self._by_output = {fingerprint(sample.outputs): sample for sample in everything}
        if len(self._by_output) != len(everything):
            raise ValueError(f"{self.model}: samples give the same outputs, so a mix-up would not be seen")

    def take(self, kind: str) -> Sample:
        """Return the sample that has been unused for longest."""
        with self._lock:
            return self._free[kind].popleft()

    def give_back(self, sample: Sample) -> None:
        """Give back the sample of a task that has ended."""
        with self._lock:
            self._free[sample.kind].append(sample)

    def identify(self, outputs: list[Array]) -> Sample | None:
        """Return the sample that gives these outputs."""
        return self._by_output.get(fingerprint(outputs))


def fingerprint(outputs: list[Array]) -> bytes:
    """Return the outputs as one key."""
    return b"".join(output.tobytes() for output in outputs)


_known: dict[tuple[str, int], Samples] = {}


def samples_of(model: str, count: int) -> Samples:
    """Return ``count`` samples of each kind that the model takes, computed on first use."""
    key = (model, count)
    if key not in _known:
        _known[key] = _compute(model, count)
    return _known[key]


def _compute(model: str, count: int) -> Samples:
    options = {"runtime_library": "simulator", "tp_mode": "0"}
    generator = np.random.default_rng(count)
    with InferenceSession(DATA / f"{model}.rknn", provider_options=options) as session:
        shapes = session.get_input_shapes()
        kinds = KINDS if any(_is_image(shape) for shape in shapes[0].values()) else KINDS[:1]
        by_kind: dict[str, list[Sample]] = {}
        for kind in kinds:
            feeds = [_feed(shapes[number % len(shapes)], kind, generator) for number in range(count)]
            by_kind[kind] = [
                Sample(number, kind, feed, [output.copy() for output in session.run(None, feed)])
                for number, feed in enumerate(feeds)
            ]
    return Samples(model, by_kind)


def _feed(shapes: dict[str, list[int]], kind: str, generator: np.random.Generator) -> Feed:
    feed: Feed = {}
    for name, shape in shapes.items():
        if kind == "uint8" and _is_image(shape):
            feed[name] = generator.integers(0, 256, shape, np.uint8)
        else:
            feed[name] = generator.standard_normal(shape).astype(np.float32)
    return feed


def _is_image(shape: list[int]) -> bool:
    return len(shape) == 4 and shape[1] in PIXEL_CHANNELS
