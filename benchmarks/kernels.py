"""How fast do the kernels move tensors? Beside memcpy of as many bytes, and beside the numpy expression.

Every figure is a ratio of measurements that alternate in one run on this machine. Bytes are those touched, read and
written: a memcpy of as many copies half of them. What is measured is the best of many rounds, on one thread.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

from ez_rknn_async.runtime.abi import ffi
from ez_rknn_async.runtime.engine import native
from ez_rknn_async.runtime.kernels import Conversion, Layout, Rule

ROUNDS = 40
SECONDS_PER_ROUND = 0.002
SCALE, ZERO_POINT = 0.018658, -14
MEAN, DEVIATION = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])


@dataclass(frozen=True)
class Case:
    """One conversion of ``1 x 3 x side x side`` elements and the numpy expression that does the same.

    Attributes:
        goal: the share of memcpy's bandwidth that it is to reach, in percent; None: no goal.
    """

    name: str
    source: str
    destination: str
    rule: Rule
    a: Any
    b: Any
    numpy: Callable[[Any], Any]
    goal: float | None = None


def quantised(x: Any, factor: Any, offset: Any) -> Any:
    """The affine rule over the last axis or over everything."""
    return np.clip(np.rint(x * factor + offset), -128, 127).astype(np.int8)


FACTOR, OFFSET = 1 / (DEVIATION * SCALE), ZERO_POINT - MEAN / (DEVIATION * SCALE)
FIXED = np.round(FACTOR * 2**15) / 2**15  # as the vendor's library has it: 15 bits
WHOLE = np.rint(OFFSET)


def planes(x: Any) -> Any:
    """NCHW to NHWC, still without a copy."""
    return x.transpose(0, 2, 3, 1)


CASES = [
    Case(
        "float32 NCHW -> int8 NHWC, AFFINE",
        "float32 NCHW",
        "int8 NHWC",
        Rule.AFFINE,
        [1 / SCALE],
        [ZERO_POINT],
        lambda x: quantised(planes(x), 1 / SCALE, ZERO_POINT),
        40,
    ),
    Case(
        "float32 NCHW -> int8 NHWC, AFFINE by channel",
        "float32 NCHW",
        "int8 NHWC",
        Rule.AFFINE,
        FACTOR,
        OFFSET,
        lambda x: quantised(planes(x), FACTOR, OFFSET),
        40,
    ),
    Case(
        "float32 NCHW -> int8 NHWC, SCALE",
        "float32 NCHW",
        "int8 NHWC",
        Rule.SCALE,
        FIXED,
        WHOLE,
        lambda x: quantised(planes(x), FIXED, WHOLE),
        40,
    ),
    Case(
        "float32 NHWC -> int8 NHWC, SCALE",
        "float32 NHWC",
        "int8 NHWC",
        Rule.SCALE,
        FIXED,
        WHOLE,
        lambda x: quantised(x, FIXED, WHOLE),
    ),
    Case(
        "float16 NCHW -> int8 NHWC, AFFINE",
        "float16 NCHW",
        "int8 NHWC",
        Rule.AFFINE,
        [1 / SCALE],
        [ZERO_POINT],
        lambda x: quantised(planes(x), 1 / SCALE, ZERO_POINT),
    ),
    Case(
        "uint8 NHWC -> int8 NHWC, AFFINE",
        "uint8 NHWC",
        "int8 NHWC",
        Rule.AFFINE,
        [1 / 255 / SCALE],
        [ZERO_POINT],
        lambda x: quantised(x, 1 / 255 / SCALE, ZERO_POINT),
        80,
    ),
    Case(
        "uint8 NHWC -> int8 NHWC, SCALE",
        "uint8 NHWC",
        "int8 NHWC",
        Rule.SCALE,
        [FIXED[0]],
        [WHOLE[0]],
        lambda x: quantised(x, FIXED[0], WHOLE[0]),
        80,
    ),
    Case(
        "uint8 NHWC -> int8 NHWC, AFFINE by channel",
        "uint8 NHWC",
        "int8 NHWC",
        Rule.AFFINE,
        FACTOR,
        OFFSET,
        lambda x: quantised(x, FACTOR, OFFSET),
        80,
    ),
    Case(
        "uint8 NHWC -> int8 NHWC, SCALE by channel",
        "uint8 NHWC",
        "int8 NHWC",
        Rule.SCALE,
        FIXED,
        WHOLE,
        lambda x: quantised(x, FIXED, WHOLE),
        80,
    ),
    Case(
        "uint8 NCHW -> int8 NHWC, AFFINE",
        "uint8 NCHW",
        "int8 NHWC",
        Rule.AFFINE,
        [1 / 255 / SCALE],
        [ZERO_POINT],
        lambda x: quantised(planes(x), 1 / 255 / SCALE, ZERO_POINT),
    ),
    Case(
        "float32 NCHW -> float16 NHWC, NORMALISE",
        "float32 NCHW",
        "float16 NHWC",
        Rule.NORMALISE,
        MEAN,
        DEVIATION,
        lambda x: ((planes(x) - np.float32(MEAN)) / np.float32(DEVIATION)).astype(np.float16),
    ),
    Case(
        "uint8 NHWC -> float16 NHWC, NORMALISE",
        "uint8 NHWC",
        "float16 NHWC",
        Rule.NORMALISE,
        MEAN,
        DEVIATION,
        lambda x: ((x - np.float32(MEAN)) / np.float32(DEVIATION)).astype(np.float16),
    ),
    Case(
        "int8 NC1HWC2 -> float32 NCHW, DEQUANTISE",
        "int8 NC1HWC2",
        "float32 NCHW",
        Rule.DEQUANTISE,
        [SCALE],
        [ZERO_POINT],
        lambda x: (unpacked(x) - np.float32(ZERO_POINT)) * np.float32(SCALE),
        40,
    ),
    Case(
        "float16 NC1HWC2 -> float32 NCHW",
        "float16 NC1HWC2",
        "float32 NCHW",
        Rule.NORMALISE,
        [0],
        [1],
        lambda x: unpacked(x).astype(np.float32),
    ),
    Case(
        "int8 NCHW -> float32 NCHW, DEQUANTISE",
        "int8 NCHW",
        "float32 NCHW",
        Rule.DEQUANTISE,
        [SCALE],
        [ZERO_POINT],
        lambda x: (x - np.float32(ZERO_POINT)) * np.float32(SCALE),
    ),
]


def unpacked(x: Any) -> Any:
    """NC1HWC2, as ``n, c1, h, w, c2``, to NCHW with all channels of the blocks, still without a copy where it can."""
    n, c1, h, w, c2 = x.shape
    return x.transpose(0, 1, 4, 2, 3).reshape(n, c1 * c2, h, w)


def layout(text: str, channels: int) -> Layout:
    """``"int8 NHWC"`` and the like; blocks of channels are 16 bytes, as in the NPU."""
    type_, format_ = text.split()
    if format_ != "NC1HWC2":
        return Layout(type_, format_)
    c2 = 16 // np.dtype(type_).itemsize
    return Layout(type_, format_, c1=-(-channels // c2), c2=c2)


def source_array(case: Case, shape: tuple[int, int, int, int], made_of: Layout) -> Any:
    """Noise over the whole range of what the rule converts, and beyond it where the type reaches that far."""
    rng = np.random.default_rng(1)
    n, c, h, w = shape
    stored = {"NCHW": shape, "NHWC": (n, h, w, c), "NC1HWC2": (n, made_of.c1, h, w, made_of.c2)}[made_of.format]
    if made_of.type.startswith("float"):
        return (rng.standard_normal(stored) * 100).astype(made_of.type)
    return np.frombuffer(rng.bytes(int(np.prod(stored))), made_of.type).reshape(stored)


def seconds_of(function: Callable[[], object]) -> Callable[[], float]:
    """A measurement: the mean of as many calls as take a few milliseconds."""
    start = time.perf_counter()
    function()
    calls = 1 + int(SECONDS_PER_ROUND / (time.perf_counter() - start))

    def measure() -> float:
        start = time.perf_counter()
        for _ in range(calls):
            function()
        return (time.perf_counter() - start) / calls

    return measure


def best_of(*functions: Callable[[], object]) -> list[float]:
    """The best time of each, measured in turns, so that all see the same machine."""
    measurements = [seconds_of(function) for function in functions]
    return [min(times) for times in zip(*([measure() for measure in measurements] for _ in range(ROUNDS)))]


def compare(case: Case, shape: tuple[int, int, int, int]) -> bool:
    """Print one line; whether the goals were met."""
    source, destination = layout(case.source, shape[1]), layout(case.destination, shape[1])
    x = source_array(case, shape, source)
    conversion = Conversion(shape, source, destination, case.rule, case.a, case.b)
    y = np.zeros(conversion.destination_bytes, np.uint8)
    touched = x.nbytes + y.nbytes
    half = np.ones(touched // 2, np.uint8), np.zeros(touched // 2, np.uint8)
    c_x, c_y, c_from, c_to = (ffi.from_buffer(array) for array in (x, y, *half))
    convert = native().ezr_convert
    kernel, memcpy, numpy = best_of(
        lambda: convert(conversion.c, c_x, c_y),
        lambda: ffi.memmove(c_to, c_from, len(c_to)),
        lambda: np.ascontiguousarray(case.numpy(x)),
    )
    share, speedup = 100 * memcpy / kernel, numpy / kernel
    goal_here = case.goal if shape[1] == 3 else None  # the goals are for images
    reached = goal_here is None or (share >= goal_here and speedup >= 10)
    goal = "" if goal_here is None else f"   goal {goal_here:.0f} %, 10x: {'reached' if reached else 'missed'}"
    bandwidths = f"{touched / kernel / 1e9:8.1f} {touched / memcpy / 1e9:8.1f}"
    print(f"{case.name:<44} {bandwidths} {share:6.0f} % {speedup:7.1f}x{goal}", flush=True)
    return reached


def main() -> None:
    """Print a table for each shape; fail if a goal was missed."""
    reached = True
    for shape in ((1, 3, 640, 640), (1, 3, 224, 224), (1, 64, 80, 80)):
        print(f"{'x'.join(map(str, shape)):<44} {'GB/s':>8} {'memcpy':>8} {'share':>8} {'numpy':>8}")
        for case in CASES:
            if len(case.a) in (1, shape[1]):
                reached &= compare(case, shape)
    sys.exit(0 if reached else 1)


if __name__ == "__main__":
    main()
