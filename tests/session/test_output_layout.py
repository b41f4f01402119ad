# SPDX-License-Identifier: Apache-2.0
"""4-D outputs in NHWC: the same numbers in another order, in every way to run."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, NodeArg, OrtValue, RunOptions
from ez_rknn_async._transport import copying

from ..simulator.recordings import Recording, executable
from .conftest import OpenSession, feed_of
from .io_modes import feeds, options
from .test_running import Collector
from .ways import WAYS, Way

MODES = ("direct", "copy")


def in_nhwc(array: Any) -> Any:
    """Return an image in NHWC order, and anything else unchanged."""
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == 4 else array


def identical(a: Any, b: Any) -> bool:
    """True if two arrays are equal byte for byte, and laid out alike."""
    return bool(a.flags.c_contiguous and a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes())


def is_image(output: NodeArg) -> bool:
    return output.layout in ("NCHW", "NHWC")


@pytest.mark.filterwarnings("ignore:.* was given NaN")
@pytest.mark.parametrize("io_mode", MODES)
@pytest.mark.parametrize("recording", executable(), ids=lambda recording: recording.name)
def test_every_model_gives_the_same_numbers_in_the_other_order(recording: Recording, io_mode: str) -> None:
    """Every kind of output, dequantised and native, with every set of shapes; only images change their order."""
    with (
        InferenceSession(recording.path, provider_options=options(io_mode)) as nchw,
        InferenceSession(recording.path, provider_options=options(io_mode, output_layout="nhwc")) as nhwc,
    ):
        images = [is_image(output) for output in nchw.get_outputs()]
        for feed in feeds(nchw, ("float32",)):
            for dtype in ("float32", "native"):
                of_nchw, of_nhwc = (s.run(None, feed, {"output_dtype": dtype}) for s in (nchw, nhwc))
                for image, plain, result in zip(images, of_nchw, of_nhwc):
                    assert identical(in_nhwc(plain) if image else plain, result)


@pytest.mark.parametrize("io_mode", MODES)
@pytest.mark.parametrize("way", sorted(WAYS))
def test_every_way_to_run_keeps_the_layout(open_session: OpenSession, way: str, io_mode: str) -> None:
    """Batches do too; their samples are joined along the first dimension in either order."""
    run: Way = WAYS[way]
    nchw = open_session(simulator="", io_mode=io_mode, schedule=[0, 1], max_queue_size=20)
    nhwc = open_session(simulator="", io_mode=io_mode, schedule=[0, 1], max_queue_size=20, output_layout="nhwc")
    feed = feed_of(nchw)
    expected = in_nhwc(nchw.run(None, feed)[0])
    outcomes = run(nhwc, feed, 4)
    assert len(outcomes) == 4
    for outcome in outcomes:
        assert isinstance(outcome, list)
        assert identical(outcome[0], expected)


@pytest.mark.parametrize("io_mode", MODES)
def test_one_call_can_choose_the_layout(open_session: OpenSession, io_mode: str) -> None:
    """Run options take it as a dictionary or as RunOptions; the session's own is only the default."""
    session = open_session(simulator="", io_mode=io_mode)
    feed = feed_of(session)
    (plain,) = session.run(None, feed)
    entries = RunOptions()
    entries.add_run_config_entry("output_layout", "NHWC")
    collector = Collector(1)
    session.run_async(None, feed, collector, 0, entries)
    ((results, _, _),) = collector.wait()
    assert results is not None
    assert identical(results[0], in_nhwc(plain))
    assert identical(session.run(None, feed, {"output_layout": "nhwc"})[0], in_nhwc(plain))
    assert identical(asyncio.run(session.run_awaitable(None, feed, entries))[0], in_nhwc(plain))
    batch = {name: np.concatenate([array] * 3) for name, array in feed.items()}
    (joined,) = session.run(None, batch, {"output_layout": "nhwc", "ztu_modelrt_dispatch_batch": True})
    assert identical(joined, np.concatenate([in_nhwc(plain)] * 3))
    nhwc = open_session(simulator="", io_mode=io_mode, output_layout="nhwc")
    assert identical(nhwc.run(None, feed, {"output_layout": "original"})[0], plain)


