# SPDX-License-Identifier: Apache-2.0
"""The conversion kernels against the header's definition, in ten lines of numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ez_rknn_async._runtime.kernels import Conversion, MemoryLayout, Rule
from ez_rknn_async.errors import RknnValueError

NUMBERS = ("float32", "float16", "uint8", "int8")
QUANTISED = ("int8", "uint8", "int16")
INTEGERS = (*QUANTISED, "uint16", "int32", "uint32", "int64", "bool")
TYPES = {
    Rule.COPY: [(t, t) for t in ("float32", "float16", *INTEGERS)],
    Rule.NORMALISE: [(source, to) for source in NUMBERS for to in ("float32", "float16")],
    Rule.SCALE: [(source, to) for source in NUMBERS for to in QUANTISED],
    Rule.AFFINE: [(source, to) for source in NUMBERS for to in QUANTISED],
    Rule.DIVIDE: [(source, to) for source in NUMBERS for to in QUANTISED],
    Rule.DEQUANTISE: [(source, "float32") for source in INTEGERS],
}
# NaNs, infinities, zeros, subnormals of either float type, ties, and values beyond float16.
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-40, 6e-8, 0.5, 1.5, 2.5, -0.5, -3.5, 126.5, 127.5, -128.5]
SPECIAL += [65504.0, 65519.99, 65520.0, 1e30, -3.4e38, 2.0**24 + 2, 2.0**52, 254.5, 255.5]


def reference(x: Any, rule: Rule, to: Any, a: Any, b: Any) -> Any:
    """Convert ``x`` as the header says; ``a`` and ``b`` are arrays that broadcast with it."""
    if rule is Rule.COPY:
        return x
    x32, a32, b32 = x.astype(np.float32), np.float32(a), np.float32(b)
    if rule is Rule.NORMALISE:
        return ((x32 - a32) / b32).astype(to)
    if rule is Rule.DEQUANTISE:
        return (x32 - b32) * a32
    product = x32.astype(np.float64) * a
    whole = {Rule.SCALE: np.rint(product) + b, Rule.AFFINE: np.rint(product + b), Rule.DIVIDE: np.rint(x32 / a32 + b32)}
    least, most = np.iinfo(to).min, np.iinfo(to).max
    return np.where(np.isnan(whole[rule]), most, np.clip(whole[rule], least, most)).astype(to)


def store(x: Any, layout: MemoryLayout, fill: Any) -> Any:
    """Store an NCHW array in a layout, as a flat array; ``fill`` has each channel's value for the gaps of the rows."""
    n, c, h, w = x.shape
    if layout.format == "NC1HWC2":
        blocks = np.zeros((n, layout.c1 * layout.c2, layout.surface or h * w), x.dtype)
        blocks[:, :c, : h * w] = x.reshape(n, c, h * w)
        return blocks.reshape(n, layout.c1, layout.c2, -1).swapaxes(2, 3).ravel()
    rows = np.empty((n, c, h, layout.row or w), x.dtype)
    rows[:] = fill.astype(x.dtype).reshape(1, c, 1, 1)
    rows[..., :w] = x
    return rows.ravel() if layout.format == "NCHW" else rows.transpose(0, 2, 3, 1).ravel()


