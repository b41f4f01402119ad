# SPDX-License-Identifier: Apache-2.0
"""The forms in which a value can hold a tensor, their interchangeability, and the numbers in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ez_rknn_async._runtime.tensor_attribute import TensorAttribute
from ez_rknn_async._tensors.npu_layout import native_input, native_output
from ez_rknn_async._tensors.value_layout import Form, Forms, input_forms, output_forms
from ez_rknn_async.errors import RknnValueError
from ez_rknn_async.model import Preprocessing


def attribute(shape: tuple[int, ...], format_: str, type_: str = "int8", **more: Any) -> TensorAttribute:
    size = int(np.prod(shape)) * np.dtype(type_).itemsize
    return TensorAttribute("x", shape, format_, type_, size, 0.5, -3, **more)


def forms_of_image(type_: str = "int8", normalisation: Preprocessing | None = None, prefers_nhwc: bool = True) -> Forms:
    """Return the forms of an input of 6 x 4 pixels with 3 channels, in rows of 8 pixels."""
    itemsize = np.dtype(type_).itemsize
    image = attribute((1, 4, 6, 3), "NHWC", type_, row=8, size_with_stride=4 * 8 * 3 * itemsize)
    return input_forms(native_input(image, image), (1, 3, 4, 6), "NCHW", normalisation, prefers_nhwc)


def forms_of_channels(type_: str = "int8", normalisation: Preprocessing | None = None) -> Forms:
    """Return the forms of an input with 20 channels, which the NPU keeps in two blocks of 16."""
    plain = attribute((1, 4, 6, 20), "NHWC", type_)
    blocks = attribute((1, 2, 4, 6, 16), "NC1HWC2", type_)
    return input_forms(native_input(plain, blocks), (1, 20, 4, 6), "NCHW", normalisation, False)


def forms_of_output(blocks: int = 2, batch: int = 1, **more: Any) -> Forms:
    """Return the forms of an output with 20 channels."""
    plain = replace(attribute((batch, 20, 4, 6), "NCHW"), **more)
    native = attribute((batch, blocks, 4, 6, 16), "NC1HWC2")
    return output_forms(native_output(plain, native), (batch, 20, 4, 6), "NCHW", False)


def forms_of_vector(type_: str = "int8", normalisation: Preprocessing | None = None) -> Forms:
    vector = attribute((2, 12), "UNDEFINED", type_)
    return input_forms(native_input(vector, vector), (2, 12), "NCHW", normalisation, False)


MEANS = Preprocessing((10.0, 20.0, 30.0), (2.0, 4.0, 5.0))


# ---- The forms of a tensor ----


def test_an_image_has_one_form_for_both_layouts_and_one_for_pixels() -> None:
    """The NPU reads images of few channels in NHWC, and normalises raw pixels itself."""
    forms = forms_of_image()
    assert forms.native == forms.nhwc
    assert forms.pixels is not None
    assert (forms.pixels.type, forms.pixels.is_pixels, forms.pixels.way) == ("uint8", True, "pixels")
    assert forms.pixels.tensor.size == 4 * 8 * 3


def test_pixels_of_a_float16_image_take_a_byte_each() -> None:
    """They lie in separate memory, half as large, with rows of the same length."""
    pixels = forms_of_image("float16").pixels
    assert pixels is not None
    assert (pixels.tensor.size, pixels.tensor.bound.row) == (4 * 8 * 3, 8)


def test_many_channels_have_a_separate_form_for_each_layout() -> None:
    """NHWC lacks the padding of the last block, and the runtime converts it."""
    forms = forms_of_channels()
    assert (forms.native.tensor.layout.format, forms.native.way) == ("NC1HWC2", "native")
    assert (forms.nhwc.tensor.layout.format, forms.nhwc.way) == ("NHWC", "converted")
    assert forms.nhwc.tensor.size == 4 * 6 * 20
    assert forms.pixels is None


def test_normalised_float16_of_many_channels_has_no_nhwc() -> None:
    """The runtime would normalise a second time."""
    assert forms_of_channels("float16").nhwc.way == "converted"
    normalised = forms_of_channels("float16", Preprocessing((1.0,) * 20, (2.0,) * 20))
    assert normalised.nhwc == normalised.native


def test_an_output_in_blocks_can_be_had_in_nhwc() -> None:
    """The runtime writes NHWC if it is bound so."""
    forms = forms_of_output()
    assert (forms.native.way, forms.nhwc.way) == ("native", "converted")
    assert forms.nhwc.tensor.bound.shape == (1, 4, 6, 20)
    assert forms.pixels is None


def test_a_tensor_that_is_not_an_image_has_one_form() -> None:
    """It lies in plain order, with any preferred layout."""
    forms = forms_of_vector()
    assert forms.native == forms.nhwc
    assert forms.pixels is None
    assert forms.native.way == "native"


@pytest.mark.parametrize(("prefers_nhwc", "preferred"), [(True, "nhwc"), (False, "native")])
def test_the_preferred_form_comes_first(prefers_nhwc: bool, preferred: str) -> None:
    """zero_copy_layout says which; a layout that is requested by name is found by name."""
    forms = replace(forms_of_channels(), prefers_nhwc=prefers_nhwc)
    assert next(iter(forms)) is forms.preferred is forms.named("session") is getattr(forms, preferred)
    assert (forms.named("nhwc"), forms.named("nc1hwc2")) == (forms.nhwc, forms.native)
    assert {form.way for form in forms} == {"converted", "native"}


# ---- Normalisations with an effect ----


@pytest.mark.parametrize(
    ("normalisation", "expected"),
    [(None, None), (Preprocessing((0.0,) * 3, (1.0,) * 3), None), (MEANS, MEANS)],
    ids=["none", "trivial", "means"],
)
def test_ignores_a_normalisation_that_changes_nothing(
    normalisation: Preprocessing | None, expected: Preprocessing | None
) -> None:
    """It then makes no difference between values, either."""
    assert forms_of_image(normalisation=normalisation).native.normalisation == expected


@pytest.mark.parametrize(("type_", "is_normalised"), [("int8", False), ("float16", True), ("int64", False)])
def test_only_float_vectors_are_normalised(type_: str, is_normalised: bool) -> None:
    """The vendor's runtime does the same."""
    form = forms_of_vector(type_, Preprocessing((1.0,), (2.0,))).native
    assert (form.normalisation is not None) is is_normalised