@pytest.mark.parametrize("io_mode", MODES)
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_an_array_for_an_output_has_the_chosen_shape(open_session: OpenSession, io_mode: str, dtype: Any) -> None:
    """It is written in place; the shape in the other order is a clear error."""
    session = open_session(simulator="", io_mode=io_mode, output_layout="nhwc")
    feed, (name,) = feed_of(session), session.output_names
    native = {"output_dtype": "native" if dtype is np.int8 else "float32"}
    (expected,) = session.run(None, feed, native)
    mine = np.zeros(expected.shape, dtype)
    assert session.run(None, feed, outputs={name: mine})[0] is mine
    assert identical(mine, expected)
    n, h, w, c = expected.shape
    with pytest.raises(ValueError, match=rf"needs float32 or int8 and \[{n}, {h}, {w}, {c}\]"):
        session.run(None, feed, outputs={name: np.zeros((n, c, h, w), dtype)})


def test_get_outputs_describes_the_results_of_run(open_session: OpenSession) -> None:
    """It has the shape, the layout, and each shape of a dynamic model."""
    for model in ("tiny_conv_int8", "dynamic_fp16", "vector_fp16"):
        session = open_session(model, output_layout="nhwc")
        for shapes in session.get_input_shapes():
            feed = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
            for output, result in zip(session.get_outputs(), session.run(None, feed)):
                assert list(result.shape) in output.shapes
                assert output.layout == ("NHWC" if result.ndim == 4 else "UNDEFINED")
                assert output.shape == output.shapes[0]


def test_direct_io_converts_once(open_session: OpenSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's kernel writes NHWC; only copied outputs are transposed afterwards, once, by a kernel too."""
    turns: list[Any] = []
    monkeypatch.setattr(copying, "transpose", lambda *arguments: turns.append(arguments))
    for io_mode, expected in (("direct", 0), ("copy", 1)):
        session = open_session(io_mode=io_mode, layout="nhwc", output_layout="nhwc")
        session.submit(feed_of(session)).result(60)
        assert len(turns) == expected


@pytest.mark.parametrize("zero_copy_layout", ["nhwc", "native"])
def test_values_and_bindings_have_the_chosen_shape(open_session: OpenSession, zero_copy_layout: str) -> None:
    """Outputs on the NPU and on the CPU, bound in every way, have it."""
    plain = open_session(simulator="")
    session = open_session(simulator="", output_layout="nhwc", zero_copy_layout=zero_copy_layout)
    feed, (name,) = feed_of(session), session.output_names
    expected = in_nhwc(plain.run(None, feed)[0])
    mine = np.zeros(expected.shape, np.float32)
    of_shape = partial(
        OrtValue.ortvalue_from_shape_and_type, device_type="rknpu2", session=session, name=name, io_kind="output"
    )
    given = {"cpu": OrtValue.ortvalue_from_numpy(mine), "rknpu2": of_shape(expected.shape, np.float32)}
    for device, value in (("rknpu2", None), ("cpu", None), *given.items()):
        binding = session.io_binding()
        binding.bind_cpu_input(session.input_names[0], next(iter(feed.values())))
        if value is None:
            binding.bind_output(name, device)
        else:
            binding.bind_ortvalue_output(name, value)
        session.run_with_iobinding(binding)
        (result,) = binding.get_outputs()
        assert tuple(result.shape()) == expected.shape
        assert np.array_equal(result.numpy(), expected)
    binding = session.io_binding()
    binding.bind_cpu_input(session.input_names[0], next(iter(feed.values())))
    assert np.array_equal(session.submit(binding).result(60)[0].numpy(), expected)
    with pytest.raises(ValueError, match="has shape"):
        of_shape(plain.get_outputs()[0].shape, np.float32)
