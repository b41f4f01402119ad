# SPDX-License-Identifier: Apache-2.0
"""The numbers of ``inference``: those of our own session, for whatever form programs give inputs in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ..simulator.recordings import recording
from ..simulator.zoo import cosine
from .conftest import OpenLite, OpenSession

# An image of each kind: of one, three and five channels, with mean and standard deviation, of an odd size.
MODELS = [
    f"{name}_{precision}"
    for name in ("tiny_conv", "conv_c1", "conv_c5", "mean_std", "odd_size")
    for precision in ("int8", "fp16")
]
TYPES = ["uint8", "float32", "float16", "float64", "int16", "int64"]


def feed_of(session: Any, dtype: str = "float32", seed: int = 0) -> list[NDArray[Any]]:
    """Random pixels in the shapes of a session's inputs."""
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 256, argument.shape).astype(dtype) for argument in session.get_inputs()]


def assert_equal(given: list[Any] | None, expected: list[Any]) -> None:
    assert given is not None
    assert len(given) == len(expected)
    for ours, theirs in zip(given, expected):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("model", MODELS)
def test_images_of_every_type_give_our_own_sessions_numbers(
    open_lite: OpenLite, open_session: OpenSession, model: str
) -> None:
    """Mean and standard deviation are applied inside; NHWC is what is taken where nothing is said."""
    lite, session = open_lite(model, core_mask=2), open_session(model)
    for dtype in TYPES:
        feed = feed_of(session, dtype)
        assert_equal(lite.inference(inputs=feed), session.run(None, feed))


@pytest.mark.parametrize("form", ["nchw", "NCHW", ["nchw"]])
def test_nchw_images_are_the_same_images(open_lite: OpenLite, open_session: OpenSession, form: Any) -> None:
    """For all inputs, or for each."""
    lite, session = open_lite("mean_std_int8"), open_session("mean_std_int8")
    feed = feed_of(session, "uint8")
    turned = [np.ascontiguousarray(array.transpose(0, 3, 1, 2)) for array in feed]
    assert_equal(lite.inference(turned, data_format=form), session.run(None, feed))
    assert_equal(lite.inference([turned[0][0]], data_format=form), session.run(None, feed))


@pytest.mark.parametrize("data_format", [None, "nhwc", ["nhwc"], [None]])
def test_an_image_may_lack_its_batch(open_lite: OpenLite, open_session: OpenSession, data_format: Any) -> None:
    """As early versions took it, and widely copied programs give it; a view that is no array of its own will do."""
    lite, session = open_lite(), open_session()
    feed = feed_of(session, "uint8")
    frame = np.pad(feed[0][0], ((3, 3), (5, 5), (0, 0)))[3:-3, 5:-5]
    assert_equal(lite.inference([frame], data_format=data_format), session.run(None, feed))


@pytest.mark.parametrize("model", ["two_inputs_int8", "two_inputs_fp16", "sequence_int8", "vector_fp16", "batch4_int8"])
def test_other_shapes_go_as_they_are(open_lite: OpenLite, open_session: OpenSession, model: str) -> None:
    """In the model's order; one format serves all, and says nothing of what is no image."""
    lite, session = open_lite(model), open_session(model)
    feed = feed_of(session)
    assert_equal(lite.inference(feed, data_format="nhwc"), session.run(None, feed))
    assert_equal(lite.inference(tuple(feed), data_type="float32"), session.run(None, feed))
    assert_equal(lite.inference(feed, None, None, [0] * len(feed)), session.run(None, feed))


def test_token_ids(open_lite: OpenLite, open_session: OpenSession) -> None:
    """int64 inputs, which language models have."""
    lite, session = open_lite("tokens_fp16"), open_session("tokens_fp16")
    ((feed, _), *_) = recording("tokens_fp16").cases()
    assert_equal(lite.inference(feed), session.run(None, feed))


@pytest.mark.parametrize("passed", [None, [1]])
def test_int8_is_taken_for_quantised(open_lite: OpenLite, open_session: OpenSession, passed: Any) -> None:
    """Whether it is said to be passed through or not."""
    lite, session = open_lite(), open_session()
    feed = [np.random.default_rng(1).integers(-128, 128, (1, 16, 16, 3)).astype(np.int8)]
    assert_equal(lite.inference(feed, inputs_pass_through=passed), session.run(None, feed))


def test_every_set_of_shapes(open_lite: OpenLite, open_session: OpenSession) -> None:
    """Of a dynamic model, in any order."""
    lite, session = open_lite("dynamic_fp16"), open_session("dynamic_fp16")
    generator = np.random.default_rng(2)
    for shapes in session.get_input_shapes() * 2:
        feed = [generator.random(shape, np.float32) for shape in shapes.values()]
        assert_equal(lite.inference(feed), session.run(None, feed))


def test_the_numbers_are_the_compilers(open_lite: OpenLite) -> None:
    """Not only ours: what the official simulator recorded, with inputs in NCHW."""
    lite = open_lite("mean_std_int8")
    for inputs, outputs in recording("mean_std_int8").cases():
        ours = lite.inference(inputs, data_format="nchw")
        assert ours is not None
        for one, other in zip(ours, outputs):
            assert cosine(one, other) >= recording("mean_std_int8").cosine


def test_results_are_the_callers_own(open_lite: OpenLite, open_session: OpenSession) -> None:
    """Programs edit them in place, also with reuse_outputs."""
    lite, session = open_lite(), open_session()
    feed = feed_of(session, "uint8")
    first = lite.inference(feed, reuse_outputs=True)
    assert first is not None
    assert [array.dtype for array in first] == [np.float32]
    first[0][:] = -1
    assert_equal(lite.inference(feed, reuse_outputs=True), session.run(None, feed))
    assert (first[0] == -1).all()


def test_frames_are_numbered(open_lite: OpenLite) -> None:
    """Those of each runtime, behind the outputs."""
    lite = open_lite(async_mode=True)
    image = np.zeros((1, 16, 16, 3), np.uint8)
    numbers = [(lite.inference([image], get_frame_id=True) or [])[-1] for _ in range(3)]
    assert numbers == [1, 2, 3]


def test_plain_integers_come_as_float32(open_lite: OpenLite, open_session: OpenSession) -> None:
    """Every output does, as from RKNNLite; our own session keeps them."""
    for model in ("unusual_int8", "unusual_fp16"):
        lite, session = open_lite(model), open_session(model)
        feed = feed_of(session)
        outputs = lite.inference(feed)
        assert outputs is not None
        assert {array.dtype for array in outputs} == {np.dtype(np.float32)}
        assert_equal(outputs, [array.astype(np.float32) for array in session.run(None, feed)])