# ---- Interchangeable forms ----


def test_a_form_can_replace_itself() -> None:
    """The list of differences is empty."""
    for forms in (forms_of_image(), forms_of_channels(), forms_of_output(), forms_of_vector()):
        for form in forms:
            assert form.differences(form) == []


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (forms_of_image(normalisation=MEANS).native, "mean: [10.0, 20.0, 30.0] instead of None"),
        (forms_of_image("float16").native, "element type: float16 instead of int8"),
        (forms_of_image().pixels, "element type: uint8 instead of int8"),
        (forms_of_channels().nhwc, "shape: [1, 20, 4, 6] instead of [1, 3, 4, 6]"),
        (forms_of_channels().native, "layout: NC1HWC2 instead of NHWC"),
    ],
    ids=["mean", "type", "pixels", "shape", "layout"],
)
def test_differences_name_the_given_and_the_required_form(other: Form, words: str) -> None:
    """The message of the error that refuses a value lists them."""
    assert words in forms_of_image().native.differences(other)


def test_another_quantisation_is_a_difference() -> None:
    """The same bytes mean other numbers."""
    ours, theirs = forms_of_output().native, forms_of_output(scale=0.25, zero_point=7).native
    assert ours.differences(theirs) == ["scale: 0.25 instead of 0.5", "zero point: 7 instead of -3"]


def test_one_more_block_of_padding_does_not_matter_to_a_single_image() -> None:
    """Outputs often have one more than the input that they become; a missing block cannot be made up for."""
    ours, theirs = forms_of_output(blocks=2).native, forms_of_output(blocks=3).native
    assert ours.differences(theirs) == []
    assert theirs.differences(ours) == ["blocks of channels: 2 instead of 3"]


def test_one_more_block_of_padding_matters_to_a_batch() -> None:
    """It moves the second image."""
    ours, theirs = forms_of_output(blocks=2, batch=2).native, forms_of_output(blocks=3, batch=2).native
    assert ours.differences(theirs) == ["blocks of channels: 3 instead of 2"]


