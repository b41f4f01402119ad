# SPDX-License-Identifier: Apache-2.0
"""Advice for an array of a shape that the model does not take."""

from __future__ import annotations

import numpy as np
import pytest

from ez_rknn_async._messages.shape_advice import Expected, advice
from ez_rknn_async._runtime.tensor_attribute import TensorAttribute
from ez_rknn_async._tensors.inputs import Input

NCHW = Expected((1, 3, 4, 5), "NCHW", "NHWC")
NHWC = Expected((1, 4, 5, 3), "NHWC", "NCHW")
VECTOR = Expected((2, 12))


@pytest.mark.parametrize(
    ("shape", "expected", "words"),
    [
        ((3, 4, 5), NCHW, "one image in CHW order without its batch dimension: pass image[None]"),
        ((4, 5, 3), NHWC, "one image in HWC order without its batch dimension: pass image[None]"),
        ((1, 4, 5, 3), NCHW, "NHWC order: set the provider option layout='nhwc', or pass image.transpose(0, 3, 1, 2)"),
        ((1, 3, 4, 5), NHWC, "NCHW order: set the provider option layout='nchw', or pass image.transpose(0, 2, 3, 1)"),
        (
            (4, 5),
            Expected((1, 1, 4, 5), "NCHW", "NHWC"),
            "without its batch and channel dimensions: pass image[None, None]",
        ),
        ((4, 5), Expected((1, 4, 5, 1), "NHWC", "NCHW"), "pass image[None, :, :, None]"),
        ((3, 4, 5), Expected((8, 3, 4, 5), "NCHW", "NHWC"), "pass numpy.stack([image, ...]) of 8 images"),
        ((1, 3, 5, 4), NCHW, "its dimensions seem to be in another order: if so, pass array.transpose(0, 1, 3, 2)"),
        ((60,), NCHW, "if they are in NCHW order, pass array.reshape(1, 3, 4, 5)"),
        ((1, 2, 12), VECTOR, "only dimensions of 1 differ: pass array.reshape(2, 12)"),
        ((24,), VECTOR, "if they are in the model's order, pass array.reshape(2, 12)"),
        ((12,), Expected((1, 12)), "one sample without its batch dimension: pass array[None]"),
        ((7, 3, 4, 5), NCHW, "to run each sample on its own, set the run option ztu_modelrt_dispatch_batch"),
        ((7, 4, 5, 3), NCHW, "it is a batch in NHWC order: set the provider option layout='nhwc'"),
    ],
)
def test_the_advice_fits_the_shape(shape: tuple[int, ...], expected: Expected, words: str) -> None:
    """Each common mistake is tested."""
    assert words in advice(shape, [expected])


def test_an_image_without_its_batch_in_the_other_layout_gets_both_cures() -> None:
    """cv2.imread() gives one, for a model that takes NCHW: the usual first mistake."""
    said = advice((4, 5, 3), [NCHW])
    assert "one image in HWC order without its batch dimension, but NCHW order is expected" in said
    assert "pass image.transpose(2, 0, 1)[None]" in said
    assert "set the provider option layout='nhwc' and pass image[None]" in said


@pytest.mark.parametrize("shape", [(4, 5, 3), (5, 4, 3), (1, 4, 5, 3), (1, 5, 4, 3), (4, 3, 5), (2, 30), (1, 3, 2, 10)])
def test_never_advises_a_reshape_that_would_scramble_an_image(shape: tuple[int, ...]) -> None:
    """It has the right number of elements, and reshape() would silently take them in the wrong order."""
    assert "reshape" not in advice(shape, [NCHW])


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_the_advised_code_gives_the_image_that_the_model_takes(layout: str) -> None:
    """The code in the message is executed: it gives the same picture, in the session's layout."""
    target = Input(TensorAttribute("x", (1, 4, 5, 3), "NHWC", "int8", 60, 1.0, 0), layout)
    image = np.arange(60).reshape(4, 5, 3)  # HWC
    wanted = image[None] if layout == "nhwc" else image.transpose(2, 0, 1)[None]
    for given in (image, image.transpose(2, 0, 1), image[None], image.transpose(2, 0, 1)[None]):
        if given.shape == wanted.shape:
            continue
        said = advice(given.shape, target.expected)
        code = said.split("pass ", 1)[1].split(";")[0]
        assert np.array_equal(eval(code, {"image": given}), wanted)


def test_any_layout_takes_an_image_in_either_order() -> None:
    """Only the batch dimension is missing."""
    target = Input(TensorAttribute("x", (1, 4, 5, 3), "NHWC", "int8", 60, 1.0, 0), "any")
    for shape in ((4, 5, 3), (3, 4, 5)):
        assert "pass image[None]" in advice(shape, target.expected)


def test_does_not_guess_advice() -> None:
    """A message without advice is better than one with a guess."""
    assert advice((9, 9, 9), [NCHW, VECTOR]) == ""
