# SPDX-License-Identifier: Apache-2.0
"""The measured conversions, each with the equivalent numpy expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

from ez_rknn_async._runtime.kernels import Rule

SCALE, ZERO_POINT = 0.018658, -14
MEAN, DEVIATION = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])


@dataclass(frozen=True)
class Case:
    """One conversion of ``1 x 3 x side x side`` elements and the equivalent numpy expression.

    Attributes:
        goal: the share of memcpy's bandwidth to reach, in percent; None: no goal.
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
    """Apply the affine rule over the last axis or over everything."""
    return np.clip(np.rint(x * factor + offset), -128, 127).astype(np.int8)


FACTOR, OFFSET = 1 / (DEVIATION * SCALE), ZERO_POINT - MEAN / (DEVIATION * SCALE)
FIXED = np.round(FACTOR * 2**15) / 2**15  # as in the vendor's library: 15 bits
WHOLE = np.rint(OFFSET)


def planes(x: Any) -> Any:
    """Transpose NCHW to NHWC without a copy."""
    return x.transpose(0, 2, 3, 1)


def unpacked(x: Any) -> Any:
    """Transpose NC1HWC2, as ``n, c1, h, w, c2``, to NCHW, without a copy if possible."""
    n, c1, h, w, c2 = x.shape
    return x.transpose(0, 1, 4, 2, 3).reshape(n, c1 * c2, h, w)


CASES = [
    Case(
        "float32 NCHW -> int8 NHWC, AFFINE",
        "float32 NCHW",
        "int8 NHWC",
        Rule.AFFINE,
        [1 / SCALE],
        [ZERO_POINT],
        lambda x: quantised(planes(x), np.array([1 / SCALE]), ZERO_POINT),
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
        lambda x: quantised(planes(x), np.array([1 / SCALE]), ZERO_POINT),
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
        "uint8 NHWC -> int8 NHWC, AFFINE, all ties",
        "uint8 NHWC",
        "int8 NHWC",
        Rule.AFFINE,
        [1],
        [-127.5],
        lambda x: quantised(x, 1, -127.5),
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
