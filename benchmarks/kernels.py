# SPDX-License-Identifier: Apache-2.0
"""The speed of the kernels, compared with memcpy of as many bytes and with the numpy expression.

In use every frame is a new array, and the NPU has used its memory since it was last written: neither is in the caches.
So each call takes the next of a *ring* of tensor pairs that together are larger than the last-level cache, and memcpy
and numpy use rings of the same size. The goals apply to these figures. One pair converted repeatedly stays in the
second-level cache, whose bandwidth is several times that of slower memory; the same ratios there are printed too,
as information about the arithmetic.

Every figure is a ratio of measurements that alternate in one run on this machine. Bytes are those touched, read and
written: a memcpy of as many copies half of them. Each measurement is the best of many rounds, on one thread.
"""

from __future__ import annotations

import itertools
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import numpy as np
from kernel_cases import CASES, Case

from ez_rknn_async._runtime.abi import ffi
from ez_rknn_async._runtime.kernels import Conversion, MemoryLayout
from ez_rknn_async._runtime.native import native

ROUNDS = 24
ROUNDS_OF_NUMPY = 4
SPEEDUP = 10
MEMORY_BOUND = 80  # percent of memcpy's bandwidth
SECONDS_PER_ROUND = 0.001
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def layout(text: str, channels: int) -> MemoryLayout:
    """Parse ``"int8 NHWC"`` and the like; blocks of channels are 16 bytes, as in the NPU."""
    type_, format_ = text.split()
    if format_ != "NC1HWC2":
        return MemoryLayout(type_, format_)
    c2 = 16 // np.dtype(type_).itemsize
    return MemoryLayout(type_, format_, c1=-(-channels // c2), c2=c2)


def source_array(case: Case, shape: tuple[int, int, int, int], made_of: MemoryLayout) -> Any:
    """Return noise over the whole range that the rule converts, and beyond it where the type reaches that far."""
    rng = np.random.default_rng(1)
    n, c, h, w = shape
    stored = {"NCHW": shape, "NHWC": (n, h, w, c), "NC1HWC2": (n, made_of.c1, h, w, made_of.c2)}[made_of.format]
    if made_of.type.startswith("float"):
        return (rng.standard_normal(stored) * 100).astype(made_of.type)
    return np.frombuffer(rng.bytes(int(np.prod(stored))), made_of.type).reshape(stored)


def last_level_cache() -> int:
    """Return the bytes of the first core's largest cache; 32 MiB if the system does not say."""
    units = {"K": 1024, "M": 1024**2}
    sizes = [path.read_text().strip() for path in CACHES.glob("index*/size")]
    return max((int(size[:-1]) * units[size[-1]] for size in sizes), default=32 * 1024**2)


class Memory:
    """The memory of rings, reserved once, so that page faults of the first touch are not measured."""

    def __init__(self) -> None:
        self._bytes = np.ones(last_level_cache() * 5 // 4, np.uint8)

    def ring(self, source: Any, destination_bytes: int) -> list[tuple[Any, Any]]:
        """Return pairs that fill the memory, each a copy of ``source`` followed by space for the result."""
        used = -(-source.nbytes // 64) * 64  # whole cache lines
        pairs = self._bytes[: len(self._bytes) // (slot := used + -(-destination_bytes // 64) * 64) * slot]
        pairs = pairs.reshape(-1, slot)
        pairs[:, : source.nbytes] = source.reshape(-1).view(np.uint8)
        return [
            (pair[: source.nbytes].view(source.dtype).reshape(source.shape), pair[used : used + destination_bytes])
            for pair in pairs
        ]


def seconds_of(function: Callable[[], object]) -> Callable[[], float]:
    """Return a measurement: the mean of as many calls as take a millisecond."""
    start = time.perf_counter()
    function()
    calls = 1 + int(SECONDS_PER_ROUND / (time.perf_counter() - start))

    def measure() -> float:
        start = time.perf_counter()
        for _ in range(calls):
            function()
        return (time.perf_counter() - start) / calls

    return measure


def best_of(rounds: int, *functions: Callable[[], object]) -> list[float]:
    """Return the best time of each, measured in turns, so that all see the same machine."""
    measurements = [seconds_of(function) for function in functions]
    return [min(times) for times in zip(*([measure() for measure in measurements] for _ in range(rounds)))]


def buffers(ring: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Return the pairs as C buffers."""
    return [(ffi.from_buffer(x), ffi.from_buffer(y)) for x, y in ring]


def converting(conversion: Conversion, ring: list[tuple[Any, Any]]) -> Callable[[], object]:
    """Return a call that converts the next pair."""
    convert, description, pairs = native().ezr_convert, conversion.c, itertools.cycle(buffers(ring))

    def call() -> None:
        x, y = next(pairs)
        convert(description, x, y)

    return call


def copying(size: int, ring: list[tuple[Any, Any]]) -> Callable[[], object]:
    """Return a call that copies the next pair, ``size`` bytes."""
    pairs = itertools.cycle(buffers(ring))

    def call() -> None:
        x, y = next(pairs)
        ffi.memmove(y, x, size)

    return call


def computing(case: Case, channels: int, ring: list[tuple[Any, Any]]) -> Callable[[], Any]:
    """Return a call that evaluates the expression for the next source, without its padding channels."""
    blocks = case.source.endswith("NC1HWC2")
    sources = itertools.cycle([x[..., :channels] if blocks else x for x, _ in ring])
    return lambda: np.ascontiguousarray(case.numpy(next(sources)))


def check(case: Case, channels: int, conversion: Conversion, pair: tuple[Any, Any]) -> None:
    """Check that the kernel and the expression compute the same."""
    converting(conversion, [pair])()
    expected = computing(case, channels, [pair])()
    np.testing.assert_array_equal(pair[1].view(expected.dtype), expected.ravel(), case.name)


@dataclass(frozen=True)
class Speed:
    """Bytes touched per second by a kernel and by memcpy, and the kernel's speed-up over numpy."""

    kernel: float
    memcpy: float
    numpy: float

    @property
    def share(self) -> float:
        """The share of memcpy's bandwidth, in percent."""
        return 100 * self.kernel / self.memcpy


def speed(kernel: Callable[[], object], memcpy: Callable[[], object], numpy: Callable[[], object], size: int) -> Speed:
    """Measure calls that touch ``size`` bytes each; numpy is slow, so it gets only a few rounds."""
    (slow,) = best_of(ROUNDS_OF_NUMPY, numpy)
    fast, fastest = best_of(ROUNDS, kernel, memcpy)
    return Speed(size / fast, size / fastest, slow / fast)


def compare(case: Case, shape: tuple[int, int, int, int], memory: Memory, more_memory: Memory) -> bool:
    """Print one line; return True if the goals were met."""
    source, destination = layout(case.source, shape[1]), layout(case.destination, shape[1])
    x = source_array(case, shape, source)
    conversion = Conversion(shape, source, destination, case.rule, case.a, case.b)
    half = (x.nbytes + conversion.destination_bytes) // 2
    tensors, halves = memory.ring(x, conversion.destination_bytes), more_memory.ring(np.ones(half, np.uint8), half)
    check(case, shape[1], conversion, tensors[0])

    def over(pairs: int) -> Speed:
        """Measure over the first pairs of the rings."""
        own, copied = tensors[:pairs], halves[:pairs]
        calls = converting(conversion, own), copying(half, copied), computing(case, shape[1], own)
        return speed(*calls, 2 * half)

    cached, used = over(1), over(len(tensors))
    figures = f"{used.kernel / 1e9:8.1f} {used.memcpy / 1e9:8.1f} {used.share:6.0f} % {used.numpy:7.1f}x"
    verdict, reached = judge(case.goal if shape[1] == 3 else None, used, cached)  # the goals are for images
    print(f"{case.name:<44} {figures} {cached.share:10.0f} % {cached.numpy:7.1f}x   {verdict}", flush=True)
    return reached


def judge(goal: float | None, used: Speed, cached: Speed) -> tuple[str, bool]:
    """Return a verdict, and True if the goals were reached.

    The goal against numpy is about the arithmetic: a kernel bound by memory cannot be ten times as fast as an
    expression whose intermediate results are in the cache. So it does not apply to a kernel that, in the cache too,
    touches its bytes about as fast as memcpy (tensors that are larger than the second-level cache).
    """
    if goal is None:
        return "", True
    waits = cached.share >= MEMORY_BOUND and cached.numpy < SPEEDUP
    reached = used.share >= goal and (cached.numpy >= SPEEDUP or waits)
    words = f"goal {goal:.0f} %, {SPEEDUP}x in cache: {'reached' if reached else 'missed'}"
    return words + (" (numpy: bound by memory)" if reached and waits else ""), reached


def main() -> None:
    """Print a table for each shape; fail if a goal was missed."""
    reached = True
    memories = Memory(), Memory()
    for shape in ((1, 3, 640, 640), (1, 3, 224, 224), (1, 64, 80, 80)):
        columns = f"{'GB/s':>8} {'memcpy':>8} {'share':>8} {'numpy':>8} {'in cache:':>12} {'numpy':>8}"
        print(f"{'x'.join(map(str, shape)):<44} {columns}")
        for case in CASES:
            if len(case.a) in (1, shape[1]):
                reached &= compare(case, shape, *memories)
    sys.exit(0 if reached else 1)


if __name__ == "__main__":
    main()