# ---- Numbers in and out ----


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.uint16])
def test_pixels_only_take_uint8(dtype: type) -> None:
    """They are not converted, so nothing else could become them."""
    pixels = forms_of_image().pixels
    assert pixels is not None
    with pytest.raises(RknnValueError, match="'x' holds raw uint8 pixels and cannot take"):
        pixels.writing(np.dtype(dtype), "NCHW")


def test_pixels_are_not_quantised() -> None:
    """They are plain numbers."""
    forms = forms_of_image()
    assert forms.pixels is not None
    assert (forms.pixels.scale, forms.pixels.zero_point) == (1.0, 0)
    assert (forms.native.scale, forms.native.zero_point) == (0.5, -3)


@pytest.mark.parametrize("form", [*forms_of_channels(), *forms_of_image()], ids=lambda form: form.tensor.layout.format)
@pytest.mark.parametrize("order", ["NCHW", "NHWC"])
def test_reads_back_written_numbers(form: Form, order: str) -> None:
    """They pass through the memory's layout, in the order of the form; gaps and padding do not show."""
    dims = form.tensor.dims
    numbers = np.arange(dims.n * dims.c * dims.h * dims.w, dtype=np.int64).reshape(tuple(dims)) % 100
    dtype = np.dtype(form.type)
    given = numbers.transpose(0, 2, 3, 1) if order == "NHWC" else numbers
    memory = np.zeros(form.tensor.size, np.uint8)
    form.writing(dtype, order).convert(np.ascontiguousarray(given, dtype), memory)
    result = np.empty(form.shape, dtype)
    form.reading(dtype).convert(memory, result)
    assert np.array_equal(result, numbers.reshape(form.shape))


def test_real_numbers_are_quantised_and_dequantised() -> None:
    """The tensor's steps are 0.5."""
    form = forms_of_channels().native
    numbers = (np.arange(480, dtype=np.float32).reshape(1, 20, 4, 6) % 100) * 0.5 - 20
    memory, result = np.zeros(form.tensor.size, np.uint8), np.empty_like(numbers)
    form.writing(numbers.dtype, "NCHW").convert(numbers, memory)
    form.reading(numbers.dtype).convert(memory, result)
    assert np.array_equal(result, numbers)


@pytest.mark.parametrize("order", ["NCHW", "NHWC"])
def test_denormalising_undoes_the_normalisation_channel_by_channel(order: str) -> None:
    """A value's numbers are those before normalisation."""
    form = replace(forms_of_image(normalisation=MEANS).native, order=order)
    channels = (-1, 1, 1) if order == "NCHW" else (-1,)
    mean, std = (np.reshape(np.array(each, np.float32), channels) for each in (MEANS.mean, MEANS.std))
    shape = (1, 3, 4, 6) if order == "NCHW" else (1, 4, 6, 3)
    numbers = np.arange(72, dtype=np.float32).reshape(shape)
    normalised = (numbers - mean) / std
    form.denormalise(normalised)
    assert np.allclose(normalised, numbers)


def test_integers_are_not_denormalised() -> None:
    """They are plain numbers."""
    quantised = np.arange(72, dtype=np.int8).reshape(1, 3, 4, 6)
    before = quantised.copy()
    forms_of_image(normalisation=MEANS).native.denormalise(quantised)
    assert np.array_equal(quantised, before)


@pytest.mark.parametrize(("type_", "dtype"), [("int8", np.float32), ("float16", np.float32), ("int64", np.int64)])
def test_real_numbers_are_float32_unless_it_could_not_hold_them(type_: str, dtype: type) -> None:
    """Plain integers are read unchanged."""
    assert forms_of_vector(type_).native.real_dtype == dtype


def test_only_messages_about_images_advise_on_the_layout() -> None:
    """The advice to transpose makes no sense for other tensors."""
    image, vector = forms_of_image().native.expected, forms_of_vector().native.expected
    assert (image.layout, image.other_layout) == ("NCHW", "NHWC")
    assert (vector.shape, vector.layout, vector.other_layout) == ((2, 12), "", "")
