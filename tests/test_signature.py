# SPDX-License-Identifier: Apache-2.0
"""Feeds and requests: shapes of dynamic models, and arrays for the outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ez_rknn_async._runtime.tensor_attribute import FORMATS, TensorAttribute
from ez_rknn_async._tensors.outputs import AS_THE_SESSION, Choice, Output
from ez_rknn_async._tensors.shapes import shape_sets
from ez_rknn_async._transport.copying import Copying, CopyingRequest
from ez_rknn_async._transport.signature import Signature

IMAGE = TensorAttribute("image", (1, 8, 6, 3), "NHWC", "float16", 288, 1.0, 0)
MASK = TensorAttribute("mask", (1, 6), "UNDEFINED", "float16", 12, 1.0, 0)
RESULT = TensorAttribute("result", (1, 2, 8, 6), "NCHW", "int8", 96, 0.5, -3)
INDEX = TensorAttribute("index", (1,), "UNDEFINED", "int64", 8, 1.0, 0)
# Image and mask change together.
GRAPHS = (
    (((1, 3, 8, 6), (1, 6)), ((1, 2, 8, 6), (1,))),
    (((1, 3, 4, 5), (1, 5)), ((1, 2, 4, 5), (1,))),
)


def dynamic(layout: str = "nchw") -> Signature:
    return Signature.of(shape_sets((IMAGE, MASK), (RESULT, INDEX), GRAPHS), layout)


def static(**options: Any) -> Signature:
    return Signature.of(shape_sets((IMAGE,), (RESULT, INDEX), ()), "nchw", **options)


def zeros(*shapes: tuple[int, ...]) -> list[Any]:
    return [np.zeros(shape, np.float32) for shape in shapes]


def request_of(signature: Signature, feed: Any, outputs: Any = None, choice: Choice = AS_THE_SESSION) -> CopyingRequest:
    given, chosen = signature.check(feed)
    return Copying(signature).request(given, chosen, signature.receivers(chosen, outputs, choice), private=False)


FEED = zeros((1, 3, 8, 6))


def test_every_legal_shape_is_visible() -> None:
    """Each input lists its own, and the session lists the valid sets."""
    (image, mask), (result, index) = dynamic().node_args()
    assert image.shape == [1, 3, 8, 6]
    assert image.shapes == [[1, 3, 8, 6], [1, 3, 4, 5]]
    assert (mask.shapes, result.shapes, index.shapes) == (
        [[1, 6], [1, 5]],
        [[1, 2, 8, 6], [1, 2, 4, 5]],
        [[1]],
    )
    assert dynamic("nhwc").input_shapes() == [
        {"image": [1, 8, 6, 3], "mask": [1, 6]},
        {"image": [1, 4, 5, 3], "mask": [1, 5]},
    ]


@pytest.mark.parametrize("number", [0, 1])
def test_the_shapes_of_a_feed_determine_those_of_the_outputs(number: int) -> None:
    """The runtime gets them too, images in NHWC: it refuses NCHW."""
    shapes = GRAPHS[number][0]
    request = request_of(dynamic(), zeros(*shapes))
    assert [a.shape for a in request.arrays] == list(GRAPHS[number][1])
    image, mask = request.shapes
    n, c, h, w = shapes[0]
    assert (list(image.dims[0 : image.n_dims]), FORMATS[image.fmt]) == ([n, h, w, c], "NHWC")
    assert (image.n_elems, image.size) == (c * h * w, 2 * c * h * w)
    assert list(mask.dims[0 : mask.n_dims]) == list(shapes[1])


def test_a_static_model_sends_the_runtime_no_shapes() -> None:
    """It would answer with RKNN_ERR_MODEL_INVALID."""
    assert request_of(static(), FEED).shapes is None


def test_refuses_an_illegal_shape_and_lists_all_legal_ones() -> None:
    """It is refused before anything reaches the NPU."""
    with pytest.raises(ValueError, match=r"\[1, 3, 9, 9\], but the model takes \[1, 3, 8, 6\] or \[1, 3, 4, 5\]"):
        request_of(dynamic(), zeros((1, 3, 9, 9), (1, 6)))


@pytest.mark.parametrize(
    ("layout", "given", "large", "small"),
    [
        ("nchw", (1, 3, 8, 6), [1, 3, 8, 6], [1, 3, 4, 5]),
        ("nhwc", (1, 8, 6, 3), [1, 8, 6, 3], [1, 4, 5, 3]),
        ("any", (1, 3, 8, 6), [1, 3, 8, 6], [1, 3, 4, 5]),
        ("any", (1, 8, 6, 3), [1, 8, 6, 3], [1, 4, 5, 3]),
    ],
)
def test_refuses_mismatched_legal_shapes_and_lists_the_valid_sets(
    layout: str, given: tuple[int, ...], large: list[int], small: list[int]
) -> None:
    """Each is legal on its own, which makes this the harder fault to find; the sets are in the user's layout."""
    with pytest.raises(ValueError, match="do not go together") as caught:
        request_of(dynamic(layout), zeros(given, (1, 5)))
    sets = f"image {large} with mask [1, 6], or image {small} with mask [1, 5]"
    assert str(caught.value).startswith(f"the shapes image {large} with mask [1, 5] do not go together")
    assert str(caught.value).endswith(f"the model takes {sets}")