def layouts(shape: Any, type_: str) -> st.SearchStrategy[MemoryLayout]:
    _, c, h, w = shape
    rows = st.sampled_from([0, w, w + 1, w + 7])
    plain = st.builds(MemoryLayout, st.just(type_), st.sampled_from(["NCHW", "NHWC"]), row=rows)

    def blocks(c2: int, more: int, surface: int) -> MemoryLayout:
        return MemoryLayout(type_, "NC1HWC2", c1=-(-c // c2) + more, c2=c2, surface=surface)

    surfaces = st.sampled_from([0, h * w, h * w + 1, h * w + 9])
    return st.one_of(
        plain, st.builds(blocks, st.sampled_from([1, 2, 3, 4, 8, 16, 20, 32, 100]), st.integers(0, 1), surfaces)
    )


def values(draw: Any, rng: np.random.Generator, shape: Any, type_: str) -> Any:
    dtype = np.dtype(type_)
    if dtype.kind == "f":
        scale = draw(st.sampled_from([1.0, 0.01, 300.0, 1e5]))
        x = (rng.standard_normal(shape) * scale).astype(np.float32)
        x = np.where(rng.random(shape) < 0.2, np.round(x * 2) / 2, x)  # ties
        x = np.where(rng.random(shape) < 0.3, rng.choice(np.array(SPECIAL, np.float32), shape), x)
        with np.errstate(over="ignore"):
            return x.astype(dtype)
    return np.frombuffer(
        rng.bytes(int(np.prod(shape)) * dtype.itemsize), np.uint8 if type_ == "bool" else dtype
    ).reshape(shape)


def factors(rng: np.random.Generator, rule: Rule, channels: int, to: str) -> Any:
    """Return scales as models have them, and round ones, which produce ties."""
    scale = np.where(
        rng.random(channels) < 0.4,
        rng.choice([1.0, 0.5, 0.25, 2.0, 1 / 255], channels),
        np.exp(rng.normal(0, 2, channels)),
    )
    zero_point = rng.integers(-128, 128, channels).astype(np.float64)
    if rule is Rule.NORMALISE:
        return rng.choice([0.0, 127.5, 123.675, 3e-5], channels), scale
    if rule is Rule.SCALE:
        return np.float32(scale).astype(np.float64), zero_point
    if rule is Rule.AFFINE:
        return scale, zero_point - rng.choice([0.0, 103.94, 0.5], channels) * scale
    return scale, zero_point


@st.composite
def conversions(draw: Any) -> Any:
    rule = draw(st.sampled_from(list(Rule)))
    source_type, type_ = draw(st.sampled_from(TYPES[rule]))
    c = draw(st.one_of(st.integers(1, 20), st.sampled_from([31, 64, 65, 130, 300, 520])))
    shape = (draw(st.integers(1, 2)), c, draw(st.integers(1, 5)), draw(st.one_of(st.integers(1, 40), st.just(257))))
    source, destination = draw(layouts(shape, source_type)), draw(layouts(shape, type_))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    a, b = factors(rng, rule, draw(st.sampled_from([1, c])), type_)
    gap = rng.integers(0, 127, c) if draw(st.booleans()) and type_ != "bool" else None
    return shape, source, destination, rule, a, b, gap, values(draw, rng, shape, source_type)


@given(conversions())
@settings(max_examples=400, deadline=None)
@np.errstate(all="ignore")
def test_every_conversion_matches_its_definition(case: Any) -> None:
    """It matches bit for bit: rounding, saturation, special values, strides, padding and gaps."""
    shape, source, destination, rule, a, b, gap, x = case
    factors = {} if rule is Rule.COPY else {"a": a, "b": b}
    conversion = Conversion(shape, source, destination, rule, **factors, gap=gap)
    to = x.dtype if rule is Rule.COPY else np.dtype(destination.type)
    y = reference(x, rule, to, a.reshape(-1, 1, 1), b.reshape(-1, 1, 1))
    expected = store(y, destination, np.zeros(shape[1]) if gap is None else gap)
    stored = store(x, source, np.full(shape[1], 3))
    actual = np.full_like(expected, 99)
    assert (stored.nbytes, expected.nbytes) == (conversion.source_bytes, conversion.destination_bytes)
    conversion.convert(stored, actual)
    if rule is not Rule.COPY:
        np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
        actual[np.isnan(actual)] = expected[np.isnan(expected)] = 0
    assert actual.tobytes() == expected.tobytes()


@given(st.data())
@settings(max_examples=200, deadline=None)
@np.errstate(all="ignore")
def test_conversions_of_byte_images_match_their_definition(data: Any) -> None:
    """Images are large enough for the fast paths for bytes, and they hold every byte."""
    rule = data.draw(st.sampled_from([Rule.SCALE, Rule.AFFINE, Rule.DIVIDE, Rule.NORMALISE]))
    channels = data.draw(st.sampled_from([1, 2, 3, 4, 5, 16, 17]))
    type_ = data.draw(st.sampled_from([to for source, to in TYPES[rule] if source == "uint8"]))
    formats = data.draw(st.sampled_from([("NHWC", "NHWC"), ("NCHW", "NHWC"), ("NHWC", "NCHW"), ("NCHW", "NCHW")]))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    a, b = factors(rng, rule, data.draw(st.sampled_from([1, channels])), type_)
    if rule is not Rule.NORMALISE and data.draw(st.booleans()):  # one deviation for all channels, and often many ties
        a[:] = data.draw(st.sampled_from([1.0, 0.5, 0.25, 0.125, 1.5, 0.75, 2.0, 3.0, 1 / 64, 0.21875, 0.99609375]))
        b += rng.choice([0.0, 0.5, 0.25], b.size) if rule is Rule.AFFINE else 0
    shape = (1, channels, 61, 73)
    x = np.resize(np.arange(256, dtype=np.uint8), shape)
    source, destination = MemoryLayout("uint8", formats[0]), MemoryLayout(type_, formats[1])
    expected = reference(x, rule, np.dtype(type_), a.reshape(-1, 1, 1), b.reshape(-1, 1, 1))
    actual = np.empty(x.size, type_)
    Conversion(shape, source, destination, rule, a, b).convert(store(x, source, np.zeros(channels)), actual)
    np.testing.assert_array_equal(actual, store(expected, destination, np.zeros(channels)))


@pytest.mark.parametrize("format_", ["NCHW", "NHWC"])
@pytest.mark.parametrize("channels", [1, 3])
def test_widens_and_narrows_every_half_exactly(format_: str, channels: int) -> None:
    """There are few enough halves to try all; the floats between them are tried at and beside every midpoint."""
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    whole = Conversion(
        (1, 1, 1, halves.size),
        MemoryLayout("float16", "NCHW"),
        MemoryLayout("float32", "NCHW"),
        Rule.NORMALISE,
        [0],
        [1],
    )
    floats = np.empty(halves.size, np.float32)
    whole.convert(halves, floats)
    assert floats.tobytes() == halves.astype(np.float32).tobytes()
    ordered = np.sort(floats)
    middles = (ordered[1:] + ordered[:-1]) / 2
    tried = np.concatenate([middles, np.nextafter(middles, np.inf), np.nextafter(middles, -np.inf)]).astype(np.float32)
    tried = np.resize(tried, (channels, tried.size // channels + 1))
    shape = (1, channels, 1, tried.shape[1])
    narrowed = np.empty(tried.shape if format_ == "NCHW" else tried.T.shape, np.float16)
    Conversion(
        shape, MemoryLayout("float32", "NCHW"), MemoryLayout("float16", format_), Rule.NORMALISE, [0], [1]
    ).convert(tried, narrowed)
    expected = tried.astype(np.float16)
    assert narrowed.tobytes() == (expected if format_ == "NCHW" else np.ascontiguousarray(expected.T)).tobytes()


@pytest.mark.parametrize(
    ("source", "destination", "rule", "factors"),
    [
        (MemoryLayout("float32", "NCHW"), MemoryLayout("int8", "NHWC"), Rule.COPY, ()),
        (MemoryLayout("int4", "NCHW"), MemoryLayout("int4", "NHWC"), Rule.COPY, ()),
        (MemoryLayout("float32", "UNDEFINED"), MemoryLayout("float32", "NCHW"), Rule.COPY, ()),
        (MemoryLayout("float32", "NCHW", row=7), MemoryLayout("float32", "NCHW"), Rule.COPY, ()),
        (MemoryLayout("float32", "NCHW"), MemoryLayout("float32", "NC1HWC2", c1=1, c2=2), Rule.COPY, ()),
        (MemoryLayout("float32", "NCHW"), MemoryLayout("float32", "NC1HWC2", c1=1, c2=0), Rule.COPY, ()),
        (MemoryLayout("float32", "NCHW"), MemoryLayout("float32", "NC1HWC2", c1=1, c2=4, surface=63), Rule.COPY, ()),
        (MemoryLayout("int64", "NCHW"), MemoryLayout("int8", "NHWC"), Rule.AFFINE, (1.0,)),
        (MemoryLayout("float32", "NCHW"), MemoryLayout("int8", "NHWC"), Rule.AFFINE, ()),
        (MemoryLayout("float32", "NCHW"), MemoryLayout("int8", "NHWC"), Rule.AFFINE, (1.0, 1.0)),
        (MemoryLayout("float32", "NCHW"), MemoryLayout("int8", "NHWC"), Rule.AFFINE, (float("nan"),)),
        (MemoryLayout("float32", "NCHW"), MemoryLayout("int8", "NHWC"), Rule.SCALE, (0.1,)),
        (MemoryLayout("float32", "NCHW"), MemoryLayout("int8", "NHWC"), Rule.DEQUANTISE, (1.0,)),
    ],
)
def test_refuses_a_conversion_without_a_kernel(
    source: MemoryLayout, destination: MemoryLayout, rule: Rule, factors: Any
) -> None:
    """The error comes when the conversion is described, before any memory is touched."""
    with pytest.raises(RknnValueError, match="no kernel converts"):
        Conversion((1, 3, 8, 8), source, destination, rule, factors, factors)


def test_refuses_buffers_that_are_too_small() -> None:
    """The kernel itself cannot know their size."""
    conversion = Conversion((1, 3, 8, 8), MemoryLayout("uint8", "NHWC"), MemoryLayout("uint8", "NHWC", row=16))
    assert (conversion.source_bytes, conversion.destination_bytes) == (192, 384)
    with pytest.raises(RknnValueError, match="192 bytes to 384"):
        conversion.convert(bytes(192), bytearray(383))
    with pytest.raises(RknnValueError, match="191"):
        conversion.convert(bytes(191), bytearray(384))
