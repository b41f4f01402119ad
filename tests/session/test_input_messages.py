# SPDX-License-Identifier: Apache-2.0
"""Images without their batch dimension or in the other layout, on every way into a model."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest

from ez_rknn_async import InferenceSession, OrtValue, RknnTypeError, RknnValueError

from .conftest import OpenSession

HWC, CHW = np.zeros((16, 16, 3), np.float32), np.zeros((3, 16, 16), np.float32)
BATCH = {"ztu_modelrt_dispatch_batch": "1"}


def _bind_cpu_input(session: InferenceSession, image: Any) -> None:
    session.io_binding().bind_cpu_input("x", image)


def _bind_value(session: InferenceSession, image: Any) -> None:
    session.io_binding().bind_ortvalue_input("x", OrtValue.ortvalue_from_numpy(image))


def _make_value(session: InferenceSession, image: Any) -> None:
    OrtValue.ortvalue_from_numpy(image, "rknpu2", 0, name="x", session=session)


def _update_value(session: InferenceSession, image: Any) -> None:
    value = OrtValue.ortvalue_from_shape_and_type([1, 3, 16, 16], None, "rknpu2", 0, name="x", session=session)
    value.update_inplace(image)


WAYS: list[Callable[[InferenceSession, Any], object]] = [
    lambda session, image: session.run(None, {"x": image}),
    lambda session, image: session.run(None, {"x": image}, BATCH),
    lambda session, image: session.run_async(None, [image], print),
    lambda session, image: session.submit([image]),
    lambda session, image: next(session.map([[image]])),
    lambda session, image: session.run_pipeline([image]),
    _bind_cpu_input,
    _bind_value,
    _make_value,
    _update_value,
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("image", "code"), [(CHW, "pass image[None]"), (HWC, "pass image.transpose(2, 0, 1)[None]")])
def test_advises_how_to_add_a_missing_batch_dimension(
    open_session: OpenSession, way: Callable[[InferenceSession, Any], object], image: Any, code: str
) -> None:
    """Every method that takes an image does."""
    with pytest.raises(RknnValueError) as caught:
        way(open_session(), image)
    assert code in str(caught.value)
    assert "reshape" not in str(caught.value)
    if image is HWC:
        assert "layout='nhwc'" in str(caught.value)


def test_a_cpu_value_tells_how_to_fit_an_array_to_it() -> None:
    """The value's shape and type cannot change."""
    value = OrtValue.ortvalue_from_numpy(np.zeros((1, 12), np.float32))
    with pytest.raises(RknnValueError, match=r"array\[None\]"):
        value.update_inplace(np.zeros(12, np.float32))
    with pytest.raises(RknnValueError, match=r"astype\(numpy\.float32\)"):
        value.update_inplace(np.zeros((1, 12)))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "input 'x' is None; pass an array"),
        ("cat.png", "input 'x' is 'cat.png', which is no array; read the file"),
        (b"\x89PNG", "which is no array; read the file"),
        (np.array(["a"]), "holds no real numbers"),
    ],
)
def test_names_an_argument_that_is_not_an_array(open_session: OpenSession, value: Any, words: str) -> None:
    """A path instead of an image is common."""
    with pytest.raises(RknnTypeError) as caught:
        open_session().run(None, {"x": value})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("feed", "words"),
    [
        (None, "the feed cannot be None; pass a dictionary {name: array}, a list of arrays or one array"),
        (5, "cannot be 5"),
        ("x", "cannot be 'x'"),
    ],
)
def test_names_an_argument_that_is_not_a_feed(open_session: OpenSession, feed: Any, words: str) -> None:
    """The message lists the possible kinds of feeds."""
    with pytest.raises(RknnTypeError) as caught:
        open_session().run(None, feed)
    assert words in str(caught.value)


def test_a_wrong_input_name_has_a_suggestion(open_session: OpenSession) -> None:
    """It is the nearest of the model's own."""
    session = open_session("two_inputs_int8")
    first, second = session.input_names
    with pytest.raises(RknnValueError, match=f"did you mean '{first}'.*the model's inputs are '{first}', '{second}'"):
        session.run(None, {first + "s": 0, second: 0})