def test_a_4d_input_reported_as_nchw_is_required_in_nchw() -> None:
    """The runtime does so for integer inputs; the library that this one replaces demanded nonsense there."""
    ids = TensorAttribute("ids", (1, 3, 4, 5), "NCHW", "int64", 480, 1.0, 0)
    for layout in ("nchw", "nhwc", "any"):
        signature = Signature.of(shape_sets((ids,), (INDEX,), ()), layout)
        ((argument,), _) = signature.node_args()
        assert (argument.shape, argument.layout) == ([1, 3, 4, 5], "NCHW")
        array = np.arange(60).reshape(1, 3, 4, 5)
        (source,) = request_of(signature, [array]).sources
        assert np.array_equal(source.array, array)
        assert FORMATS[source.format] == "NCHW"


def test_a_shape_in_nchw_order_is_described_without_a_layout() -> None:
    """rknn_set_input_shapes refuses the layout NCHW, and compares a shape without one in that order."""
    ids = TensorAttribute("ids", (1, 3, 8, 6), "NCHW", "int64", 1152, 1.0, 0)
    graphs = ((((1, 3, 8, 6),), ((1,),)), (((1, 3, 4, 5),), ((1,),)))
    request = request_of(Signature.of(shape_sets((ids,), (INDEX,), graphs), "nchw"), zeros((1, 3, 4, 5)))
    assert FORMATS[request.shapes[0].fmt] == "UNDEFINED"
    assert list(request.shapes[0].dims[0:4]) == [1, 3, 4, 5]


def test_a_number_is_enough_for_an_input_of_one_element() -> None:
    """Examples are a threshold and a time step."""
    for shape in ((), (1,), (1, 1)):
        scalar = TensorAttribute("t", shape, "UNDEFINED", "float16", 2, 1.0, 0)
        signature = Signature.of(shape_sets((scalar,), (INDEX,), ()), "nchw")
        (source,) = request_of(signature, {"t": 2.5}).sources
        assert (source.array.shape, source.array.tolist()) == (shape, np.full(shape, 2.5).tolist())
    with pytest.raises(ValueError, match=r"'image' has shape \[\]"):
        request_of(static(), {"image": 2.5})


@pytest.mark.parametrize(
    ("options", "per_call", "dtypes"),
    [
        ({}, None, ["float32", "int64"]),
        ({"native_outputs": True}, None, ["int8", "int64"]),
        ({}, True, ["int8", "int64"]),
        ({"native_outputs": True}, False, ["float32", "int64"]),
    ],
)
def test_outputs_are_float32_or_of_the_models_type(
    options: dict[str, Any], per_call: bool | None, dtypes: list[str]
) -> None:
    """The option of the session or the call decides; plain integers never pass through float32."""
    request = request_of(static(**options), FEED, choice=Choice(per_call))
    receivers = [received.receiver for received in request.destinations]
    assert [r.array.dtype.name for r in receivers] == dtypes
    assert [r.want_float for r in receivers] == [dtype == "float32" for dtype in dtypes]


@pytest.mark.parametrize("type_", ["bfloat16", "int4", "float32"])
def test_a_type_that_numpy_lacks_is_always_converted(type_: str) -> None:
    """There is no array to put it in."""
    allocation = Output(TensorAttribute("y", (2,), "UNDEFINED", type_, 4, 1.0, 0)).allocation((2,), native=True)
    assert allocation.dtype == np.float32
    assert allocation.want_float


@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_uses_the_array_given_for_an_output(dtype: Any) -> None:
    """Its type determines if the runtime converts."""
    mine = np.empty((1, 2, 8, 6), dtype)
    request = request_of(static(), FEED, outputs={"result": mine})
    assert request.arrays[0] is mine
    assert request.destinations[0].receiver.want_float == (dtype is np.float32)
    assert request.arrays[1].shape == (1,)


READ_ONLY = np.zeros((1, 2, 8, 6), np.float32)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"result": np.zeros((1, 2, 6, 8), np.float32)}, r"needs float32 or int8 and \[1, 2, 8, 6\]"),
        ({"result": np.zeros((1, 2, 8, 6))}, "is of type float64"),
        ({"result": np.zeros((1, 2, 8, 6), ">f4")}, "is of type >f4"),
        ({"index": np.zeros(1, np.float32)}, r"needs int64 and \[1\]"),
        ({"result": np.zeros((1, 2, 6, 8), np.float32).transpose(0, 1, 3, 2)}, "C-contiguous and writable"),
        ({"result": READ_ONLY}, "C-contiguous and writable"),
        ({"resutl": READ_ONLY}, "no output 'resutl'; did you mean 'result'"),
        ({"result": [0.0]}, "must be a numpy array, not list"),
        ([READ_ONLY], "takes a dictionary"),
    ],
)
def test_refuses_an_array_that_cannot_receive_an_output(outputs: Any, message: str) -> None:
    """Writing to a copy instead would lose the results."""
    with pytest.raises((ValueError, TypeError), match=message):
        request_of(static(), FEED, outputs=outputs)


def test_the_repr_of_an_input_describes_what_to_feed() -> None:
    """It is one line, as a console prints it."""
    (image, _), (result, _) = dynamic().node_args()
    assert repr(image) == (
        "NodeArg(name='image', type='tensor(float)', shape=[1, 3, 8, 6], dtype='float16', layout='NCHW', "
        "shapes=[[1, 3, 8, 6], [1, 3, 4, 5]])"
    )
    assert "scale=0.5, zero_point=-3" in repr(result)
