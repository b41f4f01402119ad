# SPDX-License-Identifier: Apache-2.0
"""The arguments of ``inference``, turned into a feed: arrays in the runtime's own order of dimensions.

All is pure. What does not fit is refused here or, shapes and names, by the session.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._messages.wording import shown
from ..._tensors.npu_layout import IMAGE_CHANNELS
from ...errors import RknnTypeError, RknnValueError

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..._tensors.node_arg import NodeArg

    Array = npt.NDArray[Any]

_FORMATS = ("nhwc", "nchw")


def feed_of(
    inputs: Any,
    arguments: Sequence[NodeArg],
    data_type: Any = None,
    data_format: Any = None,
    inputs_pass_through: Any = None,
) -> list[Array]:
    """Return the arrays of one inference, images in NHWC order; views of the given ones where possible.

    Args:
        inputs: arrays in the model's order, or one array for the only input.
        arguments: the model's inputs, images in NHWC order.
        data_type: None, or the arrays' types, which they must have.
        data_format: the order of 4-D inputs, ``"nhwc"`` (also where it is None) or ``"nchw"``: for all, or for each.
        inputs_pass_through: for each input whether it is in the NPU's own form: for an int8 input, quantised int8.

    Raises:
        RknnValueError, RknnTypeError: they contradict each other or the model.
    """
    if isinstance(inputs, np.ndarray):
        inputs = [inputs]
    if not isinstance(inputs, Sequence) or isinstance(inputs, (str, bytes)):
        raise RknnTypeError(f"inputs takes a list of arrays, not {shown(inputs)}")
    if len(inputs) != len(arguments):
        raise RknnValueError(f"inputs has {len(inputs)} array(s), but the model has {len(arguments)} input(s)")
    count = len(arguments)
    arrays = [value if isinstance(value, np.ndarray) else np.asarray(value) for value in inputs]
    if data_type is not None:
        _check_types(arrays, _for_each("data_type", data_type, count))
    if inputs_pass_through is not None:
        _check_pass_through(arrays, arguments, _for_each("inputs_pass_through", inputs_pass_through, count))
    formats = _for_each("data_format", data_format, count)
    return [_arranged(*each) for each in zip(arrays, arguments, formats)]


def _for_each(name: str, value: Any, count: int) -> list[Any]:
    """Return one value for each input, given as a list or once for all."""
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise RknnValueError(f"{name} has {len(value)} entries, but the model has {count} input(s)")
    return list(value)


def _check_types(arrays: Sequence[Array], types: Sequence[Any]) -> None:
    for index, (array, type_) in enumerate(zip(arrays, types)):
        try:
            wanted = array.dtype if type_ is None else np.dtype(type_)
        except TypeError:
            raise RknnTypeError(f"data_type {shown(type_)} of input {index} is no type of numpy's") from None
        if wanted != array.dtype:
            raise RknnValueError(f"data_type says that input {index} is {wanted}, but the array is {array.dtype}")


def _check_pass_through(arrays: Sequence[Array], arguments: Sequence[NodeArg], flags: Sequence[Any]) -> None:
    """Refuse to pass through anything but quantised int8 for an int8 input."""
    for index, (array, argument, flag) in enumerate(zip(arrays, arguments, flags)):
        if not flag:
            continue
        if array.dtype != np.int8 or argument.dtype != "int8":
            raise RknnValueError(
                f"inputs_pass_through is set for input {index}, an array of {array.dtype} for an input of "
                f"{argument.dtype}; only int8 for an int8 input can be passed through: leave it out"
            )
        if argument.layout == "NHWC" and argument.shape[-1] > IMAGE_CHANNELS:
            raise RknnValueError(
                f"inputs_pass_through is set for input {index}, whose {argument.shape[-1]} channels the NPU keeps in "
                "blocks; leave it out, and int8 is taken for quantised all the same"
            )


def _arranged(array: Array, argument: NodeArg, data_format: Any) -> Array:
    if data_format is not None and not (isinstance(data_format, str) and data_format.lower() in _FORMATS):
        raise RknnValueError(f"data_format takes 'nhwc' or 'nchw', or a list of these, not {shown(data_format)}")
    if argument.layout != "NHWC":
        return array
    if array.ndim == 3:  # one image without its batch: early versions of RKNNLite took it
        array = array[None]
    if array.ndim == 4 and data_format is not None and data_format.lower() == "nchw":
        array = array.transpose(0, 2, 3, 1)
    return array
